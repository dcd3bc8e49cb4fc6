"""Points with their names on paper; pairs are joined by lines."""

from typing import Any

from matplotlib.axes import Axes

from regard.views.picture import Marks
from regard.views.plane import groups, laid
from regard.views.png.fonts import Fonts
from regard.views.png.legend import INKS, SHAPES, legend
from regard.views.png.paper import INK, LINE, MUTED, SMALL, Block, measure, write
from regard.views.signs import visible

_WIDE, _HIGH, _HEAD, _FOOT, _GAP, _EDGE = 560.0, 400.0, 18.0, 30.0, 7.0, 40.0
_GROUND = {"facecolor": "white", "edgecolor": "none", "pad": 0.2}
"""Under a name: lines that lead to others end there."""


def plane(picture: Marks, fonts: Fonts, width: float) -> Block:
    """A frame, the points, their names; a line leads to a name that stands far off."""

    def size(name: str) -> tuple[float, float]:
        return measure(visible(name), fonts, SMALL) + 2, SMALL * 1.25

    kinds = groups(picture)
    told = legend(kinds, fonts, _WIDE)
    head = _HEAD + told.height
    spots = laid(picture, (_WIDE, _HIGH), size, _GAP, _EDGE)

    def paint(axes: Axes, x: float, y: float) -> None:
        top = y + head
        axes.plot([x, x + _WIDE, x + _WIDE, x, x], [top, top, top + _HIGH, top + _HIGH, top], color=LINE, linewidth=0.8)
        for at, series in enumerate(picture.series):
            kind = kinds.index(series.name)
            own = [spot for spot in spots if spot.series == at]
            looks: dict[str, Any] = {
                "color": INKS[kind % len(INKS)],
                "marker": SHAPES[kind % len(SHAPES)],
                "markersize": 5.0,
            }
            line = "-" if series.kind == "line" else ""
            shown = [spot for spot in own if spot.label or not line]  # a line's points without a name are its bends
            axes.plot(
                [x + s.x for s in own], [top + s.y for s in own], linestyle=line, linewidth=1.0, color=looks["color"]
            )
            axes.plot([x + s.x for s in shown], [top + s.y for s in shown], linestyle="", **looks)
        for spot in spots:
            if spot.place is None or not spot.label:
                continue
            left, over = x + spot.place[0], top + spot.place[1]
            if spot.far:
                middle = left + size(spot.label)[0] / 2
                axes.plot(
                    [x + spot.x, middle], [top + spot.y, over + SMALL * 0.6], color=MUTED, linewidth=0.5, zorder=1
                )
            write(axes, left + 1, over + SMALL, visible(spot.label), fonts, SMALL, color=INK, bbox=_GROUND)
        told.paint(axes, x, y)
        write(axes, x, top - 8, visible(f"↑ {picture.y_axis}"), fonts, SMALL, color=MUTED)
        write(axes, x, top + _HIGH + 16, visible(f"→ {picture.x_axis}"), fonts, SMALL, color=MUTED)

    return Block(_WIDE, head + _HIGH + _FOOT, paint)
