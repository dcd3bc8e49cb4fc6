"""Marks on paper: lines, points and bars on two axes, with bars of uncertainty."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patheffects import withStroke

from regard.views.picture import Marks, Series
from regard.views.png.fonts import Fonts
from regard.views.png.legend import INKS, SHAPES, legend
from regard.views.png.paper import INK, LEADING, LINE, MUTED, SMALL, Block, measure, write
from regard.views.signs import minus, number, visible, wrap

_WIDE, _HIGH, _LEFT, _HEAD, _FOOT = 430.0, 210.0, 36.0, 21.5, 40.0
_FEW, _LINES = 8, 5
"""At most so many places, and so many lines, have their numbers beside them."""


def marks(picture: Marks, fonts: Fonts, width: float) -> Block:
    """Axes with a legend above; the numbers stand at the marks where they are few."""
    if not picture.series:
        return Block(0.0, 0.0, lambda axes, x, y: None)

    told, names = legend([series.name for series in picture.series], fonts, _LEFT + _WIDE), _places(picture)
    ticks = _ticks(names or [], fonts)
    head, foot = told.height + _HEAD, _FOOT + SMALL * LEADING * max(tick.count("\n") for tick in [*ticks, ""])

    def paint(axes: Axes, x: float, y: float) -> None:
        across, down = axes.get_xlim()[1], axes.get_ylim()[0]
        place = ((x + _LEFT) / across, 1 - (y + head + _HIGH) / down, _WIDE / across, _HIGH / down)
        inner = axes.figure.add_axes(place)
        for at, series in enumerate(picture.series):
            _draw(inner, series, [_where(x, names) for x in series.x], at, len(picture.series))
        _dress(inner, picture, ticks, fonts)
        told.paint(axes, x, y)
        write(axes, x, y + head - 8, visible(picture.y_axis), fonts, SMALL, color=MUTED)
        if _few(picture, names):
            for at, series in enumerate(picture.series):
                _numbers(inner, series, at, picture, names, fonts)

    return Block(_LEFT + _WIDE, head + _HIGH + foot, paint)


def _few(picture: Marks, names: list[str] | None) -> bool:
    """Whether numbers beside the marks would still be read."""
    lines = sum(series.kind != "bars" for series in picture.series)
    return lines <= _LINES and len(names or ()) <= _FEW and all(len(series.x) <= _FEW for series in picture.series)


def _ticks(names: list[str], fonts: Fonts) -> list[str]:
    """The names broken into lines, so that each keeps to its place."""
    room = _WIDE / max(1, len(names))
    return ["\n".join(wrap(fonts.drawable(visible(name)), room, lambda t: measure(t, fonts, SMALL))) for name in names]


def _places(picture: Marks) -> list[str] | None:
    """The names on the x axis, in order; None where x are numbers."""
    xs = [x for series in picture.series for x in series.x]
    return list(dict.fromkeys(map(str, xs))) if any(isinstance(x, str) for x in xs) else None


def _where(x: float | str, names: list[str] | None) -> float:
    return float(x) if names is None else float(names.index(str(x)))


def _draw(axes: Axes, series: Series, xs: list[float], at: int, count: int) -> None:
    tint = INKS[at % len(INKS)]
    errors = list(series.errors) or None
    if series.kind == "bars":
        wide = 0.8 / count
        offset = (at - (count - 1) / 2) * wide
        axes.bar(
            np.array(xs) + offset,
            series.y,
            wide * 0.92,
            color=tint,
            yerr=errors,
            error_kw={"capsize": 3, "ecolor": INK},
        )
        return
    shape = SHAPES[at % len(SHAPES)] if len(xs) <= 40 or series.kind == "points" else ""
    looks: dict[str, Any] = {"linestyle": "-" if series.kind == "line" else "", "marker": shape, "color": tint}
    axes.errorbar(xs, series.y, errors, markersize=5, linewidth=1.8, elinewidth=1.2, capsize=3, **looks)


def _dress(axes: Axes, picture: Marks, ticks: list[str], fonts: Fonts) -> None:
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.spines["bottom"].set_color(MUTED)
    axes.set_axisbelow(True)
    axes.grid(axis="y", color=LINE, linewidth=0.7)
    axes.tick_params(
        colors=MUTED, labelcolor=INK, labelsize=SMALL, length=3, left=False, labelfontfamily=fonts.families[0]
    )
    axes.margins(x=0.06, y=0.12)
    if any(series.kind == "bars" for series in picture.series):
        axes.axhline(0, color=MUTED, linewidth=0.8)
        axes.set_ylim(bottom=axes.get_ylim()[0] if axes.dataLim.y0 < 0 else 0.0)
    looks: dict[str, Any] = {"family": list(fonts.families), "parse_math": False}
    if ticks:
        axes.set_xlim(-0.5, len(ticks) - 0.5)
        axes.set_xticks(range(len(ticks)), ticks, size=SMALL, **looks)
    axes.set_xlabel(fonts.drawable(visible(picture.x_axis)), size=SMALL, color=MUTED, labelpad=6, **looks)


def _numbers(axes: Axes, series: Series, at: int, picture: Marks, names: list[str] | None, fonts: Fonts) -> None:
    """Each value at its mark: bars' beyond their ends, of other marks the highest of a place above, the rest below."""
    count, bars = len(picture.series), series.kind == "bars"
    errors = series.errors or (0.0,) * len(series.y)
    for x, y, error in zip(series.x, series.y, errors, strict=True):
        if not np.isfinite(y):
            continue
        above = y >= 0 if bars else all(y >= other for each in picture.series for other in _at(each, x))
        reach = float(np.nan_to_num(error)) * (1 if above else -1)
        spread = f" ±{number(error, picture.digits)}" if np.isfinite(error) and series.errors else ""
        axes.annotate(
            minus(number(y, picture.digits)) + spread,
            (_where(x, names) + ((at - (count - 1) / 2) * 0.8 / count if bars else 0.0), y + reach),
            (0, 6 if above else -6),
            textcoords="offset points",
            ha="center",
            va="bottom" if above else "top",
            size=SMALL,
            family=list(fonts.families),
            color=INKS[at % len(INKS)],
            path_effects=[withStroke(linewidth=2.5, foreground="white")],
        )


def _at(series: Series, x: float | str) -> list[float]:
    return [y for place, y in zip(series.x, series.y, strict=True) if place == x and np.isfinite(y)]
