"""nanoGPT's model and training step (Karpathy 2022), rebuilt from its operations to stand beside ours.

Its form on a CPU, which is that of its README ("I only have a macbook") and its configuration for characters: no
biases, tied embeddings, learned positions, one combined projection for query, key and value, fused causal attention,
exact GELU; everything in fp32, eager. The optimizer is torch's AdamW without the fused kernel, which nanoGPT takes on
CUDA alone; weight decay 0.1 for matrices and embeddings, none for vectors; a warm-up and half a cosine; gradients
clipped at norm 1. Batches are windows at random places of a file of 16-bit ids, opened anew for each batch.

`parameter_count` is its formula, and tests hold it and, with weights of `transformers`' GPT-2 copied in (which
computes the same but for the kind of GELU), the logits. Left out is what does no work on one CPU: a gradient scaler
and an autocast that are switched off there, and the loops for several devices.
"""

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional


@dataclass(frozen=True)
class NanoSizes:
    """Sizes of the model; the defaults are its settings for characters on a CPU."""

    vocab_size: int = 65
    n_layers: int = 4
    n_heads: int = 4
    d_model: int = 128
    max_len: int = 64
    dropout: float = 0.0
    bias: bool = False


@dataclass(frozen=True)
class NanoSettings:
    """Its settings of training; the defaults are those for characters on a CPU."""

    steps: int = 2000
    batch: int = 12
    rate: float = 1e-3
    least_rate: float = 1e-4
    warmup: int = 100
    beta2: float = 0.99
    decay: float = 0.1
    clip: float = 1.0


def parameter_count(sizes: NanoSizes) -> int:
    """How many parameters nanoGPT has at these sizes, positions counted."""
    d, biases = sizes.d_model, sizes.bias
    layer = 12 * d * d + 2 * d + biases * (2 * d + 9 * d)
    return (sizes.vocab_size + sizes.max_len) * d + sizes.n_layers * layer + d * (1 + biases)


class Norm(nn.Module):
    """Layer norm whose bias is a choice."""

    def __init__(self, d: int, bias: bool) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(d))
        self.bias = nn.Parameter(torch.zeros(d)) if bias else None

    def forward(self, x: Tensor) -> Tensor:
        """Normalised over the last axis."""
        return functional.layer_norm(x, self.weight.shape, self.weight, self.bias, 1e-5)


