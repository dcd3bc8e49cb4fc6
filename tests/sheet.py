"""A small evaluator of spreadsheets, for the formulas that `regard` writes: independent of the code that writes them.

Formulas are cut into tokens by openpyxl and turned into Python; a function that is not known here is an error.
"""

import math
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from openpyxl import Workbook, load_workbook
from openpyxl.formula import Tokenizer
from openpyxl.utils.cell import range_boundaries

Values = np.ndarray
"""Rows of numbers, words and nothing."""

_SIGNS = {"=": "==", "<>": "!=", "^": "**"}


def opened(data: bytes | Path) -> Workbook:
    """A workbook with its formulas."""
    return load_workbook(BytesIO(data) if isinstance(data, bytes) else data)


class Sheets:
    """The values of a workbook's cells, computed when they are asked for."""

    def __init__(self, workbook: Workbook) -> None:
        self.workbook, self.known = workbook, dict[tuple[str, int, int], Any]()

    def named(self, name: str) -> np.ndarray:
        """What a name stands for, as numbers; what is no number is NaN."""
        rows = self.values(self.workbook.defined_names[name].attr_text, "")
        numbers = [[float(each) if isinstance(each, int | float) else math.nan for each in row] for row in rows]
        return np.array(numbers)

    def values(self, reference: str, home: str) -> Values:
        """The values of a range."""
        sheet, _, cells = reference.rpartition("!")
        left, top, right, bottom = range_boundaries(cells)
        place = sheet.strip("'") or home
        rows = [[self.value(place, row, at) for at in range(left, right + 1)] for row in range(top, bottom + 1)]
        return np.array(rows, dtype=object)

    def value(self, sheet: str, row: int, column: int) -> Any:
        """The value of a cell."""
        place = (sheet, row, column)
        if place not in self.known:
            box = self.workbook[sheet].cell(row, column)
            self.known[place] = self.computed(box.value, sheet) if box.data_type == "f" else box.value
        return self.known[place]

    def computed(self, formula: str, home: str) -> Any:
        """The value of a formula."""
        one: Callable[[str], Any] = lambda reference: self.values(reference, home)[0][0]  # noqa: E731
        return eval(_python(formula), {**_KNOWN, "one": one, "many": lambda reference: self.values(reference, home)})


def _python(formula: str) -> str:
    """A formula as an expression: what `IF` does not choose is not computed."""
    told, inside = [], []
    for token in Tokenizer(formula).items:
        text = token.value
        if token.type == "FUNC" and token.subtype == "OPEN":
            inside.append(text.upper())
            told.append(f"{inside[-1]}{'lambda: ' * (inside[-1] == 'IF(')}")
        elif token.type == "SEP":
            told.append(f", {'lambda: ' * (inside[-1] == 'IF(')}")
        elif token.type == "OPERAND" and token.subtype == "RANGE":
            told.append(f"{'many' if ':' in text else 'one'}({text!r})")
        elif token.type == "WHITE-SPACE":
            continue
        else:
            inside = inside[:-1] if token.type == "FUNC" else inside
            told.append(_SIGNS.get(text, text))
    return "".join(told)


def _flat(values: Values) -> list[Any]:
    return [each for row in values for each in row]


def _numbers(values: Values) -> list[float]:
    return [each for each in _flat(values) if isinstance(each, int | float)]


def _tanh(value: Any) -> Any:
    return np.tanh(value.astype(float)) if isinstance(value, np.ndarray) else math.tanh(value)


_KNOWN: dict[str, Any] = {
    "IF": lambda asked, yes, no: yes() if asked() else no(),
    "SUM": lambda values: math.fsum(_numbers(values)),
    "MAX": lambda values, *more: max([*_numbers(values), *more], default=0),
    "AVERAGE": lambda values: float(np.mean(_numbers(values))),
    "DEVSQ": lambda values: float(np.var(_numbers(values)) * len(_numbers(values))),
    "EXP": math.exp,
    "SQRT": math.sqrt,
    "TANH": _tanh,
    "ISNUMBER": lambda value: isinstance(value, int | float),
    "COLUMNS": lambda values: len(values[0]),
    "INDEX": lambda values, at: _flat(values)[at - 1],
    "MATCH": lambda value, values, kind: _flat(values).index(value) + 1,
    "SUMPRODUCT": lambda left, right: math.fsum(a * b for a, b in zip(_flat(left), _flat(right), strict=True)),
    "SUMSQ": lambda values: math.fsum(each**2 for each in _numbers(values)),
}


def follow(sheets: Sheets, numbers: dict[str, np.ndarray], within: float = 1e-11) -> int:
    """Hold all that a workbook of a cell names against the cell's own numbers; how many were compared."""
    count = 0
    for name in sheets.workbook.defined_names:
        if name not in numbers:
            continue
        expected = np.where(np.isfinite(numbers[name]), numbers[name], math.nan).astype(float)
        expected = expected.T if name.startswith("w_") and name != "w_best" else expected
        came = sheets.named(name)
        largest = float(np.nanmax(np.abs(expected), initial=1.0))
        np.testing.assert_allclose(came, expected.reshape(came.shape), rtol=0, atol=within * largest, err_msg=name)
        count += 1
    return count
