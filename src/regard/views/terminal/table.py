"""A table in a terminal: numbers to the right, words to the left."""

from typing import Any

from rich.box import SIMPLE_HEAD
from rich.cells import cell_len
from rich.console import RenderableType
from rich.table import Table as Layout
from rich.text import Text as Line

from regard.views.picture import Table
from regard.views.signs import cell, visible

GAP, LEAST = 3, 6
"""Signs between columns, and the fewest that a column of words is left."""


def table(picture: Table, width: int, colour: bool) -> RenderableType:
    """The head over a rule, then the rows; in a narrow terminal words are broken over lines, and numbers last."""
    rows = [[cell(value, picture.digits) for value in row] for row in picture.rows]
    widths = _widths(picture, rows, width)
    layout = Layout(box=SIMPLE_HEAD, show_edge=False, pad_edge=False, header_style="bold")
    for at, name in enumerate(picture.head):
        side: Any = "right" if picture.right[at] else "left"
        layout.add_column(Line(visible(name)), justify=side, vertical="bottom", overflow="fold", width=widths[at])
    for row in rows:
        layout.add_row(*map(Line, row))
    return layout


def _widths(picture: Table, rows: list[list[str]], width: int) -> list[int | None]:
    """Columns of numbers as wide as their longest word, where the table is too wide and the others have room left."""
    columns = list(zip(map(visible, picture.head), *rows, strict=True))
    whole = [max(map(cell_len, column)) for column in columns]
    least = [max(cell_len(word) for each in column for word in [*each.split(), ""]) for column in columns]
    room = width - GAP * (len(columns) - 1)
    needed = sum(least[at] if right else LEAST for at, right in enumerate(picture.right))
    tight = sum(whole) > room >= needed
    return [least[at] if tight and right else None for at, right in enumerate(picture.right)]
