"""The RNN translator of 2015: an encoder that reads, a decoder that writes, attention between them.

    h   = [forward RNN; backward RNN](source)            encoder states, one a source token
    s_t = RNN(target token t−1, s_{t−1})                 decoder state
    A_t = attend(s_t, h, h)                              context: what to look at now
    y_t = softmax(E · tanh(W [A_t; s_t]))                next token, until the end of the sentence

Bahdanau et al. 2015; the order (state first, then context, then both concatenated into a feed-forward layer) is
Luong et al. 2015, §3. Since no context is fed back into the RNN, the whole teacher-forced decoder is one RNN call and
one attention. With attention `none`, A_t is the final encoder state at every step, and nothing else differs.

With input feeding the RNN also reads what was looked at, so a step must wait for the one before it:

    luong     s_t = RNN([token t−1; h̃_{t−1}], s_{t−1})   h̃_t = tanh(W [A_t; s_t]), h̃_0 = 0    Luong 2015, §3.3
    bahdanau  s_t = RNN([token t−1; A_t], s_{t−1})        A_t = attend(s_{t−1}, h, h)           Bahdanau 2015, A.2.2
"""

from dataclasses import dataclass
from typing import Literal

import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor, nn

from regard.core.attend import StepTap
from regard.core.memory import Memory
from regard.core.protocols import Site
from regard.core.tap import active, at
from regard.layers.attention import Fixed, Kind, between
from regard.layers.recurrent import Hidden, advanced, projected
from regard.text.tokenizers import PAD

CROSS = "decoder.layers.0.cross"


class RnnConfig(BaseModel):
    """Sizes and choices of an RNN translator, as `config.json` holds them."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    model_type: Literal["regard-rnn"] = "regard-rnn"
    vocab_size: int = Field(ge=5, le=1_000_000)
    attention: Kind = "dot"
    input_feeding: Literal["none", "luong", "bahdanau"] = "none"
    cell: Literal["gru", "lstm"] = "gru"
    d_embedding: int = Field(256, ge=1, le=8192)
    d_model: int = Field(384, ge=2, le=8192, multiple_of=2)
    n_layers: int = Field(1, ge=1, le=16)
    dropout: float = Field(0.2, ge=0.0, lt=1.0)


@dataclass(frozen=True)
class RnnState:
    """Where the decoder stands.

    Attributes:
        hidden: the RNN's hidden tensors, each (n_layers, batch, d_model).
        memory: what it may look at.
        said: (batch, d_embedding), what the last step said (h̃): Luong's input feeding reads it. Zeros at the start.
    """

    hidden: Hidden
    memory: Memory
    said: Tensor

    def select(self, rows: Tensor) -> "RnnState":
        """The states of these batch rows, in this order."""
        return RnnState(tuple(h[:, rows] for h in self.hidden), self.memory.select(rows), self.said[rows])


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
        d_fed = {"none": 0, "luong": d_embedding, "bahdanau": d}[config.input_feeding]
        self.decoder_rnn = rnn(d_embedding + d_fed, d, **stack)
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
        return self._written(target, self.start(source))[0]

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
        said = final.new_zeros(len(final), self.config.d_embedding)
        return RnnState(hidden, self.attention.remember(states, real, seen), said)

    def step(self, state: RnnState, ids: Tensor) -> tuple[Tensor, RnnState]:
        """Read one token (batch,), say the logits of the next (batch, vocab_size)."""
        features, state = self._written(ids[:, None], state)
        return self.head(features[:, 0]), state

    def _embedded(self, ids: Tensor) -> Tensor:
        return self.dropout(self.embedding(ids))

    def _encode(self, embedded: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """States (batch, source, d_model) and the final state (batch, d_model): each direction's last."""
        ahead, _ = self.forward_rnn(embedded)
        back, _ = self.backward_rnn(_reversed(embedded, lengths))
        rows, last = torch.arange(len(lengths), device=lengths.device), (lengths - 1).clamp(min=0)
        final = torch.cat([ahead[rows, last], back[rows, last]], dim=-1)
        states = torch.cat([ahead, _reversed(back, lengths)], dim=-1)
        return self.dropout(states), final

    def _written(self, ids: Tensor, state: RnnState) -> tuple[Tensor, RnnState]:
        """What each token (batch, n) that is read says about the next, and where the decoder stands then."""
        embedded, look = self._embedded(ids), at(active(), CROSS)
        if self.config.input_feeding != "none":
            return self._fed(embedded, state, look)
        lstm = self.config.cell == "lstm"
        states, after = self.decoder_rnn(embedded, state.hidden if lstm else state.hidden[0])
        said = self._said(self.attention(states, state.memory, tap=look), states)
        return said, RnnState(after if lstm else (after,), state.memory, said[:, -1])

    def _fed(self, embedded: Tensor, state: RnnState, look: StepTap | None) -> tuple[Tensor, RnnState]:
        """The same with input feeding: step by step, only the tokens' part of the RNN's input at once."""
        step = self._luong if self.config.input_feeding == "luong" else self._bahdanau
        said = []
        for gates in projected(self.decoder_rnn, embedded).unbind(1):
            state = step(gates, state, look)
            said.append(state.said)
        return torch.stack(said, 1), state

    def _luong(self, gates: Tensor, state: RnnState, look: StepTap | None) -> RnnState:
        """Feed what was said, advance, look from the new state."""
        new, hidden = advanced(self.decoder_rnn, gates, state.said, state.hidden)
        context = self.attention(new[:, None], state.memory, tap=look)[:, 0]
        return RnnState(hidden, state.memory, self._said(context, new))

    def _bahdanau(self, gates: Tensor, state: RnnState, look: StepTap | None) -> RnnState:
        """Look from the old state, feed what was found, advance."""
        context = self.attention(state.hidden[0][-1][:, None], state.memory, tap=look)[:, 0]
        new, hidden = advanced(self.decoder_rnn, gates, context, state.hidden)
        return RnnState(hidden, state.memory, self._said(context, new))

    def _said(self, context: Tensor, states: Tensor) -> Tensor:
        """Context and state, concatenated, fed forward (note 002: A_t beside h_d)."""
        return self.dropout(torch.tanh(self.feed_forward(torch.cat([context, states], dim=-1))))


def _reversed(rows: Tensor, lengths: Tensor) -> Tensor:
    """Each row's first `length` entries in reverse order; padding stays at the end, so no RNN ever reads it first."""
    position = torch.arange(rows.shape[1], device=rows.device)
    mirror = lengths[:, None] - 1 - position
    index = torch.where(mirror >= 0, mirror, position)
    return rows.gather(1, index[..., None].expand_as(rows))
