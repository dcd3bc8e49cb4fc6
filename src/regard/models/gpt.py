"""GPT: a decoder that reads a text and says, at every place, what comes next.

    x_i = embedding(token i), and where it stands            three *can* begin as one vector
    x_i = x_i + attention(norm(x))_i                         each looks at those before it, and at itself
    x_i = x_i + feed_forward(norm(x_i))                      each thinks alone
    …                                                        again, in every layer
    next = softmax(head(norm(x_i)))

Two forms have folders that others read: GPT-2's (Radford et al. 2019: learned positions, layer norm, GELU) and Llama's
(Touvron et al. 2023: rotary positions, root mean square norm, SwiGLU, grouped heads). Any other mix runs here too.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Self

import torch
from pydantic import BaseModel, ConfigDict, Field, model_validator
from torch import Tensor, nn

from regard.core.attend import StepTap
from regard.core.biases import Bias, alibi
from regard.core.masks import Mask, causal, padding, together, window
from regard.core.memory import Cache, Memory
from regard.core.protocols import Site
from regard.core.tap import Tap, active, at
from regard.layers.attention import Turn, multi_head
from regard.layers.blocks import Activation, FeedForward, Norm, PreNorm, initialise, norm, tied_head
from regard.layers.dropout import Dropout
from regard.layers.positions import Learned, Nowhere, OneHot, Positions, Rotary, Sinusoidal


class GptConfig(BaseModel):
    """Sizes and choices of a GPT."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    model_type: Literal["regard-gpt"] = "regard-gpt"
    vocab_size: int = Field(ge=1, le=1_000_000)
    max_len: int = Field(256, ge=1, le=10_000_000)
    d_model: int = Field(256, ge=1, le=65_536)
    n_layers: int = Field(4, ge=1, le=512)
    n_heads: int = Field(4, ge=1, le=1024)
    n_kv_heads: int | None = Field(None, ge=1, le=1024)
    d_head: int | None = Field(None, ge=1, le=8192)
    d_ff: int | None = Field(None, ge=1, le=1_000_000)
    norm: Norm = "layer"
    norm_eps: float = Field(1e-5, gt=0, lt=1)
    positions: Literal["learned", "rotary", "sinusoidal", "one_hot", "alibi"] = "learned"
    rope_theta: float = Field(10000.0, gt=1)
    activation: Activation = "gelu"
    bias: bool | Literal["attention", "feed_forward"] = True
    tied: bool = True
    window: int | None = Field(None, ge=1)
    dropout: float = Field(0.0, ge=0.0, lt=1.0)

    @model_validator(mode="after")
    def _fits(self) -> Self:
        """Head counts that divide."""
        if self.d_head is None and self.d_model % self.n_heads:
            raise ValueError(f"d_model = {self.d_model} ≠ k · {self.n_heads} = k · n_heads")
        if self.n_heads % (self.n_kv_heads or self.n_heads):
            raise ValueError(f"n_heads = {self.n_heads} ≠ k · {self.n_kv_heads} = k · n_kv_heads")
        if self.positions == "rotary" and self.head_size % 2:
            raise ValueError(f"rotary: d_head = {self.head_size} ≠ 2 · k")
        return self

    @property
    def head_size(self) -> int:
        """d_head: what was given, or d_model / n_heads."""
        return self.d_head or self.d_model // self.n_heads

    @property
    def hidden(self) -> int:
        """d_ff: what was given, or 4 · d_model."""
        return self.d_ff or 4 * self.d_model


def gpt2(**sizes: Any) -> GptConfig:
    """A config in GPT-2's form.

    >>> gpt2(vocab_size=50257, max_len=1024, d_model=768, n_layers=12, n_heads=12).activation
    'gelu'
    """
    return GptConfig(**sizes)


