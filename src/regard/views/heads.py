"""The heads of one part of a trace, as pictures and pages take them: tokens, statistics, maps, any row of any head."""

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np

from regard.core.protocols import Site
from regard.core.statistics import NAMES, SIZE, Statistics, width
from regard.inspection import standing
from regard.inspection.roles import standing_out
from regard.inspection.trace import Trace
from regard.views.signs import told_apart

Place = tuple[Site, int]
"""A head: where it is, and its number there."""

ALL = slice(None)


@dataclass(frozen=True)
class Heads:
    """Some heads of a model on one text.

    Attributes:
        trace: what was recorded.
        places: the heads, in order, all of one part: their queries are one sequence, their keys one.
        queries, keys: the tokens of both sides, as people read them.
    """

    trace: Trace = field(repr=False)
    places: tuple[Place, ...]
    queries: tuple[str, ...]
    keys: tuple[str, ...]

    @property
    def itself(self) -> bool:
        """Whether queries and keys are the same tokens."""
        site, _ = self.places[0]
        return site.queries == site.keys

    @property
    def names(self) -> tuple[tuple[int, int], ...]:
        """(layer, head) of each."""
        return tuple((site.layer, head) for site, head in self.places)

    @property
    def exact(self) -> bool:
        """Whether any row can be had: queries and keys, or the weights themselves, were kept."""
        site, _ = self.places[0]
        return self.trace.computes(site) or f"{site.address}/weights" in self.trace.tensors

    @property
    def block(self) -> tuple[int, int]:
        """How many queries, and how many keys, one cell of the pooled maps stands for."""
        return width(len(self.queries), SIZE), width(len(self.keys), SIZE)

    @cached_property
    def statistics(self) -> Statistics[np.ndarray]:
        """All statistics, one head after the other along the first axis."""
        sites = dict.fromkeys(site for site, _ in self.places)
        found = {site: self.trace.statistics(part=site.part, layer=site.layer).named() for site in sites}
        at = [(found[site], self.trace.place(site, head)[0]) for site, head in self.places]
        rows: dict[str, list[np.ndarray]] = {
            name: [each[name][head] for each, head in at if name in each] for name in NAMES
        }
        columns: dict[str, Any] = {name: np.stack(each) if each else None for name, each in rows.items()}
        return Statistics(**columns)

    @cached_property
    def standing(self) -> list[tuple[int, str, float]]:
        """Which of the heads stand out, by which role, and how much of it they have.

        In the order of `regard heads` where weights can be had; else told from statistics alone.
        """
        scores = standing.roles(self.statistics)
        if not self.exact:
            return [(at, role, float(scores[role][at])) for at, role in standing.standing_out(scores)]
        return standing_out(self.trace, self.places, scores["sharp"])

    @cached_property
    def labels(self) -> tuple[list[str], list[str]]:
        """The tokens of both sides, those that come more than once told apart: *the₁*, *the₂*."""
        return told_apart(self.queries), told_apart(self.keys)

    @property
    def best(self) -> int:
        """The head that is shown where none is named."""
        return self.standing[0][0] if self.standing else 0

    def weights(self, at: int, rows: slice = ALL) -> np.ndarray:
        """The weights of one head, (queries, keys), exact, in float64; of some queries alone where `rows` says so."""
        site, head = self.places[at]
        return self.trace.weights(part=site.part, layer=site.layer, head=head, rows=rows).astype(np.float64)

    def map(self, at: int, side: int) -> np.ndarray:
        """The pooled map of one head with at most `side` cells each way."""
        return merged(self.statistics.pooled[at], side, len(self.queries))

    def only(self, chosen: list[int]) -> "Heads":
        """Some of the heads alone."""
        return replace(self, places=tuple(self.places[at] for at in chosen))


def merged(pooled: np.ndarray, side: int, n_queries: int) -> np.ndarray:
    """A pooled map in larger blocks, exactly: cells of a block's keys are summed, those of its queries averaged.

    >>> merged(np.array([[1.0, 0.0, 0.0], [0.5, 0.5, 0.0], [0.25, 0.25, 0.5]]), 2, 3)
    array([[1. , 0. ],
           [0.5, 0.5]])
    """
    high, wide = pooled.shape
    rows, columns = (np.arange(0, length, -(-length // side)) for length in (high, wide))
    counts = np.full(high, width(n_queries, SIZE), dtype=np.float64)
    counts[-1:] = n_queries - counts[:-1].sum()
    sums = np.add.reduceat(np.add.reduceat(pooled * counts[:, None], rows, axis=0), columns, axis=1)
    return np.asarray(sums / np.add.reduceat(counts, rows)[:, None])
