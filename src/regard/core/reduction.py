"""What is taken from one block of weights, with torch; `compiled` takes the same where there is a compiler."""

from typing import NamedTuple

import torch
from torch import Tensor

from regard.core.largest import largest

ENTROPY, LOG_SUM_EXP, DISTANCE, ITSELF, BEFORE, FIRST = range(6)
"""Where each stands among the numbers of a query."""


class Reduced(NamedTuple):
    """The statistics of a block.

    Attributes:
        queries: (heads, rows, 6), the numbers of each query.
        top_weights, top_keys: (heads, rows, top); keys are columns of the block, −1 where there is none.
        sums, peak: (heads, bands, keys), sum and largest of the weights on each key, over the rows of a band.
    """

    queries: Tensor
    top_weights: Tensor
    top_keys: Tensor
    sums: Tensor
    peak: Tensor


def reduced(weights: Tensor, masked: Tensor, *, high: int, own: int, top: int, chunk: int, ahead: bool) -> Reduced:
    """The statistics of a block.

    Args:
        weights: (heads, rows, keys).
        masked: their logarithms, but for the same number everywhere in a row, the log-sum-exp; is overwritten.
        high: rows of a band.
        own: the column where the first row's query stands.
        top: how many keys are named.
        chunk: divides the keys; see `largest`.
        ahead: whether queries see what comes after them.
    """
    heads, rows, keys = weights.shape
    total, bands = weights.sum(-1), weights.unflatten(1, (-1, high))
    values, columns = (each.view(heads, rows, top) for each in largest(weights.view(-1, keys), top, chunk))
    best = masked.gather(-1, columns[..., :1]).squeeze(-1)
    log_sum_exp = (best - values[..., 0].log()).where(total > 0, 0.0)
    entropy = log_sum_exp * total - torch.mul(weights, masked, out=masked).sum(-1)
    itself, before = (_on(weights, own - back) for back in (0, 1))
    numbers = [
        *(entropy.clamp(min=0), log_sum_exp.where(total > 0, float("-inf"))),
        *(_distance(weights, total, own, ahead), itself, before, weights[..., 0]),
    ]
    places = columns.where(values > 0, -1).int()
    return Reduced(torch.stack(numbers, dim=-1), values, places, bands.sum(2), bands.amax(2))


def _on(weights: Tensor, start: int) -> Tensor:
    """Each row's weight on the column `start + row`; 0 where that is none of the block's."""
    found = weights.new_zeros(weights.shape[:2])
    low, high = max(0, -start), min(weights.shape[1], weights.shape[2] - start)
    if low < high:
        found[:, low:high] = weights[:, low:high, low + start : high + start].diagonal(dim1=1, dim2=2)
    return found


def _distance(weights: Tensor, total: Tensor, own: int, ahead: bool) -> Tensor:
    """Σ w·|query − key|, counted from the first row, so that near keys are small numbers."""
    heads, rows, keys = weights.shape
    here = torch.arange(rows, device=weights.device)
    steps = torch.arange(-own, keys - own, device=weights.device, dtype=torch.float32)
    found = here * total - (weights.view(-1, keys) @ steps).view(heads, rows)
    if ahead:  # what is further on was counted with the wrong sign
        at = min(keys, max(0, own))
        further = (steps[at:] - here.unsqueeze(-1)).clamp(min=0)
        found += 2 * torch.einsum("hrk,rk->hr", weights[..., at:], further)
    return found.clamp(min=0)