class Layer(nn.Module):
    """Attention, then two linear maps with a GELU between; each after a norm, each added to what came in."""

    def __init__(self, sizes: NanoSizes) -> None:
        super().__init__()
        d, bias = sizes.d_model, sizes.bias
        self.heads, self.rate = sizes.n_heads, sizes.dropout
        self.norm_1, self.norm_2 = Norm(d, bias), Norm(d, bias)
        self.qkv, self.joined = nn.Linear(d, 3 * d, bias=bias), nn.Linear(d, d, bias=bias)
        self.wide, self.narrow = nn.Linear(d, 4 * d, bias=bias), nn.Linear(4 * d, d, bias=bias)
        self.drop_1, self.drop_2 = nn.Dropout(sizes.dropout), nn.Dropout(sizes.dropout)
        self.gelu = nn.GELU()

    def forward(self, x: Tensor) -> Tensor:
        """(batch, n, d_model) → the same."""
        x = x + self._attend(self.norm_1(x))
        return x + self.drop_2(self.narrow(self.gelu(self.wide(self.norm_2(x)))))

    def _attend(self, x: Tensor) -> Tensor:
        batch, n, d = x.shape
        parts = self.qkv(x).split(d, dim=2)
        q, k, v = (part.view(batch, n, self.heads, d // self.heads).transpose(1, 2) for part in parts)
        rate = self.rate if self.training else 0.0
        y = functional.scaled_dot_product_attention(q, k, v, dropout_p=rate, is_causal=True)
        return self.drop_1(self.joined(y.transpose(1, 2).contiguous().view(batch, n, d)))


class NanoGpt(nn.Module):
    """Ids → logits of each next id. Final."""

    def __init__(self, sizes: NanoSizes) -> None:
        super().__init__()
        self.sizes = sizes
        self.tokens = nn.Embedding(sizes.vocab_size, sizes.d_model)
        self.positions = nn.Embedding(sizes.max_len, sizes.d_model)
        self.drop = nn.Dropout(sizes.dropout)
        self.layers = nn.ModuleList(Layer(sizes) for _ in range(sizes.n_layers))
        self.norm = Norm(sizes.d_model, sizes.bias)
        self.head = nn.Linear(sizes.d_model, sizes.vocab_size, bias=False)
        self.head.weight = self.tokens.weight
        _initialise(self)

    def forward(self, ids: Tensor) -> Tensor:
        """(batch, n) → (batch, n, vocab_size)."""
        x = self.drop(self.tokens(ids) + self.positions(torch.arange(ids.shape[1])))
        for layer in self.layers:
            x = layer(x)
        return self.head(self.norm(x))


@torch.no_grad()
def _initialise(model: NanoGpt) -> None:
    """N(0, 0.02); what is added to the residual stream is smaller by the root of twice the layers; biases 0."""
    small = 0.02 / math.sqrt(2 * model.sizes.n_layers)
    for name, parameter in model.named_parameters():
        if parameter.dim() >= 2:
            nn.init.normal_(parameter, std=small if name.endswith(("joined.weight", "narrow.weight")) else 0.02)
        elif name.endswith("bias"):
            nn.init.zeros_(parameter)


def optimizer_of(model: nn.Module, settings: NanoSettings) -> torch.optim.AdamW:
    """Its AdamW: decay for all that has two axes, none for the rest."""
    parameters = list(model.parameters())
    groups = [
        {"params": [p for p in parameters if p.dim() >= 2], "weight_decay": settings.decay},
        {"params": [p for p in parameters if p.dim() < 2], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=settings.rate, betas=(0.9, settings.beta2))


def rate(step: int, settings: NanoSettings) -> float:
    """The learning rate of a step, from 0: straight up, then half a cosine down to the least."""
    if step < settings.warmup:
        return settings.rate * (step + 1) / (settings.warmup + 1)
    done = (step - settings.warmup) / (settings.steps - settings.warmup)
    return settings.least_rate + 0.5 * (1 + math.cos(math.pi * min(1.0, done))) * (settings.rate - settings.least_rate)


def batch_of(path: Path, sizes: NanoSizes, settings: NanoSettings) -> tuple[Tensor, Tensor]:
    """Windows at random places of a file of 16-bit ids, and the same moved by one: (batch, max_len) each."""
    data = np.memmap(path, dtype=np.uint16, mode="r")
    places = torch.randint(len(data) - sizes.max_len, (settings.batch,)).tolist()
    return tuple(  # type: ignore[return-value]
        torch.stack([torch.from_numpy(data[i + by : i + by + sizes.max_len].astype(np.int64)) for i in places])
        for by in (0, 1)
    )


def loss_of(model: NanoGpt, read: Tensor, expected: Tensor) -> Tensor:
    """Nats a token."""
    return functional.cross_entropy(model(read).flatten(0, 1), expected.flatten(), ignore_index=-1)


class Training:
    """nanoGPT's loop: one call is one step; the next batch is fetched between forward and backward, as it does."""

    def __init__(self, path: Path, sizes: NanoSizes, settings: NanoSettings) -> None:
        self.path, self.sizes, self.settings = path, sizes, settings
        self.model = NanoGpt(sizes).train()
        self.optimizer = optimizer_of(self.model, settings)
        self.batch, self.step = batch_of(path, sizes, settings), 0

    def __call__(self) -> float:
        """Take one step; its loss."""
        for group in self.optimizer.param_groups:
            group["lr"] = rate(self.step, self.settings)
        loss = loss_of(self.model, *self.batch)
        self.batch = batch_of(self.path, self.sizes, self.settings)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), self.settings.clip)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        self.step += 1
        return loss.item()
