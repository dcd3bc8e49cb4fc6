"""A mark and a name for each series, and the inks and shapes that tell series apart."""

from collections.abc import Sequence

from matplotlib.axes import Axes

from regard.views.png.fonts import Fonts
from regard.views.png.paper import BODY, LEADING, Block, measure, write
from regard.views.signs import visible

# Okabe and Ito (2008): told apart by every kind of colour vision; the darker ones, for white paper. Shapes differ too.
INKS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00", "#1b1f24", "#8c8c8c")
SHAPES = "osD^vPX*"
_MARK, _BETWEEN = 13.0, 19.0


def legend(names: Sequence[str], fonts: Fonts, width: float) -> Block:
    """Names in as many lines as they take; series without a name are left out, and keep their ink."""
    spots: list[tuple[float, int, int]] = []
    x, line = 0.0, 0
    for at, name in enumerate(names):
        wide = _MARK + measure(visible(name), fonts)
        if x and x + wide > width:
            x, line = 0.0, line + 1
        if name:
            spots.append((x, line, at))
            x += wide + _BETWEEN

    def paint(axes: Axes, left: float, top: float) -> None:
        for x, line, at in spots:
            base = top + BODY * (1 + LEADING * line)
            shape, tint = SHAPES[at % len(SHAPES)], INKS[at % len(INKS)]
            axes.plot([left + x + 4], [base - 3.5], marker=shape, color=tint, markersize=5.5)
            write(axes, left + x + _MARK, base, visible(names[at]), fonts, BODY)

    return Block(width, BODY * LEADING * (line + 1) if spots else 0.0, paint)
