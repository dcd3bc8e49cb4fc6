"""Points with their names in a terminal: a sheet of signs."""

from rich.cells import cell_len
from rich.console import RenderableType
from rich.text import Text as Line

from regard.views.picture import Marks
from regard.views.plane import groups, laid
from regard.views.signs import visible

_SIGNS = "●◆■▲▼✚"
_WIDEST, _HIGHEST = 100, 26
_WIDER = 2.1
"""So many times as high as wide is a cell of a terminal."""


def plane(picture: Marks, width: int, colour: bool) -> RenderableType:
    """Each point a sign, its name beside it; signs tell kinds apart; points without a name on a line are dots."""
    wide = min(width, _WIDEST)
    high = min(_HIGHEST, max(8, wide // 3))
    sheet = (wide / _WIDER, float(high))
    spots = laid(picture, sheet, lambda name: (cell_len(visible(name)) / _WIDER, 0.9), 1.0, 1.0)
    kinds = groups(picture)
    cells: list[dict[int, str]] = [{} for _ in range(high)]
    for spot in sorted(spots, key=lambda spot: bool(spot.label)):
        row, column = min(high - 1, int(spot.y)), min(wide - 1, int(spot.x * _WIDER))
        series = picture.series[spot.series]
        on_the_way = series.kind == "line" and not spot.label
        cells[row][column] = "·" if on_the_way else _SIGNS[kinds.index(series.name) % len(_SIGNS)]
    for spot in spots:
        if spot.place is not None:
            _written(
                cells[min(high - 1, round(spot.place[1]))], round(spot.place[0] * _WIDER), visible(spot.label), wide
            )
    legend = "  ".join(f"{_SIGNS[at % len(_SIGNS)]} {visible(kind)}" for at, kind in enumerate(kinds) if kind)
    axes = f"→ {visible(picture.x_axis)}  ↑ {visible(picture.y_axis)}"
    return Line("\n".join([*([legend] if legend else []), *map(_line, cells), axes]))


def _written(row: dict[int, str], column: int, name: str, wide: int) -> None:
    """A name into a row, where all of its cells are free."""
    end = column + cell_len(name)
    if column >= 0 and end <= wide and not any(at in row for at in range(column - 1, end + 1)):
        for sign in name:
            row[column] = sign
            column += cell_len(sign)
            if cell_len(sign) == 2:
                row[column - 1] = ""


def _line(row: dict[int, str]) -> str:
    return "".join(row.get(at, " ") for at in range(max(row, default=-1) + 1))
