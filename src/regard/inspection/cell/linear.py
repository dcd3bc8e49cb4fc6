"""Linear maps that were heard, and how the columns of one may be cut into heads."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from regard.inspection.cell.heard import Heard

CLOSE, ROUGH = 2e-5, 2e-2
"""How far two tensors that are the same may be, by the largest entry: of fp32, and of 16 bits."""


def rough(*tensors: Tensor) -> bool:
    """Whether one of these was computed in 16 bits."""
    return any(tensor.dtype in (torch.float16, torch.bfloat16) for tensor in tensors)


def same(came: Tensor, expected: Tensor, within: float | None = None) -> bool:
    """Whether two tensors of one shape are the same but for rounding; `within` where their types do not tell."""
    if came.shape != expected.shape or not expected.numel():
        return False
    within = within or (ROUGH if rough(came, expected) else CLOSE)
    far = (came.double() - expected.double()).abs().max()
    return bool(far <= within * expected.double().abs().max().clamp(min=1e-6))


@dataclass(frozen=True)
class Linear:
    """y = x·W + b, as a module computed it.

    Attributes:
        x, y: (n, d_in), (n, d_out).
        weight: (d_in, d_out), however the module stores it.
    """

    name: str
    moment: int
    x: Tensor
    y: Tensor
    weight: Tensor
    bias: Tensor | None


def linears(calls: Iterable[Heard]) -> Iterator[Linear]:
    """Of these calls those of linear maps, whatever class their modules have: what they gave is x·W + b."""
    for call in calls:
        weight, bias = getattr(call.module, "weight", None), getattr(call.module, "bias", None)
        if not isinstance(weight, Tensor) or weight.ndim != 2 or len(call.given) != 1 or call.made is None:
            continue
        x, y = call.given[0], call.made
        for matrix in (weight.detach().T, weight.detach()):
            if x.ndim == y.ndim == 2 and (x.shape[1], y.shape[1]) == tuple(matrix.shape):
                made = x[-1:] @ matrix + (0 if bias is None else bias.detach())
                if same(made, y[-1:]):
                    yield Linear(call.name, call.gave, x, y, matrix, None if bias is None else bias.detach())
                    break


def cuts(width: int, d_head: int, n_heads: int, n_queries: int) -> Iterator[Tensor]:
    """Ways to find `n_heads` heads of `d_head` among `width` columns: the columns of each, (heads, d_head).

    Args:
        n_queries: how many heads of queries there are; in a joined matrix they may stand before these.
    """
    one, entry = torch.arange(n_heads)[:, None] * d_head, torch.arange(d_head)
    wide, rest = n_heads * d_head, width - n_queries * d_head
    starts = (0, n_queries * d_head, n_queries * d_head + rest // 2, width - wide, wide)
    for start in dict.fromkeys(each for each in starts if 0 <= each <= width - wide):
        yield start + one + entry  # [all queries, all keys, all values]
    if width == 3 * wide:
        for which in range(3):
            yield 3 * one + which * d_head + entry  # of each head its query, key and value (GPT-NeoX)
