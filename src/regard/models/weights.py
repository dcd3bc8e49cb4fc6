"""Lighter weights: numbers of 16 or 8 bits in place of 32, for speed. One token at a time, reading the weights is the
work, so half or a quarter of the bytes is nearly twice or four times the speed.

| kind | a weight | its input | the sum |
|---|---|---|---|
| bf16 | 8 binary digits | 8 binary digits | fp32, handed on with 8 digits |
| int8 | a whole number from −127 to 127 × its row's scale | the same, × its token's scale | exact, then fp32 |

int8 is the vector-wise form of Dettmers et al. 2022 (§2.1): a scale for each output and one for each token, so that no
token's numbers depend on what else is in its batch. Embeddings, norms and biases stay fp32; so does all attention.
"""

from collections.abc import Callable, Sequence
from itertools import accumulate
from typing import Any

import torch
from torch import Tensor, nn

from regard.core.errors import BadInput

KINDS = ("fp32", "bf16", "int8")

_LARGEST = 127
_ALIKE = (("to_query", "to_key", "to_value"), ("gate", "up"))
"""Layers of one module that read the same input, where it looks at itself: they become one product."""

Make = Callable[[Tensor, Tensor | None], nn.Module]


class Bf16(nn.Module):
    """x·Wᵀ + b with W and x in bfloat16. Final."""

    def __init__(self, weight: Tensor, bias: Tensor | None) -> None:
        super().__init__()
        self.weight = torch.ops.mkldnn._reorder_linear_weight(weight.detach().to(torch.bfloat16), 1)
        self.bias = bias

    def forward(self, x: Tensor) -> Tensor:
        """(..., d_in) → (..., d_out), fp32."""
        product = torch.ops.mkldnn._linear_pointwise.default(x.bfloat16(), self.weight, None, "none", [], "").float()
        return product if self.bias is None else product + self.bias


class Int8(nn.Module):
    """x·Wᵀ + b with W and x as whole numbers and their scales. Final."""

    def __init__(self, weight: Tensor, bias: Tensor | None) -> None:
        super().__init__()
        whole, scale = quantised(weight.detach().float())
        self.weight, self.scale = torch.ops.onednn.qlinear_prepack(whole, None), scale[:, 0].contiguous()
        self.zero, self.bias = torch.zeros(len(scale), dtype=torch.long), bias

    def forward(self, x: Tensor) -> Tensor:
        """(..., d_in) → (..., d_out), fp32."""
        whole, scale = quantised(x.reshape(-1, x.shape[-1]))
        product = torch.ops.onednn.qlinear_pointwise.default(
            whole, 1.0, 0, self.weight, self.scale, self.zero, None, 1.0, 0, torch.float32, "none", [], ""
        )
        product = product.mul_(scale) if self.bias is None else torch.addcmul(self.bias, product, scale)
        return product.view(*x.shape[:-1], -1)


def quantised(rows: Tensor) -> tuple[Tensor, Tensor]:
    """Each row as whole numbers from −127 to 127 (int8) and its scale (rows, 1); their product is the row, rounded.

    >>> quantised(torch.tensor([[0.5, -2.54, 0.013]]))
    (tensor([[  25, -127,    1]], dtype=torch.int8), tensor([[0.0200]]))
    """
    scale = rows.abs().amax(-1, keepdim=True).clamp_(min=1e-30).div_(_LARGEST)
    return rows.div(scale).round_().to(torch.int8), scale


def lighten(model: Any, kind: str) -> None:
    """Replace every linear layer of a GPT, its output head too, in place; it can be run then, and not trained.

    Args:
        kind: one of `KINDS`; fp32 changes nothing.

    Raises:
        BadInput: `weights_kernel`: this processor, or this build of torch, has not what it takes.
    """
    if kind == "fp32":
        return
    make: Make = {"bf16": Bf16, "int8": Int8}[kind]
    if not _computes(make):
        raise BadInput("weights_kernel", kind=kind)
    for parent in list(model.modules()):
        linear = {name: child for name, child in parent.named_children() if type(child) is nn.Linear}
        for names in _ALIKE:
            if all(name in linear for name in names):
                _join(parent, names, [linear.pop(name) for name in names], make)
        for name, child in linear.items():
            setattr(parent, name, make(child.weight, child.bias))
    if model.to_logits is None:  # tied: the embedding stays what it is, the head is read from here
        model.to_logits = make(model.embedding.weight, None)


class _Joint:
    """Several layers' product with one input: made when the first of them asks, kept until the last has."""

    def __init__(self, whole: nn.Module, parts: int) -> None:
        self.whole, self.parts = whole, parts
        self.held: tuple[Tensor, Tensor, int] | None = None

    def __call__(self, x: Tensor) -> Tensor:
        held = self.held
        _, product, left = held if held is not None and held[0] is x else (x, self.whole(x), self.parts)
        self.held = (x, product, left - 1) if left > 1 else None
        return product


class _Part(nn.Module):
    """One layer of a joint: from … to of its outputs."""

    def __init__(self, joint: _Joint, start: int, end: int) -> None:
        super().__init__()
        self.joint, self.start, self.end = joint, start, end

    def forward(self, x: Tensor) -> Tensor:
        return self.joint(x)[..., self.start : self.end]


def _join(parent: nn.Module, names: Sequence[str], layers: Sequence[nn.Linear], make: Make) -> None:
    """Replace layers that read the same by parts of one."""
    bias = None if layers[0].bias is None else torch.cat([layer.bias for layer in layers])
    joint = _Joint(make(torch.cat([layer.weight for layer in layers]), bias), len(layers))
    ends = list(accumulate(layer.out_features for layer in layers))
    for name, layer, end in zip(names, layers, ends, strict=True):
        setattr(parent, name, _Part(joint, end - layer.out_features, end))


def _computes(make: Make) -> bool:
    """Whether the kernel is there, and right on the largest numbers: some processors' sums of bytes overflow."""
    x, weight = torch.full((2, 64), 127.0), torch.full((3, 64), 127.0)
    try:
        return bool((make(weight, None)(x) - 64 * 127**2).abs().max() < 64 * 127**2 / 100)
    except (AttributeError, RuntimeError, NotImplementedError):
        return False
