"""A grid on paper: a heat map with its numbers, or a matrix in brackets."""

import math
from dataclasses import dataclass
from functools import cache

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import PatchCollection
from matplotlib.colors import to_rgba_array
from matplotlib.patches import Rectangle

from regard.views.picture import Grid
from regard.views.png.fonts import Fonts
from regard.views.png.paper import BODY, INK, LINE, MUTED, SMALL, TINY, VEIL, Block, measure, write
from regard.views.shade import LIGHT, colour, ink, shades
from regard.views.signs import is_wide, minus, number, shortened, visible

# Beyond so many cells numbers would be too small to read; the shade and its scale tell the value then.
_NUMBERED = 24
_SHADES = 200


@dataclass(frozen=True)
class _Plan:
    """Where the parts of a grid lie: sizes of cells and names, room for names, in points; `angle` of column names."""

    numbered: bool
    wide: float
    high: float
    size: float
    angle: int
    left: float
    above: float
    beyond: float
    rows: list[str]
    columns: list[str]


def grid(picture: Grid, fonts: Fonts, width: float) -> Block:
    """Column names on top, row names to the left, each cell shaded, its number inside where there is room."""
    plan = _plan(picture, fonts, width)
    high, wide = picture.values.shape
    foot = 0.0 if plan.numbered or not picture.heat else 30.0

    def paint(axes: Axes, x: float, y: float) -> None:
        _names(axes, x, y, picture, plan, fonts)
        _cells(axes, x + plan.left, y + plan.above, picture, plan, fonts)
        if foot:
            scale(axes, x + plan.left, y + plan.above + high * plan.high + 12, picture, fonts)

    return Block(plan.left + wide * plan.wide + plan.beyond, plan.above + high * plan.high + foot, paint)


def _plan(picture: Grid, fonts: Fonts, width: float) -> _Plan:
    rows = [shortened(name) for name in picture.row_names]
    columns = [shortened(name) for name in picture.column_names]
    numbered = max(picture.values.shape) <= _NUMBERED or not picture.heat
    side = max(2.0, min(14.0, 900.0 / max(1, *picture.values.shape)))
    size = BODY if numbered else min(BODY, max(side * 0.8, 5.0))
    names = [measure(name, fonts, size) for name in columns]
    wide = _widest(picture, fonts) if numbered else side
    wide, angle = _turn(wide, names, width) if numbered else (side, 90)
    above, beyond = _room(columns, names, wide, size, angle)
    above += SMALL * 1.5 if picture.column_axis else 0.0
    axis = measure(f"{picture.row_axis} ↓", fonts, SMALL) if picture.row_axis else 0.0
    left = max([axis, *(measure(name, fonts, size) for name in rows)], default=0.0) + 8
    return _Plan(numbered, wide, 24.0 if numbered else side, size, angle, left, above, beyond, rows, columns)


def _widest(picture: Grid, fonts: Fonts) -> float:
    texts = {minus(number(value, picture.digits)) for value in picture.values.flat}
    return max([20.0, *(measure(text, fonts, SMALL) for text in texts)]) + 12


def _turn(wide: float, names: list[float], width: float) -> tuple[float, int]:
    """The width of columns and the angle of their names: lying where they fit, or nearly so, else at 45 degrees."""
    longest = max(names, default=0.0)
    if longest + 8 <= wide:
        return wide, 0
    if longest <= 72 and (longest + 10) * len(names) <= width * 0.72:
        return longest + 10, 0
    return wide, 45


def _room(columns: list[str], names: list[float], wide: float, size: float, angle: int) -> tuple[float, float]:
    """The room that column names take above the cells and beyond their right end."""
    if not names:
        return 0.0, 0.0
    if angle == 0:
        return size * 1.6, 0.0
    if angle == 90:
        stacks = [len(name) * size * 1.2 if is_wide(name) else 0.0 for name in columns]
        return max([*names, *stacks]) + 8, 0.0
    overhangs = [name * 0.71 - wide * (len(names) - at - 0.5) for at, name in enumerate(names)]
    return max(names) * 0.71 + size, max(0.0, *overhangs)


def _names(axes: Axes, x: float, y: float, picture: Grid, plan: _Plan, fonts: Fonts) -> None:
    left, top = x + plan.left, y + plan.above
    if picture.column_axis:
        write(axes, left, y + SMALL, f"{visible(picture.column_axis)} →", fonts, SMALL, color=MUTED)
    if picture.row_axis:
        write(axes, left - 8, top - 6, f"{visible(picture.row_axis)} ↓", fonts, SMALL, color=MUTED, ha="right")
    # Where cells are smaller than letters, not every name is written.
    every = math.ceil(plan.size * 1.1 / plan.high) if not plan.numbered else 1
    for at in range(0, len(plan.rows), every):
        middle = top + (at + 0.5) * plan.high
        write(axes, left - 8, middle, plan.rows[at], fonts, plan.size, ha="right", va="center_baseline")
    for at in range(0, len(plan.columns), every):
        _column_name(axes, left + (at + 0.5) * plan.wide, top - 5, plan.columns[at], plan, fonts)


