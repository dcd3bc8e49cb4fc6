"""Vectors as text: many lines at once are made numbers, and only where that fails they are looked at one by one."""

import warnings
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import chain

import numpy as np

from regard.core.errors import BadInput
from regard.text.lines import LONGEST

_BLOCK = 2**23
_BETWEEN = b" inf "
"""Stands between the numbers of two lines: where each line has as many numbers, it has a column of its own."""

_LARGEST = float(np.finfo(np.float32).max)
_SEEN = 100
"""So many lines say how many numbers a line has, where no first line says it."""


def text_blocks(chunks: Iterable[bytes], name: str) -> Iterator[tuple[list[bytes], np.ndarray]]:
    """The words of some lines at a time, and their vectors (lines, width) in float32.

    Raises:
        BadInput: `vectors_ragged`, `vectors_number`, `vectors_not_finite`, with the line; `vectors_count`: the first
            line says another number of words.
    """
    said, width, at, count = None, 0, 1, 0
    for lines in _lines(chunks, name):
        if not width:
            said, width = _shape(lines)
            at = 2 if said is not None else 1
            lines = lines[at - 1 :]
        if lines:
            yield _quickly(lines, width) or _slowly(lines, width, at, name)
        at, count = at + len(lines), count + len(lines)
    if said is not None and said != count:
        raise BadInput("vectors_count", path=name, said=said, came=count)


def gathered(chunks: Iterable[bytes], size: int) -> Iterator[bytes]:
    """The same bytes, about `size` at a time."""
    parts: list[bytes] = []
    for chunk in chunks:
        parts.append(chunk)
        if sum(map(len, parts)) >= size:
            yield b"".join(parts)
            parts = []
    yield b"".join(parts)


def _lines(chunks: Iterable[bytes], name: str) -> Iterator[list[bytes]]:
    """Whole lines, many at a time. Blank ones at the end of the file are none."""
    rest, blank, count = b"", 0, 1
    for chunk in chain(gathered(chunks, _BLOCK), [None]):
        head, end, rest = (rest, b"\n", b"") if chunk is None else (rest + chunk).rpartition(b"\n")
        if len(rest) > LONGEST:
            raise BadInput("text_line_endless", path=name, line=count, limit=LONGEST)
        lines = [b""] * blank + _cleaned(head).split(b"\n") if end else []
        full = len(lines)
        while full and not lines[full - 1].strip():
            full -= 1
        blank, count = (len(lines) - full if end else blank), count + full
        if full:
            yield lines[:full]


def _cleaned(text: bytes) -> bytes:
    """Without a byte order mark and carriage returns, and with spaces for tabs."""
    text = text.removeprefix(b"\xef\xbb\xbf")
    if b"\r" in text:
        text = text.replace(b"\r\n", b"\n").removesuffix(b"\r")
    return text.replace(b"\t", b" ") if b"\t" in text else text


def _shape(lines: list[bytes]) -> tuple[int | None, int]:
    """How many words the first line says there are, where it says so, and how many numbers a word has."""
    counts = [len(line.split()) - 1 for line in lines[: _SEEN + 1]]
    first = lines[0].split()
    whole = len(first) == 2 and all(each.isdigit() for each in first) and int(first[1]) > 0
    if whole and (counts[1:2] != [1] or int(first[1]) == 1):  # else the first word of vectors of one number
        return int(first[0]), int(first[1])
    return None, max(1, Counter(counts).most_common(1)[0][0])


def _quickly(lines: list[bytes], width: int) -> tuple[list[bytes], np.ndarray] | None:
    """Words and numbers, where every line is as it should be; else None."""
    words, _, numbers = zip(*(line.partition(b" ") for line in lines), strict=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # it says that the text was no number to its end
        try:
            found = np.fromstring(_BETWEEN.join([*numbers, b""]), np.float32, sep=" ")
        except ValueError:
            return None
    if found.size != len(lines) * (width + 1) or not all(words):
        return None
    values = np.ascontiguousarray(found.reshape(len(lines), width + 1)[:, :width])
    return (list(words), values) if np.isfinite(values).all() else None  # else one of `_BETWEEN` is among them


def _slowly(lines: list[bytes], width: int, at: int, name: str) -> tuple[list[bytes], np.ndarray]:
    """The same one by one: a word may hold spaces (GloVe's `. . .`), and what is wrong is named with its line."""
    words, rows = [], []
    for number, line in enumerate(lines, start=at):
        word, *rest = line.rsplit(None, width) or [b""]
        between = word.split()[1:]
        if len(rest) < width or (between and all(_number(each) is not None for each in between)):
            raise BadInput("vectors_ragged", path=name, line=number, came=max(0, len(line.split()) - 1), width=width)
        values = [_value(each, place, number, name) for place, each in enumerate(rest, start=1)]
        words.append(word)
        rows.append(values)
    return words, np.array(rows, dtype=np.float32)


def _value(text: bytes, place: int, line: int, name: str) -> float:
    found = _number(text)
    if found is None:
        shown = text[:40].decode("utf-8", "replace")
        raise BadInput("vectors_number", path=name, line=line, place=place, came=shown)
    if not abs(found) <= _LARGEST:
        raise BadInput("vectors_not_finite", path=name, line=line, place=place, came=text.decode())
    return found


def _number(text: bytes) -> float | None:
    try:
        return None if b"_" in text else float(text)  # Python's own reading lets 1_0 pass for ten
    except ValueError:
        return None
