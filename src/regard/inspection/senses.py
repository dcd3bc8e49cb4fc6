"""How senses of a word part on the way through a model: its occurrences in pairs, by the cosine of their vectors."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import rankdata

from regard.inspection.meaning import directions, principal
from regard.text.occurrences import NOT, Occurrence

DIGITS = 9
"""Cosines are compared so far: beyond is what 32 bits leave of vectors that are one and the same."""


@dataclass(frozen=True)
class Pairs:
    """Each two occurrences of one word.

    Attributes:
        first, second: (pairs,), their numbers.
        word: (pairs,), the number of the word, in alphabetical order.
        same: (pairs,), 1 where labels name one sense, 0 where different ones, −1 where they do not tell.
        words: the words.
    """

    first: np.ndarray
    second: np.ndarray
    word: np.ndarray
    same: np.ndarray
    words: tuple[str, ...]

    @property
    def told(self) -> tuple[int, int]:
        """How many pairs are of one sense, and how many of different ones."""
        return int((self.same == 1).sum()), int((self.same == 0).sum())


def pairs(occurrences: Sequence[Occurrence]) -> Pairs:
    """Each two occurrences of one word, in capitals or not."""
    names = [each.word.casefold() for each in occurrences]
    words = tuple(sorted(set(names)))
    number = {word: at for at, word in enumerate(words)}
    groups = [np.array([at for at, name in enumerate(names) if name == word]) for word in words] if words else []
    rows = [(group[one], group[other]) for group in groups for one, other in [np.triu_indices(len(group), 1)]]
    first, second = (np.concatenate([row[side] for row in rows]).astype(int) for side in (0, 1))
    kinds = Labels.of([each.label for each in occurrences]).same(first, second)
    return Pairs(first, second, np.array([number[names[one]] for one in first], dtype=int), kinds, words)


@dataclass(frozen=True)
class Labels:
    """Labels as numbers.

    >>> labels = Labels.of(["bank", "bank", "river", "!bank", "!bank", ""])
    >>> labels.same(np.array([0, 0, 0, 2, 3, 0]), np.array([1, 2, 3, 3, 4, 5])).tolist()
    [1, 0, 0, -1, -1, -1]

    Attributes:
        sense: (occurrences,), the number of the sense that is named; −1 where none is.
        other: (occurrences,), whether it is any but that one.
    """

    sense: np.ndarray
    other: np.ndarray

    @classmethod
    def of(cls, labels: Sequence[str]) -> "Labels":
        """From what stands in a table."""
        known = {name: at for at, name in enumerate(sorted({label.lstrip(NOT) for label in labels} - {""}))}
        sense = np.array([known.get(label.lstrip(NOT), -1) for label in labels], dtype=int)
        return cls(sense, np.array([label.startswith(NOT) for label in labels], dtype=bool))

    def same(self, first: np.ndarray, second: np.ndarray) -> np.ndarray:
        """Of pairs of occurrences: 1 one sense, 0 different ones, −1 where labels do not tell."""
        one, other = self.sense[first], self.sense[second]
        equal, others = one == other, self.other[first].astype(int) + self.other[second]
        untold = (one < 0) | (other < 0) | (others == 2) | ((others == 1) & ~equal)
        return np.where(untold, -1, (equal & (others == 0)).astype(int))

    def drawn(self, order: np.ndarray) -> "Labels":
        """The same labels on other occurrences."""
        return Labels(self.sense[order], self.other[order])


def alike(vectors: np.ndarray, of: Pairs) -> np.ndarray:
    """The cosine of each pair, (pairs,), from vectors (occurrences, d)."""
    unit = directions(vectors)
    return np.round(np.einsum("pd,pd->p", unit[of.first], unit[of.second]), DIGITS)


def auc(values: np.ndarray, kinds: np.ndarray) -> float | None:
    """How often a pair of one sense is more alike than one of different senses, equals counted half; None if undefined.

    It is the area under the ROC curve (Mann & Whitney 1947).

    Args:
        values: (pairs,).
        kinds: (pairs,), 1 one sense, 0 different ones; others are left out.

    >>> auc(np.array([0.9, 0.5, 0.7, 0.1]), np.array([1, 1, 0, 0]))
    0.75
    """
    known = (kinds >= 0) & ~np.isnan(values)
    right, count = kinds[known] == 1, int(known.sum())
    ones = int(right.sum())
    if not 0 < ones < count:
        return None
    ranks = rankdata(values[known])
    return float((ranks[right].sum() - ones * (ones + 1) / 2) / (ones * (count - ones)))


@dataclass(frozen=True)
class Layer:
    """What one layer makes of senses.

    Attributes:
        layer: 0 before attention, then 1, 2 … after each layer; −1 words alone.
        auc: see `auc`; None where no label tells.
        same, different: the mean cosine of pairs of one sense, and of different ones; None where there are none.
        every: the mean cosine of all pairs.
    """

    layer: int
    auc: float | None
    same: float | None
    different: float | None
    every: float

    @property
    def apart(self) -> float:
        """How far senses are apart: `same` − `different`; 1 stands for `same`, `every` for `different`, if unknown."""
        return (1.0 if self.same is None else self.same) - (self.every if self.different is None else self.different)


def layer_of(number: int, values: np.ndarray, kinds: np.ndarray) -> Layer:
    """A layer from the cosines of its pairs."""
    one, other = (_mean(values[kinds == kind]) for kind in (1, 0))
    return Layer(number, auc(values, kinds), one, other, float(np.mean(values)))


def _mean(values: np.ndarray) -> float | None:
    return float(values.mean()) if len(values) else None


def parted(layers: Sequence[Layer]) -> int:
    """The layer that brings senses apart most: where the AUC grows most over the layer before; without one, `apart`.

    Args:
        layers: 0, 1, 2 …

    >>> parted([Layer(n, None, None, None, cosine) for n, cosine in enumerate([0.9, 0.8, 0.3, 0.4])])
    2
    """
    told = [layer.auc for layer in layers if layer.auc is not None]
    grown = np.diff(told if len(told) == len(layers) else [layer.apart for layer in layers])
    return 1 + int(np.argmax(np.nan_to_num(grown)))


@dataclass(frozen=True)
class Paths:
    """Where occurrences are on their way, in the plane that shows most of what sets them apart.

    Attributes:
        points: (stages, occurrences, 2); their distances are at most those of the vectors made one long.
        shares: the share of all squared distances from the middle that each axis shows.
    """

    points: np.ndarray
    shares: tuple[float, float]


def paths(vectors: np.ndarray) -> Paths:
    """Vectors (stages, occurrences, d), made one long and centred stage by stage, on their first two principal axes.

    The axes are one and the same for all stages. Where all vectors are equal, all points are (0, 0).
    """
    unit = np.nan_to_num(directions(vectors))  # one without a length points nowhere
    moved = unit - unit.mean(axis=1, keepdims=True)
    points, shares = principal(moved.reshape(-1, moved.shape[-1]))
    return Paths(points.reshape(*moved.shape[:2], 2), shares)
