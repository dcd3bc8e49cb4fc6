"""How well models translate: BLEU and chrF over all pairs and by source length, models side by side."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from sacrebleu.metrics import BLEU
from sacrebleu.significance import PairedTest

from regard.tasks.translation import Translator
from regard.text.pairs import Pairs
from regard.training.metrics import Quality, cutting, quality

BUCKETS = ((1, 5), (6, 9), (10, 14), (15, None))
"""Source lengths in words, from … to."""


@dataclass(frozen=True)
class Evaluation:
    """One model on some pairs: overall, and by source length (None where no pair is that long)."""

    model: str
    pairs: int
    overall: Quality
    by_length: dict[str, tuple[int, Quality | None]]
    translations: list[str]

    def json(self) -> dict[str, Any]:
        """The figures, as the command's JSON holds them."""
        buckets = [
            {"source_words": name, "pairs": count, **(_figures(found) if found else {"bleu": None, "chrf": None})}
            for name, (count, found) in self.by_length.items()
        ]
        figures = _figures(self.overall) | {"signatures": self.overall.signatures}
        return {"model": self.model, "pairs": self.pairs, **figures, "by_length": buckets}


def _figures(found: Quality) -> dict[str, float]:
    return {"bleu": found.bleu, "chrf": found.chrf}


def evaluate(
    model: Translator, pairs: Pairs, *, beam: int = 5, done: Callable[[int], None] | None = None
) -> Evaluation:
    """Translate every source and score the results against the targets."""
    results = model.translate(list(pairs.source), beam=beam, look=False, done=done)
    translations = [result.translation for result in results]
    by_length = {}
    for low, high in BUCKETS:
        rows = [i for i, text in enumerate(pairs.source) if low <= len(text.split()) <= (high or 10**9)]
        chosen = [translations[i] for i in rows], [pairs.target[i] for i in rows]
        by_length[f"{low}–{high}" if high else f"{low}+"] = (len(rows), quality(*chosen) if rows else None)
    return Evaluation(model.name, len(pairs), quality(translations, pairs.target), by_length, translations)


@dataclass(frozen=True)
class Comparison:
    """Two models' BLEU on the same pairs: the difference, and how often chance alone would give one so large."""

    difference: float
    p_value: float
    samples: int


def compare(
    first: Sequence[str], second: Sequence[str], references: Sequence[str], *, samples: int = 1000
) -> Comparison:
    """Paired bootstrap resampling (Koehn 2004) by sacrebleu: is the first system's BLEU another than the second's?"""
    named = [("second", list(second)), ("first", list(first))]
    metrics = {"BLEU": BLEU(tokenize=cutting(references))}
    test = PairedTest(named, metrics, [list(references)], test_type="bs", n_samples=samples, n_jobs=1)
    baseline, other = test()[1]["BLEU"]
    return Comparison(other.score - baseline.score, other.p_value, samples)
