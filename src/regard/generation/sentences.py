"""Sentences in, sentences out: batches texts by length, searches or draws, and puts the results back in order."""

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from regard.core.protocols import Decoder
from regard.generation.choosing import Choice, chance
from regard.generation.search import Hypothesis, Rules, moved, search
from regard.generation.shortlist import Shortlisted
from regard.generation.writing import Line, write
from regard.text.batches import in_order, padded
from regard.text.doctor import tidy
from regard.text.tokenizers import END, PAD, START, UNKNOWN, Encoded, Tokenizer

MAX_SOURCE = 500
"""Longest source read, in tokens; what is longer is cut, and said so."""


def longest(model: Any) -> int:
    """How many tokens of a source this model reads, without its end."""
    return min(MAX_SOURCE, _most(model) - 1)


def _most(model: Any) -> int:
    """How many tokens it can read or write at all; an RNN any number."""
    return int(getattr(getattr(model, "config", None), "max_len", sys.maxsize))


@dataclass(frozen=True)
class Output:
    """One translation: its text, the ids behind it (with the end token where it was reached), its normalised score."""

    text: str
    ids: list[int]
    score: float


@dataclass(frozen=True)
class Translated:
    """A source as the model read it, without its end, and its translations, best first; none for an empty source.

    Attributes:
        unread: how many tokens of the source were cut off.
    """

    source: Encoded
    outputs: list[Output]
    unread: int = 0


NEVER_WRITTEN = (PAD, UNKNOWN, START)


@dataclass(frozen=True)
class Draws:
    """Translations drawn token after token, instead of searched.

    Attributes:
        choice: how each token is chosen.
        count: how many of each sentence.
        seed: decides all chance; sentences beside it count for nothing.
        length_penalty: they are ordered by log-probability / length**length_penalty, the best first.
    """

    choice: Choice
    count: int = 1
    seed: int = 0
    length_penalty: float = 1.0


def rules(beam: int = 1, length_penalty: float = 1.0) -> Rules:
    """Search rules for our translators' tokenizers: padding, unknown and start are never written."""
    return Rules((END,), NEVER_WRITTEN, beam, length_penalty)


@torch.inference_mode()
def translate(
    model: Decoder,
    tokenizer: Tokenizer,
    texts: Sequence[str],
    how: Rules | Draws,
    *,
    batch_tokens: int = 2000,
    done: Callable[[int], None] | None = None,
    only: Sequence[int] | None = None,
) -> list[Translated]:
    """Translate each text; the list has one entry a text, in their order.

    Args:
        how: rules of a search, or draws.
        batch_tokens: budget of a batch: sentences × longest × hypotheses of each.
        done: told how many more sentences are finished, as they are.
        only: ids that alone may be written, besides the special ones; None for all.
    """
    model = model if only is None else Shortlisted(model, only)
    encoded = tokenizer.encode_batch([tidy(text) for text in texts])
    read = [e.first(longest(model)) for e in encoded]
    found = _found(model, [[*e.ids, END] if e.ids else [] for e in read], how, batch_tokens, done)
    return [
        Translated(source, _outputs(hypotheses, tokenizer), len(whole.ids) - len(source.ids))
        for whole, source, hypotheses in zip(encoded, read, found, strict=True)
    ]


def _outputs(hypotheses: list[Hypothesis], tokenizer: Tokenizer) -> list[Output]:
    return [Output(tokenizer.decode(h.ids).strip(), h.ids, h.score) for h in hypotheses]


def _found(
    model: Decoder, sources: list[list[int]], how: Rules | Draws, batch_tokens: int, done: Callable[[int], None] | None
) -> list[list[Hypothesis]]:
    """The hypotheses of each source; empty sources are never searched."""
    found: list[list[Hypothesis]] = [[] for _ in sources]
    each = how.beam if isinstance(how, Rules) else how.count
    full = [i for i, source in enumerate(sources) if source]
    for group in in_order([len(sources[i]) for i in full], tokens=max(1, batch_tokens // each)):
        rows = [full[i] for i in group]
        batch = torch.from_numpy(padded([sources[i] for i in rows], PAD)).to(_device(model))
        limits = [min(2 * len(sources[i]) + 10, _most(model)) for i in rows]
        for row, hypotheses in zip(rows, _batch(model, batch, limits, how), strict=True):
            found[row] = [model.widened(h) for h in hypotheses] if isinstance(model, Shortlisted) else hypotheses
        if done:
            done(len(rows))
    return found


def _batch(model: Decoder, batch: Tensor, limits: list[int], how: Rules | Draws) -> list[list[Hypothesis]]:
    """The hypotheses of each source (batch, source)."""
    first = torch.full((len(batch),), START, device=batch.device)
    if isinstance(how, Rules):
        return search(model, model.start(batch), first, limits, how)
    rows = torch.arange(len(batch), device=batch.device).repeat_interleave(how.count)
    lines = [[Line(limit, (END,), chance(how.seed, n)) for n in range(how.count)] for limit in limits]
    state = moved(model.start(batch), rows, len(batch))
    for _ in write(model, state, first[rows], [line for one in lines for line in one], how.choice):
        pass
    drawn = [[Hypothesis(line.ids, _score(line, how), line.log_probs) for line in one] for one in lines]
    return [sorted(one, key=lambda h: -h.score) for one in drawn]


def _score(line: Line, how: Draws) -> float:
    return sum(line.log_probs) / len(line.ids) ** how.length_penalty


def _device(model: Decoder) -> torch.device:
    model = model.model if isinstance(model, Shortlisted) else model
    return next(model.parameters()).device if isinstance(model, torch.nn.Module) else torch.device("cpu")
