"""Exact statistics from queries, keys and the score recipe, block by block: no (queries × keys) is ever held.

The weights of a block stay in the cache while all is taken from them. The log-sum-exp is what the logarithm of a
query's largest weight lacks of that masked score, and the entropy what Σ w·masked lacks of the log-sum-exp.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from regard.core.blocks import Block, Grid, planned, spans_of
from regard.core.largest import largest
from regard.core.recipe import Recipe
from regard.core.statistics import SIZE, TOP, Statistics
from regard.core.weighing import Given, Made, Weighed


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
    depth = 1 if recipe.vector is None else len(recipe.vector)
    gathered = _Gathered(grid, same, top, query.device)
    if grid.n_keys:
        gathered.reduce(Made(recipe, query, key, grid), spans_of(recipe, grid.n_queries, grid.n_keys), depth)
    return gathered.statistics()


def of_weights(weights: Tensor, *, same: bool = True, top: int = TOP, size: int = SIZE) -> Statistics[Tensor]:
    """The statistics of weights that are at hand, (heads, queries, keys): all but `log_sum_exp`."""
    n_heads, n_queries, n_keys = weights.shape
    grid = Grid.of(n_heads, n_queries, n_keys, size, top)
    gathered = _Gathered(grid, same, top, weights.device)
    if n_keys:
        gathered.reduce(Given(weights, grid), spans_of(Recipe(), n_queries, n_keys), 1)
    return gathered.statistics(known=False)


class _Gathered:
    """Where the blocks' results are written."""

    def __init__(self, grid: Grid, same: bool, top: int, device: torch.device) -> None:
        self._grid, self._same, self._top = grid, same, top
        heads, queries, keys = grid.n_heads, grid.n_queries, grid.n_keys

        def zeros(*shape: int, fill: float = 0.0) -> Tensor:
            return torch.full((heads, *shape), fill, device=device)

        self.entropy, self.first, self.received = zeros(queries), zeros(queries), zeros(grid.padded)
        self.itself, self.before, self.distance = (zeros(queries if same else 0) for _ in range(3))
        self.top_weights, self.top_keys = zeros(queries, top), zeros(queries, top, fill=-1.0).int()
        self.pooled, self.peak = (zeros(-(-queries // grid.high), grid.padded // grid.wide) for _ in range(2))
        self.log_sum_exp = zeros(queries, fill=float("-inf"))
        self._ahead = False

    def reduce(self, weigh: Callable[[Block], Weighed], spans: Tensor, depth: int) -> None:
        """Take everything from every block."""
        own = torch.arange(self._grid.n_queries) + self._grid.offset
        self._ahead = bool((spans[:, 1] > own + 1).any())
        for block in planned(self._grid, spans, depth):
            self._take(block, weigh(block))

    def statistics(self, known: bool = True) -> Statistics[Tensor]:
        """All of it."""
        high, n_queries = self._grid.high, self._grid.n_queries
        counts = self.pooled.new_full((self.pooled.shape[1], 1), high)
        counts[-1:] -= high * len(counts) - n_queries
        return Statistics(
            entropy=self.entropy,
            largest=self.top_weights[..., 0],
            largest_key=self.top_keys[..., 0],
            first=self.first,
            itself=self.itself if self._same else None,
            before=self.before if self._same else None,
            distance=self.distance if self._same else None,
            top_weights=self.top_weights,
            top_keys=self.top_keys,
            received=self.received[:, : self._grid.n_keys],
            pooled=self.pooled / counts,
            peak=self.peak,
            log_sum_exp=self.log_sum_exp if known else None,
        )

    def _take(self, block: Block, weighed: Weighed) -> None:
        weights, masked = weighed
        place, total = (block.heads, block.rows), weights.sum(-1)
        self._name(block, weights)
        self._pool(block, weights)
        if block.keys.start == 0:
            self.first[place] = weights[..., 0]
        if self._same:
            self._near(block, weights, total)
        best = self.top_keys[block.heads, block.rows, :1].long()
        at_best = masked.gather(-1, (best - block.keys.start).clamp(min=0)).squeeze(-1)
        log_sum_exp = (at_best - self.top_weights[block.heads, block.rows, 0].log()).where(total > 0, 0.0)
        self.log_sum_exp[place] = log_sum_exp.where(total > 0, float("-inf"))
        self.entropy[place] = log_sum_exp * total - torch.mul(weights, masked, out=masked).sum(-1)

    def _name(self, block: Block, weights: Tensor) -> None:
        """The top keys."""
        count = min(self._top, weights.shape[-1])
        values, keys = largest(weights.view(-1, weights.shape[-1]), count, self._grid.chunk)
        keys = (keys + block.keys.start).where(values > 0, -1).int()
        self.top_weights[block.heads, block.rows, :count] = values.view(*block.shape[:2], count)
        self.top_keys[block.heads, block.rows, :count] = keys.view(*block.shape[:2], count)

    def _pool(self, block: Block, weights: Tensor) -> None:
        """Both maps and what each key received: over the rows first, then over the keys of a few bands."""
        high, wide = self._grid.high, self._grid.wide
        bands = weights.unflatten(1, (-1, min(high, block.shape[1])))
        sums = bands.sum(2)
        self.received[block.heads, block.keys] += sums.sum(1)
        rows = slice(block.rows.start // high, block.rows.start // high + bands.shape[1])
        place = (block.heads, rows, slice(block.keys.start // wide, block.keys.stop // wide))
        self.pooled[place] += sums.unflatten(-1, (-1, wide)).sum(-1)
        self.peak[place] = torch.maximum(self.peak[place], bands.amax(2).unflatten(-1, (-1, wide)).amax(-1))

    def _near(self, block: Block, weights: Tensor, total: Tensor) -> None:
        """Weight on the query itself and on the one before, and the mean distance, counted from the first row."""
        heads, rows, keys = block.shape
        place, base = (block.heads, block.rows), block.rows.start + self._grid.offset
        here = torch.arange(rows, device=weights.device)
        own = here + base - block.keys.start
        for found, at in ((self.itself, own), (self.before, own - 1)):
            inside = (at >= 0) & (at < keys)
            found[place] = weights[:, here, at.clamp(0, keys - 1)].where(inside, 0.0)
        steps = torch.arange(keys, device=weights.device, dtype=torch.float32) + (block.keys.start - base)
        found = here * total - (weights.view(-1, keys) @ steps).view(heads, rows)
        if self._ahead:  # what is further on was counted with the wrong sign
            at = max(0, base - block.keys.start)
            further = (steps[at:] - here.unsqueeze(-1)).clamp(min=0)
            found += 2 * torch.einsum("hrk,rk->hr", weights[..., at:], further)
        self.distance[place] = found.clamp(min=0)
