"""A table in a terminal: numbers to the right, words to the left."""

from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import RenderableType
from rich.table import Table as Layout
from rich.text import Text as Line

from regard.views.picture import Table
from regard.views.signs import cell, visible


def table(picture: Table, width: int, colour: bool) -> RenderableType:
    """The head over a rule, then the rows; words are broken over lines where the terminal is too narrow."""
    layout = Layout(box=SIMPLE_HEAD, show_edge=False, pad_edge=False, header_style="bold")
    for at, name in enumerate(picture.head):
        side: Any = "right" if picture.right[at] else "left"
        layout.add_column(Line(visible(name)), justify=side, vertical="bottom", overflow="fold")
    for row in picture.rows:
        layout.add_row(*(Line(cell(value, picture.digits)) for value in row))
    return layout
