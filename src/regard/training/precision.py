"""Where and in which numbers matrices are multiplied: fp32, or bf16 inside the product where the processor has it."""

import os
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Literal

import torch
from torch import Tensor

from regard.core.errors import BadInput

Precision = Literal["fp32", "bf16"]


def best() -> Precision:
    """bf16 where oneDNN finds instructions for it (AMX, AVX512-BF16): elsewhere it is emulated and far slower."""
    has_instructions = torch.cpu._is_amx_tile_supported() or torch.cpu._is_avx512_bf16_supported()
    return "bf16" if torch.backends.mkldnn.is_available() and has_instructions else "fp32"


def device() -> Literal["cpu", "cuda", "mps"]:
    """The fastest kind of device that torch finds here."""
    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


def has(name: str) -> bool:
    """Whether torch finds a device of this kind here."""
    if name == "cuda":
        return torch.cuda.is_available()
    return name == "cpu" or torch.backends.mps.is_available()


def has_compiler(device: str) -> bool:
    """Whether `torch.compile` finds what it needs here: on a processor a C++ compiler."""
    return device != "cpu" or shutil.which(_compiler()) is not None


def require_compiler(device: str) -> None:
    """Raises BadInput: `compiler_missing`."""
    if not has_compiler(device):
        raise BadInput("compiler_missing", name=_compiler())


def _compiler() -> str:
    """The command that torch calls for C++."""
    return os.environ.get("CXX", "clang++" if sys.platform == "darwin" else "g++")


@contextmanager
def using(precision: Precision, *, recurrent: bool) -> Iterator[None]:
    """Within this block a recurrent model multiplies in this precision; weights and sums stay fp32.

    Of other models `rounded` takes care: oneDNN's own rounding makes torch's fused attention slow.
    """
    inside = "bf16" if precision == "bf16" and recurrent else "ieee"
    products = [getattr(torch.backends.mkldnn, name) for name in ("matmul", "rnn")]  # torch's hints do not know them
    before = [each.fp32_precision for each in products]
    for each in products:
        each.fp32_precision = inside
    try:
        yield
    finally:
        for each, old in zip(products, before, strict=True):
            each.fp32_precision = old


def rounded(compute: Callable[..., Tensor], precision: Precision, device: str) -> Callable[..., Tensor]:
    """`compute` with matrices multiplied in this precision: bf16 copies of fp32 weights, made anew at each call.

    (Autocast keeps its copies until it ends; around a whole run it would go on with the weights of the first step.)
    """
    if precision == "fp32":
        return compute

    def inside(*arguments: Any) -> Tensor:
        with torch.autocast(device, torch.bfloat16):
            return compute(*arguments)

    return inside
