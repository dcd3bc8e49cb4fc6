"""Heads: one wide vector seen as several narrow ones, and back.

Note 004's numbers: 3 tokens of 1000 entries, looked at by 8 heads of 125 each.

>>> x = torch.zeros(1, 3, 1000)
>>> split(x, 8).shape, join(split(x, 8)).shape
(torch.Size([1, 8, 3, 125]), torch.Size([1, 3, 1000]))
"""

import torch  # noqa: F401 — the example
from jaxtyping import Float
from torch import Tensor


def split(x: Float[Tensor, "batch n d"], n_heads: int) -> Float[Tensor, "batch heads n d_head"]:
    """Head h gets entries h·d_head … (h+1)·d_head of each vector (Vaswani et al. 2017, §3.2.2)."""
    return x.unflatten(-1, (n_heads, -1)).transpose(1, 2)


def join(context: Float[Tensor, "batch heads n d_head"]) -> Float[Tensor, "batch n d"]:
    """The heads' contexts side by side again, in the order of the heads."""
    return context.transpose(1, 2).flatten(2)


def shared(x: Float[Tensor, "batch kv_heads n d_head"], n_heads: int) -> Float[Tensor, "batch heads n d_head"]:
    """Grouped heads (Ainslie et al. 2023): each head of keys or values serves n_heads / n_kv_heads queries in a row."""
    return x if x.shape[1] == n_heads else x.repeat_interleave(n_heads // x.shape[1], dim=1)
