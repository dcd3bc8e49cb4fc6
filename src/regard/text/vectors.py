"""Words with their vectors: a table that may lie in a file, mapped and never read whole.

The numbers stay as they were stored (float32, float16, bfloat16 …); what is computed with is made float32 block by
block, so millions of words take no more memory than a block.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

BLOCK = 2**22
"""So many numbers are looked at at once: 16 MiB, which a processor's cache holds nearly."""

_SMALL = 1e-18


@dataclass(frozen=True, eq=False)
class Vectors:
    """Words and the table of their vectors.

    Attributes:
        words: each once, as people read it.
        table: (rows, width); `uint16` holds bfloat16.
        rows: of each word its row; None where the n-th word has the n-th row.
        name: what they are called: a file, a model.
        cut: of vectors that are a model's: the rows of a word's pieces; None where a word has one row or none.
        pieces: the pieces of those rows, as people read them.
        doubled: how many words came a second time and were left out, and the first of these.
        stored: the lengths, where they were kept beside the table.
    """

    words: Sequence[str]
    table: np.ndarray
    rows: np.ndarray | None = None
    name: str = ""
    cut: Callable[[str], Sequence[int]] | None = None
    pieces: Callable[[Sequence[int]], Sequence[str]] | None = None
    doubled: tuple[int, str] = (0, "")
    stored: np.ndarray | None = None

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name}: {len(self)} × {self.width}>"

    def __len__(self) -> int:
        return len(self.words)

    @property
    def width(self) -> int:
        """How many numbers a vector has."""
        return int(self.table.shape[1])

    @cached_property
    def index(self) -> dict[str, int]:
        """Of each word its number."""
        return {word: at for at, word in enumerate(self.words)}

    @cached_property
    def small(self) -> bool:
        """Whether words are in small letters, without a capital anywhere: then questions are asked so, too."""
        cased = [word for word in self.words if word != word.upper() or word != word.lower()]
        return bool(cased) and all(word == word.lower() for word in cased)

    def take(self, numbers: Sequence[int] | np.ndarray) -> np.ndarray:
        """The vectors of these words, (n, width), in float32."""
        at = np.asarray(numbers, dtype=np.int64)
        return self.raw(at if self.rows is None else self.rows[at])

    def raw(self, rows: Sequence[int] | np.ndarray) -> np.ndarray:
        """These rows of the table, in float32."""
        return as_float32(self.table[np.asarray(rows, dtype=np.int64)])

    def first(self, count: int) -> "Vectors":
        """The first words alone; files put the frequent ones first."""
        rows, stored = (None if each is None else each[:count] for each in (self.rows, self.stored))
        table = self.table if self.rows is not None else self.table[:count]
        return replace(self, words=self.words[:count], table=table, rows=rows, stored=stored)

    def blocks(self) -> Iterator[tuple[slice, np.ndarray]]:
        """All words' vectors, in order, some at a time: which words, and (n, width) in float32."""
        step = max(1, BLOCK // max(1, self.width))
        for start in range(0, len(self), step):
            here = slice(start, min(start + step, len(self)))
            yield here, as_float32(self.table[here if self.rows is None else self.rows[here]])

    @cached_property
    def lengths(self) -> np.ndarray:
        """‖vector‖ of each word, (words,), in float32; NaN where a vector points nowhere: 0, ∞."""
        found = self.stored if self.stored is not None else np.concatenate([lengths(each) for _, each in self.blocks()])
        return np.where((found > 0) & np.isfinite(found), found, np.float32(np.nan))


def lengths(block: np.ndarray) -> np.ndarray:
    """‖row‖ of each row.

    >>> lengths(np.array([[3.0, 4.0], [0.0, 0.0]]))
    array([5., 0.])
    """
    with np.errstate(all="ignore"):
        found = np.asarray(np.sqrt(np.einsum("ij,ij->i", block, block)))
        odd = np.flatnonzero(~((found > _SMALL) & (found < 1 / _SMALL)))  # their squares are beyond float32
        found[odd] = np.linalg.norm(block[odd].astype(np.float64), axis=1)
    return found


def as_float32(stored: np.ndarray) -> np.ndarray:
    """Numbers as they are computed with; bfloat16, which numpy lacks, is the upper half of float32.

    >>> as_float32(np.array([0x3F80, 0xC000], dtype=np.uint16))
    array([ 1., -2.], dtype=float32)
    """
    if stored.dtype == np.uint16:
        return (stored.astype(np.uint32) << 16).view(np.float32)
    found: Any = np.asarray(stored)
    return np.asarray(found.astype(np.float32, copy=False))
