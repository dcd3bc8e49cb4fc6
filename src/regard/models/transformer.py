"""The encoder–decoder Transformer: nothing but attention between tokens (Vaswani et al. 2017).

    x = √d · embedding(source) + position            encoder: each layer
    x = norm(x + attention(x, x))                        looks at the whole source,
    x = norm(x + feed_forward(x))                        thinks at each place alone

    y = √d · embedding(target so far) + position     decoder: each layer
    y = norm(y + attention(y, y before))                 looks at what was written,
    y = norm(y + attention(y, x))                        looks at the source,
    y = norm(y + feed_forward(y))                        thinks
    next = softmax(embedding · y + bias)

Sources, targets and logits share one matrix (Press & Wolf 2017). Where the paper leaves a choice, it is Marian's
(Junczys-Dowmunt et al. 2018), so that `transformers` and CTranslate2 read what is trained here (docs/decisions/0011):
all sines stand before all cosines, and the decoder begins with a zero vector, not with one of a start token.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Self, cast

import torch
from pydantic import BaseModel, ConfigDict, Field, model_validator
from torch import Tensor, nn

from regard.core.errors import BadInput
from regard.core.masks import causal
from regard.core.memory import Cache, Memory
from regard.core.protocols import Site
from regard.core.tap import Tap, active, at
from regard.layers.attention import multi_head
from regard.layers.blocks import FeedForward, PostNorm, norm
from regard.layers.dropout import Dropout
from regard.layers.positions import Sinusoidal
from regard.text.tokenizers import PAD, START


class TransformerConfig(BaseModel):
    """Sizes and choices of a Transformer translator.

    Attributes:
        max_len: how many tokens it reads, and writes, at most.
        n_layers: of the encoder, and of the decoder where `n_decoder_layers` says nothing else.
        d_ff: width of the feed-forward layers; None for 4 · d_model, as in the paper.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    model_type: Literal["regard-transformer"] = "regard-transformer"
    vocab_size: int = Field(ge=5, le=1_000_000)
    max_len: int = Field(1024, ge=2, le=1_000_000)
    d_model: int = Field(256, ge=2, le=65_536, multiple_of=2)
    n_layers: int = Field(3, ge=1, le=512)
    n_decoder_layers: int | None = Field(None, ge=1, le=512)
    n_heads: int = Field(4, ge=1, le=1024)
    d_ff: int | None = Field(None, ge=1, le=1_000_000)
    activation: Literal["relu", "swish", "gelu", "gelu_exact"] = "relu"
    dropout: float = Field(0.1, ge=0.0, lt=1.0)

    @model_validator(mode="after")
    def _fits(self) -> Self:
        """Heads share the width evenly."""
        if self.d_model % self.n_heads:
            raise ValueError(f"d_model = {self.d_model} ≠ k · {self.n_heads} = k · n_heads")
        return self

    @property
    def decoder_layers(self) -> int:
        """How many layers the decoder has."""
        return self.n_decoder_layers or self.n_layers

    @property
    def hidden(self) -> int:
        """d_ff: what was given, or 4 · d_model."""
        return self.d_ff or 4 * self.d_model


class EncoderLayer(nn.Module):
    """Look at the whole source, then think."""

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        self.self_attention = multi_head(config.d_model, config.n_heads)
        self.feed_forward = _feed_forward(config)
        self.around_self, self.around_feed_forward = _post_norm(config), _post_norm(config)

    def forward(self, x: Tensor, real: Tensor, tap: Tap | None, address: str) -> Tensor:
        """(batch, source, d_model) → the same shape; `real` is True at real tokens."""

        def look(x: Tensor) -> Tensor:
            memory = self.self_attention.remember(x, real)
            return self.self_attention(x, memory, tap=at(tap, f"{address}.self"))

        return self.around_feed_forward(self.around_self(x, look), self.feed_forward)


class DecoderLayer(nn.Module):
    """Look at what was written, look at the source, then think."""

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        self.self_attention = multi_head(config.d_model, config.n_heads)
        self.cross_attention = multi_head(config.d_model, config.n_heads)
        self.feed_forward = _feed_forward(config)
        self.around_self, self.around_cross = _post_norm(config), _post_norm(config)
        self.around_feed_forward = _post_norm(config)

    def remember(self, x: Tensor, real: Tensor) -> Memory:
        """The encoder's vectors as this layer's keys and values."""
        return self.cross_attention.remember(x, real)

    def forward(self, y: Tensor, source: Memory, written: Cache | None, tap: Tap | None, address: str) -> Tensor:
        """(batch, target, d_model) → the same shape; `written` has what was read before `y`."""

        def look_back(y: Tensor) -> Tensor:
            memory = self.self_attention.remember(y)
            memory = written.extend(memory) if written else memory
            return self.self_attention(y, memory, mask=causal(), tap=at(tap, f"{address}.self"))

        def look_across(y: Tensor) -> Tensor:
            return self.cross_attention(y, source, tap=at(tap, f"{address}.cross"))

        y = self.around_cross(self.around_self(y, look_back), look_across)
        return self.around_feed_forward(y, self.feed_forward)


@dataclass(frozen=True)
class TransformerState:
    """Where the decoder stands: for each layer the source's keys and values, and those of what was written."""

    sources: tuple[Memory, ...]
    written: tuple[Cache, ...]

    def select(self, rows: Tensor) -> "TransformerState":
        """The states of these batch rows, in this order."""
        sources = tuple(memory.select(rows) for memory in self.sources)
        return TransformerState(sources, tuple(cache.select(rows) for cache in self.written))


