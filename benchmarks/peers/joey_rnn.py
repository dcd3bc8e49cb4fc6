"""JoeyNMT's recurrent translator (Kreutzer, Bastings & Riezler 2019), rebuilt from its operations, with our sizes.

Rebuilt, since JoeyNMT 2.3.0 asks for protobuf below 3.21 and cannot build its plateau schedule on today's torch. Its
form is that of its shipped configuration `iwslt14_deen_bpe`: a bidirectional GRU over packed sequences, half the
decoder's width a direction; a bridge from the encoder's last states; a GRU decoder that takes one step at a time,
fed with the last attentional vector (`input_feeding`) or without; Bahdanau's scorer over projected keys (or Luong's
*general*); an output layer of its own (its tying of output and embedding asks for equal widths, ours are 256 and 384).

Held against the original once (its classes of 2.3.0, float32, one thread; vocabulary 53, embedding 24, decoder 36 and
encoder 18 wide; batches of 2–9 sentences of 1–12 tokens; with and without input feeding, both scorers, with dropout
on and off): the same parameters, and with the original's weights copied in, the log-probabilities, attention weights,
loss (plain and smoothed), count of right tokens and every parameter's gradient were equal to the last bit. At
vocabulary 5000 with our sizes both have 6,918,784 parameters with input feeding and 6,476,416 without (with Luong's
scorer 6,770,944 and 6,328,576); `parameter_count` is the formula.
"""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from regard.text.tokenizers import PAD


@dataclass(frozen=True)
class JoeySizes:
    """Sizes and choices; the defaults are our sizes in JoeyNMT's form."""

    vocab_size: int
    d_embedding: int = 256
    d_model: int = 384
    scorer: Literal["bahdanau", "luong"] = "bahdanau"
    input_feeding: bool = True
    dropout: float = 0.0
    hidden_dropout: float = 0.2


def parameter_count(sizes: JoeySizes) -> int:
    """How many parameters JoeyNMT has at these sizes."""
    v, e, d, half = sizes.vocab_size, sizes.d_embedding, sizes.d_model, sizes.d_model // 2
    embeddings, bridge, joining, output = 2 * v * e, d * (d + 1), d * (2 * d + 1), v * d
    encoder = 2 * 3 * half * (e + half + 2)
    decoder = 3 * d * (e + d * sizes.input_feeding + d + 2)
    scorer = 2 * d * d + d if sizes.scorer == "bahdanau" else d * d
    return embeddings + encoder + bridge + decoder + scorer + joining + output


@dataclass(frozen=True)
class JoeyState:
    """Where the decoder stands: GRU state (1, batch, d), last attentional vector (batch, 1, d), the source as read."""

    hidden: Tensor
    fed: Tensor
    states: Tensor
    keys: Tensor
    real: Tensor

    def select(self, rows: Tensor) -> "JoeyState":
        """The states of these rows, in this order."""
        rest = (t[rows] for t in (self.fed, self.states, self.keys, self.real))
        return JoeyState(self.hidden[:, rows], *rest)


