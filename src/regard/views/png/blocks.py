"""Any picture as a block on paper: its title, its body, its reading and its check under it."""

from collections.abc import Callable
from typing import Any

from matplotlib.axes import Axes
from matplotlib.mathtext import MathTextParser

from regard.views.picture import Columns, Formula, Grid, Links, Marks, Picture, Rows, Table, Text, Tiles
from regard.views.png.fonts import Fonts
from regard.views.png.grid import grid
from regard.views.png.links import links
from regard.views.png.marks import marks
from regard.views.png.paper import BODY, GAP, INK, MUTED, SMALL, TITLE, Block, beside, measure, paragraph, stacked
from regard.views.png.plane import plane
from regard.views.png.table import table
from regard.views.png.tiles import tiles

_FORMULA = 13.0
_LEAST = 380.0


def block(picture: Picture, fonts: Fonts, width: float) -> Block:
    """`picture` laid out for a page of about `width` points."""
    body = _DRAWN[type(picture)](picture, fonts, width)
    room = min(width, max(body.width, _LEAST))
    parts = [paragraph(picture.title, fonts, room, TITLE, weight="bold")] if picture.title else []
    parts += [body] if body.height else []
    notes = [paragraph(picture.reading, fonts, room)] if picture.reading else []
    notes += [paragraph(picture.check, fonts, room, SMALL, color=MUTED)] if picture.check else []
    return stacked([*parts, stacked(notes, 5.0)] if notes else parts, 9.0)


def _text(picture: Text, fonts: Fonts, width: float) -> Block:
    size = {0: BODY, 1: 17.0, 2: 14.0}.get(picture.level, TITLE)
    return paragraph(picture.text, fonts, width, size, weight="bold" if picture.level else "normal")


def _formula(picture: Formula, fonts: Fonts, width: float) -> Block:
    """The formula set by mathtext, or in plain signs where that does not know its commands or its script."""
    formula = f"${picture.latex}$"
    if not _settable(picture.latex):
        return paragraph(picture.plain or picture.latex, fonts, width, BODY + 1)
    wide = measure(formula, fonts, _FORMULA, math=True)

    def paint(axes: Axes, x: float, y: float) -> None:
        axes.text(x, y + 15, formula, size=_FORMULA, color=INK, va="center", parse_math=True)

    return Block(wide, 30.0, paint)


def _settable(latex: str) -> bool:
    if not latex or not latex.isascii() or "$" in latex:
        return False
    try:
        MathTextParser("path").parse(f"${latex}$")
    except ValueError:
        return False
    return True


def _marks(picture: Marks, fonts: Fonts, width: float) -> Block:
    return (plane if picture.named else marks)(picture, fonts, width)


def _rows(picture: Rows, fonts: Fonts, width: float) -> Block:
    return stacked([block(part, fonts, width) for part in picture.parts], GAP)


def _columns(picture: Columns, fonts: Fonts, width: float) -> Block:
    """Side by side with the signs between, else under each other where the page is too narrow."""
    parts: list[Block] = []
    middle: set[int] = set()
    for at, part in enumerate(picture.parts):
        parts.append(block(part, fonts, width))
        if at < len(picture.signs):
            middle.add(len(parts))
            parts.append(paragraph(picture.signs[at], fonts, width, 15.0))
    row = beside(parts, 14.0, middle)
    return row if row.width <= width else stacked(parts, 10.0)


_DRAWN: dict[type[Picture], Callable[[Any, Fonts, float], Block]] = {
    Grid: grid,
    Tiles: tiles,
    Links: links,
    Marks: _marks,
    Table: table,
    Formula: _formula,
    Text: _text,
    Rows: _rows,
    Columns: _columns,
}