def llama(**sizes: Any) -> GptConfig:
    """A config in Llama's form; d_ff by default ⅔ of 4 · d_model, as a gate adds a matrix, up to a multiple of 32.

    >>> llama(vocab_size=512, d_model=64, n_heads=8, n_kv_heads=4).hidden
    192
    """
    form: dict[str, Any] = {"norm": "rms", "positions": "rotary", "activation": "swiglu", "bias": False}
    d_ff = -(-8 * sizes.get("d_model", 256) // 3 // 32) * 32
    return GptConfig(**{**form, "d_ff": d_ff, **sizes})


@dataclass(frozen=True)
class GptState:
    """Where a text stands: keys and values of each layer, the next token's place, and which of those read are real."""

    caches: tuple[Cache, ...]
    place: Tensor
    real: Tensor | None

    def select(self, rows: Tensor) -> "GptState":
        """The states of these batch rows, in this order."""
        real = None if self.real is None else self.real[rows]
        return GptState(tuple(cache.select(rows) for cache in self.caches), self.place[rows], real)

    def forget(self, count: int) -> "GptState":
        """The state before the last `count` tokens were read; it writes where this one does."""
        for cache in self.caches:
            cache.forget(count)
        real = None if self.real is None else self.real[:, : self.real.shape[1] - count]
        return GptState(self.caches, self.place - count, real)


@dataclass(frozen=True)
class _View:
    """What all layers share in one run: who may see whom, how queries and keys are turned."""

    mask: Mask | None
    bias: Bias | None
    turn: Turn | None


class Block(nn.Module):
    """One layer: look, then think."""

    def __init__(self, config: GptConfig) -> None:
        super().__init__()
        self.attention = multi_head(
            *(config.d_model, config.n_heads),
            n_kv_heads=config.n_kv_heads,
            d_head=config.d_head,
            bias=config.bias in (True, "attention"),
        )
        bias = config.bias in (True, "feed_forward")
        self.feed_forward = FeedForward(config.d_model, config.hidden, config.activation, bias=bias)
        self.around_attention = PreNorm(norm(config.norm, config.d_model, config.norm_eps), config.dropout)
        self.around_feed_forward = PreNorm(norm(config.norm, config.d_model, config.norm_eps), config.dropout)

    def forward(self, x: Tensor, view: _View, cache: Cache | None, tap: StepTap | None) -> Tensor:
        """(batch, n, d_model) → the same shape. With a cache, it looks at all that was read before, too."""

        def look(y: Tensor) -> Tensor:
            memory = self.attention.remember(y, turn=view.turn)
            whole = cache.extend(memory) if cache else memory
            return self.attention(y, whole, mask=view.mask, bias=view.bias, turn=view.turn, tap=tap)

        return self.around_feed_forward(self.around_attention(x, look), self.feed_forward)


class Gpt(nn.Module):
    """Ids → logits of the next id at every place. Final.

    Under a tap each layer shows the eight steps of attention and `output` at `decoder.layers.N.self`, and the vectors
    themselves at `decoder/embedded` (words alone), `decoder/positioned` and `decoder.layers.N/states`.
    """

    def __init__(self, config: GptConfig) -> None:
        super().__init__()
        self.config = config
        self.embedding = nn.Embedding(config.vocab_size, config.d_model)
        self.positions = _positions(config)
        self.rotary = Rotary(config.head_size, config.rope_theta) if config.positions == "rotary" else None
        self.layers = nn.ModuleList(Block(config) for _ in range(config.n_layers))
        self.norm = norm(config.norm, config.d_model, config.norm_eps)
        self.to_logits = None if config.tied else nn.Linear(config.d_model, config.vocab_size, bias=False)
        self.dropout = Dropout(config.dropout)
        initialise(self, n_residuals=2 * config.n_layers)
        if isinstance(self.positions, Learned):
            self.positions.begin()

    @property
    def sites(self) -> tuple[Site, ...]:
        """Where this model attends: to itself, in every layer."""
        layers = range(self.config.n_layers)
        return tuple(Site(f"decoder.layers.{n}.self", "read", "read", self.config.n_heads) for n in layers)

    def forward(self, ids: Tensor, real: Tensor | None = None) -> Tensor:
        """Logits (batch, n, vocab_size) of the id after each of these (batch, n)."""
        return self.head(self.features(ids, real))

    def features(self, ids: Tensor, real: Tensor | None = None) -> Tensor:
        """What each place says about the next token, (batch, n, d_model); `head` turns it into logits.

        Args:
            ids: (batch, n), padded on the left if at all.
            real: (batch, n), True at real tokens; None where all are.
        """
        return self._read(ids, _places(ids, real), real, [None] * len(self.layers))

    def head(self, features: Tensor) -> Tensor:
        """Logits (..., vocab_size)."""
        return tied_head(features, self.embedding) if self.to_logits is None else self.to_logits(features)

    def start(self, source: Tensor, real: Tensor | None = None) -> GptState:
        """Read all of the prompt (batch, n) but its last token; n may be 0."""
        caches = tuple(Cache() for _ in self.layers)
        place = _places(source, real)
        if source.shape[1]:
            self._read(source, place, real, caches)
        after = source.shape[1] if real is None else real.sum(1)
        return GptState(caches, torch.zeros(len(source), dtype=torch.long, device=source.device) + after, real)

    def step(self, state: GptState, ids: Tensor) -> tuple[Tensor, GptState]:
        """Read one token (batch,), say the logits of the next (batch, vocab_size)."""
        logits, state = self.read(state, ids[:, None])
        return logits[:, 0], state

    def read(self, state: GptState, ids: Tensor) -> tuple[Tensor, GptState]:
        """Read tokens (batch, n), say the logits of the next after each (batch, n, vocab_size)."""
        real = None if state.real is None else torch.cat([state.real, torch.ones_like(ids, dtype=torch.bool)], dim=1)
        place = state.place[:, None] + torch.arange(ids.shape[1], device=ids.device)
        features = self._read(ids, place, real, state.caches)
        return self.head(features), GptState(state.caches, state.place + ids.shape[1], real)

    def onward(self, x: Tensor, layer: int, before: Sequence[Memory]) -> Tensor:
        """Features of the last places of a text, from what enters `layer` there: nothing else is computed again.

        Args:
            x: (batch, n, d_model), what enters the layer at these places.
            before: keys and values (1 or batch, kv_heads, m, d_head) of the m places before, a layer each.
        """
        start = before[0].key.shape[-2]
        place = torch.arange(start, start + x.shape[1], device=x.device)[None]
        caches = [_filled(memory, len(x)) for memory in before]
        return self._through(x, layer, self._view(place, None), caches, active())

    def _read(self, ids: Tensor, place: Tensor, real: Tensor | None, caches: Any) -> Tensor:
        tap = active()
        show = at(tap, "decoder") or _as_it_is
        view = self._view(place, real)
        embedded = show("embedded", self.embedding(ids))
        x = show("positioned", self.dropout(self.positions(embedded, place)))
        return self._through(x, 0, view, caches, tap)

    def _through(self, x: Tensor, first: int, view: _View, caches: Any, tap: Tap | None) -> Tensor:
        """What enters layer `first`, through it and all after it."""
        for n, (layer, cache) in enumerate(zip(self.layers[first:], caches, strict=True), start=first):
            x = layer(x, view, cache, at(tap, f"decoder.layers.{n}.self"))
            x = x if tap is None else tap(f"decoder.layers.{n}", "states", x)
        return self.norm(x)

    def _view(self, place: Tensor, real: Tensor | None) -> _View:
        config = self.config
        near = causal() if config.window is None else window(config.window)
        mask = together(near, None if real is None else padding(real[:, None]))
        bias = alibi(config.n_heads) if config.positions == "alibi" else None
        return _View(mask, bias, self.rotary(place) if self.rotary else None)


def _filled(memory: Memory, batch: int) -> Cache:
    """A cache for each row of a batch that holds the same memory."""
    cache = Cache()
    cache.extend(Memory(*(each.expand(batch, *each.shape[1:]) for each in (memory.key, memory.value))))
    return cache


def _as_it_is(step: str, tensor: Tensor) -> Tensor:
    return tensor


def _positions(config: GptConfig) -> Positions:
    known: dict[str, Callable[[int, int], Positions]] = {
        "learned": Learned,
        "sinusoidal": Sinusoidal,
        "one_hot": OneHot,
    }
    maker = known.get(config.positions)
    return maker(config.max_len, config.d_model) if maker else Nowhere()


def _places(ids: Tensor, real: Tensor | None) -> Tensor:
    """Where each token stands: padding on the left moves nothing."""
    if real is None:
        return torch.arange(ids.shape[1], device=ids.device)[None]
    return (real.cumsum(1) - 1).clamp(min=0)
