"""Sentences in, sentences out: batches texts by length, searches, and puts the results back in order."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch

from regard.core.protocols import Decoder
from regard.generation.search import Hypothesis, Rules, search
from regard.text.batches import in_order, padded
from regard.text.doctor import tidy
from regard.text.tokenizers import END, PAD, START, UNKNOWN, Encoded, Tokenizer

MAX_SOURCE = 500
"""Longest source read, in tokens; what is longer is cut, and said so."""


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


def rules(beam: int = 1, length_penalty: float = 1.0) -> Rules:
    """Search rules for our translators' tokenizers: padding, unknown and start are never written."""
    return Rules((END,), (PAD, UNKNOWN, START), beam, length_penalty)


@torch.inference_mode()
def translate(
    model: Decoder,
    tokenizer: Tokenizer,
    texts: Sequence[str],
    how: Rules,
    *,
    batch_tokens: int = 2000,
    done: Callable[[int], None] | None = None,
) -> list[Translated]:
    """Translate each text; the list has one entry a text, in their order.

    Args:
        batch_tokens: budget of a batch: sentences × longest × beam.
        done: told how many more sentences are finished, as they are.
    """
    encoded = tokenizer.encode_batch([tidy(text) for text in texts])
    read = [e.first(MAX_SOURCE) for e in encoded]
    found = _searched(model, [[*e.ids, END] if e.ids else [] for e in read], how, batch_tokens, done)
    return [
        Translated(source, _outputs(hypotheses, tokenizer), len(whole.ids) - len(source.ids))
        for whole, source, hypotheses in zip(encoded, read, found, strict=True)
    ]


def _outputs(hypotheses: list[Hypothesis], tokenizer: Tokenizer) -> list[Output]:
    return [Output(tokenizer.decode(h.ids).strip(), h.ids, h.score) for h in hypotheses]


def _searched(
    model: Decoder, sources: list[list[int]], how: Rules, batch_tokens: int, done: Callable[[int], None] | None
) -> list[list[Hypothesis]]:
    """The hypotheses of each source; empty sources are never searched."""
    found: list[list[Hypothesis]] = [[] for _ in sources]
    full = [i for i, source in enumerate(sources) if source]
    for group in in_order([len(sources[i]) for i in full], tokens=max(1, batch_tokens // how.beam)):
        rows = [full[i] for i in group]
        batch = torch.from_numpy(padded([sources[i] for i in rows], PAD)).to(_device(model))
        limits = [2 * len(sources[i]) + 10 for i in rows]
        first = torch.full((len(rows),), START, device=batch.device)
        for row, hypotheses in zip(rows, search(model, model.start(batch), first, limits, how), strict=True):
            found[row] = hypotheses
        if done:
            done(len(rows))
    return found


def _device(model: Decoder) -> torch.device:
    return next(model.parameters()).device if isinstance(model, torch.nn.Module) else torch.device("cpu")
