"""Biases: what is added to the scaled scores of each query and key. A bias is a rule, as a mask is.

>>> alibi(2).values(1, 3)[:, 0]
tensor([[-0.1250, -0.0625,  0.0000],
        [-0.0078, -0.0039,  0.0000]])
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor


class Bias(ABC):
    """A rule that says what is added to the scaled score of a query and a key. Abstract."""

    @abstractmethod
    def values(self, queries: int, keys: int, device: torch.device | str | None = None) -> Tensor:
        """The rule as a matrix (..., queries, keys). Queries stand at the *end* of the keys, as in masks."""


@dataclass(frozen=True)
class _Slopes(Bias):
    """−slope · distance, a slope a head."""

    slopes: tuple[float, ...]

    def values(self, queries: int, keys: int, device: torch.device | str | None = None) -> Tensor:
        query = torch.arange(keys - queries, keys, device=device)[:, None]
        distance = (query - torch.arange(keys, device=device)[None, :]).abs()
        return torch.tensor(self.slopes, device=device)[:, None, None] * -distance


def alibi(n_heads: int) -> Bias:
    """The farther, the lower: head h of n loses 2^(−8(h+1)/n) a position (Press et al. 2022, §3).

    For a count that is no power of two: the slopes of the power below, then every second one of the power above.
    """
    power = 1 << (n_heads.bit_length() - 1)
    slopes = [2 ** (-8 * (h + 1) / power) for h in range(power)]
    between = [2 ** (-8 * (h + 1) / (2 * power)) for h in range(0, 2 * power, 2)]
    return _Slopes(tuple([*slopes, *between][:n_heads]))


def added(scaled: Float[Tensor, "*batch queries keys"], bias: Bias | Tensor | None) -> Tensor:
    """`scaled` with the bias on it; None adds nothing."""
    found = matrix(bias, scaled.shape[-2], scaled.shape[-1], scaled)
    return scaled if found is None else scaled + found


def matrix(bias: Bias | Tensor | None, queries: int, keys: int, like: Tensor) -> Tensor | None:
    """The bias as a matrix in the type and on the device of `like`. Both paths ask here."""
    found = bias.values(queries, keys, like.device) if isinstance(bias, Bias) else bias
    return None if found is None else found.to(like)
