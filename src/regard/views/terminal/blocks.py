"""Any picture as a block of terminal lines: its title, its body, its reading, its check; rows and columns of blocks."""

from collections.abc import Callable
from typing import Any

from rich.cells import cell_len
from rich.console import Console, Group, RenderableType
from rich.measure import Measurement
from rich.padding import Padding
from rich.table import Table as Layout
from rich.text import Text as Line

from regard.views.picture import Columns, Formula, Grid, Links, Marks, Picture, Rows, Table, Text, Tiles
from regard.views.signs import prose, wrap
from regard.views.terminal.grid import grid
from regard.views.terminal.links import links
from regard.views.terminal.marks import marks
from regard.views.terminal.table import table
from regard.views.terminal.tiles import tiles

_GAP = 3


def block(picture: Picture, width: int, colour: bool) -> RenderableType:
    """The lines of `picture`, at most `width` cells wide where the numbers allow it."""
    above = [paragraph(picture.title, width, "bold")] if picture.title else []
    below = [paragraph(picture.reading, width)] if picture.reading else []
    below += [paragraph(picture.check, width, "dim")] if picture.check else []
    if below and isinstance(picture, Rows):
        below.insert(0, Line(""))
    return Group(*above, _DRAWN[type(picture)](picture, width, colour), *below)


def paragraph(text: str, width: int, style: str = "") -> Line:
    """A paragraph broken between words, or between signs where CJK is written without spaces."""
    broken = [line for part in prose(text).split("\n") for line in wrap(part, width, cell_len)]
    return Line("\n".join(broken), style=style, no_wrap=True)


def _text(picture: Text, width: int, colour: bool) -> RenderableType:
    if not picture.level:
        return paragraph(picture.text, width)
    return paragraph(picture.text, width, "bold underline" if picture.level == 1 else "bold")


def _formula(picture: Formula, width: int, colour: bool) -> RenderableType:
    return Padding(paragraph(picture.plain or picture.latex, width - 2, "italic"), (0, 0, 0, 2))


def _rows(picture: Rows, width: int, colour: bool) -> RenderableType:
    return _stacked([block(part, width, colour) for part in picture.parts])


def _columns(picture: Columns, width: int, colour: bool) -> RenderableType:
    """Side by side with the signs between them where that fits, else under each other."""
    parts = [block(part, width, colour) for part in picture.parts]
    signs = [Line(prose(sign), style="bold") for sign in picture.signs]
    gaps = [sign.cell_len + 2 for sign in signs] + [_GAP] * (len(parts) - 1 - len(signs))
    if sum(map(natural_width, parts)) + sum(gaps) > width:
        return _stacked([piece for row in _interleaved(parts, signs) for piece in row])
    layout = Layout.grid(padding=0)
    cells: list[RenderableType] = []
    for row in _interleaved(parts, [Padding(sign, (0, 1)) for sign in signs] or [Line(" " * _GAP)] * (len(parts) - 1)):
        for at, piece in enumerate(row):
            layout.add_column(vertical="middle" if at else "top", no_wrap=True)
            cells.append(piece)
    layout.add_row(*cells)
    return layout


def _interleaved(parts: list[Any], signs: list[Any]) -> list[list[Any]]:
    """Each part followed by its sign, where it has one."""
    return [[part, *signs[at : at + 1]] for at, part in enumerate(parts)]


def _stacked(parts: list[Any]) -> RenderableType:
    return Group(*(piece for at, part in enumerate(parts) for piece in ([Line("")] * bool(at) + [part])))


def natural_width(renderable: RenderableType) -> int:
    """The cells that a block needs when it is not squeezed."""
    console = Console(width=10_000, force_terminal=False)
    return Measurement.get(console, console.options, renderable).maximum


_DRAWN: dict[type[Picture], Callable[[Any, int, bool], RenderableType]] = {
    Grid: grid,
    Tiles: tiles,
    Links: links,
    Marks: marks,
    Table: table,
    Formula: _formula,
    Text: _text,
    Rows: _rows,
    Columns: _columns,
}
