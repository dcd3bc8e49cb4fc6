"""The bottleneck of note 002: a translator with attention beside its twin without, by length of the sentence.

On the sentences of `valid.tsv` of ten words and more, and on sentences joined from two of them (drawn by a seed, ten
to thirty words together): BLEU, chrF, the difference and its paired bootstrap; then BLEU by length over all of them,
as a table and as a picture.
"""

import argparse
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from measuring.pairs import VALID
from measuring.report import OUT, circumstances, ended, told, written
from regard.tasks.evaluation import compare
from regard.tasks.pictures import write
from regard.tasks.translation import load
from regard.text.doctor import words
from regard.text.joining import join
from regard.text.pairs import Pairs, read_pairs
from regard.training.metrics import Quality, quality
from regard.views import terminal
from regard.views.lengths import by_length
from regard.views.picture import Rows

LONG, LONGEST = 10, 30
BUCKETS = ((1, 5), (6, 9), (10, 14), (15, 19), (20, 30))
LEAST = 3.0
OWN, JOINED, BOTH = "valid, 10 words and more", "joined, 10–30 words", "both"
Texts = Mapping[str, list[str]]


def main(arguments: Sequence[str] | None = None) -> int:
    """Translate, score, compare, draw; 1 where the lead is too small or may be chance."""
    asked = _asked(arguments)
    facts = circumstances() | {"settings": {name: str(value) for name, value in vars(asked).items()}}
    valid = read_pairs([asked.valid])
    valid = valid.take(range(0, len(valid), max(1, len(valid) // 60))) if asked.quick else valid
    both = together(valid, joined(valid, 20 if asked.quick else asked.joined, asked.seed))
    models = [load(name) for name in asked.models]
    texts = {model.name: _translated(model, both, asked.beam) for model in models}
    sets = _sets(both, len(valid))
    found = {name: _compared(texts, both, rows, asked.samples) for name, rows in sets.items() if len(rows)}
    lengths = _by_length(texts, both)
    holds = all(each["difference"] >= LEAST and each["p_value"] < 0.05 for each in found.values())
    _tell(found, asked)
    print(terminal.render(lengths), flush=True)
    OUT.mkdir(parents=True, exist_ok=True)
    for form in ("png", "html"):
        write(lengths, str(OUT / f"long_sentences.{form}"))
    written("long_sentences", facts | {"sets": found, "by_length": asdict(lengths.parts[0]), "holds": holds})
    return 0 if holds or asked.quick else 1


def _asked(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs=2, default=["en-fr", "en-fr-fixed"], help="with attention, without")
    parser.add_argument("--valid", type=Path, default=VALID, help="TSV of source and target")
    parser.add_argument("--joined", type=int, default=1000, help="how many joined sentences")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--beam", type=int, default=5)
    parser.add_argument("--samples", type=int, default=1000, help="of the paired bootstrap")
    parser.add_argument("--quick", action="store_true", help="a few sentences, to see that it runs")
    asked = parser.parse_args(arguments)
    if asked.quick:
        asked.beam, asked.samples = 1, 20
    return asked


def joined(pairs: Pairs, count: int, seed: int) -> Pairs:
    """Pairs made of two different ones, ten to thirty source words together; drawn by the seed, none twice."""
    random, length = np.random.default_rng(seed), [words(text) for text in pairs.source]
    chosen: dict[tuple[int, int], None] = {}
    for _ in range(100 * count):
        first, second = random.integers(len(pairs), size=2).tolist()
        if first != second and LONG <= length[first] + length[second] <= LONGEST and len(chosen) < count:
            chosen[first, second] = None
    sides = [[join(side[i], side[j]) for i, j in chosen] for side in (pairs.source, pairs.target)]
    return Pairs(*sides, [pairs.line[i] for i, _ in chosen])


def together(first: Pairs, second: Pairs) -> Pairs:
    """All pairs of the one, then all of the other."""
    return Pairs([*first.source, *second.source], [*first.target, *second.target], [*first.line, *second.line])


def _sets(both: Pairs, n_valid: int) -> dict[str, list[int]]:
    """Which rows each claim is about."""
    own = [i for i in range(n_valid) if words(both.source[i]) >= LONG]
    made = list(range(n_valid, len(both)))
    return {OWN: own, JOINED: made, BOTH: own + made}


def _translated(model: Any, pairs: Pairs, beam: int) -> list[str]:
    return [each.translation for each in model.translate(list(pairs.source), beam=beam, look=False)]


def _compared(texts: Texts, pairs: Pairs, rows: list[int], samples: int) -> dict[str, Any]:
    """Scores of each model on these rows; the first against the second."""
    chosen, references = {n: [each[i] for i in rows] for n, each in texts.items()}, [pairs.target[i] for i in rows]
    scores = {name: quality(each, references) for name, each in chosen.items()}
    signatures = next(iter(scores.values())).signatures
    facts = {"pairs": len(rows), "scores": {n: _named(q) for n, q in scores.items()}, "signatures": signatures}
    return facts | asdict(compare(*chosen.values(), references, samples=samples))


def _named(found: Quality) -> dict[str, float]:
    return {"BLEU": found.bleu, "chrF": found.chrf}


def _by_length(texts: Texts, pairs: Pairs) -> Rows:
    """BLEU and chrF of each model in each bucket of lengths."""
    length = np.array([words(text) for text in pairs.source])
    rows = {f"{low}–{high}": np.flatnonzero((length >= low) & (length <= high)).tolist() for low, high in BUCKETS}
    rows = {bucket: each for bucket, each in rows.items() if each}
    scores = {
        name: {
            bucket: _named(quality([translated[i] for i in each], [pairs.target[i] for i in each]))
            for bucket, each in rows.items()
        }
        for name, translated in texts.items()
    }
    return by_length(scores, counts={bucket: len(each) for bucket, each in rows.items()})


def _tell(found: dict[str, dict[str, Any]], asked: argparse.Namespace) -> None:
    rows = []
    for name, each in found.items():
        bleu = (f"{scores['BLEU']:.2f}" for scores in each["scores"].values())
        rows.append((name, each["pairs"], *bleu, f"{each['difference']:+.2f}", f"{each['p_value']:.3f}"))
    names = next(iter(found.values()))["scores"]
    head = ("sentences", "pairs", *(f"BLEU {name}" for name in names), "difference", "p")
    reading = f"beam {asked.beam}, paired bootstrap over {asked.samples} samples, seed {asked.seed}; asked: ≥ {LEAST}"
    told("The bottleneck", head, rows, reading=reading + ", p < 0.05")


if __name__ == "__main__":
    sys.exit(ended(main))
