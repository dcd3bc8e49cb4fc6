"""Do weights say what counts? Of real sentences: how well gradients, and weights, agree with what cutting an edge does.

For each of the first sentences of a file the twenty edges that gradients rank first are cut one by one; Spearman's rank
correlation of the ranking with the effects, and of the weights with their sizes, is averaged over the sentences.
"""

import argparse
import math
import sys
from collections.abc import Sequence
from pathlib import Path
from statistics import mean

from measuring.pairs import VALID
from measuring.report import circumstances, ended, told, written
from regard.inspection.evidence import Effect
from regard.tasks.evidence import evidence
from regard.tasks.recording import opened
from regard.text.pairs import read_pairs

MODELS = ("en-fr", "en-fr-transformer", "tiny-gpt")


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sentences", type=int, default=100)
    parser.add_argument("--pairs", type=Path, default=VALID, help="TSV; its first column is read")
    parser.add_argument("--top", type=int, default=20, help="edges that are cut of each sentence")
    parser.add_argument("--quick", action="store_true", help="two sentences, to see that it runs")
    asked = parser.parse_args(arguments)
    count = 2 if asked.quick else asked.sentences
    texts = [text for text in read_pairs([asked.pairs]).source if len(text.split()) > 3][:count]
    found = {name: _of_model(name, texts, asked.top) for name in MODELS}
    head = ("", "gradients and effects", "weights and effects", "high weight, no effect", "low weight, great effect")
    rows = [(name, *each.values()) for name, each in found.items()]
    told(f"Agreement over {len(texts)} sentences, {asked.top} edges each", head, rows)
    settings = {name: str(value) for name, value in vars(asked).items()}
    written("evidence_agreement", circumstances() | {"settings": settings, "sentences": len(texts), "models": found})
    return 0


def _of_model(name: str, texts: Sequence[str], top: int) -> dict[str, float]:
    model = opened(name)
    each = [evidence(model, text, most=top).found for text in texts]
    effects = [effect for one in each for effect in one.effects]
    return {
        "gradients": _mean([one.agreement for one in each]),
        "weights": _mean([one.weight_agreement for one in each]),
        "heavy_idle": _share(effects, "heavy_idle"),
        "light_strong": _share(effects, "light_strong"),
    }


def _mean(values: Sequence[float]) -> float:
    return mean(value for value in values if not math.isnan(value))


def _share(effects: Sequence[Effect], flag: str) -> float:
    return sum(effect.flag == flag for effect in effects) / len(effects)


if __name__ == "__main__":
    sys.exit(ended(main))
