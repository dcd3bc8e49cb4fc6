"""A derivation as a workbook: each step a block, each number a formula of the blocks before it."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from regard.inspection import formulas
from regard.inspection.derivation import Derivation, Step
from regard.views.derivation import Wish, told
from regard.views.xlsx.book import Book, Formula, Named, Place

HIDDEN = '"−∞"'
_TURNED = ("scores", "scaled", "mask", "masked", "exponentials", "totals", "weights", "context")
_BEHIND = ("context_joined", "w_output", "b_output", "b_output_spread", "output_raw", "output")
_OURS = ("mask", "exponentials", "totals")


def render(derivation: Derivation, wish: Wish, *, answers: bool = False) -> bytes:
    """The workbook's bytes.

    Args:
        wish: steps left blank are empty, and what depends on them waits for them.
        answers: what was left blank stands on a sheet of its own, as numbers.

    Raises:
        BadInput: `xlsx_long`: a matrix is so wide that a formula has no room for its sum.
    """
    made = _Workbook(derivation, wish)
    for step in _steps(derivation):
        made.step(step)
    if answers:
        made.answers()
    return made.book.data()


def _steps(derivation: Derivation) -> Iterator[Step]:
    """Those of the derivation, with the mask as a matrix of its own, and softmax in its two halves."""
    several = "h" if derivation.n_heads > 1 else ""
    for name, step in derivation.steps.items():
        if name == "masked":
            ahead = len(derivation.key_tokens) - len(derivation.tokens)
            yield Step("mask", formulas.sign("M"), np.tril(np.ones(step.shape), ahead), step.axes)
            yield replace(step, operands=("scaled", "mask"))
        elif name == "weights":
            powers = formulas.sign("E", several)
            yield Step("exponentials", powers, step.values, step.axes, operands=step.operands)
            sums = formulas.sign("Σ", several)
            yield Step("totals", sums, step.values[..., :1], (step.axes[0], "one"), operands=("exponentials",))
            yield replace(step, operands=("exponentials", "totals"))
        else:
            yield step


class _Workbook:
    """A workbook in the making: where each step stands, head by head. Final."""

    def __init__(self, derivation: Derivation, wish: Wish) -> None:
        self.derivation, self.wish, self.book = derivation, wish, Book(wish.digits)
        self.places: dict[tuple[str, int], Place] = {}
        self.first = self.book.open(wish.say("sheet"))
        several = range(derivation.n_heads) if derivation.n_heads > 1 else ()
        self.heads = [self.book.open(wish.say("sheet_head", head=at + 1)) for at in several] or [self.first]
        self.last = self.book.open(wish.say("sheet_joined")) if several else self.first
        self._opening()

    def step(self, step: Step) -> None:
        """One step, head by head."""
        for head in range(len(self.heads) if step.per_head else 1):
            place = self._room(step, head)
            if step.name not in self.wish.blank:
                formula = self._formula(step, head)
                given = step.values[head] if step.per_head else step.values
                self.book.numbers(place, given) if formula is None else self.book.formulas(place, formula)
            if step.name == "weights":
                self.book.shade(place)
                self._reading(place)

    def answers(self) -> None:
        """What was left blank, as numbers."""
        sheet = self.book.open(self.wish.say("answers"))
        for name in self.derivation.steps:
            if name in self.wish.blank:
                step = self.derivation.steps[name]
                for head in range(len(self.heads) if step.per_head else 1):
                    values = step.values[head] if step.per_head else step.values
                    place = self._room(step, head, sheet)
                    self.book.numbers(place, np.where(np.isfinite(values), values, np.nan))

    def _opening(self) -> None:
        """Title, what may be changed, the words; a title for each further sheet."""
        wish, book, derivation = self.wish, self.book, self.derivation
        book.line(self.first, wish.say("title", tokens=" ".join(derivation.tokens)), "title")
        book.line(self.first, formulas.whole(derivation.matrices).plain)
        book.line(self.first, wish.say("live"), "note")
        for sheet in dict.fromkeys((*self.heads, self.last)):
            book.line(sheet, sheet if sheet != self.first else "", "title")
        self.words = {"queries": book.words(self.first, derivation.tokens)}
        alike = derivation.key_tokens == derivation.tokens
        self.words["keys"] = self.words["queries"] if alike else book.words(self.first, derivation.key_tokens)

    def _home(self, step: Step, head: int) -> str:
        """The sheet of a step."""
        if step.per_head:
            return self.heads[head]
        return self.last if step.name in _BEHIND else self.first

    def _room(self, step: Step, head: int, sheet: str = "") -> Place:
        """A heading, a formula, why it is there, labels; and the place of the numbers."""
        book, home = self.book, sheet or self._home(step, head)
        flipped = self.wish.layout == "key-rows" and step.name in _TURNED
        symbol = formulas.of_head(formulas.turned(step.symbol) if flipped else step.symbol, head + 1).plain
        name, reason = (
            (self.wish.say(f"name_{step.name}"), "") if step.name in _OURS else told(self.derivation, self.wish, step)
        )
        book.line(home, f"{symbol}: {name}" if name else symbol, "heading")
        for text, kind in ((formulas.of_head(step.formula, head + 1).plain, "text"), (reason, "note")):
            if text:
                book.line(home, text, kind)
        place = book.room(home, step.shape, flipped)
        book.labels(
            place,
            self._corner(step, flipped),
            *map(lambda axis, count: self._names(axis, count, home), step.axes, step.shape),
        )
        if not sheet:
            self.places[step.name, head] = place
            book.call(f"{step.name}_{head + 1}" if step.per_head and len(self.heads) > 1 else step.name, place)
        return place

    def _corner(self, step: Step, flipped: bool) -> str:
        """Which way queries and keys lie."""
        if set(step.axes) != {"queries", "keys"}:
            return ""
        down, across = reversed(step.axes) if flipped else step.axes
        named = {"queries": self.wish.say("axis_query"), "keys": self.wish.say("axis_key")}
        return f"{named[down]} ↓ {named[across]} →"

    def _names(self, axis: str, count: int, home: str) -> Sequence[str]:
        """Labels: the words, wherever they are changed, or the numbers of a width."""
        if axis in self.words:
            return [Named(self.words[axis].at(at, 0, home, fixed=True)) for at in range(count)]
        return [""] if axis == "one" else [f"d{at}" for at in range(1, count + 1)]

    def _place(self, name: str, head: int) -> Place:
        """Of this head, or of all."""
        return self.places.get((name, head)) or self.places[name, 0]

    def _formula(self, step: Step, head: int) -> Formula | None:
        """How a number of this step is computed; None where it was given."""
        home, name = self._home(step, head), step.name
        if not step.operands:
            return self._root(home) if name == "sqrt_d_key" else None
        cells = [_cells(self._place(each, head), home) for each in step.operands if each != "context"]
        if step.operator:
            return self._operated(step, head, home)
        if name in ("masked", "exponentials", "totals", "weights"):
            return self._softmax(step, head, home)
        if name == "key_transposed":
            return lambda i, j: cells[0](j, i)
        if name.endswith("_spread"):
            return lambda i, j: cells[0](0, j)
        if name == "x_positioned":
            return self._beside(step, home)
        if name == "context_joined":
            return self._joined(home)
        return lambda i, j: cells[0](i, head * step.shape[1] + j)  # a head's part

    def _root(self, home: str) -> Formula:
        key = self._place("key", 0)
        return lambda i, j: f"SQRT(COLUMNS({key.row_of(0, home)}))"

    def _operated(self, step: Step, head: int, home: str) -> Formula:
        """A sum, a quotient, a product with one number, or of two matrices with every term written out."""
        places = [self._place(each, head) for each in step.operands]
        left, right = (_cells(place, home) for place in places)
        sign = {"·": "*"}.get(step.operator, step.operator)
        if places[1].shape == (1, 1) and step.name == "scaled":
            return lambda i, j: f"{left(i, j)}{sign}{places[1].at(0, 0, home, fixed=True)}"
        if sign != "*":
            return lambda i, j: f"{left(i, j)}{sign}{right(i, j)}"
        return lambda i, j: "+".join(f"{left(i, k)}*{right(k, j)}" for k in range(places[0].shape[1]))

    def _softmax(self, step: Step, head: int, home: str) -> Formula:
        """Hidden scores are words, so that sums and maxima pass them over."""
        place = self._place(step.operands[0], head)
        one, other = (_cells(self._place(each, head), home) for each in (step.operands[0], step.operands[-1]))
        if step.name == "masked":
            return lambda i, j: f"IF({other(i, j)}=1,{one(i, j)},{HIDDEN})"
        if step.name == "exponentials":
            return lambda i, j: f"IF(ISNUMBER({one(i, j)}),EXP({one(i, j)}-MAX({place.row_of(i, home)})),0)"
        if step.name == "totals":
            return lambda i, j: f"SUM({place.row_of(i, home)})"
        return lambda i, j: f"IF({other(i, 0)}=0,0,{one(i, j)}/{other(i, 0)})"

    def _beside(self, step: Step, home: str) -> Formula:
        """Two matrices beside each other: the words' first, or the positions'."""
        order = step.operands if self.derivation.matrices.positions == "one_hot" else step.operands[::-1]
        first, second = (self._place(each, 0) for each in order)
        width = first.shape[1]
        return lambda i, j: first.at(i, j, home) if j < width else second.at(i, j - width, home)

    def _joined(self, home: str) -> Formula:
        """The heads' contexts beside each other."""
        width = self._place("context", 0).shape[1]
        return lambda i, j: self._place("context", j // width).at(i, j % width, home)

    def _reading(self, weights: Place) -> None:
        """Of each query the word that it looks at most, and how much."""
        home, words = weights.sheet, self.words["keys"].whole()
        self.book.line(home, self.wish.say("section_reading"), "heading")
        place = self.book.room(home, (weights.shape[0], 2), flipped=False)
        heads = [self.wish.say("looks_at"), self.wish.say("name_weights")]
        self.book.labels(place, "", self._names("queries", weights.shape[0], home), heads)

        def most(i: int, j: int) -> str:
            row = weights.row_of(i, home)
            found = f"INDEX({words},MATCH(MAX({row}),{row},0))"
            return f'IF(MAX({row})=0,"–",{found})' if j == 0 else f"MAX({row})"

        self.book.formulas(place, most)


def _cells(place: Place, home: str) -> Formula:
    """The cells of a matrix, as formulas on a sheet name them."""
    return lambda i, j: place.at(i, j, home)
