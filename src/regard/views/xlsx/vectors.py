"""Vectors and the matrices that make them, on a sheet: vectors of one length are columns of one table."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from regard.views.xlsx.book import Book, Place

Line = Callable[[int], str]
"""Which number of a vector, from 0 → its formula."""


class Column(NamedTuple):
    """A vector: its name, its sign, and its numbers, or how they are computed."""

    name: str
    sign: str
    made: np.ndarray | Line


class Matrix(NamedTuple):
    """A matrix beside a table; of one row, `live`, the numbers are computed."""

    name: str
    sign: str
    values: np.ndarray
    live: int | None = None
    made: Line | None = None


class Vectors:
    """Places by name in a book; they are filled when all are known. Final."""

    def __init__(self, book: Book) -> None:
        self.book, self.places = book, dict[str, Place]()
        self._fills: list[Callable[[], None]] = []

    def at(self, name: str, i: int, home: str) -> str:
        """A number of a vector, whichever way it lies, as a formula on the sheet `home` calls it."""
        place = self.places[name]
        return place.at(*((0, i) if place.shape[0] == 1 else (i, 0)), home)

    def one(self, name: str, home: str) -> str:
        """A number that stands alone; the same in every line."""
        return self.places[name].at(0, 0, home, fixed=True)

    def product(self, row: str, matrix: str, home: str) -> Line:
        """A vector by each line of a matrix."""
        return lambda i: f"SUMPRODUCT({self.places[row].row_of(0, home)},{self.places[matrix].row_of(i, home)})"

    def total(self, names: Sequence[str], home: str) -> Line:
        """Vectors added up."""
        return lambda i: "+".join(self.at(name, i, home) for name in names)

    def alone(self, home: str, name: str, sign: str, made: float | Line) -> None:
        """One number with its name before it."""
        place = self.book.room(home, (1, 1), flipped=False)
        self.book.labels(place, "", [sign], [""])
        self._later(name, place, np.array([made]) if isinstance(made, float) else made)

    def row(self, home: str, name: str, sign: str, made: np.ndarray | Line, count: int) -> None:
        """A vector from left to right."""
        place = self.book.room(home, (1, count), flipped=False)
        self.book.labels(place, "", [sign], [f"{at}" for at in range(1, count + 1)])
        self._later(name, place, made)

    def table(self, home: str, lines: Sequence[str], columns: Sequence[Column], *matrices: Matrix) -> None:
        """Vectors from top to bottom beside each other, then the matrices, a column between."""
        room = self.book.room(home, (len(lines), len(columns)), flipped=False)
        self.book.labels(room, "", lines, [column.sign for column in columns])
        for at, column in enumerate(columns):
            self._later(column.name, Place(home, room.row, room.column + at, (len(lines), 1)), column.made)
        free = room.column + len(columns) + 1
        for matrix in matrices:
            place = Place(home, room.row, free, matrix.values.shape)
            self.book.labels(place, "", [""] * len(lines), [f"{matrix.sign}[{at + 1}]" for at in range(place.shape[1])])
            self._beside(matrix, place)
            free += place.shape[1] + 1

    def fill(self) -> None:
        """Write what was asked for."""
        for each in self._fills:
            each()

    def _beside(self, matrix: Matrix, place: Place) -> None:
        self._name(matrix.name, place)
        self._fills.append(lambda: self.book.numbers(place, matrix.values))
        if matrix.made is not None and matrix.live is not None:
            line, made = Place(place.sheet, place.row + matrix.live, place.column, (1, place.shape[1])), matrix.made
            self._fills.append(lambda: self.book.formulas(line, lambda i, j: made(j)))

    def _later(self, name: str, place: Place, made: np.ndarray | Line) -> None:
        self._name(name, place)
        if callable(made):
            self._fills.append(lambda: self.book.formulas(place, lambda i, j: made(max(i, j))))
        else:
            self._fills.append(lambda: self.book.numbers(place, np.asarray(made).reshape(place.shape)))

    def _name(self, name: str, place: Place) -> None:
        self.places[name] = place
        self.book.call(name, place)