class JoeyRnn(nn.Module):
    """Source ids → target ids, one decoder step after another. Final; also a `Decoder` for our search."""

    def __init__(self, sizes: JoeySizes) -> None:
        super().__init__()
        self.sizes = sizes
        d, d_embedding = sizes.d_model, sizes.d_embedding
        self.source_embedding = nn.Embedding(sizes.vocab_size, d_embedding, padding_idx=PAD)
        self.target_embedding = nn.Embedding(sizes.vocab_size, d_embedding, padding_idx=PAD)
        self.encoder_rnn = nn.GRU(d_embedding, d // 2, batch_first=True, bidirectional=True)
        self.bridge = nn.Linear(d, d)
        self.decoder_rnn = nn.GRU(d_embedding + d * sizes.input_feeding, d, batch_first=True)
        self.key = nn.Linear(d, d, bias=False)
        if sizes.scorer == "bahdanau":
            self.query = nn.Linear(d, d, bias=False)
            self.energy = nn.Linear(d, 1, bias=False)
        self.joining = nn.Linear(2 * d, d)
        self.output = nn.Linear(d, sizes.vocab_size, bias=False)
        self.dropout = nn.Dropout(sizes.dropout)
        self.hidden_dropout = nn.Dropout(sizes.hidden_dropout)
        _initialise(self)

    def forward(self, source: Tensor, lengths: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
        """Logits (batch, target, vocab_size) and weights (batch, target, source), teacher-forced, step by step.

        Args:
            source: ids (batch, source), the longest first.
            lengths: of the sources, without padding.
            target: ids (batch, target) that the decoder reads.
        """
        state = self._read(source, lengths)
        embedded = self.target_embedding(target)
        vectors, weights = [], []
        for position in range(target.shape[1]):
            state, looked = self._advance(state, embedded[:, position].unsqueeze(1))
            vectors.append(state.fed)
            weights.append(looked)
        return self.output(torch.cat(vectors, dim=1)), torch.cat(weights, dim=1)

    def start(self, source: Tensor, real: Tensor | None = None) -> JoeyState:
        """The state before the first token, from source ids in any order of lengths."""
        lengths = (source != PAD).sum(1)
        order = lengths.argsort(descending=True, stable=True)
        return self._read(source[order], lengths[order]).select(order.argsort())

    def step(self, state: JoeyState, ids: Tensor) -> tuple[Tensor, JoeyState]:
        """Read one token (batch,), say the logits of the next (batch, vocab_size)."""
        state, _ = self._advance(state, self.target_embedding(ids[:, None]))
        return self.output(state.fed)[:, 0], state

    def _read(self, source: Tensor, lengths: Tensor) -> JoeyState:
        embedded = self.dropout(self.source_embedding(source))
        packed = pack_padded_sequence(embedded, lengths.cpu(), batch_first=True)
        packed_states, last = self.encoder_rnn(packed)
        states, _ = pad_packed_sequence(packed_states, batch_first=True, total_length=source.shape[1])
        hidden = torch.tanh(self.bridge(torch.cat([last[0], last[1]], dim=1)))
        fed = states.new_zeros(len(source), 1, self.sizes.d_model)
        return JoeyState(hidden.unsqueeze(0), fed, states, self.key(states), (source != PAD).unsqueeze(1))

    def _advance(self, state: JoeyState, embedded: Tensor) -> tuple[JoeyState, Tensor]:
        """One step: GRU, scores, weights, context, attentional vector."""
        read = torch.cat([embedded, state.fed], dim=2) if self.sizes.input_feeding else embedded
        _, hidden = self.decoder_rnn(self.dropout(read), state.hidden)
        query = hidden[-1].unsqueeze(1)
        scores = torch.where(state.real, self._scores(query, state.keys), query.new_full((1,), float("-inf")))
        weights = torch.softmax(scores, dim=-1)
        joined = self.hidden_dropout(torch.cat([query, weights @ state.states], dim=2))
        fed = torch.tanh(self.joining(joined))
        return JoeyState(hidden, fed, state.states, state.keys, state.real), weights

    def _scores(self, query: Tensor, keys: Tensor) -> Tensor:
        if self.sizes.scorer == "luong":
            return query @ keys.transpose(1, 2)
        return self.energy(torch.tanh(self.query(query) + keys)).squeeze(2).unsqueeze(1)


@torch.no_grad()
def _initialise(model: JoeyRnn) -> None:
    """As `rnn_small` has it: Xavier uniform, a GRU's three matrices each by itself; embeddings N(0, 0.1); biases 0."""
    for name, parameter in model.named_parameters():
        if "embedding" in name:
            nn.init.normal_(parameter, std=0.1)[PAD].zero_()
        elif "bias" in name:
            nn.init.zeros_(parameter)
        else:
            for matrix in parameter.chunk(3) if "rnn" in name else (parameter,):
                nn.init.xavier_uniform_(matrix)
