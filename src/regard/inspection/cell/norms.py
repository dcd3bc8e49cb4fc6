"""Norms that were heard: which formula, with the module's own parameters, gives what it gave."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from regard.inspection.cell.heard import Heard
from regard.inspection.cell.linear import same


@dataclass(frozen=True)
class Norm:
    """(x − mean) / size · gain + shift, where size is the root of the mean square beside eps.

    Attributes:
        gain, shift: (d,) each.
        centred: whether the mean is taken off (layer norm, Ba et al. 2016), or not (Zhang & Sennrich 2019).
    """

    gain: Tensor
    shift: Tensor | None
    eps: float
    centred: bool

    def parts(self, x: Tensor) -> dict[str, Tensor]:
        """`mean` (where it is taken off), `size`, `gain`, `shift` and `normed` of vectors (…, d)."""
        mean = x.mean(-1, keepdim=True) if self.centred else torch.zeros_like(x[..., :1])
        size = ((x - mean).square().mean(-1, keepdim=True) + self.eps).sqrt()
        normed = (x - mean) / size * self.gain
        found = {"mean": mean} if self.centred else {}
        found |= {"size": size, "gain": self.gain} | ({} if self.shift is None else {"shift": self.shift})
        return found | {"normed": normed if self.shift is None else normed + self.shift}


def norm(call: Heard, x: Tensor, y: Tensor) -> Norm | None:
    """The formula by which this module made y (…, d) of x; None where it is none of those known."""
    for candidate in _candidates(call.module, x.shape[-1]):
        if same(candidate.parts(x)["normed"], y):
            return candidate
    return None


def _candidates(module: nn.Module, width: int) -> Iterator[Norm]:
    named = {name: tensor.detach().double() for name, tensor in module.named_parameters(recurse=False)}
    fits = {name: tensor for name, tensor in named.items() if tensor.shape == (width,)}
    eps = [float(getattr(module, name)) for name in ("eps", "variance_epsilon", "norm_eps") if _number(module, name)]
    weight, shift = fits.get("weight", torch.ones(width).double()), fits.get("bias")
    for centred in (False, True):
        for gain in (weight, 1 + weight):
            for small in (*eps, 1e-6, 1e-5):
                yield Norm(gain, shift, small, centred)


def _number(module: nn.Module, name: str) -> bool:
    return isinstance(getattr(module, name, None), float)
