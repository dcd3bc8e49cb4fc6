"""How far a number about senses can be trusted: a layer chosen on half of the words, and what chance alone comes to."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from regard.inspection.senses import Labels, Pairs, auc

SAMPLES = 1000
"""Times that words are drawn for an interval."""

SHUFFLES = 200
"""Times that labels are shuffled."""


@dataclass(frozen=True)
class Half:
    """What a layer comes to on some of the words: how many, their pairs of one sense and of different ones, the AUC."""

    words: int
    same: int
    different: int
    auc: float


@dataclass(frozen=True)
class Chosen:
    """A layer chosen on half of the words and tried on the others.

    Attributes:
        layer: the best on the first half; the first of equals.
        choosing, held: what it comes to on that half, and on the other.
        before: the AUC before attention on the other half.
        interval: 95 % of the gain over `before` lie here when the words of the other half are drawn again.
    """

    layer: int
    choosing: Half
    held: Half
    before: float
    interval: tuple[float, float]


def choose(cosines: np.ndarray, of: Pairs) -> Chosen | None:
    """The best layer by every other word in alphabetical order, and what it comes to on the words between.

    Args:
        cosines: (layers + 1, pairs).

    Returns:
        None where one of the halves has no pair of one sense, or none of different ones.
    """
    told = np.unique(of.word[of.same >= 0])
    halves = [np.isin(of.word, told[start::2]) & (of.same >= 0) for start in (0, 1)]
    if any(len(np.unique(of.same[half])) < 2 for half in halves):
        return None
    found = [_half(layer, of, halves[0]).auc for layer in cosines[1:]]
    best = 1 + int(np.argmax(found))
    one, other = (_half(cosines[best], of, half) for half in halves)
    before = _half(cosines[0], of, halves[1]).auc
    return Chosen(best, one, other, before, _interval(cosines[[0, best]], of, halves[1]))


def _half(values: np.ndarray, of: Pairs, half: np.ndarray) -> Half:
    kinds = of.same[half]
    found = auc(values[half], kinds)
    return Half(len(np.unique(of.word[half])), int((kinds == 1).sum()), int((kinds == 0).sum()), found or 0.0)


def _interval(cosines: np.ndarray, of: Pairs, half: np.ndarray) -> tuple[float, float]:
    """Of the gain of one layer over another, by drawing words with their pairs again (bootstrap by clusters)."""
    numbers, kinds = of.word[half], of.same[half]
    by_word = [np.flatnonzero(numbers == word) for word in np.unique(numbers)]
    random, gains = np.random.default_rng(0), []
    for _ in range(SAMPLES):
        drawn = np.concatenate([by_word[at] for at in random.integers(len(by_word), size=len(by_word))])
        ends = [auc(layer[half][drawn], kinds[drawn]) for layer in cosines]
        if None not in ends:
            gains.append(ends[1] - ends[0])  # type: ignore[operator]
    low, high = np.percentile(gains, [2.5, 97.5])
    return float(low), float(high)


def chance(cosines: np.ndarray, of: Pairs, labels: Sequence[str]) -> float | None:
    """How often labels that are shuffled within each word come as far as these do, in their best layer after attention.

    It is the p of a permutation test, never 0; None where the AUC is undefined.

    Args:
        cosines: (layers + 1, pairs).
        labels: of each occurrence.
    """
    if auc(cosines[0], of.same) is None:
        return None
    told, random, best, reached = Labels.of(labels), np.random.default_rng(0), _best(cosines, of.same), 0
    word = np.full(len(labels), -1)
    word[of.first], word[of.second] = of.word, of.word
    places, order = np.argsort(word, kind="stable"), np.empty(len(word), dtype=int)
    for _ in range(SHUFFLES):
        order[places] = np.lexsort((random.random(len(word)), word))
        reached += _best(cosines, told.drawn(order).same(of.first, of.second)) >= best
    return (1 + reached) / (1 + SHUFFLES)


def _best(cosines: np.ndarray, kinds: np.ndarray) -> float:
    return max(auc(layer, kinds) or 0.0 for layer in cosines[1:])
