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
    used, columns = np.unique(asked, return_inverse=True)
    columns = columns.reshape(asked.shape)
    words = vectors.take(used)
    if unit or method == "mul":
        words = words / vectors.lengths[used, None]
    step = max(256, min(_ROWS, _TABLE // len(used)))
    top = np.full(len(asked), -np.inf, dtype=np.float32)
    found = np.full(len(asked), -1, dtype=np.int64)
    for here, block in vectors.blocks():
        for start in range(here.start, here.stop, step):
            rows = slice(start, min(start + step, here.stop))
            part = block[rows.start - here.start : rows.stop - here.start]
            with np.errstate(invalid="ignore"):
                cosines = words @ (part / vectors.lengths[rows, None]).T
            _better(cosines, rows, asked, columns, method, top, found)
        tell(here.stop)
    return found


def _better(
    cosines: np.ndarray,
    rows: slice,
    asked: np.ndarray,
    columns: np.ndarray,
    method: str,
    top: np.ndarray,
    found: np.ndarray,
) -> None:
    """Where one of these words answers a question better than those before, it takes their place."""
    if method == "mul":
        cosines = (cosines + 1) / 2
    step = max(1, _CELLS // cosines.shape[1])
    for start in range(0, len(asked), step):
        some = slice(start, start + step)
        scores = _scores(cosines, columns[some], method)
        inside = (asked[some] >= rows.start) & (asked[some] < rows.stop)
        where, which = np.nonzero(inside)
        scores[where, asked[some][where, which] - rows.start] = -np.inf
        np.nan_to_num(scores, copy=False, nan=-np.inf, neginf=-np.inf)
        at = scores.argmax(axis=1)
        here = scores[np.arange(len(at)), at]
        won = here > top[some]
        top[some][won] = here[won]
        found[some][won] = at[won] + rows.start


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
