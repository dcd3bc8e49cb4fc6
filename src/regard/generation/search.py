"""Beam search over any decoder's `step`; a beam of 1 is greedy search.

Of the best 2·beam continuations (more where several ids end a text), those that end within the first `beam` are
finished, and the best `beam` others live on; so a sentence that ends takes no place from those that go on. A search is
over when `beam` are finished and the best that lives, by its length so far, is no better than the worst of them. That
is `transformers`' search too, to the id.

Sentences leave the batch as they are done, so the last long one does not make the others wait.
"""

from dataclasses import dataclass, field

import torch
from torch import Tensor

from regard.core.errors import Failure
from regard.core.protocols import Decoder, State

NEVER = float("-inf")


@dataclass(frozen=True)
class Rules:
    """How to search.

    Attributes:
        end: ids that end an output.
        forbidden: ids that are never written (padding, unknown, start).
        beam: how many hypotheses are kept a sentence.
        length_penalty: hypotheses are compared by log-probability / length**length_penalty.
    """

    end: tuple[int, ...]
    forbidden: tuple[int, ...] = ()
    beam: int = 1
    length_penalty: float = 1.0


@dataclass(frozen=True)
class Hypothesis:
    """An output: ids, with the end token where it was reached; its score; the log-probability of each id."""

    ids: list[int]
    score: float
    log_probs: list[float]


@dataclass
class _Sentence:
    """What is known of one sentence while its beam is open."""

    limit: int
    finished: list[Hypothesis] = field(default_factory=list)

    def keep(self, hypothesis: Hypothesis, beam: int) -> None:
        self.finished = sorted([*self.finished, hypothesis], key=lambda h: -h.score)[:beam]


@dataclass(frozen=True)
class _Lines:
    """What is being written: `n` lines for each open sentence, the best first.

    Attributes:
        totals: (sentences, n), log-probability of a line; −inf where there is none.
        ids: (sentences, n, 1 + length), what was read and, last, what will be.
        log_probs: (sentences, n, length), of each id but the first.
        rows: (sentences, n), the row of the decoder's state that a line continues.
    """

    totals: Tensor
    ids: Tensor
    log_probs: Tensor
    rows: Tensor

    def pick(self, places: Tensor) -> "_Lines":
        """The lines at `places` (sentences, m) of each sentence."""
        deep = places[..., None]
        ids, log_probs = (each.gather(1, deep.expand(-1, -1, each.shape[-1])) for each in (self.ids, self.log_probs))
        return _Lines(self.totals.gather(1, places), ids, log_probs, self.rows.gather(1, places))

    def of(self, sentences: list[int]) -> "_Lines":
        """The lines of these sentences."""
        return _Lines(self.totals[sentences], self.ids[sentences], self.log_probs[sentences], self.rows[sentences])


@torch.inference_mode()
def search(
    decoder: Decoder, state: State, first_ids: Tensor, limits: list[int], rules: Rules
) -> list[list[Hypothesis]]:
    """The best outputs for each row of a batch, best first, at most `rules.beam` each.

    Args:
        decoder: offers `step`.
        state: where it stands, as its `start` gave it; it is spent.
        first_ids: (batch,), what each row reads first: the start token, or the last token of a prompt.
        limits: the largest number of tokens to write for each row.

    Raises:
        Failure: `logits_not_finite`.
    """
    sentences = [_Sentence(limit) for limit in limits]
    open_, lines, rows = list(sentences), _first(first_ids, rules.beam), len(limits)
    while open_:
        state, rows = moved(state, lines.rows.flatten(), rows), lines.rows.numel()
        logits, state = decoder.step(state, lines.ids[..., -1].flatten())
        found = _extended(lines, logits, rules)
        refuse_nan(bool(found.totals.isnan().any()), found.log_probs.shape[-1])
        ended = torch.isin(found.ids[..., -1], found.ids.new_tensor(rules.end))
        _harvest(open_, found, ended, rules)
        lines = found.pick(found.totals.masked_fill(ended, NEVER).topk(rules.beam).indices)
        going = [i for i, sentence in enumerate(open_) if not _done(sentence, lines, i, rules)]
        lines, open_ = lines.of(going), [open_[i] for i in going]
    return [sentence.finished for sentence in sentences]


def moved(state: State, rows: Tensor, count: int) -> State:
    """The state's `rows`, of `count`; the state itself where all stay in their places, since a cache is large."""
    stays = len(rows) == count and torch.equal(rows, torch.arange(count, device=rows.device))
    return state if stays else state.select(rows)


def refuse_nan(found: bool, number: int) -> None:
    """Weights that are not finite write nothing.

    Raises:
        Failure: `logits_not_finite`, naming the token, from 1.
    """
    if found:
        raise Failure("logits_not_finite", number=number)


def _first(first_ids: Tensor, beam: int) -> _Lines:
    """One line a sentence, and `beam` − 1 places for others."""
    rows = torch.arange(len(first_ids), device=first_ids.device)[:, None].expand(-1, beam)
    totals = torch.full(rows.shape, NEVER, device=first_ids.device)
    totals[:, 0] = 0.0
    return _Lines(totals, first_ids[rows][..., None], totals.new_zeros(*rows.shape, 0), rows)


def _extended(lines: _Lines, logits: Tensor, rules: Rules) -> _Lines:
    """The best continuations of each sentence's lines by one token, enough for `beam` that go on.

    Args:
        logits: (lines, vocab_size).
    """
    log_probs = torch.log_softmax(logits.float(), dim=-1).view(*lines.totals.shape, -1)
    log_probs[..., list(rules.forbidden)] = NEVER
    vocab_size = log_probs.shape[-1]
    totals = (lines.totals[..., None] + log_probs).flatten(1)
    totals, where = totals.topk(min(max(2, 1 + len(rules.end)) * rules.beam, totals.shape[-1]))
    parents, new = lines.pick(where // vocab_size), where % vocab_size
    told = log_probs.flatten(1).gather(1, where)
    first_row = torch.arange(len(where), device=where.device)[:, None] * rules.beam
    ids, log_probs = torch.cat([parents.ids, new[..., None]], -1), torch.cat([parents.log_probs, told[..., None]], -1)
    return _Lines(totals, ids, log_probs, first_row + where // vocab_size)


def _harvest(open_: list[_Sentence], found: _Lines, ended: Tensor, rules: Rules) -> None:
    """What has ended, or reached its limit, among the best `beam` of each sentence is finished."""
    length = found.log_probs.shape[-1]
    at_limit = torch.tensor([length >= sentence.limit for sentence in open_], device=ended.device)
    over = (ended | at_limit[:, None]) & (found.totals > NEVER)
    for i, place in over[:, : rules.beam].nonzero().tolist():
        score = float(found.totals[i, place]) / length**rules.length_penalty
        hypothesis = Hypothesis(found.ids[i, place, 1:].tolist(), score, found.log_probs[i, place].tolist())
        open_[i].keep(hypothesis, rules.beam)


def _done(sentence: _Sentence, lines: _Lines, i: int, rules: Rules) -> bool:
    """Whether nothing that lives can come among the finished, were it to end now; or the limit is reached."""
    length = lines.log_probs.shape[-1]
    if length >= sentence.limit:
        return True
    best = float(lines.totals[i, 0]) / length**rules.length_penalty
    worst = sentence.finished[-1].score if len(sentence.finished) == rules.beam else NEVER
    return best <= worst
