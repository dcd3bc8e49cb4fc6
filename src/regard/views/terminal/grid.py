"""A grid in a terminal: numbers on shaded cells, and panels of columns where a line is too short for all of them."""

import numpy as np
from rich.cells import cell_len, set_cell_size
from rich.console import Group, RenderableType
from rich.style import Style
from rich.table import Table as Layout
from rich.text import Text as Line

from regard.views.picture import Grid
from regard.views.shade import DARK, ink, shades
from regard.views.shade import colour as colour_of
from regard.views.signs import number, shortened, visible

LONGEST = 24
_DENSITY = " ░▒▓█"


def grid(picture: Grid, width: int, colour: bool) -> RenderableType:
    """Rows and columns under their names; column names stand upright where that saves a panel."""
    rows = [fitted(name) for name in picture.row_names] or [""] * len(picture.values)
    names = [fitted(name) for name in picture.column_names] or [""] * picture.values.shape[1]
    cells = _cells(picture, colour)
    left = max(map(cell_len, [*rows, _row_axis(picture)]), default=0)
    body = max((cell.cell_len for line in cells for cell in line), default=1)
    lying, upright = ([max(body, wide + 2) for wide in wides] for wides in _head_widths(names))
    panels, shorter = (_panels(widths, max(1, width - left)) for widths in (lying, upright))
    if len(shorter) < len(panels):
        drawn = [_panel(picture, rows, [*map(_upright, names)], cells, upright, panel) for panel in shorter]
    else:
        drawn = [_panel(picture, rows, names, cells, lying, panel) for panel in panels]
    return Group(*(piece for at, panel in enumerate(drawn) for piece in ([Line("")] * bool(at) + [panel])))


def _head_widths(names: list[str]) -> tuple[list[int], list[int]]:
    """How wide column names are lying and upright."""
    return [cell_len(name) for name in names], [max(map(cell_len, name), default=0) for name in names]


def _upright(name: str) -> str:
    return "\n".join(name)


def fitted(token: str) -> str:
    """A token made visible, cut with … after `LONGEST` cells."""
    shown = shortened(token)
    return shown if cell_len(shown) <= LONGEST else set_cell_size(shown, LONGEST - 1) + "…"


def _cells(picture: Grid, colour: bool) -> list[list[Line]]:
    """Every number as wide as the widest, shaded by a ground colour or by a sign beside it."""
    texts = [[number(value, picture.digits) for value in row] for row in picture.values]
    digits = max((len(text) for row in texts for text in row), default=0)
    depth = shades(picture.values) if picture.heat else np.full(picture.values.shape, np.nan)
    return [
        [_cell(f" {text:>{digits}}", depth[at, to], picture.heat, colour) for to, text in enumerate(row)]
        for at, row in enumerate(texts)
    ]


def _cell(text: str, shade: float, heat: bool, colour: bool) -> Line:
    if heat and not colour:
        return Line(text + density(shade))
    if not np.isfinite(shade):
        return Line(text + " ")
    return Line(text + " ", style=Style(color=ink(shade, DARK), bgcolor=colour_of(shade, DARK)))


def density(shade: float) -> str:
    """A shade −1…1 as a sign of five darknesses, for terminals without colour."""
    return _DENSITY[round(min(abs(shade), 1.0) * (len(_DENSITY) - 1))] if np.isfinite(shade) else " "


def _panels(widths: list[int], room: int) -> list[list[int]]:
    """Columns in as few panels as fit, of about the same width each."""
    least = max(1, -(-sum(widths) // room))
    for count in range(least, len(widths) + 1):
        panels = [list(map(int, part)) for part in np.array_split(np.arange(len(widths)), count)]
        if all(sum(widths[at] for at in panel) <= room for panel in panels):
            return panels
    return [[at] for at in range(len(widths))]


def _panel(
    picture: Grid, rows: list[str], heads: list[str], cells: list[list[Line]], widths: list[int], panel: list[int]
) -> RenderableType:
    layout = Layout.grid(padding=0)
    for _ in range(len(panel) + 1):
        layout.add_column(vertical="bottom", no_wrap=True)
    layout.add_row(Line(_row_axis(picture), style="dim"), *(_head(heads[at], widths[at]) for at in panel))
    for name, line in zip(rows, cells, strict=True):
        layout.add_row(Line(name), *(_filled(line[at], widths[at]) for at in panel))
    if not picture.column_axis:
        return layout
    indent = " " * (max(map(cell_len, [*rows, _row_axis(picture)])) + 1)
    return Group(Line(f"{indent}{visible(picture.column_axis)} →", style="dim"), layout)


def _head(name: str, width: int) -> Line:
    """A column's name over the last digits of its numbers; upright, one sign a line."""
    return Line("\n".join(" " * (width - 1 - cell_len(line)) + line + " " for line in name.split("\n")))


def _filled(cell: Line, width: int) -> Line:
    """A cell as wide as its column, its ground colour without gaps."""
    wide = Line(" " * (width - cell.cell_len), style=cell.style)
    return wide.append_text(cell)


def _row_axis(picture: Grid) -> str:
    return f"{visible(picture.row_axis)} ↓" if picture.row_axis else ""
