"""What drawing on paper needs: blocks of known size, text of known width, the colours of ink."""

from collections.abc import Callable, Set
from functools import cache
from typing import Any, NamedTuple

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg, RendererAgg
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties

from regard.views.png.fonts import Fonts
from regard.views.signs import wrap

# Sizes are in points, 72 to the inch; y runs down the page.
TITLE, BODY, SMALL, TINY = 12.0, 10.0, 8.5, 7.5
INK, MUTED, LINE, VEIL = "#1b1f24", "#66707c", "#d5dae1", "#e7eaee"
LEADING = 1.45
GAP = 18.0


class Block(NamedTuple):
    """A piece of a picture: its size, and how it paints itself with its left upper corner at (x, y)."""

    width: float
    height: float
    paint: Callable[[Axes, float, float], None]


def measure(text: str, fonts: Fonts, size: float = BODY, weight: str = "normal", math: bool = False) -> float:
    """The width of a line of text in points."""
    shown = text if math else fonts.drawable(text)
    font = FontProperties(family=list(fonts.families), size=size, weight=weight)
    return float(_renderer().get_text_width_height_descent(shown, font, math)[0]) / _FINE


_FINE = 4


@cache
def _renderer() -> RendererAgg:
    # Four times finer than a point, so that hinting does not round widths.
    return FigureCanvasAgg(Figure(dpi=72 * _FINE)).get_renderer()


def write(axes: Axes, x: float, y: float, text: str, fonts: Fonts, size: float = BODY, **looks: Any) -> None:
    """Put one line of text with its baseline's left end at (x, y); signs such as $ mean themselves."""
    drawn: dict[str, Any] = {"color": INK, "va": "baseline", "parse_math": False, **looks}
    axes.text(x, y, fonts.drawable(text), family=list(fonts.families), size=size, **drawn)


def paragraph(text: str, fonts: Fonts, width: float, size: float = BODY, **looks: Any) -> Block:
    """Lines of text, broken to `width`."""
    weight = str(looks.get("weight", "normal"))

    def wide(line: str) -> float:
        return measure(line, fonts, size, weight)

    lines = [line for part in text.split("\n") for line in wrap(part, width, wide)]

    def paint(axes: Axes, x: float, y: float) -> None:
        for at, line in enumerate(lines):
            write(axes, x, y + size * (LEADING * at + 1.05), line, fonts, size, **looks)

    return Block(max(map(wide, lines)), size * LEADING * len(lines), paint)


def stacked(blocks: list[Block], gap: float) -> Block:
    """Blocks under each other; empty ones take no room."""
    blocks = [block for block in blocks if block.height]

    def paint(axes: Axes, x: float, y: float) -> None:
        for block in blocks:
            block.paint(axes, x, y)
            y += block.height + gap

    height = sum(block.height for block in blocks) + gap * max(0, len(blocks) - 1)
    return Block(max((block.width for block in blocks), default=0.0), height, paint)


def beside(blocks: list[Block], gap: float, middle: Set[int] = frozenset()) -> Block:
    """Blocks beside each other, their upper edges on one line; those in `middle` stand at half height."""
    height = max((block.height for block in blocks), default=0.0)

    def paint(axes: Axes, x: float, y: float) -> None:
        for at, block in enumerate(blocks):
            block.paint(axes, x, y + ((height - block.height) / 2 if at in middle else 0.0))
            x += block.width + gap

    return Block(sum(block.width for block in blocks) + gap * max(0, len(blocks) - 1), height, paint)
