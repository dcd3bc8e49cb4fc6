"""A picture as plain data: what is shown, not how it is drawn. Every renderer draws the same numbers.

A picture is a `Grid`, `Tiles`, `Links`, `Table`, `Formula`, `Text` or `Marks`, or `Rows`/`Columns` of pictures.
Sentences are already in the reader's language here; numbers are not yet rounded.
"""

from dataclasses import dataclass, field
from typing import Literal

import numpy as np

Layout = Literal["query-rows", "key-rows"]
KINDS = {"both": "=", "gold": "−", "model": "+"}


@dataclass(frozen=True)
class Picture:
    """What every picture has. Abstract.

    Attributes:
        title: one line above the picture.
        reading: what to see in it, in words, below it.
        check: which check was made and how far off it was (the stamp of a trace), or why none is needed.
    """

    title: str = ""
    reading: str = ""
    check: str = ""


@dataclass(frozen=True)
class Grid(Picture):
    """A matrix with named rows and columns: a pattern, an alignment, any matrix of a derivation.

    Attributes:
        values: (rows, columns) floats; −inf where hidden, NaN where left blank.
        row_names, column_names: one label a row and a column (tokens, or `d1`, `d2` …).
        row_axis, column_axis: what rows and columns are (*query*, *key* …).
        digits: digits after the point.
        heat: shade the cells by value (patterns), or only print numbers (vectors).
    """

    values: np.ndarray = field(default_factory=lambda: np.zeros((0, 0)))
    row_names: tuple[str, ...] = ()
    column_names: tuple[str, ...] = ()
    row_axis: str = ""
    column_axis: str = ""
    digits: int = 2
    heat: bool = True


@dataclass(frozen=True)
class Tiles(Picture):
    """Many small grids in rows and columns, by their shades alone: the heads of a model, or the steps of a run.

    Attributes:
        values: (rows, columns, queries, keys) floats, all shaded on one scale; NaN where there is nothing.
        row_names, column_names: one label a row and a column of tiles.
        row_axis, column_axis: what rows and columns of tiles are.
        root: shade by the square root of the value, so that small weights are seen.
    """

    values: np.ndarray = field(default_factory=lambda: np.zeros((0, 0, 0, 0)))
    row_names: tuple[str, ...] = ()
    column_names: tuple[str, ...] = ()
    row_axis: str = ""
    column_axis: str = ""
    root: bool = False


@dataclass(frozen=True)
class Links(Picture):
    """Two lines of tokens joined by weighted links: an alignment read as word pairs.

    Attributes:
        top, bottom: the tokens of the two lines (for a translation: source above, target below).
        links: (index in top, index in bottom, weight 0…1).
        digits: digits after the point.
        kinds: of each link, who has it, people (`gold`), the `model` or `both`; empty where nobody compares. Each is
            written after its weight as its sign in `KINDS`, so colour is never alone in telling it.
    """

    top: tuple[str, ...] = ()
    bottom: tuple[str, ...] = ()
    links: tuple[tuple[int, int, float], ...] = ()
    digits: int = 2
    kinds: tuple[str, ...] = ()

    def signs(self) -> tuple[str, ...]:
        """What is written after the weight of each link."""
        return tuple(f" {KINDS[kind]}" for kind in self.kinds) or ("",) * len(self.links)


@dataclass(frozen=True)
class Series:
    """One named run of points in `Marks`; `errors` are half-widths of bars of uncertainty, `labels` names of points.

    Points with names lie on a plane: one step is as long on both axes, and numbers do not matter.
    """

    name: str
    x: tuple[float | str, ...]
    y: tuple[float, ...]
    kind: Literal["points", "line", "bars"] = "line"
    errors: tuple[float, ...] = ()
    labels: tuple[str, ...] = ()


@dataclass(frozen=True)
class Marks(Picture):
    """Points, lines or bars on two axes."""

    series: tuple[Series, ...] = ()
    x_axis: str = ""
    y_axis: str = ""
    digits: int = 2

    @property
    def named(self) -> bool:
        """Whether its points have names."""
        return any(series.labels for series in self.series)


@dataclass(frozen=True)
class Table(Picture):
    """Rows of cells under a head. Cells are strings or numbers; numbers are aligned right.

    Attributes:
        counts: all but the first column are numbers, though some are written with units, and aligned right too.
    """

    head: tuple[str, ...] = ()
    rows: tuple[tuple[str | int | float, ...], ...] = ()
    digits: int = 2
    counts: bool = False

    @property
    def right(self) -> tuple[bool, ...]:
        """Of each column, whether it is aligned right."""
        words = [any(isinstance(row[at], str) for row in self.rows) for at in range(len(self.head))]
        return tuple((self.counts and at > 0) or not any_words for at, any_words in enumerate(words))


@dataclass(frozen=True)
class Formula(Picture):
    """A formula: in LaTeX for pages and papers, in plain signs for terminals."""

    latex: str = ""
    plain: str = ""


@dataclass(frozen=True)
class Text(Picture):
    """Plain paragraphs; `level` > 0 makes it a heading of that depth (1 is the document's)."""

    text: str = ""
    level: int = 0


@dataclass(frozen=True)
class Rows(Picture):
    """Pictures under each other."""

    parts: tuple[Picture, ...] = ()


@dataclass(frozen=True)
class Columns(Picture):
    """Pictures beside each other, for instance Q · Kᵀ = S."""

    parts: tuple[Picture, ...] = ()
    signs: tuple[str, ...] = ()
