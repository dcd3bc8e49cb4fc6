"""The RNN translator of 2015: an encoder that reads, a decoder that writes, attention between them.

    h   = [forward RNN; backward RNN](source)            encoder states, one a source token
    s_t = RNN(target token t−1, s_{t−1})                 decoder state
    A_t = attend(s_t, h, h)                              context: what to look at now
    y_t = softmax(E · tanh(W [A_t; s_t]))                next token, until the end of the sentence

Bahdanau et al. 2015; the order (state first, then context, then both concatenated into a feed-forward layer) is
Luong et al. 2015, §3. Since no context is fed back into the RNN, the whole teacher-forced decoder is one RNN call and
one attention. With attention `none`, A_t is the final encoder state at every step, and nothing else differs.
"""

from dataclasses import dataclass
from typing import Literal

import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor, nn

from regard.core.memory import Memory
from regard.core.protocols import Site
from regard.core.tap import active, at
from regard.layers.attention import Fixed, Kind, between
from regard.text.tokenizers import PAD

CROSS = "decoder.layers.0.cross"


class RnnConfig(BaseModel):
    """Sizes and choices of an RNN translator, as `config.json` holds them."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    model_type: Literal["regard-rnn"] = "regard-rnn"
    vocab_size: int = Field(ge=5, le=1_000_000)
    attention: Kind = "dot"
    cell: Literal["gru", "lstm"] = "gru"
    d_embedding: int = Field(256, ge=1, le=8192)
    d_model: int = Field(384, ge=2, le=8192, multiple_of=2)
    n_layers: int = Field(1, ge=1, le=16)
    dropout: float = Field(0.2, ge=0.0, lt=1.0)


@dataclass(frozen=True)
class RnnState:
    """Where the decoder stands: the RNN's hidden tensors, each (n_layers, batch, d_model), and what it may look at."""

    hidden: tuple[Tensor, ...]
    memory: Memory

    def select(self, rows: Tensor) -> "RnnState":
        """The states of these batch rows, in this order."""
        return RnnState(tuple(h[:, rows] for h in self.hidden), self.memory.select(rows))


class RnnTranslator(nn.Module):
    """Source ids → target ids. Final.

    Args:
        config: sizes and choices. Encoder states have d_model entries, half a direction.
    """

    def __init__(self, config: RnnConfig) -> None:
        super().__init__()
        self.config = config
        d, d_embedding = config.d_model, config.d_embedding
        rnn = nn.GRU if config.cell == "gru" else nn.LSTM
        between_layers = config.dropout if config.n_layers > 1 else 0.0
        stack = {"num_layers": config.n_layers, "dropout": between_layers, "batch_first": True}
        self.embedding = nn.Embedding(config.vocab_size, d_embedding, padding_idx=PAD)
        self.forward_rnn = rnn(d_embedding, d // 2, **stack)
        self.backward_rnn = rnn(d_embedding, d // 2, **stack)
        self.bridge = nn.Linear(d, d * config.n_layers)
        self.decoder_rnn = rnn(d_embedding, d, **stack)
        self.attention = between(config.attention, d, d)
        self.feed_forward = nn.Linear(2 * d, d_embedding)
        self.head_bias = nn.Parameter(torch.zeros(config.vocab_size))
        self.dropout = nn.Dropout(config.dropout)
        nn.init.normal_(self.embedding.weight, std=d_embedding**-0.5)

    @property
    def sites(self) -> tuple[Site, ...]:
        """Where this model attends: one cross-attention, or nowhere."""
        return () if isinstance(self.attention, Fixed) else (Site(CROSS, "target", "source", 1),)

    def features(self, source: Tensor, target: Tensor) -> Tensor:
        """The teacher-forced decoder at once: what each target position says about the next token.

        Args:
            source: ids (batch, source), padded on the right.
            target: ids (batch, target) that the decoder reads, beginning with the start token.

        Returns:
            (batch, target, d_embedding); `head` turns them into logits.
        """
        state = self.start(source)
        states, _ = self.decoder_rnn(self._embedded(target), self._hidden(state.hidden))
        return self._combine(states, state.memory)

    def head(self, features: Tensor) -> Tensor:
        """Logits (..., vocab_size); the matrix is the embedding's (Press & Wolf 2017)."""
        return nn.functional.linear(features, self.embedding.weight, self.head_bias)

    def start(self, source: Tensor, real: Tensor | None = None) -> RnnState:
        """Read the source: its states become the memory, its final state the decoder's first."""
        real = source != PAD
        states, final = self._encode(self._embedded(source), real.sum(1))
        first = torch.tanh(self.bridge(final)).unflatten(-1, (self.config.n_layers, -1)).transpose(0, 1).contiguous()
        hidden = (first,) if self.config.cell == "gru" else (first, torch.zeros_like(first))
        seen = self.dropout(final) if isinstance(self.attention, Fixed) else final  # as the states that others look at
        return RnnState(hidden, self.attention.remember(states, real, seen))

    def step(self, state: RnnState, ids: Tensor) -> tuple[Tensor, RnnState]:
        """Read one token (batch,), say the logits of the next (batch, vocab_size)."""
        states, hidden = self.decoder_rnn(self._embedded(ids[:, None]), self._hidden(state.hidden))
        after = RnnState(hidden if isinstance(hidden, tuple) else (hidden,), state.memory)
        return self.head(self._combine(states, state.memory)[:, 0]), after

    def _embedded(self, ids: Tensor) -> Tensor:
        return self.dropout(self.embedding(ids))

    def _hidden(self, hidden: tuple[Tensor, ...]) -> Tensor | tuple[Tensor, ...]:
        return hidden[0] if self.config.cell == "gru" else hidden

    def _encode(self, embedded: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """States (batch, source, d_model) and the final state (batch, d_model): each direction's last."""
        ahead, _ = self.forward_rnn(embedded)
        back, _ = self.backward_rnn(_reversed(embedded, lengths))
        rows, last = torch.arange(len(lengths), device=lengths.device), (lengths - 1).clamp(min=0)
        final = torch.cat([ahead[rows, last], back[rows, last]], dim=-1)
        states = torch.cat([ahead, _reversed(back, lengths)], dim=-1)
        return self.dropout(states), final

    def _combine(self, states: Tensor, memory: Memory) -> Tensor:
        """Look, concatenate context and state, feed forward (note 002: A_t beside h_d)."""
        context = self.attention(states, memory, tap=at(active(), CROSS))
        return self.dropout(torch.tanh(self.feed_forward(torch.cat([context, states], dim=-1))))


def _reversed(rows: Tensor, lengths: Tensor) -> Tensor:
    """Each row's first `length` entries in reverse order; padding stays at the end, so no RNN ever reads it first."""
    position = torch.arange(rows.shape[1], device=rows.device)
    mirror = lengths[:, None] - 1 - position
    index = torch.where(mirror >= 0, mirror, position)
    return rows.gather(1, index[..., None].expand_as(rows))
