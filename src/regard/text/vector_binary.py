"""word2vec's binary form: of each word its bytes, a space, and its numbers as they lie in memory (float32, little)."""

from collections.abc import Iterable, Iterator

import numpy as np

from regard.core.errors import BadInput
from regard.text.vector_text import gathered

_BLOCK = 2**24
_LONGEST = 2**12
"""Bytes of a word; what is longer is no word, but numbers out of step."""


def binary_blocks(
    chunks: Iterable[bytes], count: int, width: int, name: str
) -> Iterator[tuple[list[bytes], np.ndarray]]:
    """The words of a part of the file at a time, and their vectors (words, width) in float32.

    Args:
        count, width: what the first line says.

    Raises:
        BadInput: `vectors_cut`, `vectors_binary`, `vectors_infinite`: by the number of the word.
    """
    held, done = b"", 0
    for chunk in gathered(chunks, _BLOCK):
        held = held + chunk if done or held else chunk.partition(b"\n")[2]
        words, starts, until = _found(held, count - done, width)
        values = np.array([np.frombuffer(held, "<f4", width, start) for start in starts])
        if words:
            _refuse(words, values, done, name)
            yield words, values
        held, done = held[until:], done + len(words)
        if done < count and held.find(b" ", 0, _LONGEST) < 0 and len(held) > _LONGEST:
            raise BadInput("vectors_binary", path=name, word=done + 1)
        if done == count and held.strip():
            raise BadInput("vectors_longer", path=name, said=count)
    if done < count:
        raise BadInput("vectors_cut", path=name, said=count, came=done)


def _found(held: bytes, most: int, width: int) -> tuple[list[bytes], list[int], int]:
    """The words that are here whole, where the numbers of each begin, and where the last ends."""
    words: list[bytes] = []
    starts: list[int] = []
    until, size = 0, 4 * width
    while len(words) < most:
        space = held.find(b" ", until, until + _LONGEST)
        if space < 0 or space + 1 + size > len(held):
            break
        words.append(held[until:space].lstrip(b"\n"))
        starts.append(space + 1)
        until = space + 1 + size
    return words, starts, until


def _refuse(words: list[bytes], values: np.ndarray, done: int, name: str) -> None:
    """Refuse words that cannot be, and numbers that are none."""
    whole = np.isfinite(values).all(axis=1)
    broken = [at for at, word in enumerate(words) if not word or b"\n" in word]
    if broken:
        raise BadInput("vectors_binary", path=name, word=done + broken[0] + 1)
    if not whole.all():
        at = int(whole.argmin())
        raise BadInput("vectors_infinite", path=name, number=done + at + 1, word=words[at].decode("utf-8", "replace"))