def _column_name(axes: Axes, x: float, y: float, name: str, plan: _Plan, fonts: Fonts) -> None:
    """Lying, at 45 degrees, or upright: then CJK signs stand under each other."""
    if plan.angle == 45:
        write(axes, x + plan.size * 0.3, y, name, fonts, plan.size, rotation=45, rotation_mode="anchor", ha="left")
    elif plan.angle == 0:
        write(axes, x, y - 1, name, fonts, plan.size, ha="center")
    elif is_wide(name):
        write(axes, x, y, "\n".join(name), fonts, plan.size, ha="center", va="bottom", linespacing=1.0)
    else:
        write(axes, x, y, name, fonts, plan.size, rotation=90, ha="center", va="bottom")


def _cells(axes: Axes, x: float, y: float, picture: Grid, plan: _Plan, fonts: Fonts) -> None:
    depth = shades(picture.values)
    if picture.heat:
        _tiles(axes, x, y, depth, picture.values, plan)
    else:
        _brackets(axes, x, y, picture.values.shape, plan)
    if not plan.numbered:
        return
    for (row, column), value in np.ndenumerate(picture.values):
        shade = float(depth[row, column])
        known = picture.heat and bool(np.isfinite(shade))
        written = minus(number(value, picture.digits))
        at = (x + (column + 0.5) * plan.wide, y + (row + 0.5) * plan.high)
        tint = ink(shade, LIGHT) if known else MUTED if np.isinf(value) else INK
        write(axes, *at, written, fonts, SMALL, color=tint, ha="center", va="center_baseline")


def _tiles(axes: Axes, x: float, y: float, depth: np.ndarray, values: np.ndarray, plan: _Plan) -> None:
    """One tile a cell; hidden cells grey, blank ones an outline."""
    inks = np.where(np.isfinite(depth), tints(depth), np.where(np.isinf(values), VEIL, "#ffffff"))
    if not plan.numbered:
        high, wide = depth.shape
        extent = (x, x + wide * plan.wide, y + high * plan.high, y)
        axes.imshow(to_rgba_array(inks.ravel()).reshape(high, wide, 4), extent=extent, aspect="auto")
        return
    tiles = [
        Rectangle((x + column * plan.wide + 0.75, y + row * plan.high + 0.75), plan.wide - 1.5, plan.high - 1.5)
        for row, column in np.ndindex(depth.shape)
    ]
    edges = [LINE if tint == "#ffffff" else tint for tint in inks.flat]
    axes.add_collection(PatchCollection(tiles, facecolors=inks.ravel().tolist(), edgecolors=edges, linewidths=0.5))


def tints(depth: np.ndarray) -> np.ndarray:
    """The colour of each shade, as `#rrggbb`."""
    return _tints()[np.nan_to_num(depth * _SHADES + _SHADES).round().astype(int)]


@cache
def _tints() -> np.ndarray:
    return np.array([colour(shade, LIGHT) for shade in np.linspace(-1, 1, 2 * _SHADES + 1)])


def _brackets(axes: Axes, x: float, y: float, shape: tuple[int, ...], plan: _Plan) -> None:
    high, wide = shape[0] * plan.high, shape[1] * plan.wide
    for edge, inward in ((x, 5.0), (x + wide, -5.0)):
        axes.plot([edge + inward, edge, edge, edge + inward], [y, y, y + high, y + high], color=INK, linewidth=1.1)


def scale(axes: Axes, x: float, y: float, picture: Grid, fonts: Fonts) -> None:
    """A bar of the shades with its ends, for grids without numbers."""
    values = picture.values[np.isfinite(picture.values)]
    depth = shades(picture.values)
    ends = (float(values.min(initial=0.0)), float(values.max(initial=0.0)))
    low, high = float(np.nanmin(depth, initial=0.0)), float(np.nanmax(depth, initial=0.0))
    texts = [minus(number(end, picture.digits)) for end in ends]
    start = x + measure(texts[0], fonts, TINY) + 5
    for at, shade in enumerate(np.linspace(low, high, 48)):
        axes.add_patch(Rectangle((start + at * 2, y), 2.2, 9, color=colour(float(shade), LIGHT), linewidth=0))
    write(axes, x, y + 7.5, texts[0], fonts, TINY, color=MUTED)
    write(axes, start + 102, y + 7.5, texts[1], fonts, TINY, color=MUTED)
