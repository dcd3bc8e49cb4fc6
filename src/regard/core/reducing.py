"""Exact statistics from queries, keys and the score recipe, block by block: no (queries × keys) is ever held.

A block of scores stays in the cache while all is taken from it, by a compiled kernel where there is one, else by torch:
a query's log-sum-exp is what the logarithm of its largest weight lacks of that masked score, its entropy what
Σ w·masked lacks of the log-sum-exp; the top keys are found through the largest of chunks of keys.
"""

from functools import partial
from typing import Any

import torch
from torch import Tensor

from regard.core import compiled
from regard.core.blocks import Block, Grid, planned, spans_of
from regard.core.recipe import Recipe
from regard.core.reduction import BEFORE, DISTANCE, ENTROPY, FIRST, ITSELF, LOG_SUM_EXP, Reduced, reduced
from regard.core.statistics import SIZE, TOP, Statistics
from regard.core.weighing import Given, Made


def statistics(
    recipe: Recipe, query: Tensor, key: Tensor, *, same: bool = True, top: int = TOP, size: int = SIZE
) -> Statistics[Tensor]:
    """Every statistic of every head.

    Args:
        recipe: how weights are made.
        query: (heads, queries, d), as it entered the kernel.
        key: (heads or kv_heads, keys, d).
        same: whether queries and keys are positions of the same sequence; query i stands at `keys − queries + i`.
        top: how many keys of each query are named.
        size: of the pooled map, at most.

    Returns:
        All of `Statistics`, in float32 (numbers of keys int32). Scratch is a few MB, and the keys of a head.

    >>> found = statistics(Recipe(visible=torch.tensor([[0, 1], [0, 2]])), torch.zeros(1, 2, 3), torch.zeros(1, 2, 3))
    >>> found.entropy, found.received
    (tensor([[0.0000, 0.6931]]), tensor([[1.5000, 0.5000]]))
    """
    grid = Grid.of(len(query), query.shape[1], key.shape[1], size, top)
    spans, depth = spans_of(recipe, grid.n_queries, grid.n_keys), 1 if recipe.vector is None else len(recipe.vector)
    gathered, made = _Gathered(grid, top, query.device), Made(recipe, query, key, grid)
    kernel = compiled.kernel(query.device, grid.n_heads * grid.n_queries * grid.n_keys)
    ahead = same and _ahead(spans, grid)
    for block in planned(grid, spans, depth):
        how = _how(block, grid, top)
        if kernel is None:
            found = reduced(*made(block), **how, chunk=grid.chunk, ahead=ahead)
        else:
            seen = spans[block.rows] - block.keys.start
            sinks = None if recipe.sinks is None else recipe.sinks[block.heads]
            found = kernel(made.scores(block), seen, sinks, **how)
        gathered.take(block, found)
    return gathered.statistics(same=same)


def of_weights(weights: Tensor, *, same: bool = True, top: int = TOP, size: int = SIZE) -> Statistics[Tensor]:
    """The statistics of weights that are at hand, (heads, queries, keys): all but `log_sum_exp`."""
    n_heads, n_queries, n_keys = weights.shape
    grid = Grid.of(n_heads, n_queries, n_keys, size, top)
    gathered, given = _Gathered(grid, top, weights.device), Given(weights, grid)
    for block in planned(grid, spans_of(Recipe(), grid.n_queries, grid.n_keys)):
        how = _how(block, grid, top)
        gathered.take(block, reduced(*given(block), **how, chunk=grid.chunk, ahead=same))
    return gathered.statistics(same=same, made=False)


def _how(block: Block, grid: Grid, top: int) -> dict[str, Any]:
    return {"own": block.own(grid), "high": block.high(grid), "top": block.named(top)}


def _ahead(spans: Tensor, grid: Grid) -> bool:
    """Whether a query sees what comes after it."""
    return bool((spans[:, 1] > torch.arange(grid.n_queries) + grid.offset + 1).any())


class _Gathered:
    """Where the blocks' results are written."""

    def __init__(self, grid: Grid, top: int, device: torch.device) -> None:
        self._grid, queries = grid, grid.n_queries
        zeros = partial(torch.zeros, device=device)
        self.queries = zeros(6, grid.n_heads, queries)
        self.queries[LOG_SUM_EXP] = float("-inf")
        self.top_weights = zeros(grid.n_heads, queries, top)
        self.top_keys = zeros(grid.n_heads, queries, top, dtype=torch.int32) - 1
        self.received = zeros(grid.n_heads, grid.padded)
        blocks = grid.n_heads, -(-queries // grid.high), grid.padded // grid.wide
        self.pooled, self.peak = zeros(*blocks), zeros(*blocks)

    def take(self, block: Block, found: Reduced) -> None:
        """Write the statistics of a block."""
        wide, high = self._grid.wide, self._grid.high
        place, keys = (block.heads, block.rows), slice(block.keys.start // wide, block.keys.stop // wide)
        count = found.top_keys.shape[-1]
        self.queries[(slice(None), *place)] = found.queries.movedim(-1, 0)
        if block.keys.start:
            self.queries[(FIRST, *place)] = 0.0
        self.top_weights[(*place, slice(count))] = found.top_weights
        self.top_keys[(*place, slice(count))] = found.top_keys + block.keys.start * (found.top_keys >= 0)
        self.received[block.heads, block.keys] += found.sums.sum(1)
        band = block.rows.start // high
        blocks = (block.heads, slice(band, band + found.sums.shape[1]), keys)
        self.pooled[blocks] += found.sums.unflatten(-1, (-1, wide)).sum(-1)
        self.peak[blocks] = torch.maximum(self.peak[blocks], found.peak.unflatten(-1, (-1, wide)).amax(-1))

    def statistics(self, *, same: bool, made: bool = True) -> Statistics[Tensor]:
        """All of it; `made`: of queries and keys."""
        high, n_queries = self._grid.high, self._grid.n_queries
        counts = self.pooled.new_full((self.pooled.shape[1], 1), high)
        counts[-1:] -= high * len(counts) - n_queries
        return Statistics(
            entropy=self.queries[ENTROPY],
            largest=self.top_weights[..., 0].contiguous(),
            largest_key=self.top_keys[..., 0].contiguous(),
            first=self.queries[FIRST],
            itself=self.queries[ITSELF] if same else None,
            before=self.queries[BEFORE] if same else None,
            distance=self.queries[DISTANCE] if same else None,
            top_weights=self.top_weights,
            top_keys=self.top_keys,
            received=self.received[:, : self._grid.n_keys].contiguous(),
            pooled=self.pooled / counts,
            peak=self.peak,
            log_sum_exp=self.queries[LOG_SUM_EXP] if made else None,
        )
