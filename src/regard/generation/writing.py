"""Writing token after token, greedily or by chance, over any decoder's `step`; written once for all models."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from regard.core.protocols import Decoder, State
from regard.generation.choosing import Choice
from regard.generation.search import moved, refuse_nan

Ended = Literal["end", "stop", "length", "context"]
"""The end token, a stop string, as many tokens as were asked for, or as many as the model reads."""


@dataclass
class Line:
    """One output while it is written.

    Attributes:
        limit: the largest number of tokens.
        ends: ids that end it.
        chance: where its random numbers come from.
        read: ids that were read before it; the repetition penalty counts them too.
        stops: told of each token; whether the text ends with it.
        at_limit: what it means to reach the limit.
        ids, log_probs: what is written, with the end token where it was reached, and how likely the model, before any
            adjustment, held each.
        ended: why it ended; None while it goes on.
    """

    limit: int
    ends: Sequence[int]
    chance: np.random.Generator
    read: Sequence[int] = ()
    stops: Callable[[int], bool] = lambda id_: False
    at_limit: Ended = "length"
    ids: list[int] = field(default_factory=list)
    log_probs: list[float] = field(default_factory=list)
    ended: Ended | None = None

    def take(self, id_: int, log_prob: float) -> None:
        """One more token."""
        self.ids.append(id_)
        self.log_probs.append(log_prob)
        if id_ in self.ends:
            self.ended = "end"
        elif self.stops(id_):
            self.ended = "stop"
        elif len(self.ids) >= self.limit:
            self.ended = self.at_limit


@torch.inference_mode()
def write(decoder: Decoder, state: State, first_ids: Tensor, lines: Sequence[Line], how: Choice) -> Iterator[None]:
    """Give each line its next token, step after step, until all have ended; what they hold is seen between the steps.

    Args:
        decoder: offers `step`.
        state: where it stands, as its `start` gave it, a row for each line; it is spent.
        first_ids: (lines,), what each reads first: the start token, or the last token of its prompt.

    Raises:
        Failure: `logits_not_finite`.
    """
    open_, ids = list(lines), first_ids
    seen: Tensor | None = None
    while open_:
        logits, state = decoder.step(state, ids)
        logits = logits.float()
        if how.repetition_penalty != 1.0:
            seen = _seen(open_, logits) if seen is None else seen.scatter_(1, ids[:, None], True)
        ids = how.pick(logits, how.luck([line.chance for line in open_], logits), seen)
        told(open_, ids, logits)
        yield
        going = [i for i, line in enumerate(open_) if line.ended is None]
        if len(going) == len(open_):
            continue
        rows = torch.tensor(going, dtype=torch.long, device=ids.device)
        state, ids, seen = moved(state, rows, len(open_)), ids[rows], None if seen is None else seen[rows]
        open_ = [open_[i] for i in going]


def told(lines: Sequence[Line], ids: Tensor, logits: Tensor) -> None:
    """Each line takes its id, of `ids` (lines,), and how likely its logits (lines, vocab_size) hold it.

    Raises:
        Failure: `logits_not_finite`.
    """
    log_probs = (logits.gather(1, ids[:, None])[:, 0] - logits.logsumexp(-1)).tolist()
    refuse_nan(math.isnan(sum(log_probs)), len(lines[0].ids) + 1)
    for line, id_, log_prob in zip(lines, ids.tolist(), log_probs, strict=True):
        line.take(id_, log_prob)


def _seen(lines: Sequence[Line], logits: Tensor) -> Tensor:
    """(lines, vocab_size): True for each token that a line's decoder has read."""
    seen = torch.zeros_like(logits, dtype=torch.bool)
    for row, line in enumerate(lines):
        seen[row, list(line.read)] = True
    return seen
