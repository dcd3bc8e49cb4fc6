"""What was found in one trace, as every face shows it: data, tables, pictures, a page."""

import csv
import io
import shlex
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from regard.core.errors import BadInput
from regard.core.protocols import Site
from regard.inspection.trace import Check
from regard.language import current
from regard.tasks.looking import stamp
from regard.tasks.reading import unknown
from regard.views import look_page, patterns
from regard.views.heads import ALL, Heads
from regard.views.picture import Layout, Picture, Rows
from regard.views.telling import joined

MOST_NUMBERS = 2**23
"""At most so many weights are written into one JSON or CSV."""

TERMINAL_MOST, PAPER_MOST = 32, 256
"""Up to so many tokens a side, a head is drawn weight by weight."""

TERMINAL_SIDE, PAPER_SIDE, LABEL = (4, 24), 64, 8
"""Cells of a tile: in a terminal as many as fit, within these; and the room that the layers' numbers take there."""

COLUMNS = ("layer", "head", "query_index", "query", "key_index", "key", "weight")
"""Of a CSV."""

ACROSS = 8
"""Where no head is named, one query is shown in so many heads that stand out."""


@dataclass(frozen=True)
class Looked:
    """Heads of one trace that were asked for.

    Attributes:
        heads: all heads of the part.
        named: which of them were asked for, by their place among `heads`; empty: all.
        rows: the queries asked for; None: all.
        words: whether they are words instead of tokens.
        what, model: how the command line called the trace or the text, and the model.
        others: the heads of the model's other parts, where a page may offer them.
    """

    heads: Heads
    named: tuple[int, ...] = ()
    rows: range | None = None
    words: bool = False
    what: str = "TRACE"
    model: str | None = None
    others: tuple[Heads, ...] = ()

    @property
    def check(self) -> Check:
        """The trace's."""
        return self.heads.trace.check

    @property
    def first(self) -> int:
        """The head that is shown where only one can be: of those asked for the one that stands out most."""
        return self.named[self.heads.only(list(self.named)).best] if self.named else self.heads.best

    def json(self) -> dict[str, Any]:
        """`tokens`, `patterns` and `check`, as the command's JSON holds them; `queries` where some were asked for."""
        chosen, rows = self._written("JSON")
        tokens = tokens_json(self.heads.queries, self.heads.keys, itself=self.heads.itself)
        asked = {} if self.rows is None else {"queries": list(self.rows)}
        told = [pattern_json(*self.heads.places[at], self.heads.weights(at, rows)) for at in chosen]
        return {**tokens, **asked, "patterns": told, "check": stamp_json(self.check)}

    def csv(self) -> str:
        """One line a weight: layer, head, query and key (number and token), weight."""
        chosen, rows = self._written("CSV")
        asked = self.rows or range(len(self.heads.queries))
        return as_csv(
            COLUMNS,
            (
                line
                for at in chosen
                for line in weight_lines(
                    self.heads.names[at], self.heads.queries, self.heads.keys, asked, self.heads.weights(at, rows)
                )
            ),
        )

    def picture(self, lang: str | None = None, *, width: int | None = None, layout: Layout = "query-rows") -> Picture:
        """All heads and the one that stands out, or one head, or where one query looks.

        Args:
            width: of a terminal, in cells; None for paper.
        """
        drawn = self._drawn(lang, width, layout)
        more = unknown(self.heads.trace.sequences.values(), lang)
        return replace(drawn, reading=joined([drawn.reading, more], lang), check=stamp(self.check, lang))

    def html(self, lang: str | None = None, *, layout: Layout = "query-rows") -> str:
        """The page: all heads; whoever opens it chooses among them."""
        others = [replace(self, heads=heads)._page(lang, layout) for heads in self.others]
        return look_page.render(self._page(lang, layout), lang=lang or current(), others=others)

    def _page(self, lang: str | None, layout: Layout) -> look_page.Page:
        heads = self.heads
        return look_page.Page(
            heads,
            opened=self.first,
            exact=self.named or tuple(at for at, *_ in heads.standing),
            query=None if self.rows is None else self.rows.start,
            layout=layout,
            command=self._command(),
            note=unknown(heads.trace.sequences.values(), lang),
            check=stamp(self.check, lang),
            words=self.words,
        )

    def _drawn(self, lang: str | None, width: int | None, layout: Layout) -> Picture:
        heads = self.heads.only(list(self.named)) if self.named else self.heads
        most = PAPER_MOST if width is None else TERMINAL_MOST
        if self.rows is not None:
            return self._queries(heads, self.rows, most, layout, lang)
        side = PAPER_SIDE if width is None else min(PAPER_SIDE, width - LABEL)
        one = patterns.pattern(heads, heads.best, most=most, side=side, layout=layout, lang=lang)
        if len(heads.places) == 1:
            return one
        many = len({head for _, head in heads.names})
        least, largest = TERMINAL_SIDE
        side = PAPER_SIDE if width is None else max(least, min(largest, (width - LABEL) // many - 2))
        whole = patterns.overview(heads, side=side, lang=lang)
        return replace(whole, parts=(*whole.parts, one))

    def _queries(self, heads: Heads, rows: range, most: int, layout: Layout, lang: str | None) -> Picture:
        self._refuse_unless_exact()
        if len(rows) > 1:
            return patterns.some_rows(heads, heads.best, rows, most=most, layout=layout, lang=lang)
        one = patterns.one_token(heads, heads.best, rows.start, lang=lang)
        if len(heads.places) == 1:
            return one
        chosen = [at for at, *_ in heads.standing][:ACROSS] or [0]
        return Rows(parts=(one, patterns.across_heads(heads, rows.start, chosen, lang=lang)))

    def _written(self, form: str) -> tuple[tuple[int, ...], slice]:
        """The heads and the queries that are written out, where they are not too many."""
        self._refuse_unless_exact()
        chosen = self.named or (self.first,)
        rows = ALL if self.rows is None else slice(self.rows.start, self.rows.stop)
        count = len(chosen) * len(self.heads.queries[rows]) * len(self.heads.keys)
        if count > MOST_NUMBERS:
            facts = {"heads": len(chosen), "weights": f"{count / 1e6:.1f}", "most": f"{MOST_NUMBERS / 1e6:.1f}"}
            raise BadInput("look_too_many", form=form, **facts)
        return chosen, rows

    def _refuse_unless_exact(self) -> None:
        if not self.heads.exact:
            raise BadInput("no_rows_kept", address=self.heads.places[0][0].address)

    def _command(self) -> str:
        """The command that shows this, as it was called."""
        what = self.what if len(self.what) <= 60 else "TEXT"
        model = f" --model {shlex.quote(self.model)}" if self.model else ""
        part = self.heads.places[0][0].part
        return f"regard look {shlex.quote(what)}{model} --part {part}"


def weight_lines(
    place: tuple[int, int], queries: tuple[str, ...], keys: tuple[str, ...], asked: range, weights: np.ndarray
) -> Iterator[tuple[Any, ...]]:
    """One head's weights as lines of a table under `COLUMNS`."""
    for query, row in zip(asked, weights.astype(float).tolist(), strict=True):
        for key, weight in enumerate(row):
            yield (*place, query, queries[query], key, keys[key], weight)


def as_csv(head: tuple[str, ...], lines: Iterable[tuple[Any, ...]]) -> str:
    """Lines under a head."""
    out = io.StringIO()
    table = csv.writer(out, lineterminator="\n")
    table.writerow(head)
    table.writerows(lines)
    return out.getvalue().removesuffix("\n")


def tokens_json(queries: tuple[str, ...], keys: tuple[str, ...], *, itself: bool) -> dict[str, Any]:
    """The tokens of both sides; of one, where they are the same."""
    return {"tokens": list(queries)} | ({} if itself else {"key_tokens": list(keys)})


def pattern_json(site: Site, head: int, weights: np.ndarray) -> dict[str, Any]:
    """One head with its weights."""
    return {"address": site.address, "layer": site.layer, "head": head, "weights": weights.astype(float).tolist()}


def stamp_json(check: Check) -> dict[str, Any]:
    """How the trace proves itself."""
    return {"kind": check.kind, "deviation": check.deviation, "tolerance": check.tolerance}
