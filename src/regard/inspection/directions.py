"""Where words point: sums of their vectors, the words nearest to them, directions from pairs, and a plane to draw.

Vectors are made of unit length before they are added (3CosAdd of Mikolov et al. 2013 as Levy & Goldberg 2014, §3,
define it), so a frequent word, whose vector is long, counts no more than another; `unit=False` adds them as they are.
Searches are exact: products of matrices over all words, block by block, in float32; the answers are computed again in
float64.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from heapq import nlargest
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from regard.core.errors import BadInput
from regard.core.nearest import nearest
from regard.inspection.meaning import principal
from regard.text.expressions import parse
from regard.text.vectors import Vectors, lengths

_SPARE = 8
"""So many more than asked for are compared in float64: float32 may order near ones otherwise."""

_ALIKE, _MANY = 200, 20_000
"""So many words are held letter by letter against an unknown one; so many where none is nearly as long."""

_SHOWN = 80
"""So many letters of an unknown word are told."""


class Near(NamedTuple):
    """A word and the cosine between its vector and what was asked."""

    word: str
    cosine: float


@dataclass(frozen=True)
class Resolved:
    """A word as it was found.

    Attributes:
        vector: (width,), in float64, of unit length where that was asked for.
        numbers: the words of the vectors that it is, or is made of.
        pieces: of a word that a tokenizer cuts: its pieces; the vector is their mean. Empty for a word as it stands.
    """

    vector: np.ndarray
    numbers: tuple[int, ...]
    pieces: tuple[str, ...] = ()


@dataclass(frozen=True)
class Point:
    """A sum of words.

    Attributes:
        vector: (width,), in float64.
        words: of each word how it was found.
    """

    vector: np.ndarray
    words: Mapping[str, Resolved]

    @property
    def numbers(self) -> tuple[int, ...]:
        """The words that it is made of: they are no answers."""
        return tuple({number: None for word in self.words.values() for number in word.numbers})


def resolved(vectors: Vectors, word: str, *, lower: bool | None = None, unit: bool = True) -> Resolved:
    """A word among the vectors: as it stands; with `_` for its spaces (word2vec's phrases); or in a model's pieces.

    Args:
        lower: ask in small letters; None: where no word of the vectors has a capital.

    Raises:
        BadInput: `word_unknown`, with the nearest spellings; `word_signs`, where a sum was written without spaces.

    >>> vectors = Vectors(["cat", "new_york"], np.array([[3.0, 4.0], [0.0, 2.0]]))
    >>> resolved(vectors, "New York").vector
    array([0., 1.])
    """
    asked = word.lower() if (vectors.small if lower is None else lower) else word
    for each in (asked, asked.replace(" ", "_")):
        if each in vectors.index:
            at = vectors.index[each]
            return Resolved(_vector(vectors.take([at])[0], unit, word), (at,))
    rows = list(vectors.cut(word)) if vectors.cut is not None else []
    if not rows:
        raise _unknown(vectors, word, asked)
    numbers = np.flatnonzero(np.isin(np.arange(len(vectors)) if vectors.rows is None else vectors.rows, rows))
    pieces = tuple(vectors.pieces(rows)) if vectors.pieces is not None and len(rows) > 1 else ()
    mean = vectors.raw(rows).mean(axis=0, dtype=np.float64)
    return Resolved(_vector(mean, unit, word), tuple(numbers.tolist()), pieces)


def _unknown(vectors: Vectors, word: str, asked: str) -> BadInput:
    parts = re.split(r"([-+*−])", asked)
    if len(parts) > 1 and all(part in vectors.index for part in parts[::2]):
        return BadInput("word_signs", word=word, meant=" ".join(parts), name=vectors.name)
    facts = {"word": word if len(word) <= _SHOWN else f"{word[:_SHOWN]}…", "name": vectors.name, "count": len(vectors)}
    known = [each for each in spellings(vectors.words, asked) if set(each.casefold()) & set(asked.casefold())]
    return BadInput("word_unknown", **facts, nearest=" / ".join(known)) if known else BadInput("word_alone", **facts)


def _vector(stored: np.ndarray, unit: bool, word: str) -> np.ndarray:
    vector = stored.astype(np.float64)
    length = float(np.linalg.norm(vector))
    if length == 0 or not np.isfinite(length):
        raise BadInput("word_nowhere" if length == 0 else "word_not_finite", word=word)
    return vector / length if unit else vector


def spellings(words: Sequence[str], asked: str, count: int = 3) -> list[str]:
    """The words that are written most like `asked`.

    >>> spellings(["king", "ring", "queen", "kingdom"], "kign", 2)
    ['king', 'ring']
    """
    pairs = _pairs(asked)
    close = [word for word in words if abs(len(word) - len(asked)) <= 2] or list(words[:_MANY])
    alike = nlargest(_ALIKE, close, key=lambda word: len(pairs & _pairs(word)))
    found = [word for word in alike if sorted(word) == sorted(asked)][:1]  # letters that changed places
    alike = [word for word in alike if word not in found]
    while alike and len(found) < count:
        found.append(nearest(asked, alike))
        alike.remove(found[-1])
    return found


def _pairs(word: str) -> set[tuple[str, str]]:
    """The letters of a word, two by two, and the first by itself."""
    plain = word.casefold()
    return {("", plain[:1]), *pairwise(plain)}


def point(vectors: Vectors, text: str, *, lower: bool | None = None, unit: bool = True) -> Point:
    """A sum of words, such as `king - man + woman`: see `text.expressions`.

    Raises:
        BadInput: no sum, an unknown word, or words that take each other away.

    >>> vectors = Vectors(["a", "b"], np.array([[2.0, 0.0], [0.0, 5.0]]))
    >>> point(vectors, "a - 0.5*b").vector
    array([ 1. , -0.5])
    """
    weights = parse(text)
    words = {word: resolved(vectors, word, lower=lower, unit=unit) for word in weights}
    total = sum((weight * words[word].vector for word, weight in weights.items()), np.zeros(vectors.width))
    scale = max(abs(weight) * float(np.linalg.norm(words[word].vector)) for word, weight in weights.items())
    if np.linalg.norm(total) <= 1e-9 * scale or scale == 0:
        raise BadInput("words_nothing", text=text[:200])
    return Point(total, words)


def cosine(one: np.ndarray, other: np.ndarray) -> float:
    """The cosine between two vectors, within −1…1.

    >>> cosine(np.array([1.0, 0.0]), np.array([3.0, 3.0])).__round__(4)
    0.7071
    """
    found = one @ other / (np.linalg.norm(one) * np.linalg.norm(other))
    return float(np.clip(found, -1.0, 1.0))


def near(vectors: Vectors, vector: np.ndarray, count: int, without: Sequence[int] = ()) -> list[Near]:
    """The words whose vectors point most as `vector` (width,) does, the nearest first; of equal ones the earlier.

    Args:
        without: numbers of words that are no answers.

    >>> vectors = Vectors(["up", "right", "left"], np.array([[0.0, 2.0], [1.0, 0.1], [-1.0, 0.0]]))
    >>> [each.word for each in near(vectors, np.array([1.0, 0.0]), 2)]
    ['right', 'up']
    """
    direction = (vector / np.linalg.norm(vector)).astype(np.float32)
    scores = np.empty(len(vectors), dtype=np.float32)
    measured = vectors.__dict__.get("lengths")
    for here, block in vectors.blocks():
        long = lengths(block) if measured is None and vectors.stored is None else vectors.lengths[here]
        with np.errstate(all="ignore"):
            scores[here] = block @ direction / long
    scores[np.isnan(scores)] = -np.inf
    scores[list(without)] = -np.inf
    wanted = min(count + _SPARE, len(scores))
    some = np.sort(np.argpartition(-scores, wanted - 1)[:wanted])
    some = some[np.isfinite(scores[some])]
    exact = [(cosine(each.astype(np.float64), vector), at) for each, at in zip(vectors.take(some), some, strict=True)]
    exact.sort(key=lambda pair: (-pair[0], pair[1]))
    return [Near(vectors.words[at], found) for found, at in exact[:count]]


def plane(points: np.ndarray, along: np.ndarray | None = None) -> tuple[np.ndarray, tuple[float, float]]:
    """Points on the plane on which they are spread most (principal components), and the share of each axis.

    Args:
        points: (n, width).
        along: (width,), of unit length: the first axis, measured from the origin; the second is then the one across it
            on which they are spread most.

    Returns:
        (n, 2), and the shares of the variance. Of a principal component the coordinate furthest out is positive.

    >>> plane(np.array([[0.0, 0.0, 1.0], [2.0, 0.0, 1.0], [4.0, 0.0, 1.0]]))[0][:, 0]
    array([-2.,  0.,  2.])
    """
    centred = points - points.mean(axis=0)
    if along is not None:
        across, (share, _) = plane(points - np.outer(points @ along, along))
        whole, measured = max(float((centred**2).sum()), 1e-300), points @ along
        rest = float(((centred - np.outer(centred @ along, along)) ** 2).sum())
        return np.column_stack([measured, across[:, 0]]), (1 - rest / whole, share * rest / whole)
    return principal(centred)
