"""A table on paper: hairlines, numbers to the right."""

from matplotlib.axes import Axes

from regard.views.picture import Table
from regard.views.png.fonts import Fonts
from regard.views.png.paper import BODY, INK, LINE, Block, measure, write
from regard.views.signs import cell, minus

_HIGH, _BETWEEN = 20.0, 22.0


def table(picture: Table, fonts: Fonts, width: float) -> Block:
    """The head over a line, then the rows."""
    columns = [
        [cell(name, 0), *(_shown(row[at], picture.digits) for row in picture.rows)]
        for at, name in enumerate(picture.head)
    ]
    wides = [max(measure(text, fonts, weight="bold") for text in column) for column in columns]
    total = sum(wides) + _BETWEEN * max(0, len(wides) - 1)

    def paint(axes: Axes, x: float, y: float) -> None:
        for column, wide, right in zip(columns, wides, picture.right, strict=True):
            for at, text in enumerate(column):
                looks = {"ha": "right" if right else "left", "weight": "normal" if at else "bold"}
                write(axes, x + (wide if right else 0), y + _HIGH * at + 14, text, fonts, BODY, **looks)
            x += wide + _BETWEEN
        for at in range(1, len(picture.rows) + 2):
            tint, thick = (INK, 1.0) if at == 1 else (LINE, 0.6)
            axes.plot([x - total - _BETWEEN, x - _BETWEEN], [y + _HIGH * at] * 2, color=tint, linewidth=thick)

    return Block(total, _HIGH * (len(picture.rows) + 1) + 2, paint)


def _shown(value: str | int | float, digits: int) -> str:
    return cell(value, digits) if isinstance(value, str) else minus(cell(value, digits))
