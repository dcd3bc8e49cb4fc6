"""A picture as Markdown: grids as tables, formulas and products of matrices as TeX between `$$`.

Draws what a derivation is made of: `Text`, `Formula`, `Grid`, `Table`, `Rows`, `Columns`.
"""

import re
from collections.abc import Callable, Iterable
from typing import Any

from regard.views.latex import equation
from regard.views.picture import Columns, Formula, Grid, Picture, Rows, Table, Text
from regard.views.signs import cell, number, prose, visible

_BLANK = "\\_\\_\\_"


def render(picture: Picture) -> str:
    """The picture as the text of a Markdown file (GitHub, Jupyter, pandoc)."""
    return _drawn(picture) + "\n"


def _drawn(picture: Picture) -> str:
    above = [f"**{_words(picture.title)}**"] if picture.title else []
    below = [_words(each) for each in (picture.reading, picture.check) if each]
    return "\n\n".join([*above, _DRAWN[type(picture)](picture), *below])


def _words(text: str) -> str:
    r"""Prose in which no sign is read as Markdown; an underscore within a word is none: S_raw.

    >>> _words("S_raw * <b>")
    'S_raw \\* \\<b\\>'
    """
    return re.sub(r"([\\`*\[\]<>|~$&]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9]))", r"\\\1", prose(text))


def _text(picture: Text) -> str:
    lines = "  \n".join(map(_words, picture.text.split("\n")))
    return f"{'#' * picture.level} {lines}" if picture.level else lines


def _formula(picture: Formula) -> str:
    return f"$$\n{picture.latex}\n$$"


def _grid(picture: Grid) -> str:
    axes = f"{picture.row_axis} ↓ {picture.column_axis} →" if picture.row_axis and picture.column_axis else ""
    names = picture.row_names or ("",) * len(picture.values)
    rows = [
        [visible(name), *(number(value, picture.digits) or None for value in row)]
        for name, row in zip(names, picture.values, strict=True)
    ]
    return _lines([axes, *map(visible, picture.column_names)], rows, "l" + "r" * picture.values.shape[1])


def _table(picture: Table) -> str:
    sides = ("r" if right else "l" for right in picture.right)
    rows = [[cell(value, picture.digits) for value in row] for row in picture.rows]
    return _lines(picture.head, rows, "".join(sides))


def _lines(head: Iterable[str], rows: Iterable[list[str | None]] | list[list[str]], sides: str) -> str:
    rule = ["---:" if side == "r" else ":---" for side in sides]
    body = [[_BLANK if text is None else _words(text) for text in row] for row in rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in [[_words(name) for name in head], rule, *body])


def _rows(picture: Rows) -> str:
    return "\n\n".join(map(_drawn, picture.parts))


def _columns(picture: Columns) -> str:
    if picture.signs and all(isinstance(part, Grid) for part in picture.parts):
        return f"$$\n{equation(picture)}\n$$"
    return "\n\n".join(map(_drawn, picture.parts))


_DRAWN: dict[type[Picture], Callable[[Any], str]] = {
    Text: _text,
    Formula: _formula,
    Grid: _grid,
    Table: _table,
    Rows: _rows,
    Columns: _columns,
}
