"""The weights of one block, made of queries, keys and the recipe, or cut from weights that are at hand."""

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import pad

from regard.core.blocks import Block, Grid
from regard.core.recipe import Recipe

HIDDEN = -1e30
"""What stands in the place of −inf: exp gives 0 all the same, and 0 times it is 0."""


class Weighed(NamedTuple):
    """Weights of a block.

    Attributes:
        weights: (heads, rows, keys); 0 beyond the last key.
        masked: (heads, rows, keys), their logarithms, but for the same number everywhere in a row: the log-sum-exp.
            `HIDDEN` where nothing is seen.
    """

    weights: Tensor
    masked: Tensor


class Given:
    """Weights that are at hand, (heads, queries, keys)."""

    def __init__(self, weights: Tensor, grid: Grid) -> None:
        self._weights, self._grid = weights, grid

    def __call__(self, block: Block) -> Weighed:
        """Those of a block."""
        some = self._weights[block.heads, block.rows, block.keys].float()
        weights = pad(some, (0, block.shape[2] - some.shape[2]))
        return Weighed(weights, weights.log().clamp(min=HIDDEN))


class Made:
    """Weights made of queries (heads, queries, d) and keys (heads or kv_heads, keys, d)."""

    def __init__(self, recipe: Recipe, query: Tensor, key: Tensor, grid: Grid) -> None:
        self._recipe, self._query, self._key, self._grid = recipe, query, key, grid
        self._scale = recipe.scale / (recipe.softcap or 1.0)
        bias = recipe.bias
        self._bias = None if bias is None else pad(bias.float(), (0, grid.padded - grid.n_keys)).clamp(min=HIDDEN)
        self._across: tuple[slice, Tensor] | None = None
        self._rooms: dict[str, Tensor] = {}

    def __call__(self, block: Block) -> Weighed:
        """Those of a block; what was made of the last one is overwritten."""
        masked = self._hide(self._scaled(block), block)
        largest = masked.amax(-1, keepdim=True)
        weights = torch.softmax(masked, -1, out=self._room("weights", block))
        blind = largest <= HIDDEN / 2
        if bool(blind.any()):
            weights.masked_fill_(blind, 0.0)
        if self._recipe.sinks is not None:  # weights that were 1 / (1 + exp(sink − log-sum-exp)) of what they are
            log_sum_exp = largest - weights.amax(-1, keepdim=True).log()
            weights.mul_(torch.sigmoid(log_sum_exp - self._recipe.sinks[block.heads, None, None]))
        return Weighed(weights, masked)

    def _room(self, name: str, block: Block) -> Tensor:
        """Memory for a block: always the same, so that it stays in the cache."""
        heads, rows, keys = block.shape
        room = self._rooms.get(name)
        if room is None or len(room) < heads * rows * keys:
            room = self._rooms[name] = self._query.new_empty(heads * rows * keys, dtype=torch.float32)
        return room[: heads * rows * keys].view(heads, rows, keys)

    def scores(self, block: Block) -> Tensor:
        """Those of a block, scaled, capped and with their bias; `HIDDEN` where a matrix says so, all others open."""
        scaled, visible = self._scaled(block), self._recipe.visible
        return scaled if visible is None or visible.dtype != torch.bool else self._hide(scaled, block)

    def _scaled(self, block: Block) -> Tensor:
        query, recipe = self._query[block.heads, block.rows].float(), self._recipe
        key = self._keys(block.heads)[..., block.keys]
        if recipe.vector is None:
            scaled = torch.bmm(query * self._scale, key, out=self._room("masked", block))
        else:
            sums = query.unsqueeze(-2) + key.transpose(1, 2).unsqueeze(-3)
            scaled = (torch.tanh(sums) @ recipe.vector.float()).mul_(self._scale)
        if recipe.softcap is not None:
            scaled.tanh_().mul_(recipe.softcap)
        return scaled if self._bias is None else scaled.add_(self._biased(self._bias, block))

    def _keys(self, heads: slice) -> Tensor:
        """Keys of some heads, (heads, d, padded): the product is quicker so."""
        if self._across is None or self._across[0] != heads:
            group = self._grid.n_heads // len(self._key)
            own = self._key[heads.start // group : -(-heads.stop // group)].float().transpose(1, 2)
            own = pad(own, (0, self._grid.padded - self._grid.n_keys)).contiguous()
            own = (
                own
                if group == 1
                else own[[head // group - heads.start // group for head in range(heads.start, heads.stop)]]
            )
            self._across = heads, own
        return self._across[1]

    def _biased(self, bias: Tensor, block: Block) -> Tensor:
        if bias.ndim == 3:
            return bias[block.heads, block.rows, block.keys]
        _, rows, keys = block.shape
        low = self._grid.n_queries - block.rows.stop + block.keys.start
        return bias[block.heads, low : low + rows + keys - 1].unfold(1, keys, 1).flip(1)

    def _hide(self, scaled: Tensor, block: Block) -> Tensor:
        """`HIDDEN` where a query may not see a key; only where that is so for some of the rows."""
        visible, n_keys = self._recipe.visible, self._grid.n_keys
        start, stop = block.keys.start, block.keys.stop
        if visible is not None and visible.dtype == torch.bool:
            seen = pad(visible[block.rows, start:stop], (0, stop - min(stop, n_keys)))
            return scaled.masked_fill_(~seen, HIDDEN)
        if visible is None:
            scaled[..., n_keys - start :] = HIDDEN
            return scaled
        first, last = visible[block.rows].unsqueeze(-1).unbind(1)
        key = torch.arange(start, stop, device=visible.device)
        left, right = max(start, min(stop, block.open.start)) - start, max(start, min(stop, block.open.stop)) - start
        if right <= left:
            return scaled.masked_fill_((key < first) | (key >= last), HIDDEN)
        scaled[..., :left].masked_fill_(key[:left] < first, HIDDEN)
        scaled[..., right:].masked_fill_(key[right:] >= last, HIDDEN)
        return scaled
