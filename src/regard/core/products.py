"""Products of a few rows with a large matrix by a compiled kernel (`products.c`), as writing token after token takes
them: twice as fast in whole numbers as torch's, and five rows in fp32 in little more time than one.

It is compiled when work comes that is worth the half second, for this processor, and is used only if a trial gives
torch's numbers. What a row gets does not depend on how many others there are.
"""

import ctypes
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import torch
from torch import Tensor

from regard.core import compiled

SOURCE = Path(__file__).with_name("products.c")

ROWS = 8
"""So many rows at most can be given."""

TURNED, WHOLE = range(2, ROWS + 1), range(1, 5)
"""Of so many rows each product is the quicker one; else torch's is as quick, or quicker."""

WIDEST = 2**16
"""Whole numbers of so many inputs at most: their sum then stays within 32 bits."""

WORTH = 2**32
"""Weights to be read, all tokens together, that pay for compiling: with drafts each then takes 0.2 ns less."""

OVER = 128
"""What is added to the whole numbers of a row, so that all are positive; `Whole.over` takes it away again."""


@dataclass(frozen=True)
class Whole:
    """A matrix W of whole numbers (out, in), int8; what each output is multiplied by (out,), and 128 · Σ W (out,)."""

    numbers: Tensor
    scale: Tensor
    over: Tensor


@dataclass(frozen=True)
class Kernel:
    """The two products. `turned` takes Wᵀ (in, out) fp32, `whole` a `Whole`; both x (rows, in) and a bias or None."""

    _turned: Callable[..., None]
    _whole: Callable[..., int]

    def turned(self, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        """x · Wᵀ + bias, (rows, out)."""
        x, made = x.contiguous(), x.new_empty(len(x), weight.shape[1])
        self._turned(*x.shape, weight.shape[1], *_addresses(x, weight, bias, made), torch.get_num_threads())
        return made

    def whole(self, x: Tensor, weight: Whole, bias: Tensor | None) -> Tensor:
        """The same with x and W as whole numbers times their scales, (rows, out)."""
        x, made = x.contiguous(), x.new_empty(len(x), len(weight.numbers))
        given = _addresses(x, weight.numbers, weight.scale, weight.over, bias, made)
        if not self._whole(*x.shape, len(weight.numbers), *given, torch.get_num_threads()):
            raise MemoryError
        return made


def kernel(work: int = 0) -> Kernel | None:
    """The kernel, if it can be had here and pays for reading so many weights; once it is there, it pays for any."""
    return _loaded() if work >= WORTH or _loaded.cache_info().currsize else None


def takes(x: Tensor, rows: range) -> bool:
    """Whether x (..., in) is for the kernel: so many rows, fp32, on the processor, and no gradient is asked of it."""
    few = 0 < x.shape[-1] <= WIDEST and x.numel() // x.shape[-1] in rows
    return few and x.dtype == torch.float32 and x.is_cpu and not (x.requires_grad and torch.is_grad_enabled())


def whole(numbers: Tensor, scale: Tensor) -> Whole:
    """A matrix of whole numbers (out, in), int8, and its scales (out,), ready for the kernel."""
    return Whole(numbers, scale, numbers.sum(1, dtype=torch.int32) * OVER)


@cache
def _loaded() -> Kernel | None:
    """The kernel, compiled and tried."""
    library = compiled.built(SOURCE, "-fopenmp")
    if library is None:
        return None
    turned, multiplied = library.multiply, library.multiply_whole
    turned.argtypes = [ctypes.c_long] * 3 + [ctypes.c_void_p] * 4 + [ctypes.c_long]
    multiplied.argtypes = [ctypes.c_long] * 3 + [ctypes.c_void_p] * 6 + [ctypes.c_long]
    turned.restype, multiplied.restype = None, ctypes.c_int
    made = Kernel(turned, multiplied)
    return made if agrees(made) else None


def agrees(tried: Kernel) -> bool:
    """Whether a kernel gives the numbers that torch gives, of drawn rows and of the largest numbers there are."""
    source = torch.Generator().manual_seed(1)
    x, weight, bias = (torch.randn(*size, generator=source) for size in ((ROWS, 83), (83, 71), (71,)))
    numbers = torch.randint(-127, 128, (71, 83), generator=source, dtype=torch.int8)
    numbers[:2], numbers[0, ::2], x[0] = 127, -127, 127.0
    step = x.abs().amax(1, keepdim=True) / 127
    exact = (x / step).round().double() @ numbers.double().T
    expected = (exact * step.double() * bias.double() + bias.double()).float()
    pairs = [(tried.turned(x[:rows], weight, bias), torch.addmm(bias, x[:rows], weight)) for rows in range(1, ROWS + 1)]
    pairs += [(tried.whole(x[:rows], whole(numbers, bias), bias), expected[:rows]) for rows in (1, ROWS)]
    return all(torch.allclose(found, right, rtol=1e-5, atol=1e-3) for found, right in pairs)


def _addresses(*tensors: Tensor | None) -> list[int | None]:
    return [None if each is None else each.data_ptr() for each in tensors]
