"""How the patterns of a run formed: those of one text at every validation that was watched."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from regard.core.protocols import Site
from regard.inspection.trace import Check, Trace
from regard.language import current
from regard.tasks.looked import COLUMNS, as_csv, pattern_json, stamp_json, tokens_json, weight_lines
from regard.tasks.looking import stamp
from regard.tasks.reading import shown
from regard.views import html, strips
from regard.views.picture import Layout, Picture

TERMINAL_SIDE, LABEL = 24, 18
"""Cells of a tile in a terminal, at most, and the room that names of heads take there."""


@dataclass(frozen=True)
class Formed:
    """Patterns that were asked for, at the steps of a run.

    Attributes:
        steps: one a trace.
        traces: all of the same text and model.
        chosen: the place and the number of each head.
    """

    steps: tuple[int, ...]
    traces: tuple[Trace, ...]
    chosen: tuple[tuple[Site, int], ...]

    @property
    def check(self) -> Check:
        """The worst of all traces'."""
        return max((trace.check for trace in self.traces), key=lambda check: check.deviation)

    def json(self) -> dict[str, Any]:
        """`tokens`, `steps` (each with `step` and `patterns`) and `check`, as the command's JSON holds them."""
        told = [
            {"step": step, "patterns": [pattern_json(*place, _weights(trace, place)) for place in self.chosen]}
            for step, trace in zip(self.steps, self.traces, strict=True)
        ]
        queries, keys = (shown(self.traces[-1].sequences[name]) for name in self._sides)
        return {**tokens_json(queries, keys, itself=self._itself), "steps": told, "check": stamp_json(self.check)}

    def csv(self) -> str:
        """One line a weight, as `Looked.csv`, with its step before it."""
        queries, keys = (shown(self.traces[-1].sequences[name]) for name in self._sides)
        lines = (
            (step, *line)
            for step, trace in zip(self.steps, self.traces, strict=True)
            for site, head in self.chosen
            for line in weight_lines(
                (site.layer, head), queries, keys, range(len(queries)), _weights(trace, (site, head))
            )
        )
        return as_csv(("step", *COLUMNS), lines)

    def html(self, lang: str | None = None, *, layout: Layout = "query-rows") -> str:
        """The strip as a page."""
        return html.render(self.picture(lang, layout=layout), lang=lang or current())

    def picture(self, lang: str | None = None, *, width: int | None = None, layout: Layout = "query-rows") -> Picture:
        """A strip of steps, a row a head.

        Args:
            width: of a terminal, in cells; None for paper and pages.
        """
        queries, keys = (shown(self.traces[-1].sequences[name]) for name in self._sides)
        values = np.array([[_weights(trace, place) for place in self.chosen] for trace in self.traces])
        places = tuple((site.layer, head) for site, head in self.chosen)
        moments = strips.Moments(places, values, queries, keys, self._itself)
        side = strips.SIDE if width is None else TERMINAL_SIDE
        wide = min(side, len(moments.keys))
        columns = strips.COLUMNS if width is None else max(2, min(8, (width - LABEL) // (wide + 2)))
        return strips.strip(moments, self.steps, columns=columns, side=side, check=stamp(self.check, lang), lang=lang)

    @property
    def _sides(self) -> tuple[str, str]:
        site, _ = self.chosen[0]
        return site.queries, site.keys

    @property
    def _itself(self) -> bool:
        return self._sides[0] == self._sides[1]


def _weights(trace: Trace, place: tuple[Site, int]) -> np.ndarray:
    site, head = place
    return trace.weights(part=site.part, layer=site.layer, head=head)
