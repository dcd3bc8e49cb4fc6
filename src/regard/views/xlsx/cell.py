"""One cell of a model as a workbook: from what enters the layer to the stream, or to the word; all of it follows.

A matrix stands beside the vector that it makes, turned: a number is the product of two lines, what enters and a line
of the matrix.
"""

from collections.abc import Sequence

import numpy as np

from regard.inspection.cell.cell import Cell
from regard.language import say
from regard.views import cell_end
from regard.views.cell_parts import Style
from regard.views.derivation_cell import LETTER
from regard.views.xlsx.book import Book, Named, Place
from regard.views.xlsx.matrices import HIDDEN
from regard.views.xlsx.steps import Steps, normed, turned
from regard.views.xlsx.vectors import Column, Line, Matrix, Vectors


def render(cell: Cell, style: Style) -> bytes:
    """The workbook's bytes."""
    made = _Workbook(cell, style)
    for part in LETTER:
        made.part(part)
    made.weights()
    if "head_output" in cell:
        made.output()
    if "joined" in cell:
        made.word()
    made.vectors.fill()
    return made.book.data()


class _Workbook:
    """A workbook in the making, sheet by sheet. Final."""

    def __init__(self, cell: Cell, style: Style) -> None:
        self.cell, self.style, self.book = cell, style, Book(style.digits)
        self.vectors = Vectors(self.book)
        query, key = self.names = cell_end.names(cell, style)
        module = f" ({cell.site.module})" if cell.site.module else ""
        place = {"address": cell.site.address, "module": module, "head": cell.head, "n_heads": cell.site.n_heads}
        front = self.book.open(say("explain.sheet", style.lang))
        self.book.line(front, style.say("title_hidden" if cell.hidden else "title", query=query, key=key), "title")
        self.book.line(front, style.say("where", model=cell.model, **place), "note")
        self.book.line(front, say("explain.live", style.lang), "note")
        self.book.skip(front)
        self.keys = self.book.words(front, cell_end.told(cell.key_tokens[: len(cell["keys"])]))

    def part(self, part: str) -> None:
        """How a query, a key or a value is made."""
        cell, letter = self.cell, LETTER[part]
        token = self.names[0] if part == "query" else self.names[1]
        home = self._sheet(self.style.say(part), self.style.say(f"section_{part}", token=token))
        lines = _counted(len(cell[part]))
        if f"x_{part}" not in cell:
            self.vectors.table(home, lines, [Column(part, letter, cell[part])])
            return
        self.vectors.row(home, f"x_{part}", "x", cell[f"x_{part}"], len(cell[f"x_{part}"]))
        steps = Steps(self.vectors, home, f"x_{part}")
        matrices = []
        if f"w_{part}" in cell:
            name = f"W_{letter.upper()}"
            matrices = [Matrix(f"w_{part}", name, cell[f"w_{part}"].T)]
            steps.add(f"{part}_raw", f"x·{name}", self.vectors.product(f"x_{part}", f"w_{part}", home))
        if f"b_{part}" in cell:
            steps.plus(f"{part}_biased", letter, Column(f"b_{part}", f"b_{letter.upper()}", cell[f"b_{part}"]))
        if f"{part}_normed" in cell:
            normed(steps, cell, part, f"{letter}'")
        if f"{part}_turned" in cell:
            turned(steps, cell, part, f"{letter}'")
        steps.times(part, letter, cell.scalar(f"{part}_factor") if f"{part}_factor" in cell else 1.0)
        self.vectors.table(home, lines, steps.columns, *matrices)

    def weights(self) -> None:
        """Scores of all keys, to weights, to the context."""
        cell, at = self.cell, self.vectors.at
        home = self._sheet(say("explain.name_weights", self.style.lang), self.style.say("section_weights"))
        self.vectors.row(home, "query_row", "q", lambda i: at("query", i, home), len(cell["query"]))
        if "scorer" in cell:
            self.vectors.row(home, "scorer", "v", cell["scorer"], len(cell["scorer"]))
        for name in ("scale", "softcap", "sink"):
            if name in cell:
                self.vectors.alone(home, name, name, cell.scalar(name))
        self._sums(home)
        lines = [Named(self.keys.at(at, 0, home, fixed=True)) for at in range(len(cell["keys"]))]
        keys = Matrix("keys", "k", cell["keys"], cell.key, lambda i: at("key", i, home))
        values = Matrix("values", "v", cell["values"], cell.key, lambda i: at("value", i, home))
        self.vectors.table(home, lines, self._scores(home), keys, values)
        self.book.shade(self.vectors.places["weights"])
        self.book.line(home, self.style.say("section_context"), "heading")
        self.vectors.row(home, "context", "o", self._context(home), len(cell["context"]))

    def output(self) -> None:
        """Through W_O into the residual stream."""
        cell, vectors = self.cell, self.vectors
        home = self._sheet(say("explain.name_output", self.style.lang), self.style.say("section_output"))
        vectors.row(home, "context_row", "o", lambda i: vectors.at("context", i, home), len(cell["context"]))
        steps = Steps(vectors, home, "context_row")
        steps.add("head_output", "y_h", vectors.product("context_row", "w_output", home))
        parts = [("others", self.style.say("other_heads")), ("b_output", "b_O")]
        steps.plus("output", "y", *(Column(name, sign, cell[name]) for name, sign in parts if name in cell))
        if "after" in cell:
            if "output_normed" in cell:
                normed(steps, cell, "output", "y'")
            steps.times("added", "+", cell.scalar("output_factor") if "output_factor" in cell else 1.0)
            stream = [
                Column(name, sign, cell[name]) for name, sign in (("before", "r"), ("beside", "f")) if name in cell
            ]
            steps.plus("after", "r'", *stream)
        vectors.table(home, _counted(len(cell["output"])), steps.columns, Matrix("w_output", "W_O", cell["w_output"].T))

    def word(self) -> None:
        """Context and state, joined and fed forward, to the scores of the likeliest words."""
        cell, at, vectors = self.cell, self.vectors.at, self.vectors
        home = self._sheet(self.style.say("next_word"), self.style.say("section_joined"))
        vectors.row(home, "state", "h_d", cell["state"], len(cell["state"]))
        width = len(cell["context"])

        def joined(i: int) -> str:
            return at("context", i, home) if i < width else at("state", i - width, home)

        vectors.row(home, "joined", "[A; h_d]", joined, len(cell["joined"]))
        steps = Steps(vectors, home, "joined")
        steps.add("joined_raw", "W·[A; h_d]", vectors.product("joined", "w_joined", home))
        steps.plus("fed", "u", Column("b_joined", "b", cell["b_joined"]))
        steps.add("said", "tanh(u)", lambda i: f"TANH({at('fed', i, home)})")
        vectors.table(home, _counted(len(cell["said"])), steps.columns, Matrix("w_joined", "W", cell["w_joined"].T))
        self.book.line(home, self.style.say("section_word"), "heading")
        vectors.row(home, "said_row", "h~", lambda i: at("said", i, home), len(cell["said"]))
        steps = Steps(vectors, home, "said_row")
        steps.add("products", "h~·E", vectors.product("said_row", "w_best", home))
        steps.plus("logits_best", "l", Column("b_best", "b", cell["b_best"]))
        vectors.table(home, cell_end.told(cell.words), steps.columns, Matrix("w_best", "E", cell["w_best"]))

    def _sheet(self, name: str, heading: str) -> str:
        home = self.book.open(name)
        self.book.line(home, heading, "title")
        return home

    def _sums(self, home: str) -> None:
        """The largest score and the sum that softmax divides by; a sink takes part in both."""
        places, vectors = self.vectors.places, self.vectors
        sink = "sink" in self.cell

        def largest(i: int) -> str:
            return f"MAX({places['masked'].span(home)}{',' + vectors.one('sink', home) if sink else ''})"

        def total(i: int) -> str:
            more = f"+EXP({vectors.one('sink', home)}-{vectors.one('largest', home)})" if sink else ""
            return f"SUM({places['exponentials'].span(home)}){more}"

        vectors.alone(home, "largest", "max", largest)
        vectors.alone(home, "total", "Σ", total)

    def _scores(self, home: str) -> list[Column]:
        """What becomes of q·k, until it is a weight."""
        cell, at, one = self.cell, self.vectors.at, self.vectors.one
        steps = Steps(self.vectors, home, "query_row")
        steps.add("scores", "s", self._score(home))
        steps.add("multiplied", "c·s", lambda i: f"{at('scores', i, home)}*{one('scale', home)}")
        if "softcap" in cell:
            cap = one("softcap", home)
            steps.add("capped", "cap", lambda i: f"{cap}*TANH({at('multiplied', i, home)}/{cap})")
        bias = [Column("bias", "b", cell["bias"])] if "bias" in cell else []
        steps.plus("scaled", "s + b" if bias else "s", *bias)
        steps.given(Column("mask", "M", np.isfinite(cell["masked"]).astype(float)))
        steps.add("masked", "s", lambda i: f"IF({at('mask', i, home)}=1,{at('scaled', i, home)},{HIDDEN})")
        largest, whole = one("largest", home), one("total", home)

        def power(i: int) -> str:
            score = at("masked", i, home)
            return f"IF(ISNUMBER({score}),EXP({score}-{largest}),0)"

        steps.add("exponentials", "exp(s − max)", power)
        steps.add("weights", "α", lambda i: f"IF({whole}=0,0,{at('exponentials', i, home)}/{whole})")
        return steps.columns

    def _score(self, home: str) -> Line:
        """q·k, or v·tanh(q + k), of each key."""
        places = self.vectors.places
        if "scorer" not in self.cell:
            return self.vectors.product("query_row", "keys", home)

        def score(i: int) -> str:
            both = f"{places['query_row'].row_of(0, home)}+{places['keys'].row_of(i, home)}"
            return f"SUMPRODUCT({places['scorer'].row_of(0, home)},TANH({both}))"

        return score

    def _context(self, home: str) -> Line:
        places = self.vectors.places
        return lambda i: f"SUMPRODUCT({places['weights'].span(home)},{_column(places['values'], i, home)})"


def _column(place: Place, j: int, home: str) -> str:
    """All cells of a column of a matrix."""
    return Place(place.sheet, place.row, place.column + j, (place.shape[0], 1)).span(home)


def _counted(count: int) -> Sequence[str]:
    """Numbers in vectors, from 1."""
    return [str(at) for at in range(1, count + 1)]
