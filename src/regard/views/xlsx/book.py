"""A workbook as sheets of named blocks: each has a place, and a formula names the cells of another by that place."""

import io
import re
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from openpyxl import Workbook
from openpyxl.cell import Cell as Box
from openpyxl.formatting.rule import ColorScaleRule
from openpyxl.styles import Alignment, Font, PatternFill
from openpyxl.utils import get_column_letter
from openpyxl.utils.cell import quote_sheetname
from openpyxl.workbook.defined_name import DefinedName
from openpyxl.worksheet.properties import PageSetupProperties
from rich.cells import cell_len

from regard.core.errors import BadInput
from regard.views.signs import shortened, visible

LONGEST = 8000
"""Signs of a formula; programs take 8192."""

_GIVEN = PatternFill("solid", fgColor="FFF8DC")
_INK, _MUTED, _INPUT = Font(bold=True), Font(italic=True, color="666666"), Font(color="1F4E9E")
_TITLE, _HEADING = Font(bold=True, size=14), Font(bold=True, size=12)
_RIGHT = Alignment(horizontal="right")
_ACROSS, _WIDE, _HIGH, _NUMBER = 8, 100, 15, 12
"""Columns that a long text runs across, the signs that these hold, points of a line, signs of a number."""

_DAY = "2000-01-01T00:00:00Z"

Formula = Callable[[int, int], str]
"""Row and column of a matrix → the formula of that number, without `=`."""


class Named(str):
    """A cell, as a formula calls it, whose word is a label. Final."""


@dataclass(frozen=True)
class Place:
    """Where the numbers of a matrix stand.

    Attributes:
        sheet: its sheet's name.
        row, column: of its first number, from 1.
        shape: rows and columns of the matrix.
        flipped: its rows run from top to bottom of the sheet, or from left to right.
    """

    sheet: str
    row: int
    column: int
    shape: tuple[int, int]
    flipped: bool = False

    def at(self, i: int, j: int, home: str, *, fixed: bool = False) -> str:
        """The cell of a number, as a formula on the sheet `home` calls it."""
        down, across = (j, i) if self.flipped else (i, j)
        mark = "$" if fixed else ""
        name = f"{mark}{get_column_letter(self.column + across)}{mark}{self.row + down}"
        return name if self.sheet == home else f"{quote_sheetname(self.sheet)}!{name}"

    def row_of(self, i: int, home: str) -> str:
        """All cells of one row of the matrix."""
        first, last = self.at(i, 0, home), self.at(i, self.shape[1] - 1, home)
        return f"{first}:{last.rpartition('!')[2]}"

    def span(self, home: str) -> str:
        """All cells."""
        last = self.at(self.shape[0] - 1, self.shape[1] - 1, home)
        return f"{self.at(0, 0, home)}:{last.rpartition('!')[2]}"

    def whole(self) -> str:
        """All cells, as a name is defined for them."""
        first, last = self.at(0, 0, "", fixed=True), self.at(self.shape[0] - 1, self.shape[1] - 1, "", fixed=True)
        return f"{first}:{last.rpartition('!')[2]}"


