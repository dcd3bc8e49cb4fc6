"""Dropout whose random numbers do not hold the rest up."""

import torch
from torch import Tensor, nn
from torch.nn import functional

_STEPS = 2**16


class Dropout(nn.Module):
    """Each entry is 0 with probability `rate`, else grows by 1 / (1 − rate); in evaluation nothing changes. Final.

    On a processor torch draws one number for each entry, one after another: a fifth of a step's time. Here one draw of
    64 bits decides on four entries, so the rate is held to 1/65536. Elsewhere torch's own is taken.
    Source: Srivastava et al. 2014, §4, scaled in training.

    >>> Dropout(0.5).eval()(torch.ones(3))
    tensor([1., 1., 1.])
    """

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.rate = rate

    def forward(self, x: Tensor) -> Tensor:
        """Any shape → the same."""
        if not self.training or self.rate == 0:
            return x
        if not x.is_cpu:
            return functional.dropout(x, self.rate)
        return x * _kept(x, round(self.rate * _STEPS)).mul_(1 / (1 - self.rate))

    def extra_repr(self) -> str:
        """The rate, where the model is printed."""
        return str(self.rate)


def _kept(like: Tensor, dropped: int) -> Tensor:
    """Ones, and zeros in `dropped` of 65536 places, in the shape and dtype of another tensor."""
    count = like.numel()
    bits = torch.randint(-(2**63), 2**63 - 1, (-(-count // 4),))  # `random_` cannot be compiled
    return (bits.view(torch.int16)[:count].view(like.shape) >= dropped - _STEPS // 2).to(like.dtype)
