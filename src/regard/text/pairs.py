"""Parallel text, read as pairs: line i of one side belongs to line i of the other, whatever stands in them.

A field is plain text: no quoting, no escapes, no missing values. A `"` at its head, the words NA and null, a U+2028
inside it are what they are. What cannot be paired is refused, never guessed.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from regard.core.errors import BadInput
from regard.text import json_pairs
from regard.text.lines import STDIN, read_lines, shown_name

Columns = tuple[int, int] | tuple[str, str]
"""Which columns of a TSV, from 1, or which fields of JSON objects are source and target."""


@dataclass(frozen=True)
class Pairs:
    """Sentences and their translations: `source[i]` and `target[i]` stood in line `line[i]` (from 1) of the file."""

    source: Sequence[str]
    target: Sequence[str]
    line: Sequence[int]

    def __post_init__(self) -> None:
        if not len(self.source) == len(self.target) == len(self.line):
            raise BadInput("pairs_sides", source=len(self.source), target=len(self.target), line=len(self.line))

    def __len__(self) -> int:
        return len(self.source)

    def take(self, chosen: Iterable[int] | np.ndarray) -> "Pairs":
        """These pairs, in this order; each stays whole."""
        order = [int(i) for i in chosen]
        return Pairs([self.source[i] for i in order], [self.target[i] for i in order], [self.line[i] for i in order])


def read_pairs(paths: Sequence[Path | str], *, columns: Columns | None = None, encoding: str = "utf-8") -> Pairs:
    """The pairs of one TSV or JSON lines file, or of two files with as many lines each. Empty sides stay:
    `doctor.clean` drops them.

    Args:
        paths: `[pairs.tsv]`, `[pairs.jsonl]` or `[source.txt, target.txt]`; gzip is unpacked, `-` is standard input.
        columns: which columns of a TSV are source and target, from 1, or which fields of JSON objects, by name.
            Without it, a TSV has two, neither more nor fewer, and for JSON see `json_pairs`; a blank line is a pair
            with two empty sides.
        encoding: of all files.

    Raises:
        BadInput: a line with a wrong number of columns, files of unequal length, no line at all, and what
            `lines.each_line` refuses.
    """
    if len(paths) not in (1, 2) or [str(path) for path in paths] == [STDIN, STDIN]:
        raise BadInput("pairs_files", count=len(paths))
    if len(paths) == 2 and columns is not None:
        raise BadInput("pairs_columns_of_two", columns=_listed(columns))
    if len({Path(path).resolve() for path in paths}) < len(paths):
        raise BadInput("pairs_same", path=shown_name(paths[0]))
    read = _read_one(paths[0], columns, encoding) if len(paths) == 1 else _read_two(paths[0], paths[1], encoding)
    if not len(read):
        raise BadInput("pairs_empty", path=shown_name(paths[0]))
    return read


def parse_columns(text: str) -> Columns:
    """The value of `--columns`: two numbers from 1, or two names.

    >>> parse_columns("2,1"), parse_columns("en, fr")
    ((2, 1), ('en', 'fr'))
    """
    fields = [field.strip() for field in text.split(",")]
    if len(fields) != 2 or not all(fields) or len(set(fields)) != 2:
        raise BadInput("pairs_columns", columns=text)
    if any(_is_number(field) for field in fields):
        if not all(field.isascii() and field.isdigit() and len(field) < 5 for field in fields):
            raise BadInput("pairs_columns", columns=text)
        return _checked((int(fields[0]), int(fields[1])))
    return fields[0], fields[1]


def _is_number(field: str) -> bool:
    return field.isascii() and field.lstrip("+-").replace(".", "").isdigit()


def _checked(columns: tuple[int, int]) -> tuple[int, int]:
    if len(set(columns)) != 2 or min(columns) < 1:
        raise BadInput("pairs_columns", columns=_listed(columns))
    return columns


def _listed(columns: Sequence[int | str]) -> str:
    return ",".join(map(str, columns))


def _read_one(path: Path | str, columns: Columns | None, encoding: str) -> Pairs:
    lines, name = read_lines(path, encoding=encoding), shown_name(path)
    named = columns is not None and isinstance(columns[0], str)
    if not json_pairs.is_json(name, lines):
        if named and lines:
            raise BadInput("pairs_columns_named", path=name, columns=_listed(columns or ()))
        return _read_table(path, lines, None if named else columns)  # type: ignore[arg-type]
    if columns is not None and not named:
        raise BadInput("pairs_columns_numbered", path=name, columns=_listed(columns))
    found = json_pairs.sides(lines, columns, name)  # type: ignore[arg-type]
    return Pairs([s for s, _ in found], [t for _, t in found], list(range(1, len(found) + 1)))


def _read_table(path: Path | str, lines: Sequence[str], columns: tuple[int, int] | None) -> Pairs:
    source, target = _checked(columns or (1, 2))
    rows = [line.split("\t") for line in lines]
    fits = (lambda n: n == 2) if columns is None else (lambda n: n >= max(columns))
    for number, row in enumerate(rows, start=1):
        if not fits(len(row)):
            if any(field.strip() for field in row):
                _refuse_row(path, number, len(row), columns)
            row[:] = [""] * max(source, target)  # a blank line
    return Pairs([r[source - 1] for r in rows], [r[target - 1] for r in rows], list(range(1, len(rows) + 1)))


def _refuse_row(path: Path | str, line: int, count: int, columns: tuple[int, int] | None) -> None:
    facts = {"path": shown_name(path), "line": line, "count": count}
    if columns is not None:
        raise BadInput("pairs_row_short", columns=_listed(columns), **facts)
    raise BadInput("pairs_row_one" if count == 1 else "pairs_row_many", **facts)


def _read_two(source: Path | str, target: Path | str, encoding: str) -> Pairs:
    left, right = read_lines(source, encoding=encoding), read_lines(target, encoding=encoding)
    if len(left) != len(right):
        shorter, longer = sorted(((len(left), shown_name(source)), (len(right), shown_name(target))))
        raise BadInput(
            "pairs_unequal", shorter=shorter[1], shorter_count=shorter[0], longer=longer[1], longer_count=longer[0],
            line=shorter[0] + 1,
        )  # fmt: skip
    return Pairs(left, right, list(range(1, len(left) + 1)))
