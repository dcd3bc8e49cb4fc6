"""Blocks: what stands around attention in a Transformer: norms, feed-forward layers, residual paths."""

from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import gelu, linear, relu, silu

from regard.layers.dropout import Dropout

Norm = Literal["layer", "rms"]
Activation = Literal["gelu", "gelu_exact", "relu", "swish", "swiglu"]


def tanh_gelu(x: Tensor) -> Tensor:
    """x·Φ(x) by the tanh formula (Hendrycks & Gimpel 2016, §2), as GPT-2 has it."""
    return gelu(x, approximate="tanh")


ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "gelu": tanh_gelu,
    "gelu_exact": gelu,
    "relu": relu,
    "swish": silu,
    "swiglu": silu,
}
"""Without one, stacked linear layers collapse to a single linear layer (note 004)."""


def norm(kind: Norm, d_model: int, eps: float = 1e-5) -> nn.Module:
    """Layer norm (Ba et al. 2016), or root mean square norm (Zhang & Sennrich 2019)."""
    return nn.LayerNorm(d_model, eps=eps) if kind == "layer" else nn.RMSNorm(d_model, eps=eps)


class FeedForward(nn.Module):
    """down(f(up·x)) at each position alone; with a gate (Shazeer 2020): down(f(gate·x) ⊙ up·x)."""

    def __init__(self, d_model: int, d_ff: int, activation: Activation = "gelu", *, bias: bool = True) -> None:
        super().__init__()
        self.activation = ACTIVATIONS[activation]
        self.gate = nn.Linear(d_model, d_ff, bias=bias) if activation == "swiglu" else None
        self.up = nn.Linear(d_model, d_ff, bias=bias)
        self.down = nn.Linear(d_ff, d_model, bias=bias)

    def forward(self, x: Tensor) -> Tensor:
        """(batch, n, d_model) → the same shape."""
        if self.gate is None:
            return self.down(self.activation(self.up(x)))
        return self.down(self.activation(self.gate(x)) * self.up(x))


class PreNorm(nn.Module):
    """x + dropout(f(norm(x))): the residual stream itself is never normed (GPT-2, Llama)."""

    def __init__(self, norm: nn.Module, dropout: float) -> None:
        super().__init__()
        self.norm, self.dropout = norm, Dropout(dropout)

    def forward(self, x: Tensor, f: Callable[[Tensor], Tensor]) -> Tensor:
        return x + self.dropout(f(self.norm(x)))


class PostNorm(PreNorm):
    """norm(x + dropout(f(x))): the paper's order (Vaswani et al. 2017, §3.1)."""

    def forward(self, x: Tensor, f: Callable[[Tensor], Tensor]) -> Tensor:
        return self.norm(x + self.dropout(f(x)))


def tied_head(features: Tensor, embedding: nn.Embedding, bias: Tensor | None = None) -> Tensor:
    """Logits by the embedding's own matrix (Press & Wolf 2017)."""
    return linear(features, embedding.weight, bias)


@torch.no_grad()
def initialise(model: nn.Module, *, std: float = 0.02, n_residuals: int = 0) -> None:
    """GPT-2's start: normal weights, zero biases, ends of residual branches smaller by √n_residuals (2019, §2.3)."""
    for name, module in model.named_modules():
        if isinstance(module, nn.Linear | nn.Embedding):
            ends = name.endswith(("to_output", "down")) and n_residuals > 0
            nn.init.normal_(module.weight, std=std / n_residuals**0.5 if ends else std)
        if isinstance(module, nn.Linear) and module.bias is not None:
            nn.init.zeros_(module.bias)
