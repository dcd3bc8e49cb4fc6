"""How many analogies vectors answer: *a is to b as c is to …*, over all words but a, b and c.

| method | the answer is the word x with the largest |
|---|---|
| `add` | cos(x, b) − cos(x, a) + cos(x, c): 3CosAdd (Mikolov et al. 2013; Levy & Goldberg 2014, equation 3) |
| `mul` | cos(x, b) · cos(x, c) / (cos(x, a) + 0.001), each cosine as (1 + cos) / 2: 3CosMul (the same, §6) |

Every word is compared with the words of the questions once, by a product of matrices; a question is then three rows of
it, added or multiplied. Float32.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from regard.core.errors import BadInput
from regard.text.analogies import Question, Section
from regard.text.vectors import Vectors

METHODS = ("add", "mul")
_EPSILON = np.float32(0.001)
_CELLS = 2**18
"""So many numbers are added at once: they stay in the cache of a core."""

_ROWS, _TABLE = 4096, 2**23
"""So many words are compared with those of the questions at once, or as many as make a table of this many numbers."""


@dataclass(frozen=True)
class Score:
    """What came of the questions of a section.

    Attributes:
        questions: in the file.
        asked: of these, those whose four words are all known.
        right: of these, those answered as the file says.
    """

    name: str
    questions: int
    asked: int
    right: int

    @property
    def accuracy(self) -> float | None:
        """The share of the asked that is right; None where none was asked."""
        return self.right / self.asked if self.asked else None


def answered(
    vectors: Vectors,
    sections: Sequence[Section],
    *,
    method: str = "add",
    lower: bool | None = None,
    unit: bool = True,
    tell: Callable[[int], None] = lambda words: None,
) -> list[Score]:
    """The questions of each section, answered.

    Args:
        lower: ask in small letters; None: where no word of the vectors has a capital.
        unit: words of unit length; else `add` takes the cosine with b − a + c as they are (`mul` knows cosines alone).

    Raises:
        BadInput: `analogies_unknown`: no question is of known words alone.
    """
    small = vectors.small if lower is None else lower
    numbered = [[_numbers(vectors, question, small) for question in each.questions] for each in sections]
    known = [question for each in numbered for question in each if question is not None]
    if not known:
        first = sections[0].questions[0]
        raise BadInput("analogies_unknown", count=sum(map(len, numbered)), question=" ".join(first), name=vectors.name)
    asked = np.array(known, dtype=np.int64)
    right = iter((best(vectors, asked[:, :3], method, unit, tell) == asked[:, 3]).tolist())
    told = []
    for section, questions in zip(sections, numbered, strict=True):
        hits = [next(right) for each in questions if each is not None]
        told.append(Score(section.name, len(questions), len(hits), sum(hits)))
    return told


def _numbers(vectors: Vectors, question: Question, small: bool) -> list[int] | None:
    """The words of a question; None where one is unknown."""
    found = [vectors.index.get(word.lower() if small else word) for word in question]
    return [at for at in found if at is not None] if None not in found else None


def best(
    vectors: Vectors, asked: np.ndarray, method: str, unit: bool, tell: Callable[[int], None] = lambda words: None
) -> np.ndarray:
    """The number of the word that answers each question; of equal ones the earlier.

    Args:
        asked: (questions, 3): the numbers of a, b, c, which are no answers.

    >>> vectors = Vectors(["man", "woman", "king", "queen"], np.array([[1.0, 0], [0, 1], [2, 0.1], [0.1, 2]]))
    >>> best(vectors, np.array([[0, 1, 2]]), "add", True)
    array([3])
    """
    search = _Search(vectors, asked, method, unit)
    step = max(256, min(_ROWS, _TABLE // len(search.rows)))
    for here, block in vectors.blocks():
        for start in range(here.start, here.stop, step):
            some = slice(start, min(start + step, here.stop))
            search.look(block[some.start - here.start : some.stop - here.start], some)
        tell(here.stop)
    return search.found


class _Search:
    """Questions, and the best answer to each so far."""

    def __init__(self, vectors: Vectors, asked: np.ndarray, method: str, unit: bool) -> None:
        self.lengths, self.asked, self.method = vectors.lengths, asked, method
        used, columns = np.unique(asked, return_inverse=True)
        self.columns = columns.reshape(asked.shape)
        self.rows = vectors.take(used)
        if unit or method == "mul":
            self.rows = self.rows / vectors.lengths[used, None]
        self.summed = method == "add" and len(asked) < len(used)
        if self.summed:  # b − a + c of each question takes fewer products than all of their words
            start, end, other = (self.rows[self.columns[:, at]] for at in range(3))
            self.rows = end - start + other
        self.top = np.full(len(asked), -np.inf, dtype=np.float32)
        self.found = np.full(len(asked), -1, dtype=np.int64)

    def look(self, block: np.ndarray, here: slice) -> None:
        """Where one of these words answers a question better than those before, it takes their place."""
        with np.errstate(all="ignore"):
            cosines = self.rows @ (block / self.lengths[here, None]).T
        if self.method == "mul":
            cosines = (cosines + 1) / 2
        nowhere = np.flatnonzero(np.isnan(self.lengths[here]))
        step = max(1, _CELLS // cosines.shape[1])
        for start in range(0, len(self.asked), step):
            self._better(cosines, nowhere, here, slice(start, start + step))

    def _better(self, cosines: np.ndarray, nowhere: np.ndarray, here: slice, some: slice) -> None:
        scores = cosines[some] if self.summed else _scores(cosines, self.columns[some], self.method)
        asked = self.asked[some]
        where, which = np.nonzero((asked >= here.start) & (asked < here.stop))
        scores[where, asked[where, which] - here.start] = -np.inf
        scores[:, nowhere] = -np.inf
        at = scores.argmax(axis=1)
        best_here = scores[np.arange(len(at)), at]
        won = best_here > self.top[some]
        self.top[some][won] = best_here[won]
        self.found[some][won] = at[won] + here.start


def _scores(cosines: np.ndarray, columns: np.ndarray, method: str) -> np.ndarray:
    """Of each question (questions, words). `cosines`: (words of questions, words)."""
    start, end, other = (cosines[columns[:, at]] for at in range(3))
    if method == "mul":
        end *= other
        start += _EPSILON
        end /= start
        return end
    end -= start
    end += other
    return end
