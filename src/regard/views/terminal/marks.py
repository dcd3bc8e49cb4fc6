"""Marks in a terminal: a bar a number for a few points, a small curve of eight heights for many."""

from collections.abc import Iterator

import numpy as np
from rich.cells import cell_len
from rich.console import Group, RenderableType
from rich.table import Table as Layout
from rich.text import Text as Line

from regard.views.picture import Marks, Series
from regard.views.signs import cell, number, visible
from regard.views.terminal.plane import plane

_MANY = 24
_EIGHTHS = " ▏▎▍▌▋▊▉█"
_HEIGHTS = "▁▂▃▄▅▆▇█"
# The first colours of Okabe and Ito (2008), told apart by every kind of colour vision.
_INKS = ("#56b4e9", "#e69f00", "#009e73", "#cc79a7", "#d55e00", "#f0e442")


def marks(picture: Marks, width: int, colour: bool) -> RenderableType:
    """Bars grouped by x where there are few, else each series as a curve with its range; named points on a sheet."""
    if picture.named:
        return plane(picture, width, colour)
    axes = Line(f"{visible(picture.y_axis)} ↑  {visible(picture.x_axis)} →".strip(), style="dim")
    few = all(len(series.x) <= _MANY for series in picture.series)
    body = _bars(picture, width, colour) if few else _curves(picture, width, colour)
    return Group(axes, body) if picture.x_axis or picture.y_axis else body


def _bars(picture: Marks, width: int, colour: bool) -> RenderableType:
    layout = Layout.grid(padding=(0, 1, 0, 0))
    layout.add_column(no_wrap=True)
    layout.add_column(no_wrap=True)
    layout.add_column(no_wrap=True, justify="right")
    names = max((cell_len(_place(x, picture)) for series in picture.series for x in series.x), default=0)
    named = max((cell_len(visible(series.name)) for series in picture.series), default=0)
    room = max(4, width - names - named - 24)
    largest = max((abs(y) for series in picture.series for y in series.y if np.isfinite(y)), default=1.0) or 1.0
    for first, at, series, here in _by_place(picture):
        ink = _INKS[at % len(_INKS)] if colour else ""
        layout.add_row(
            Line(_place(series.x[here], picture) if first else "", style="bold"),
            Line(visible(series.name)),
            Line(_value(series, here, picture.digits)),
            Line(_bar(abs(series.y[here]) / largest * room), style=ink),
        )
    return layout


def _by_place(picture: Marks) -> Iterator[tuple[bool, int, Series, int]]:
    """Every point: whether it is the first of its place on the x axis, its series' number, the series, its index."""
    places = dict.fromkeys(x for series in picture.series for x in series.x)
    for place in places:
        first = True
        for at, series in enumerate(picture.series):
            for here in (i for i, x in enumerate(series.x) if x == place):
                yield first, at, series, here
                first = False


def _place(x: float | str, picture: Marks) -> str:
    return visible(x) if isinstance(x, str) else f"{x:g}"


def _value(series: Series, here: int, digits: int) -> str:
    spread = f" ±{number(series.errors[here], digits)}" if series.errors else ""
    return number(series.y[here], digits) + spread


def _bar(length: float) -> str:
    if not np.isfinite(length):
        return ""
    eighths = round(length * 8)
    return "█" * (eighths // 8) + _EIGHTHS[eighths % 8].strip()


def _curves(picture: Marks, width: int, colour: bool) -> RenderableType:
    layout = Layout.grid(padding=(0, 1, 0, 0))
    named = max(cell_len(visible(series.name)) for series in picture.series)
    room = max(8, width - named - 24)
    for at, series in enumerate(picture.series):
        ink = _INKS[at % len(_INKS)] if colour else ""
        first, last = (cell(series.y[end], picture.digits) for end in (0, -1))
        layout.add_row(Line(visible(series.name)), Line(first), Line(_curve(series.y, room), style=ink), Line(last))
    return layout


def _curve(values: tuple[float, ...], room: int) -> str:
    """The values as signs of eight heights, each sign the mean of the points that fall on it."""
    means = np.array([np.nanmean(part) for part in np.array_split(np.asarray(values, float), min(room, len(values)))])
    low, high = np.nanmin(means), np.nanmax(means)
    levels = np.nan_to_num((means - low) / ((high - low) or 1.0) * (len(_HEIGHTS) - 1)).round().astype(int)
    return "".join(_HEIGHTS[level] for level in levels)
