"""A picture as text for a terminal: colour where there is any, cell widths right for every script.

The same numbers as in every other medium. Nothing in a picture can command the terminal: control signs are escaped.
"""

import os
import shutil
import sys
from io import StringIO
from typing import Literal

from rich.console import Console

from regard.views.picture import Picture
from regard.views.terminal.blocks import block

_NARROWEST = 20


def render(picture: Picture, *, width: int | None = None, colour: bool | None = None) -> str:
    """Draw `picture` as lines of text, without a line break at the end.

    Args:
        picture: what to draw.
        width: cells a line; None takes the terminal's.
        colour: shade with colours; None does so where stdout is a terminal that has any and `NO_COLOR` is not set.
            Without colour, grids are shaded by signs (░▒▓█) beside their numbers.
    """
    coloured = _has_colour() if colour is None else colour
    cells = max(_NARROWEST, width or shutil.get_terminal_size().columns)
    console = Console(
        file=StringIO(),
        width=cells,
        force_terminal=coloured,
        color_system=_colours() if coloured else None,
        legacy_windows=False,
        markup=False,
        highlight=False,
        emoji=False,
    )
    with console.capture() as captured:
        console.print(block(picture, cells, coloured))
    return "\n".join(line.rstrip() for line in captured.get().split("\n")).strip("\n")


def _has_colour() -> bool:
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def _colours() -> Literal["256", "truecolor"]:
    return "truecolor" if os.environ.get("COLORTERM", "").lower() in ("truecolor", "24bit") else "256"
