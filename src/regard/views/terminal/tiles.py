"""Tiles in a terminal: two cells under each other share a sign in two colours; without colour, a sign a cell."""

import numpy as np
from rich.cells import cell_len
from rich.console import Group, RenderableType
from rich.style import Style
from rich.table import Table as Layout
from rich.text import Text as Line

from regard.views.picture import Tiles
from regard.views.shade import DARK, tile_shades
from regard.views.shade import colour as colour_of
from regard.views.signs import visible
from regard.views.terminal.grid import density

_UPPER = "▀"
GAP = 2


def tiles(picture: Tiles, width: int, colour: bool) -> RenderableType:
    """Rows of tiles under the names of their columns, in as many panels as the width asks for."""
    depth = tile_shades(picture.values, picture.root)
    names = [visible(name) for name in picture.row_names]
    left = max([cell_len(name) for name in names], default=0)
    wide = max([picture.values.shape[-1], *(cell_len(visible(name)) for name in picture.column_names)], default=1)
    fits = max(1, (width - left) // (wide + GAP))
    columns = list(range(picture.values.shape[1]))
    panels = [columns[at : at + fits] for at in range(0, len(columns), fits)]
    axes = [f"{visible(name)} {sign}" for name, sign in ((picture.row_axis, "↓"), (picture.column_axis, "→")) if name]
    head = [Line("  ".join(axes), style="dim")] if axes else []
    return Group(*head, *(_panel(picture, depth, names, panel, wide, colour) for panel in panels))


def _panel(
    picture: Tiles, depth: np.ndarray, names: list[str], panel: list[int], wide: int, colour: bool
) -> RenderableType:
    layout = Layout.grid(padding=(0, GAP, 0, 0))
    for _ in range(len(panel) + 1):
        layout.add_column(no_wrap=True)
    heads = [picture.column_names[at] if picture.column_names else "" for at in panel]
    layout.add_row("", *(Line(visible(head).ljust(wide), style="dim") for head in heads))
    for at, row in enumerate(depth):
        drawn = (_tile(row[to], colour) for to in panel)
        layout.add_row(Line(names[at] if names else ""), *drawn)
        layout.add_row("")
    return layout


def _tile(shades: np.ndarray, colour: bool) -> Line:
    """One tile: (queries, keys) of shades, NaN where there is nothing."""
    if not colour:
        return Line("\n".join("".join(map(density, row)) for row in shades))
    padded = np.vstack([shades, np.full((len(shades) % 2, shades.shape[1]), np.nan)])
    lines = [_two(above, below) for above, below in zip(padded[::2], padded[1::2], strict=True)]
    return Line("\n").join(lines)


def _two(above: np.ndarray, below: np.ndarray) -> Line:
    line = Line()
    for upper, lower in zip(above, below, strict=True):
        ink = Style(color=colour_of(upper, DARK) if np.isfinite(upper) else None)
        ground = Style(bgcolor=colour_of(lower, DARK) if np.isfinite(lower) else None)
        line.append(_UPPER if np.isfinite(upper) else " ", style=ink + ground)
    return line
