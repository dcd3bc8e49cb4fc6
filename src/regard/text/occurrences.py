"""One word in its sentences: found where it stands, or read from a table of `word, index, label, sentence`.

Words are counted from 0 between spaces; in a sentence with a script that has none, each letter counts as a word.

A label names a sense. `!sense` says only which one it is not: as people mark it who were shown one meaning.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from regard.core.errors import BadInput
from regard.text.doctor import tidy
from regard.text.lines import read_lines, shown_name, typed
from regard.text.scripts import SPACELESS, unspaced
from regard.text.words import word_spans

COLUMNS = ("word", "index", "label", "sentence")
NOT = "!"
"""Before a label: any sense but this one."""

_UNITS = re.compile(rf"[{SPACELESS}]|[^\s{SPACELESS}]+")
_FORM = re.compile(r"\w+(?:[-'’]\w+)*")
_WORDS = re.compile(rf"{_FORM.pattern}|[^\w\s]+")
_ALIKE = 3
"""A form of a word begins as the word does, with so many letters."""


@dataclass(frozen=True)
class Occurrence:
    """One word where it stands.

    Attributes:
        word: as asked for.
        index: of the word in the sentence, counted from 0.
        label: its sense; empty where nobody says.
        sentence: all of it.
        span: the characters of the sentence that it covers, from … to.
    """

    word: str
    index: int
    label: str
    sentence: str
    span: tuple[int, int]


def found(word: str, sentence: str, label: str = "") -> list[Occurrence]:
    """Every place of a word in a sentence: as a whole word, in capitals or not; anywhere where there are no spaces.

    >>> [each.index for each in found("can", "I can can a can.")]
    [1, 2, 4]
    """
    text = tidy(typed(sentence).text)
    starts = [start for start, _ in _units(text)]
    places = [match.span() for match in _pattern(word).finditer(text)] if word.strip() else []
    counted = (sum(start <= place[0] for start in starts) - 1 for place in places)
    return [Occurrence(word, index, label, text, place) for index, place in zip(counted, places, strict=True)]


def read(path: Path | str, *, encoding: str = "utf-8") -> list[Occurrence]:
    """The occurrences of a table with tabs; a first line with the names of the columns may stand there.

    Raises:
        BadInput: `senses_row`: a line with more or fewer columns; `senses_index`, `senses_outside`, `senses_elsewhere`:
            an index that is no number, beyond the sentence, or of another word; `senses_empty`; what `lines` refuses.
    """
    name, rows = shown_name(path), list(enumerate(read_lines(path, encoding=encoding), start=1))
    if rows and tuple(cell.strip().lower() for cell in rows[0][1].split("\t")) == COLUMNS:
        rows = rows[1:]
    told = [_row(line, name, number) for number, line in rows if line.strip()]
    if not told:
        raise BadInput("senses_empty", path=name)
    return told


def _row(line: str, path: str, number: int) -> Occurrence:
    cells = line.split("\t")
    facts = {"path": path, "line": number}
    if len(cells) != len(COLUMNS):
        raise BadInput("senses_row", count=len(cells), **facts)
    word, index, label, sentence = (cell.strip() for cell in cells)
    if not (index.isascii() and index.isdigit() and len(index) < 7):
        raise BadInput("senses_index", came=index[:40], **facts)
    text = tidy(sentence)
    units = _units(text)
    if int(index) >= len(units):
        raise BadInput("senses_outside", index=int(index), count=len(units), **facts)
    span = _span(word, text, units[int(index)])
    if span is None:
        came = text[slice(*units[int(index)])]
        raise BadInput("senses_elsewhere", index=int(index), came=came[:40], word=word, **facts)
    return Occurrence(word, int(index), label, text, span)


def _span(word: str, text: str, unit: tuple[int, int]) -> tuple[int, int] | None:
    """The characters that a word, or a form of it, covers at this place; None where another word stands."""
    start, end = unit
    match = _pattern(word).search(text, start) if word else None
    if match and match.start() < end:
        return match.span()
    form = _FORM.search(text, start, end)
    begins = word[:_ALIKE].casefold()
    return form.span() if form and begins and form[0].casefold().startswith(begins) else None


def _pattern(word: str) -> re.Pattern[str]:
    border = "" if unspaced(word) else r"\b"
    return re.compile(
        f"{border if word[:1].isalnum() else ''}{re.escape(word)}{border if word[-1:].isalnum() else ''}", re.I
    )


def _units(text: str) -> list[tuple[int, int]]:
    """The characters that each word covers: between spaces, or letter by letter."""
    return [match.span() for match in _UNITS.finditer(text)] if unspaced(text) else word_spans(text)


def parts(text: str) -> Iterator[tuple[int, int]]:
    """The characters of each word and each run of signs: *check?* is two; letter by letter where there are no spaces.

    >>> [text[slice(*span)] for text in ("May I?",) for span in parts(text)]
    ['May', 'I', '?']
    """
    pattern = _UNITS if unspaced(text) else _WORDS
    return (match.span() for match in pattern.finditer(text))


def of_word(occurrences: Sequence[Occurrence], word: str) -> list[Occurrence]:
    """Those of one word, in capitals or not."""
    return [each for each in occurrences if each.word.casefold() == word.casefold()]
