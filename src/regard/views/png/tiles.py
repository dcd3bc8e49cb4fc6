"""Tiles on paper: small heat maps in rows and columns, with one scale for all."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgba_array

from regard.views.picture import Grid, Tiles
from regard.views.png.fonts import Fonts
from regard.views.png.grid import scale, tints
from regard.views.png.paper import MUTED, SMALL, Block, measure, write
from regard.views.shade import tile_shades
from regard.views.signs import shortened, visible

_GAP, _LARGEST, _LEAST = 8.0, 7.0, 1.0
_HEAD, _FOOT = 30.0, 30.0


def tiles(picture: Tiles, fonts: Fonts, width: float) -> Block:
    """Rows of tiles, as large as the page lets them be."""
    if not picture.values.size:
        return Block(0.0, 0.0, lambda axes, x, y: None)
    rows, columns, queries, keys = picture.values.shape
    names = [shortened(name) for name in picture.row_names]
    axis = f"{visible(picture.row_axis)} ↓" if picture.row_axis else ""
    left = max([measure(name, fonts, SMALL) for name in [*names, axis]]) + 8
    side = min(_LARGEST, max(_LEAST, ((width - left) / columns - _GAP) / keys))
    wide, high = side * keys + _GAP, side * queries + _GAP
    depth = tile_shades(picture.values, picture.root)

    def paint(axes: Axes, x: float, y: float) -> None:
        _names(axes, x, y, picture, (left, wide, high), fonts)
        for at, to in np.ndindex(rows, columns):
            _tile(axes, x + left + to * wide, y + _HEAD + at * high, depth[at, to], side)
        scale(axes, x + left, y + _HEAD + rows * high + 6, Grid(values=picture.values.reshape(-1, keys)), fonts)

    return Block(left + columns * wide - _GAP, _HEAD + rows * high + _FOOT, paint)


def _names(axes: Axes, x: float, y: float, picture: Tiles, sizes: tuple[float, float, float], fonts: Fonts) -> None:
    left, wide, high = sizes
    if picture.column_axis:
        write(axes, x + left, y + SMALL, f"{visible(picture.column_axis)} →", fonts, SMALL, color=MUTED)
    if picture.row_axis:
        axis = f"{visible(picture.row_axis)} ↓"
        write(axes, x + left - 8, y + _HEAD - 6, axis, fonts, SMALL, color=MUTED, ha="right")
    for at, name in enumerate(picture.row_names):
        middle = y + _HEAD + (at + 0.5) * high - _GAP / 2
        write(axes, x + left - 8, middle, shortened(name), fonts, SMALL, ha="right", va="center_baseline")
    for at, name in enumerate(picture.column_names):
        write(axes, x + left + at * wide, y + _HEAD - 6, shortened(name), fonts, SMALL)


def _tile(axes: Axes, x: float, y: float, shades: np.ndarray, side: float) -> None:
    high, wide = shades.shape
    colours = to_rgba_array(tints(shades).ravel()).reshape(high, wide, 4)
    colours[~np.isfinite(shades)] = (1.0, 1.0, 1.0, 0.0)
    axes.imshow(colours, extent=(x, x + wide * side, y + high * side, y), aspect="auto")
