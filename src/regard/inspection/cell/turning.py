"""Rotations, read off from what went in and what came out (Su et al. 2021): pairs of entries, each turned by an angle.

Which entries make a pair differs among families; the pairing is the one that explains what was seen.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from regard.inspection.cell.linear import CLOSE, same


@dataclass(frozen=True)
class Turn:
    """What turns vectors of d entries at n places.

    Attributes:
        first, second: the entries of each pair; all others stay as they are.
        cos, sin: (n, pairs), with the factor that some families put on both (YaRN).
    """

    first: Tensor
    second: Tensor
    cos: Tensor
    sin: Tensor

    def __call__(self, x: Tensor) -> Tensor:
        """Vectors (…, n, d), turned."""
        turned, a, b = x.clone(), x[..., self.first], x[..., self.second]
        turned[..., self.first] = a * self.cos - b * self.sin
        turned[..., self.second] = a * self.sin + b * self.cos
        return turned

    def of(self, pairs: Tensor) -> "Turn":
        """Only these pairs (bool)."""
        return Turn(self.first[pairs], self.second[pairs], self.cos[:, pairs], self.sin[:, pairs])


def turning(before: Tensor, after: Tensor, within: float = CLOSE) -> Turn | None:
    """The rotation between (heads, n, d) and (heads, n, d), the same in all heads; None where it is none."""
    for first, second in _pairings(before, after, within):
        found = _fitted(before, after, first, second)
        if same(found(before), after, within):
            moved = (before != after).flatten(0, 1).any(0)
            turned = moved[first] | moved[second]
            return found.of(turned) if turned.any() else found
    return None


def _pairings(before: Tensor, after: Tensor, within: float) -> Iterator[tuple[Tensor, Tensor]]:
    """Halves, then neighbours, over as many of the first entries as may have been turned, the most first."""
    width = before.shape[-1]
    for turned in range(width - width % 2, 0, -2):
        if turned < width and not same(before[..., turned:], after[..., turned:], within):
            return
        half, all_of = turned // 2, torch.arange(turned)
        yield all_of[:half], all_of[half:]
        yield all_of[0::2], all_of[1::2]


def _fitted(before: Tensor, after: Tensor, first: Tensor, second: Tensor) -> Turn:
    """Cosines and sines by least squares over all heads, on one common circle."""
    a, b, c, d = before[..., first], before[..., second], after[..., first], after[..., second]
    along, across = (a * c + b * d).sum(0), (a * d - b * c).sum(0)
    length = torch.hypot(along, across)
    still = length < 1e-30
    cos, sin = (
        torch.where(still, at_rest, each / length.clamp(min=1e-30)) for at_rest, each in ((1, along), (0, across))
    )
    turned = torch.cat([first, second])
    factor = (after[..., turned].square().sum() / before[..., turned].square().sum().clamp(min=1e-30)).sqrt()
    factor = torch.ones(()) if abs(float(factor) - 1) < 1e-4 else factor
    return Turn(first, second, cos * factor, sin * factor)
