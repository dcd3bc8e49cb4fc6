"""A picture as JSON for the page: its numbers as they are, the same numbers as they are written, their shades."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from rich.cells import cell_len

from regard.views.mathml import mathml
from regard.views.picture import Columns, Formula, Grid, Links, Marks, Picture, Rows, Series, Table, Text, Tiles
from regard.views.plane import groups, laid
from regard.views.shade import shades, tile_shades
from regard.views.signs import cell, minus, number, prose, told_apart, visible

Data = dict[str, Any]


def data(picture: Picture) -> Data:
    """Strict JSON (no NaN, no infinity) of everything a page shows; `kind` says which picture it is."""
    notes = {"title": prose(picture.title), "reading": prose(picture.reading), "check": prose(picture.check)}
    return {"kind": type(picture).__name__.lower(), **notes, **_DATA[type(picture)](picture)}


def _grid(picture: Grid) -> Data:
    depth = shades(picture.values) if picture.heat else np.full(picture.values.shape, np.nan)
    return {
        "rows": [visible(name) for name in picture.row_names],
        "columns": [visible(name) for name in picture.column_names],
        "row_axis": visible(picture.row_axis),
        "column_axis": visible(picture.column_axis),
        "heat": picture.heat,
        "texts": [[minus(number(value, picture.digits)) for value in row] for row in picture.values],
        "exact": [[_finite(value) for value in row] for row in picture.values],
        "shades": [[_finite(round(float(shade), 4)) for shade in row] for row in depth],
    }


LEVELS = 64
"""How many shades a tile has on a page; a cell of none is left out."""


def _tiles(picture: Tiles) -> Data:
    depth = tile_shades(picture.values, picture.root)
    return {
        "rows": [visible(name) for name in picture.row_names],
        "columns": [visible(name) for name in picture.column_names],
        "row_axis": visible(picture.row_axis),
        "column_axis": visible(picture.column_axis),
        "size": list(picture.values.shape[2:]),
        "tiles": [[_levels(tile) for tile in row] for row in depth],
    }


def _levels(tile: np.ndarray) -> list[list[Any]]:
    """A tile as [shade, path] a level: the path has a square of side 1 for each of its cells."""
    level = np.nan_to_num(tile * LEVELS).round().astype(int)
    found = sorted(set(level.flat) - {0})
    return [[at / LEVELS, "".join(f"M{x} {y}h1v1h-1z" for y, x in np.argwhere(level == at))] for at in found]


def _told(weight: float, digits: int, sign: str) -> str:
    return minus(number(weight, digits)) + sign


def _links(picture: Links) -> Data:
    kinds: list[Data] = [{"kind": kind} for kind in picture.kinds] or [{} for _ in picture.links]
    return {
        "top": [visible(token) for token in picture.top],
        "bottom": [visible(token) for token in picture.bottom],
        "told_apart": {"top": told_apart(picture.top), "bottom": told_apart(picture.bottom)},
        "links": [
            {
                "top": top,
                "bottom": bottom,
                "weight": _finite(weight),
                "text": _told(weight, picture.digits, sign),
                **kind,
            }
            for (top, bottom, weight), sign, kind in zip(picture.links, picture.signs(), kinds, strict=True)
        ],
    }


def _marks(picture: Marks) -> Data:
    return {
        "x_axis": visible(picture.x_axis),
        "y_axis": visible(picture.y_axis),
        "series": [_series(series, picture.digits) for series in picture.series],
        **({"plane": _plane(picture)} if picture.named else {}),
    }


SHEET, LETTER, LINE = (680, 460), 7.4, 17.0
"""The size of a plane on a page, and how wide and high a letter of it is taken to be."""


def _plane(picture: Marks) -> Data:
    """Points with names, each in its place on the sheet."""
    spots = laid(picture, SHEET, lambda name: (cell_len(visible(name)) * LETTER + 2, LINE), 8.0, 48.0)
    kinds = groups(picture)
    told = [
        {
            "series": spot.series,
            "x": round(spot.x, 2),
            "y": round(spot.y, 2),
            "label": visible(spot.label),
            "place": None if spot.place is None else [round(each, 2) for each in spot.place],
            "far": spot.far,
        }
        for spot in spots
    ]
    return {"size": list(SHEET), "kinds": kinds, "spots": told, "rows": _named(picture)}


def _named(picture: Marks) -> list[list[str]]:
    """The name and the numbers of each point that has one."""
    return [
        [visible(name), *(minus(number(float(value), picture.digits)) for value in (x, y))]
        for series in picture.series
        for name, x, y in zip(series.labels, series.x, series.y, strict=True)
        if name
    ]


def _series(series: Series, digits: int) -> Data:
    errors = series.errors or (math.nan,) * len(series.y)
    return {
        "name": visible(series.name),
        "kind": series.kind,
        "x": [visible(x) if isinstance(x, str) else _finite(x) for x in series.x],
        "y": [_finite(y) for y in series.y],
        "errors": [_finite(error) for error in errors],
        "texts": [_spread(y, error, digits) for y, error in zip(series.y, errors, strict=True)],
    }


def _spread(value: float, error: float, digits: int) -> str:
    return minus(number(value, digits)) + (f" ±{number(error, digits)}" if math.isfinite(error) else "")


def _table(picture: Table) -> Data:
    return {
        "head": [visible(name) for name in picture.head],
        "numeric": list(picture.right),
        "rows": [
            [visible(value) if isinstance(value, str) else minus(cell(value, picture.digits)) for value in row]
            for row in picture.rows
        ],
    }


def _formula(picture: Formula) -> Data:
    return {"mathml": mathml(picture.latex), "plain": prose(picture.plain or picture.latex)}


def _text(picture: Text) -> Data:
    return {"text": prose(picture.text), "level": picture.level}


def _rows(picture: Rows) -> Data:
    return {"parts": [data(part) for part in picture.parts]}


def _columns(picture: Columns) -> Data:
    return {"parts": [data(part) for part in picture.parts], "signs": [prose(sign) for sign in picture.signs]}


def _finite(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


_DATA: dict[type[Picture], Callable[[Any], Data]] = {
    Grid: _grid,
    Tiles: _tiles,
    Links: _links,
    Marks: _marks,
    Table: _table,
    Formula: _formula,
    Text: _text,
    Rows: _rows,
    Columns: _columns,
}
