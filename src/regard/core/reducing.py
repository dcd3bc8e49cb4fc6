"""Exact statistics from queries, keys and the score recipe, block by block: no (queries × keys) is ever held.

What no query of a block may see is not computed: a causal map costs half, a window only its band.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import pad

from regard.core.recipe import Recipe, shared, steps
from regard.core.statistics import SIZE, TOP, Statistics, width

SCRATCH = 2**20
"""Bytes of one block of scores: what stays in a core's cache."""

Block = Callable[[slice, slice, slice], tuple[Tensor, Tensor | None]]
"""Weights (heads, rows, keys) and log-sum-exp (heads, rows) of some heads, some queries, and all keys they may see."""


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
        All of `Statistics`, in float32 (numbers of keys int32). Scratch is a few MB, whatever the length.

    >>> found = statistics(Recipe(visible=torch.tensor([[0, 1], [0, 2]])), torch.zeros(1, 2, 3), torch.zeros(1, 2, 3))
    >>> found.entropy, found.received
    (tensor([[0.0000, 0.6931]]), tensor([[1.5000, 0.5000]]))
    """
    n_heads, n_queries, _ = query.shape
    n_keys = key.shape[1]
    key = shared(key, n_heads).expand(n_heads, *key.shape[1:])

    def block(heads: slice, rows: slice, keys: slice) -> tuple[Tensor, Tensor | None]:
        part = _part(recipe, n_queries, n_keys, heads, rows, keys)
        made = steps(part, query[heads, rows].float(), key[heads, keys].float())
        masked = made["masked"]
        if recipe.sinks is not None:
            masked = torch.cat([masked, recipe.sinks[heads, None, None].expand(*masked.shape[:2], 1)], dim=-1)
        return made["weights"], masked.logsumexp(-1)

    return _reduced(block, _visible(recipe, n_queries, n_keys), (n_heads, n_queries, n_keys), query, same, top, size)


def of_weights(weights: Tensor, *, same: bool = True, top: int = TOP, size: int = SIZE) -> Statistics[Tensor]:
    """The statistics of weights that are at hand, (heads, queries, keys)."""

    def block(heads: slice, rows: slice, keys: slice) -> tuple[Tensor, Tensor | None]:
        return weights[heads, rows, keys].float(), None

    whole = torch.tensor([[0, weights.shape[2]]]).expand(weights.shape[1], 2)
    return _reduced(block, whole, (*weights.shape[:2], weights.shape[2]), weights, same, top, size)


def _visible(recipe: Recipe, n_queries: int, n_keys: int) -> Tensor:
    """(queries, 2): the keys that may be seen lie between."""
    visible = recipe.visible
    if visible is None or visible.dtype == torch.bool:
        return torch.tensor([[0, n_keys]]).expand(n_queries, 2)
    return visible.long().cpu()


def _part(recipe: Recipe, n_queries: int, n_keys: int, heads: slice, rows: slice, keys: slice) -> Recipe:
    """The recipe of a block: its own heads, queries and keys alone."""
    bias, sinks, visible = recipe.bias, recipe.sinks, recipe.visible
    if bias is not None and bias.ndim == 2:
        low = n_queries - rows.stop + keys.start
        bias = bias[heads, low : low + rows.stop - rows.start + keys.stop - keys.start - 1]
    elif bias is not None:
        bias = bias[heads, rows, keys]
    if visible is not None:
        visible = visible[rows, keys] if visible.dtype == torch.bool else (visible[rows] - keys.start).clamp(min=0)
    return Recipe(recipe.scale, recipe.vector, recipe.softcap, bias, visible, None if sinks is None else sinks[heads])


def _blocks(visible: Tensor, n_heads: int, bands: int) -> Iterator[tuple[slice, slice, slice]]:
    """Heads, queries and keys of one block after the other: `SCRATCH` bytes, in one band of the map."""
    n_queries = len(visible)
    for start in range(0, n_queries, bands):
        stop = min(start + bands, n_queries)
        while start < stop:
            some = visible[start:stop]
            some = some[some[:, 1] > some[:, 0]]
            keys = slice(int(some[:, 0].min()), int(some[:, 1].max())) if len(some) else slice(0, 0)
            room = max(1, SCRATCH // (4 * max(1, keys.stop - keys.start)))
            rows = slice(start, min(stop, start + room))
            at_once = max(1, room // (rows.stop - rows.start))
            for head in range(0, n_heads, at_once):
                yield slice(head, min(n_heads, head + at_once)), rows, keys
            start = rows.stop


@dataclass
class _Gathered:
    """Where the blocks' results are written."""

    shape: tuple[int, int, int]
    like: Tensor
    same: bool
    top: int
    size: int
    found: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        heads, queries, keys = self.shape
        per_query = ["entropy", "largest", "first", *(["itself", "before", "distance"] if self.same else [])]
        self.high, self.wide = width(queries, self.size), width(keys, self.size)
        blocks = (heads, -(-queries // self.high), -(-keys // self.wide))
        for name in per_query:
            self.found[name] = self._zeros(heads, queries)
        self.found |= {"top_weights": self._zeros(heads, queries, self.top), "received": self._zeros(heads, keys)}
        self.found["top_keys"] = self._zeros(heads, queries, self.top, dtype=torch.int32) - 1
        self.found |= {"pooled": self._zeros(*blocks), "peak": self._zeros(*blocks)}

    def _zeros(self, *shape: int, dtype: torch.dtype = torch.float32) -> Tensor:
        return torch.zeros(*shape, dtype=dtype, device=self.like.device)

    def take(self, heads: slice, rows: slice, keys: slice, weights: Tensor) -> None:
        """Reduce the weights (heads, rows, keys) of a block."""
        found, count = self.found, min(self.top, weights.shape[-1])
        if not count:
            return
        found["entropy"][heads, rows] = 0 - torch.special.xlogy(weights, weights).sum(-1)
        values, where = weights.topk(count)
        found["top_weights"][heads, rows, :count] = values
        found["top_keys"][heads, rows, :count] = torch.where(values > 0, where + keys.start, -1).int()
        if keys.start == 0:
            found["first"][heads, rows] = weights[..., 0]
        found["received"][heads, keys] += weights.sum(1)
        self._pool(heads, rows, keys, weights)
        if self.same:
            self._near(heads, rows, keys, weights)

    def _pool(self, heads: slice, rows: slice, keys: slice, weights: Tensor) -> None:
        left = keys.start % self.wide
        right = -(left + weights.shape[-1]) % self.wide
        blocks = pad(weights, (left, right)).unflatten(-1, (-1, self.wide))
        first, band = keys.start // self.wide, rows.start // self.high
        place = (heads, band, slice(first, first + blocks.shape[2]))
        self.found["pooled"][place] += blocks.sum((1, 3))
        self.found["peak"][place] = torch.maximum(self.found["peak"][place], blocks.amax((1, 3)))

    def _near(self, heads: slice, rows: slice, keys: slice, weights: Tensor) -> None:
        own = torch.arange(rows.start, rows.stop, device=weights.device) + self.shape[2] - self.shape[1]
        at = own[:, None] - torch.arange(keys.start, keys.stop, device=weights.device)
        self.found["itself"][heads, rows] = (weights * (at == 0)).sum(-1)
        self.found["before"][heads, rows] = (weights * (at == 1)).sum(-1)
        self.found["distance"][heads, rows] = (weights * at.abs()).sum(-1)

    def statistics(self, log_sum_exp: Tensor | None) -> Statistics[Tensor]:
        """All of it."""
        found, n_queries = self.found, self.shape[1]
        counts = torch.full((found["pooled"].shape[1],), self.high, device=self.like.device)
        if n_queries:
            counts[-1] = n_queries - self.high * (len(counts) - 1)
        found["pooled"] /= counts[:, None]
        near = {name: found.pop(name, None) for name in ("itself", "before", "distance")}
        found["largest"], found["largest_key"] = found["top_weights"][..., 0], found["top_keys"][..., 0]
        return Statistics(**found, **near, log_sum_exp=log_sum_exp)


def _reduced(
    block: Block, visible: Tensor, shape: tuple[int, int, int], like: Tensor, same: bool, top: int, size: int
) -> Statistics[Tensor]:
    gathered = _Gathered(shape, like, same, max(1, top), size)
    log_sum_exp: Tensor | None = torch.full(shape[:2], float("-inf"), device=like.device)
    for heads, rows, keys in _blocks(visible, shape[0], gathered.high):
        weights, lse = block(heads, rows, keys)
        gathered.take(heads, rows, keys, weights)
        if lse is None:
            log_sum_exp = None
        elif log_sum_exp is not None:
            log_sum_exp[heads, rows] = lse
    return gathered.statistics(log_sum_exp)