class Book:
    """A workbook that is filled from top to bottom, sheet by sheet. Final.

    Args:
        digits: digits after the point that are shown; the numbers have all.
    """

    def __init__(self, digits: int) -> None:
        self.workbook = Workbook()
        self.workbook.remove(self.workbook.active)
        self.format = "0." + "0" * digits if digits else "0"
        self.free: dict[str, int] = {}

    def open(self, name: str) -> str:
        """A new sheet; its name."""
        sheet = self.workbook.create_sheet(name)
        sheet.column_dimensions["A"].width, sheet.freeze_panes = 18, "B1"
        sheet.sheet_format.defaultColWidth = _NUMBER
        sheet.sheet_properties.pageSetUpPr = PageSetupProperties(fitToPage=True)
        sheet.page_setup.orientation, sheet.page_setup.fitToHeight = "landscape", 0  # printed, as wide as the paper
        self.free[sheet.title] = 1
        return str(sheet.title)

    def line(self, sheet: str, text: str, kind: str = "text") -> None:
        """A line of words: `title`, `heading`, `text` or `note`."""
        row = self.free[sheet]
        box = self._box(sheet, row, 1)
        _write(box, text)
        box.font = {"title": _TITLE, "heading": _HEADING, "note": _MUTED}.get(kind, Font())
        if (lines := -(-cell_len(text) // _WIDE)) > 1 and kind == "note":
            self.workbook[sheet].merge_cells(start_row=row, end_row=row, start_column=1, end_column=_ACROSS)
            box.alignment = Alignment(wrap_text=True, vertical="top")
            self.workbook[sheet].row_dimensions[row].height = _HIGH * lines
        self.free[sheet] += 1

    def skip(self, sheet: str) -> None:
        """An empty line."""
        self.free[sheet] += 1

    def words(self, sheet: str, texts: Sequence[str]) -> Place:
        """Words below each other that a reader may change."""
        place = Place(sheet, self.free[sheet], 2, (len(texts), 1))
        for at, text in enumerate(texts):
            _write(self._box(sheet, place.row, 1, at), str(at + 1))
            box = self._box(sheet, place.row, 2, at)
            _write(box, shortened(text, 200))
            box.fill, box.font = _GIVEN, _INPUT
        self.free[sheet] += len(texts) + 1
        return place

    def room(self, sheet: str, shape: tuple[int, int], flipped: bool) -> Place:
        """Room for a matrix below what is there, with a line above and a column beside it for its labels."""
        high = shape[1] if flipped else shape[0]
        place = Place(sheet, self.free[sheet] + 1, 2, shape, flipped)
        self.free[sheet] += high + 2
        return place

    def numbers(self, place: Place, values: Any) -> None:
        """What is given, to be changed by the reader."""
        for i in range(place.shape[0]):
            for j in range(place.shape[1]):
                box = self._at(place, i, j)
                value = float(values[i][j])
                box.value, box.fill, box.font = None if value != value else value, _GIVEN, _INPUT
                box.number_format = "General" if value == round(value) else self.format

    def formulas(self, place: Place, formula: Formula) -> None:
        """What is computed.

        Raises:
            BadInput: `xlsx_long`: a sum has more terms than a formula takes.
        """
        for i in range(place.shape[0]):
            for j in range(place.shape[1]):
                told = f"={formula(i, j)}"
                if len(told) > LONGEST:
                    raise BadInput("xlsx_long", length=len(told), most=LONGEST)
                box = self._at(place, i, j)
                box.value, box.number_format, box.alignment = told, self.format, _RIGHT

    def labels(self, place: Place, corner: str, rows: Sequence[str], columns: Sequence[str]) -> None:
        """Names of rows and columns: words, or `Named` cells that hold them."""
        down, across = (columns, rows) if place.flipped else (rows, columns)
        _write(self._box(place.sheet, place.row - 1, place.column - 1), corner)
        places = [(place.row + at, place.column - 1, name) for at, name in enumerate(down)]
        places += [(place.row - 1, place.column + at, name) for at, name in enumerate(across)]
        for row, column, name in places:
            box = self._box(place.sheet, row, column)
            _write(box, shortened(name, 60))
            if isinstance(name, Named):
                box.value = f"={name}"
            box.font = _INK
            box.alignment = _RIGHT if row < place.row else Alignment()

    def shade(self, place: Place) -> None:
        """Weights by their size, white to blue."""
        ends: Any = {"start_type": "num", "start_value": 0, "end_type": "num", "end_value": 1}
        rule = ColorScaleRule(**ends, start_color="FFFFFF", end_color="5B9BD5")
        self.workbook[place.sheet].conditional_formatting.add(place.whole().rpartition("!")[2].replace("$", ""), rule)

    def call(self, name: str, place: Place) -> None:
        """Give a matrix a name in the workbook."""
        self.workbook.defined_names[name] = DefinedName(name, attr_text=place.whole())

    def data(self) -> bytes:
        """The file; the same book has the same bytes."""
        self.workbook.calculation.fullCalcOnLoad = True
        raw, made = io.BytesIO(), io.BytesIO()
        self.workbook.save(raw)
        with zipfile.ZipFile(raw) as old, zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as new:
            for name in old.namelist():
                part = old.read(name)
                part = (
                    re.sub(rb"\d{4}-\d\d-\d\dT[\d:.]+Z", _DAY.encode(), part) if name == "docProps/core.xml" else part
                )
                new.writestr(zipfile.ZipInfo(name, (2000, 1, 1, 0, 0, 0)), part, zipfile.ZIP_DEFLATED)
        return made.getvalue()

    def _at(self, place: Place, i: int, j: int) -> Any:
        down, across = (j, i) if place.flipped else (i, j)
        return self._box(place.sheet, place.row, place.column + across, down)

    def _box(self, sheet: str, row: int, column: int, down: int = 0) -> Any:
        return self.workbook[sheet].cell(row + down, column)


def _write(box: Box, text: str) -> None:
    """A text as text, also one that begins with =, + or @."""
    box.value = "\n".join(visible(line) if line else "" for line in text.split("\n"))
    box.data_type = "s"
    box.quotePrefix = text[:1] in ("=", "+", "-", "@")
