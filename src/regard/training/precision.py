"""Where and in which numbers matrices are multiplied: fp32, or bf16 inside the product where the processor has it."""

from typing import Literal

import torch

Precision = Literal["fp32", "bf16"]


def best() -> Precision:
    """bf16 where oneDNN finds instructions for it (AMX, AVX512-BF16): elsewhere it is emulated and far slower."""
    has_bf16 = torch.backends.mkldnn.is_available() and torch.ops.mkldnn._is_mkldnn_bf16_supported()
    return "bf16" if has_bf16 and "AVX512" in torch.backends.cpu.get_cpu_capability() else "fp32"


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


def use(precision: Precision) -> None:
    """Multiply in this precision from now on; weights and sums stay fp32."""
    inside = "bf16" if precision == "bf16" else "ieee"
    for products in ("matmul", "rnn"):  # of oneDNN; torch's type hints do not know them
        getattr(torch.backends.mkldnn, products).fp32_precision = inside
