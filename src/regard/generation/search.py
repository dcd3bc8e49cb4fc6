"""Beam search over any decoder's `step`; a beam of 1 is greedy search.

Sentences leave the batch as they finish, so the last long one does not make the others wait.
"""

from dataclasses import dataclass, field

import torch
from torch import Tensor

from regard.core.protocols import Decoder


@dataclass(frozen=True)
class Rules:
    """How to search.

    Attributes:
        beam: how many hypotheses are kept a sentence.
        start, end: ids of the start and end tokens.
        forbidden: ids that are never written (padding, unknown, start).
        length_penalty: hypotheses are compared by log-probability / length**length_penalty.
    """

    start: int
    end: int
    forbidden: tuple[int, ...] = ()
    beam: int = 1
    length_penalty: float = 1.0


@dataclass(frozen=True)
class Hypothesis:
    """A finished output: ids without the start, with the end token where it was reached; its normalised score."""

    ids: list[int]
    score: float


@dataclass
class _Sentence:
    """What is known of one sentence while its beam is open."""

    index: int
    limit: int
    finished: list[Hypothesis] = field(default_factory=list)


@torch.inference_mode()
def search(decoder: Decoder, source: Tensor, limits: list[int], rules: Rules) -> list[list[Hypothesis]]:
    """The best outputs for each source of a batch, best first, at most `rules.beam` each.

    Args:
        decoder: offers `start` and `step`.
        source: ids (batch, source), padded.
        limits: the largest number of tokens to write for each source.
    """
    beam = rules.beam
    found: list[list[Hypothesis]] = [[] for _ in limits]
    open_ = [_Sentence(i, limit) for i, limit in enumerate(limits)]
    device = source.device
    state = decoder.start(source).select(torch.arange(len(limits), device=device).repeat_interleave(beam))
    ids = torch.full((len(limits) * beam,), rules.start, device=device)
    written = torch.zeros(len(limits) * beam, 0, dtype=torch.long, device=device)
    totals = torch.full((len(limits), beam), float("-inf"), device=device)
    totals[:, 0] = 0.0
    while open_:
        logits, state = decoder.step(state, ids)
        totals, parents, ids = _extend(logits, totals, rules)
        written = torch.cat([written[parents], ids[:, None]], dim=1)
        totals = _harvest(open_, written, totals, rules)
        keep = [row for row, sentence in enumerate(open_) if not _done(sentence, written.shape[1], beam)]
        for sentence in open_:
            found[sentence.index] = sentence.finished
        rows = torch.tensor(keep, dtype=torch.long, device=device)
        flat = (rows[:, None] * beam + torch.arange(beam, device=device)).flatten()
        open_, totals, written, ids = [open_[row] for row in keep], totals[rows], written[flat], ids[flat]
        state = state.select(parents[flat])
    return [sorted(hypotheses, key=lambda h: -h.score)[:beam] for hypotheses in found]


def _extend(logits: Tensor, totals: Tensor, rules: Rules) -> tuple[Tensor, Tensor, Tensor]:
    """The best `beam` continuations of each sentence: their totals (sentences, beam), parent rows and new ids."""
    logits[:, list(rules.forbidden)] = float("-inf")
    candidates = totals.flatten()[:, None] + torch.log_softmax(logits.float(), dim=-1)
    vocab = candidates.shape[-1]
    best, where = candidates.view(len(totals), -1).topk(rules.beam, dim=-1)
    first_row = torch.arange(len(totals), device=totals.device)[:, None] * rules.beam
    return best, (first_row + where // vocab).flatten(), (where % vocab).flatten()


def _harvest(open_: list[_Sentence], written: Tensor, totals: Tensor, rules: Rules) -> Tensor:
    """Move what has ended, or reached its limit, to the finished ones; its place in the beam closes (−inf)."""
    length = written.shape[1]
    ended = (written[:, -1] == rules.end).view(totals.shape)
    for row, sentence in enumerate(open_):
        over = ended[row] if length < sentence.limit else torch.ones_like(ended[row])
        for place in over.nonzero().flatten().tolist():
            total = float(totals[row, place])
            if total > float("-inf"):
                ids = written[row * rules.beam + place].tolist()
                sentence.finished.append(Hypothesis(ids, total / length**rules.length_penalty))
    return totals.masked_fill(ended, float("-inf"))


def _done(sentence: _Sentence, length: int, beam: int) -> bool:
    return length >= sentence.limit or len(sentence.finished) >= beam
