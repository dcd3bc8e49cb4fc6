"""Points with names on a plane: where each is drawn, and where its name stands so that nobody's covers another's.

The same for every medium; each says how large its sheet is, and how much room a name takes.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise, product

import numpy as np

from regard.views.picture import Marks, Series

Size = tuple[float, float]


@dataclass(frozen=True)
class Spot:
    """A point on the sheet; y runs down.

    Attributes:
        series: its number.
        label: its name.
        place: the left upper corner of its name; None where it has none, or there is no room for it.
        far: the name stands so far off that a line should lead to it.
    """

    series: int
    x: float
    y: float
    label: str
    place: tuple[float, float] | None
    far: bool = False


def groups(picture: Marks) -> list[str]:
    """The names of the series, each once: several may be of one kind, and are drawn alike."""
    return list(dict.fromkeys(series.name for series in picture.series))


def laid(picture: Marks, sheet: Size, measure: Callable[[str], Size], gap: float, edge: float) -> list[Spot]:
    """All points on a sheet, the first named first.

    Args:
        sheet: width and height.
        measure: width and height of a name.
        gap: between a point and its name.
        edge: so far from the border of the sheet points stay.
    """
    points = [(at, x, y, name) for at, series in enumerate(picture.series) for x, y, name in _points(series)]
    places = _scaled(np.array([(x, y) for _, x, y, _ in points], dtype=np.float64).reshape(-1, 2), sheet, edge)
    drawn = [*places, *_between(picture, places, gap)]
    taken = [(x - gap / 2, y - gap / 2, x + gap / 2, y + gap / 2) for x, y in drawn]
    spots = []
    for (at, _, _, name), (x, y) in zip(points, places, strict=True):
        if not name:
            spots.append(Spot(at, x, y, name, None))
            continue
        wide, high = measure(name)
        found = next(
            (
                (box, far)
                for box, far in _candidates(x, y, wide, high, gap)
                if _inside(box, sheet) and not any(_over(box, other) for other in taken)
            ),
            None,
        )
        taken += [found[0]] if found else []
        spots.append(Spot(at, x, y, name, found[0][:2] if found else None, found is not None and found[1]))
    return spots


Box = tuple[float, float, float, float]


def _points(series: Series) -> Iterator[tuple[float, float, str]]:
    names = series.labels or ("",) * len(series.x)
    for x, y, name in zip(series.x, series.y, names, strict=True):
        yield float(x), float(y), name


def _between(picture: Marks, places: list[tuple[float, float]], gap: float) -> Iterator[tuple[float, float]]:
    """Points along the lines, close enough that no name gets between."""
    at = 0
    for series in picture.series:
        own = places[at : at + len(series.x)]
        at += len(own)
        for start, end in pairwise(own if series.kind == "line" else []):
            count = int(np.hypot(end[0] - start[0], end[1] - start[1]) / gap * 2)
            yield from zip(
                *(np.linspace(*ends, count + 2).tolist() for ends in zip(start, end, strict=True)), strict=True
            )


def _scaled(points: np.ndarray, sheet: Size, edge: float) -> list[tuple[float, float]]:
    """Points as large as the sheet allows, in its middle, one step as long on both axes."""
    if not len(points):
        return []
    low, high = points.min(axis=0), points.max(axis=0)
    room = np.array(sheet) - 2 * edge
    with np.errstate(divide="ignore"):
        scale = min(np.where(high > low, room / np.where(high > low, high - low, 1.0), np.inf))
    scale = scale if np.isfinite(scale) else 1.0
    middle = (points - (low + high) / 2) * scale * np.array([1.0, -1.0]) + np.array(sheet) / 2
    return [(float(x), float(y)) for x, y in middle]


def _candidates(x: float, y: float, wide: float, high: float, gap: float) -> Iterator[tuple[Box, bool]]:
    """Places for a name round its point, the best first: right, left, above, below, slanting; then further off."""
    sides = [(1, 0), (-1, 0), (0, -1), (0, 1), *product((1, -1), (-1, 1))]
    for step in (1, 2, 4, 6):
        for across, down in sides:
            left = x + across * gap * step - (wide if across < 0 else wide / 2 if across == 0 else 0.0)
            top = y + down * (gap * step + high / 2) - high / 2
            yield (left, top, left + wide, top + high), step > 2


def _inside(box: Box, sheet: Size) -> bool:
    return box[0] >= 0 and box[1] >= 0 and box[2] <= sheet[0] and box[3] <= sheet[1]


def _over(one: Box, other: Box) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]
