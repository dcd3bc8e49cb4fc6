"""Blocks: some heads, some queries, and the keys that these may see. Small enough for a core's cache.

What no query of a block may see is not in it: a causal map costs half, a window only its band.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from math import isqrt

import torch
from torch import Tensor

from regard.core.recipe import Recipe
from regard.core.statistics import width

ROOM = 2**20
"""Scores of one block: 4 MB in float32."""

ABREAST = 2
"""Heads of one block, where there are so many: two threads share its bands, and those of one head may be three."""


@dataclass(frozen=True)
class Grid:
    """How queries and keys are cut.

    Attributes:
        high, wide: queries and keys of one block of the pooled map.
        chunk: keys whose largest weight is found at once; divides `wide`.
        n_keys: keys that there are; `padded` is the next multiple of `wide`.
    """

    n_heads: int
    n_queries: int
    n_keys: int
    high: int
    wide: int
    chunk: int

    @classmethod
    def of(cls, n_heads: int, n_queries: int, n_keys: int, size: int, top: int) -> "Grid":
        """A pooled map of at most `size` blocks each way; chunks that find the `top` keys with the least work."""
        wide, best = width(n_keys, size), isqrt(max(1, n_keys // top))
        divisors = [each for each in range(1, wide + 1) if wide % each == 0]
        chunk = min(divisors, key=lambda each: max(each / best, best / each))
        return cls(n_heads, n_queries, n_keys, width(n_queries, size), wide, chunk)

    @property
    def padded(self) -> int:
        """Keys with those that fill up the last block of the map."""
        return -(-self.n_keys // self.wide) * self.wide

    @property
    def offset(self) -> int:
        """Query i stands where key `offset + i` stands: queries are aligned to the end of the keys."""
        return self.n_keys - self.n_queries


@dataclass(frozen=True)
class Block:
    """Some heads, some queries, and keys in whole blocks of the pooled map, which hold all that these queries may see.

    Attributes:
        open: the keys among them that all these queries may see, unless the mask is a matrix.
    """

    heads: slice
    rows: slice
    keys: slice
    open: slice

    @property
    def shape(self) -> tuple[int, int, int]:
        """(heads, rows, keys)."""
        heads, rows, keys = (each.stop - each.start for each in (self.heads, self.rows, self.keys))
        return heads, rows, keys

    def own(self, grid: Grid) -> int:
        """The column where the first row's query stands."""
        return self.rows.start + grid.offset - self.keys.start

    def high(self, grid: Grid) -> int:
        """Rows of a band: those of the pooled map, or all where these are fewer."""
        return min(grid.high, self.shape[1])

    def named(self, top: int) -> int:
        """How many top keys there can be."""
        return min(top, self.shape[2])


def spans_of(recipe: Recipe, n_queries: int, n_keys: int) -> Tensor:
    """(queries, 2): what each query may see lies between."""
    visible = recipe.visible
    if visible is None or visible.dtype == torch.bool:
        return torch.tensor([[0, n_keys]]).expand(n_queries, 2)
    return visible.long().cpu()


def planned(grid: Grid, spans: Tensor, depth: int = 1) -> Iterator[Block]:
    """All blocks that have something to see, one group of heads after the other.

    Args:
        depth: numbers that are held for one score.
    """
    cuts = list(_cuts(grid, spans, ROOM // depth // min(grid.n_heads, ABREAST)))
    largest = max(((rows.stop - rows.start) * (keys.stop - keys.start) for rows, keys, _ in cuts), default=1)
    at_once = max(1, ROOM // depth // largest)
    for head in range(0, grid.n_heads, at_once):
        heads = slice(head, min(grid.n_heads, head + at_once))
        for rows, keys, open_ in cuts:
            yield Block(heads, rows, keys, open_)


def _cuts(grid: Grid, spans: Tensor, room: int) -> Iterator[tuple[slice, slice, slice]]:
    """Rows, keys and open keys, from the first query on."""
    seeing, start = spans[:, 1] > spans[:, 0], 0
    first = torch.where(seeing, spans[:, 0], grid.n_keys)
    last = torch.where(seeing, spans[:, 1], 0)
    most = max(32, grid.n_queries // 16)
    while start < grid.n_queries:
        ahead = slice(start, start + most)
        columns = int(last[ahead].max()) - int(first[ahead].min())
        rows = slice(start, start + _count(grid, start, min(most, room // max(1, columns + 2 * grid.wide))))
        low, high = int(first[rows].min()), int(last[rows].max())
        if low < high:
            keys = slice(low // grid.wide * grid.wide, -(-high // grid.wide) * grid.wide)
            yield rows, keys, slice(int(spans[rows, 0].max()), int(spans[rows, 1].min()))
        start = rows.stop


def _count(grid: Grid, start: int, room: int) -> int:
    """How many queries come next: whole blocks of the map, or a part of one."""
    left, high = grid.n_queries - start, grid.high
    whole = min(left, room) // high * high
    if whole and start % high == 0:
        return whole
    left = min(left, high - start % high)
    return -(-left // -(-left // max(1, room)))