class Transformer(nn.Module):
    """Source ids → target ids. Final.

    Under a tap each layer shows the eight steps of attention and `output` at its sites, and the vectors themselves at
    `encoder/embedded` (words alone), `encoder/positioned` and `encoder.layers.N/states`; likewise `decoder`.
    """

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        self.config = config
        self.embedding = nn.Embedding(config.vocab_size, config.d_model, padding_idx=PAD)
        self.positions = Sinusoidal(config.max_len, config.d_model, halves=True)
        self.encoder = nn.ModuleList(EncoderLayer(config) for _ in range(config.n_layers))
        self.decoder = nn.ModuleList(DecoderLayer(config) for _ in range(config.decoder_layers))
        self.head_bias = nn.Parameter(torch.zeros(config.vocab_size))
        self.dropout = Dropout(config.dropout)
        _initialise(self)

    @property
    def sites(self) -> tuple[Site, ...]:
        """Where this model attends: the source to itself, the target to itself and to the source."""
        n_heads = self.config.n_heads
        found = [Site(f"encoder.layers.{n}.self", "source", "source", n_heads) for n in range(self.config.n_layers)]
        for n in range(self.config.decoder_layers):
            found.append(Site(f"decoder.layers.{n}.self", "read", "read", n_heads))
            found.append(Site(f"decoder.layers.{n}.cross", "target", "source", n_heads))
        return tuple(found)

    def features(self, source: Tensor, target: Tensor) -> Tensor:
        """The teacher-forced decoder at once: what each target position says about the next token.

        Args:
            source: ids (batch, source), padded on the right.
            target: ids (batch, target) that the decoder reads, beginning with the start token.

        Returns:
            (batch, target, d_model); `head` turns them into logits.

        Raises:
            BadInput: `model_length`: more tokens than `max_len`.
        """
        tap = active()
        return self._decoded(target, 0, self._sources(source, tap), [None] * len(self.decoder), tap)

    def head(self, features: Tensor) -> Tensor:
        """Logits (..., vocab_size)."""
        matrix = self.embedding.weight
        if self.training:  # padding's vector is zero, and begins every target: as nobody says it, it learns nothing
            matrix = matrix.index_fill(0, torch.tensor([PAD], device=matrix.device), 0.0)
        return nn.functional.linear(features, matrix, self.head_bias)

    def start(self, source: Tensor, real: Tensor | None = None) -> TransformerState:
        """Read the source: its keys and values, once for each layer that will look at them."""
        return TransformerState(self._sources(source, active()), tuple(Cache() for _ in self.decoder))

    def step(self, state: TransformerState, ids: Tensor) -> tuple[Tensor, TransformerState]:
        """Read one token (batch,), say the logits of the next (batch, vocab_size)."""
        place = state.written[0].length
        features = self._decoded(ids[:, None], place, state.sources, state.written, active())
        return self.head(features[:, 0]), state

    def _sources(self, source: Tensor, tap: Tap | None) -> tuple[Memory, ...]:
        """The encoder's last vectors as keys and values, a memory for each layer of the decoder."""
        real = source != PAD
        x = self._placed(source, 0, tap, "encoder")
        for n, layer in enumerate(self.encoder):
            x = _shown(tap, f"encoder.layers.{n}", "states", layer(x, real, tap, f"encoder.layers.{n}"))
        return tuple(layer.remember(x, real) for layer in cast("list[DecoderLayer]", self.decoder))

    def _decoded(
        self, ids: Tensor, place: int, sources: Sequence[Memory], written: Sequence[Cache | None], tap: Tap | None
    ) -> Tensor:
        y = self._placed(ids, place, tap, "decoder")
        for n, (layer, source, cache) in enumerate(zip(self.decoder, sources, written, strict=True)):
            y = _shown(tap, f"decoder.layers.{n}", "states", layer(y, source, cache, tap, f"decoder.layers.{n}"))
        return y

    def _placed(self, ids: Tensor, place: int, tap: Tap | None, stack: str) -> Tensor:
        """Word vectors that know where they stand, the first at `place`."""
        last = place + ids.shape[1]
        if last > self.config.max_len:
            raise BadInput("model_length", came=last, most=self.config.max_len)
        x = self.embedding(ids.masked_fill(ids == START, PAD)) * self.config.d_model**0.5
        x = self.positions(_shown(tap, stack, "embedded", x), torch.arange(place, last, device=ids.device)[None])
        return self.dropout(_shown(tap, stack, "positioned", x))


def _shown(tap: Tap | None, address: str, step: str, tensor: Tensor) -> Tensor:
    return tensor if tap is None else tap(address, step, tensor)


def _feed_forward(config: TransformerConfig) -> FeedForward:
    return FeedForward(config.d_model, config.hidden, config.activation)


def _post_norm(config: TransformerConfig) -> PostNorm:
    return PostNorm(norm("layer", config.d_model), config.dropout)


def _initialise(model: Transformer) -> None:
    """Matrices as Glorot & Bengio 2010 have it; word vectors of length 1, which √d makes as long as positions."""
    for module in model.modules():
        if isinstance(module, nn.Linear):
            nn.init.xavier_uniform_(module.weight)
            nn.init.zeros_(module.bias)
    nn.init.normal_(model.embedding.weight, std=model.config.d_model**-0.5)
    with torch.no_grad():
        model.embedding.weight[PAD] = 0.0
