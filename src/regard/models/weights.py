"""Weights laid out for writing, and lighter ones: numbers of 16 or 8 bits in place of 32. One token at a time, reading
the weights is the work: it goes faster in the order in which they lie, and with half or a quarter of the bytes.

| kind | a weight | its input | the sum |
|---|---|---|---|
| fp32 | as it is, in another order | as it is | fp32 |
| bf16 | 8 binary digits | 8 binary digits | fp32, handed on with 8 digits |
| int8 | a whole number from −127 to 127 × its row's scale | the same, × its token's scale | exact, then fp32 |

int8 is the vector-wise form of Dettmers et al. 2022 (§2.1): a scale for each output and one for each token, so that no
token's numbers depend on what else is in its batch. Embeddings, norms and biases stay fp32; so does all attention.
"""

import mmap
from collections.abc import Callable, Sequence
from contextlib import suppress
from copy import deepcopy
from itertools import accumulate
from math import inf
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import linear

from regard.core import products
from regard.core.errors import BadInput

KINDS = ("fp32", "bf16", "int8")

_LARGEST = 127
_LEAST = 1e-30
"""So large at least is taken what scales a row, even of zeros."""

_EXPECTED = 64
"""Tokens that are written with int8 weights: of a model so large that these pay for compiling, it is compiled."""

_SOME = 256
"""Rows that are rounded at once: what lies between stays in the cache."""

_ALIKE = (("to_query", "to_key", "to_value"), ("gate", "up"))
"""Layers of one module that read the same input, where it looks at itself: they become one product."""

Make = Callable[[Tensor, Tensor | None], nn.Module]


class Fp32(nn.Module):
    """x·Wᵀ + b with Wᵀ as it lies in memory: few rows of x then read it from end to end. Final."""

    turned: Tensor

    def __init__(self, weight: Tensor, bias: Tensor | None) -> None:
        super().__init__()
        turned = _room(weight.numel(), torch.float32).view(weight.shape[1], weight.shape[0])
        self.register_buffer("turned", turned.copy_(weight.detach().t()), persistent=False)
        self.bias = bias

    @property
    def weight(self) -> Tensor:
        """W (d_out, d_in)."""
        return self.turned.t()

    def forward(self, x: Tensor) -> Tensor:
        """(..., d_in) → (..., d_out)."""
        kernel = products.kernel()
        if kernel is None or not products.takes(x, products.TURNED):
            return linear(x, self.weight, self.bias)
        return kernel.turned(x.reshape(-1, x.shape[-1]), self.turned, self.bias).view(*x.shape[:-1], -1)


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
        numbers, scale = quantised(weight.detach().float())
        self.scale, self.bias = scale[:, 0].contiguous(), bias
        self.whole: products.Whole | None = None
        self._packed: Tensor | None = None
        if products.kernel() is None:
            self._packed = torch.ops.onednn.qlinear_prepack(numbers, None)
        else:
            laid = _room(numbers.numel(), torch.int8).view(numbers.shape).copy_(numbers)
            self.whole = products.whole(laid, self.scale)

    def forward(self, x: Tensor) -> Tensor:
        """(..., d_in) → (..., d_out), fp32."""
        kernel = products.kernel()
        if kernel is not None and self.whole is not None and products.takes(x, products.WHOLE):
            return kernel.whole(x.reshape(-1, x.shape[-1]), self.whole, self.bias).view(*x.shape[:-1], -1)
        if x.numel() == x.shape[-1]:  # one token, one scale: the kernel itself multiplies by it and adds the bias
            largest = torch.linalg.vector_norm(x, inf).item()
            scale = max(largest, _LEAST) / _LARGEST
            return self._product(x.div(scale).round_().to(torch.int8), scale, self.bias)
        numbers, scales = quantised(x.reshape(-1, x.shape[-1]))
        product = self._product(numbers, 1.0, None)
        product = product.mul_(scales) if self.bias is None else torch.addcmul(self.bias, product, scales)
        return product.view(*x.shape[:-1], -1)

    def _product(self, numbers: Tensor, scale: float, bias: Tensor | None) -> Tensor:
        zero = torch.zeros(len(self.scale), dtype=torch.long)
        return torch.ops.onednn.qlinear_pointwise.default(
            numbers, scale, 0, self.packed, self.scale, zero, bias, 1.0, 0, torch.float32, "none", [], ""
        )

    @property
    def packed(self) -> Any:
        """W as torch's kernel takes it: with ours, made when that is first asked for many tokens at once."""
        if self._packed is None and self.whole is not None:
            self._packed = torch.ops.onednn.qlinear_prepack(self.whole.numbers, None)
        return self._packed


