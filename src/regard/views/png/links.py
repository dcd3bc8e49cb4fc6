"""Links on paper: two lines of words, joined by curves as thick as their weights."""

from matplotlib.axes import Axes
from matplotlib.patches import PathPatch
from matplotlib.path import Path as Curve

from regard.views.picture import Links
from regard.views.png.fonts import Fonts
from regard.views.png.paper import MUTED, TINY, Block, measure, write
from regard.views.shade import LIGHT, colour
from regard.views.signs import minus, number, shortened

_WORD = 12.0
_BETWEEN, _DROP = 20.0, 96.0
_TINTS = {"both": "#15489e", "gold": "#5b6571", "model": "#d55e00"}  # as in the page


def links(picture: Links, fonts: Fonts, width: float) -> Block:
    """Source words above, target words below, under each of these its weights, the strongest first."""
    if not picture.bottom:
        return Block(0.0, 0.0, lambda axes, x, y: None)
    rows = [[shortened(token) for token in tokens] for tokens in (picture.top, picture.bottom)]
    sizes = [[measure(word, fonts, _WORD) + _BETWEEN for word in words] for words in rows]
    total = max([sum(row) for row in sizes] + [0.0])
    above, below = (_centres(row, total) for row in sizes)
    listed = _listed(picture)
    depth = max(map(len, listed), default=0)
    upper, lower = _WORD * 1.1, _WORD * 1.1 + 8 + _DROP + 8 + _WORD

    def paint(axes: Axes, x: float, y: float) -> None:
        kinds = picture.kinds or ("",) * len(picture.links)
        for (top, bottom, weight), kind in sorted(zip(picture.links, kinds, strict=True), key=lambda each: each[0][2]):
            _curve(axes, x + above[top], x + below[bottom], y + upper + 8, weight, kind)
        for words, centres, line in zip(rows, (above, below), (upper, lower), strict=True):
            for word, centre in zip(words, centres, strict=True):
                write(axes, x + centre, y + line, word, fonts, _WORD, ha="center")
        for centre, weights in zip(below, listed, strict=True):
            for at, written in enumerate(weights):
                write(axes, x + centre, y + lower + 13 + at * 10, written, fonts, TINY, color=MUTED, ha="center")

    return Block(total, lower + 8 + depth * 10, paint)


def _centres(widths: list[float], total: float) -> list[float]:
    """The middle of each word, the words spread evenly over the whole width."""
    spare = (total - sum(widths)) / max(1, len(widths))
    centres, x = [], 0.0
    for wide in widths:
        centres.append(x + (wide + spare) / 2)
        x += wide + spare
    return centres


def _listed(picture: Links) -> list[list[str]]:
    """For each word below, its weights as they are written under it."""
    listed: list[list[tuple[float, str]]] = [[] for _ in picture.bottom]
    for (_, bottom, weight), sign in zip(picture.links, picture.signs(), strict=True):
        listed[bottom].append((weight, sign))
    ordered = [sorted(row, key=lambda each: -each[0]) for row in listed]
    return [[minus(number(weight, picture.digits)) + sign for weight, sign in row] for row in ordered]


def _curve(axes: Axes, start: float, end: float, y: float, weight: float, kind: str) -> None:
    strength = min(max(weight, 0.0), 1.0)
    bend = _DROP * 0.55
    points = [(start, y), (start, y + bend), (end, y + _DROP - bend), (end, y + _DROP)]
    path = Curve(points, [Curve.MOVETO, Curve.CURVE4, Curve.CURVE4, Curve.CURVE4])
    tint = _TINTS.get(kind) or colour(0.25 + 0.75 * strength, LIGHT)
    width = 0.5 + 5 * strength
    dashes = (0, (3, 2)) if kind == "gold" else "solid"
    axes.add_patch(
        PathPatch(
            path, fill=False, edgecolor=tint, linewidth=width, linestyle=dashes, capstyle="butt" if kind else "round"
        )
    )
