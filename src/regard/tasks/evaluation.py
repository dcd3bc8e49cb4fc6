"""How well models translate: BLEU and chrF over all pairs and by source length, models side by side."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from sacrebleu.metrics import BLEU
from sacrebleu.significance import PairedTest

from regard.language import say
from regard.tasks.translation import Translator
from regard.text.doctor import words
from regard.text.pairs import Pairs
from regard.training.metrics import Quality, cutting, quality
from regard.views.lengths import by_length
from regard.views.picture import Picture, Rows, Table

BUCKETS = ((1, 5), (6, 9), (10, 14), (15, None))
"""Source lengths in words, from … to; a letter of Chinese and its like is one."""


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
    model: Translator,
    pairs: Pairs,
    *,
    name: str | None = None,
    beam: int = 5,
    done: Callable[[int], None] | None = None,
) -> Evaluation:
    """Translate every source and score the results against the targets.

    Args:
        name: what the model is called in the result; None for its own name.
    """
    results = model.translate(list(pairs.source), beam=beam, look=False, done=done)
    translations = [result.translation for result in results]
    by_length = {}
    lengths = [words(text) for text in pairs.source]
    for low, high in BUCKETS:
        rows = [i for i, length in enumerate(lengths) if low <= length <= (high or length)]
        chosen = [translations[i] for i in rows], [pairs.target[i] for i in rows]
        by_length[f"{low}–{high}" if high else f"{low}+"] = (len(rows), quality(*chosen) if rows else None)
    return Evaluation(name or model.name, len(pairs), quality(translations, pairs.target), by_length, translations)


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
    named: list[tuple[str, Sequence[str]]] = [("second", list(second)), ("first", list(first))]
    metrics = {"BLEU": BLEU(tokenize=cutting(references))}
    test = PairedTest(named, metrics, [list(references)], test_type="bs", n_samples=samples, n_jobs=1)
    results: list[Any] = test()[1]["BLEU"]
    baseline, other = results
    difference = other.score - baseline.score
    p_value = other.p_value if difference else 1.0  # sacrebleu counts strictly larger ones: of no difference, none
    return Comparison(difference, p_value, samples)


def compare_all(found: Sequence[Evaluation], references: Sequence[str]) -> list[dict[str, Any]]:
    """The first model against each of the others."""
    first = found[0]
    pairs = [(other, compare(first.translations, other.translations, references)) for other in found[1:]]
    return [{"model": first.model, "against": other.model, **asdict(result)} for other, result in pairs]


def picture(found: Sequence[Evaluation], compared: Sequence[dict[str, Any]], lang: str | None = None) -> Picture:
    """All figures as a table, the differences in words, and the scores by length as a table and lines."""
    rows = tuple((e.model, e.pairs, e.overall.bleu, e.overall.chrf) for e in found)
    names = ("model_column", "sentences_column", "bleu_column", "chrf_column")
    signatures = "; ".join(f"{name}: {text}" for name, text in found[0].overall.signatures.items())
    table = Table(
        title=say("views.evaluation_title", lang),
        head=tuple(say(f"views.{name}", lang) for name in names),
        rows=rows,
        reading=" ".join(_difference(each, lang) for each in compared),
        check=signatures,
    )
    scores = {e.model: {b: _named(q) for b, (_, q) in e.by_length.items() if q} for e in found}
    counts = {bucket: count for bucket, (count, _) in found[0].by_length.items()}
    return Rows(parts=(table, by_length(scores, counts=counts, lang=lang)))


def _named(found: Quality) -> dict[str, float]:
    return {"BLEU": found.bleu, "chrF": found.chrf}


def _difference(each: dict[str, Any], lang: str | None) -> str:
    facts = {"difference": f"{each['difference']:+.2f}", "p": f"{each['p_value']:.3f}", "samples": each["samples"]}
    return say("views.difference", lang, model=each["model"], against=each["against"], **facts)