def quantised(rows: Tensor) -> tuple[Tensor, Tensor]:
    """Each row as whole numbers from −127 to 127 (int8) and its scale (rows, 1); their product is the row, rounded.

    >>> quantised(torch.tensor([[0.5, -2.54, 0.013]]))
    (tensor([[  25, -127,    1]], dtype=torch.int8), tensor([[0.0200]]))
    """
    numbers, scale = rows.new_empty(rows.shape, dtype=torch.int8), rows.new_empty(len(rows), 1)
    for start in range(0, len(rows), _SOME):
        some, here = rows[start : start + _SOME], slice(start, start + _SOME)
        scale[here] = some.abs().amax(-1, keepdim=True).clamp_(min=_LEAST).div_(_LARGEST)
        numbers[here] = some.div(scale[here]).round_()
    return numbers, scale


def lighten(model: Any, kind: str) -> None:
    """Replace every linear layer of a GPT, its output head too, in place; it can be run then, and not trained.

    Args:
        kind: one of `KINDS`; fp32 changes no number, but for the rounding of sums in another order.

    Raises:
        BadInput: `weights_kernel`: this processor, or this build of torch, has not what it takes.
    """
    make: Make = {"fp32": Fp32, "bf16": Bf16, "int8": Int8}[kind]
    products.kernel(size(model) * _EXPECTED if kind == "int8" else 0)  # from here on it is there, if it pays
    if not _computes(make):
        raise BadInput("weights_kernel", kind=kind)
    for parent in list(model.modules()):
        linear = {name: child for name, child in parent.named_children() if type(child) is nn.Linear}
        for names in _ALIKE:
            if all(name in linear for name in names):
                _join(parent, names, [linear.pop(name) for name in names], make)
        for name, child in linear.items():
            setattr(parent, name, _lent(child.weight, make(child.weight, child.bias)))
    if model.to_logits is None:  # tied: the embedding stays what it is, the head is read from here
        model.to_logits = _lent(model.embedding.weight, make(model.embedding.weight, None))


@torch.inference_mode(False)
@torch.no_grad()
def twin(model: Any, kind: str) -> Any:
    """The same GPT with other linear layers (see `lighten`); all else is one in both, in fp32 the weights too.

    Raises:
        BadInput: as `lighten`.
    """
    shared: dict[int, Any] = {id(each): each for each in (*model.parameters(), *model.buffers())}
    made = deepcopy(model, shared)
    lighten(made, kind)
    return made


def drafting(model: Any, tokens: int) -> Any | None:
    """A lighter twin that guesses what the model writes (`generation.speculation`); None where it would not pay.

    Args:
        tokens: how many are to be written.
    """
    if products.kernel(size(model) * tokens) is None:
        return None
    try:
        return twin(model, "int8")
    except BadInput:
        return None


def size(model: Any) -> int:
    """How many weights a GPT has that each token reads: those of its linear layers, and of its output head."""
    layers = sum(each.weight.numel() for each in model.modules() if isinstance(each, nn.Linear))
    return layers + (model.embedding.weight.numel() if model.to_logits is None else 0)


def _lent(weight: Tensor, layer: nn.Module, start: int = 0) -> nn.Module:
    """The layer; where it holds the same numbers, whoever has the weight reads them there, and they lie there once."""
    if isinstance(layer, Fp32):
        weight.data = layer.weight[start : start + len(weight)]
    return layer


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
        start = end - layer.out_features
        _lent(layer.weight, joint.whole, start)
        setattr(parent, name, _Part(joint, start, end))


def _computes(make: Make) -> bool:
    """Whether the kernel is there, and right on the largest numbers: some processors' sums of bytes overflow."""
    weight = torch.full((3, 64), 127.0)
    try:
        said = [make(weight, None)(torch.full((rows, 64), 127.0)) for rows in (2, products.ROWS + 1)]
        return all(bool((each - 64 * 127**2).abs().max() < 64 * 127**2 / 100) for each in said)
    except (AttributeError, RuntimeError, NotImplementedError):
        return False


_PAGE = 2**21
"""Bytes of a large page: with them a processor asks a five-hundredth as often where in memory something lies."""


def _room(count: int, dtype: torch.dtype) -> Tensor:
    """So many numbers, at the beginning of a large page where the system gives them (Linux, if it may)."""
    each = dtype.itemsize
    if count * each < _PAGE or not hasattr(mmap, "MADV_HUGEPAGE"):
        return torch.empty(count, dtype=dtype)
    memory = mmap.mmap(-1, count * each + _PAGE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    with suppress(OSError):  # a system without them
        memory.madvise(mmap.MADV_HUGEPAGE)
    whole = torch.frombuffer(memory, dtype=dtype)
    start = -whole.data_ptr() % _PAGE // each
    return whole[start : start + count]
