"""A direction from pairs of words (man → woman, small → big), and words measured along it.

The direction is the mean of the pairs' differences, made of unit length (Bolukbasi et al. 2016 take the first principal
component of the same differences; with pairs that agree both are one). A word's place on it is the cosine between both.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from regard.core.errors import BadInput
from regard.inspection.directions import Near, cosine, near, point
from regard.text.vectors import Vectors


@dataclass(frozen=True)
class Pair:
    """Two words, and the cosine between their difference and the mean of the *other* pairs'; None where it is alone."""

    start: str
    end: str
    cosine: float | None


@dataclass(frozen=True)
class Direction:
    """A direction among words.

    Attributes:
        vector: (width,), of unit length, in float64.
        pairs: what it was made of.
        numbers: the words of the pairs: they are no answers.
    """

    vector: np.ndarray = field(repr=False)
    pairs: tuple[Pair, ...]
    numbers: tuple[int, ...] = field(repr=False)

    def ends(self, vectors: Vectors, count: int) -> tuple[list[Near], list[Near]]:
        """The words that lie furthest along it, and furthest against it, the words of the pairs left out."""
        along = near(vectors, self.vector, count, self.numbers)
        against = [Near(each.word, -each.cosine) for each in near(vectors, -self.vector, count, self.numbers)]
        return along, against


def direction(
    vectors: Vectors, pairs: Sequence[tuple[str, str]], *, lower: bool | None = None, unit: bool = True
) -> Direction:
    """The direction in which the second word of each pair lies from the first.

    Raises:
        BadInput: no pair, an unknown word, pairs whose differences take each other away.

    >>> vectors = Vectors(["a", "b", "c", "d"], np.array([[1.0, 0], [0, 1.0], [1.0, 0.5], [0.5, 1.0]]))
    >>> found = direction(vectors, [("a", "b"), ("c", "d")])
    >>> found.vector.round(4), round(found.pairs[0].cosine, 4)
    (array([-0.7071,  0.7071]), 1.0)
    """
    if not pairs:
        raise BadInput("direction_empty")
    places = [[point(vectors, word, lower=lower, unit=unit) for word in pair] for pair in pairs]
    steps = np.array([end.vector - start.vector for start, end in places])
    still = np.flatnonzero(np.linalg.norm(steps, axis=1) < 1e-9)
    if still.size:
        raise BadInput("direction_still", start=pairs[still[0]][0], end=pairs[still[0]][1])
    mean = steps.mean(axis=0)
    length = float(np.linalg.norm(mean))
    if length < 1e-9:
        raise BadInput("direction_nowhere", count=len(pairs))
    agreeing = [_cosine(step, mean * len(steps) - step) for step in steps]
    found = tuple(Pair(start, end, agree) for (start, end), agree in zip(pairs, agreeing, strict=True))
    numbers = dict.fromkeys(number for pair in places for each in pair for number in each.numbers)
    return Direction(mean / length, found, tuple(numbers))


def _cosine(step: np.ndarray, others: np.ndarray) -> float | None:
    return cosine(step, others) if np.linalg.norm(others) > 1e-9 else None


def pairs_of(text: str) -> list[tuple[str, str]]:
    """Pairs as they are typed: `man:woman, king:queen`.

    Raises:
        BadInput: `direction_pair`: a part that is not two words with a colon between.

    >>> pairs_of("man:woman, king : queen")
    [('man', 'woman'), ('king', 'queen')]
    """
    found = []
    for part in text.replace("，", ",").replace("：", ":").split(","):
        words = [word.strip() for word in part.split(":")]
        if len(words) != 2 or not all(words):
            raise BadInput("direction_pair", came=part.strip()[:60])
        found.append((words[0], words[1]))
    return found
