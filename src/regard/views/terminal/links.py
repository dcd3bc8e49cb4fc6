"""Links in a terminal: one line a token of the bottom row, with what it looks at, the strongest first."""

from collections import defaultdict

import numpy as np
from rich.cells import cell_len, set_cell_size
from rich.console import RenderableType
from rich.style import Style
from rich.text import Text as Line

from regard.views.picture import Links
from regard.views.shade import DARK, ink
from regard.views.shade import colour as colour_of
from regard.views.signs import number, told_apart, wrap
from regard.views.terminal.grid import LONGEST, density


def links(picture: Links, width: int, colour: bool) -> RenderableType:
    """The top row as a line of text, then `chat ← cat 0.91  black 0.05` for each token of the bottom row."""
    top, bottom = told_apart(picture.top), told_apart(picture.bottom)
    seen: dict[int, list[tuple[float, int, str]]] = defaultdict(list)
    for (above, below, weight), sign in zip(picture.links, picture.signs(), strict=True):
        seen[below].append((weight, above, sign))
    left = min(LONGEST, max(map(cell_len, bottom), default=0))
    lines = [Line("\n".join(wrap(" ".join(top), width, cell_len)), style="dim")]
    for at, token in enumerate(bottom):
        ordered = sorted(seen[at], key=lambda link: (-link[0], link[1]))
        chips = [
            _chip(top[above], weight, number(weight, picture.digits) + sign, colour) for weight, above, sign in ordered
        ]
        lines += _line(token, chips, left, width)
    return Line("\n").join(lines)


def _line(token: str, chips: list[Line], left: int, width: int) -> list[Line]:
    """One token's line, and further lines under it where its links need them."""
    name = token if cell_len(token) <= left else set_cell_size(token, left - 1) + "…"
    line = Line(set_cell_size(name, left) + (" ← " if chips else ""))
    lines = [line]
    for chip in chips:
        if lines[-1].cell_len > left + 3 and lines[-1].cell_len + chip.cell_len > width:
            lines.append(Line(" " * (left + 3)))
        lines[-1].append_text(chip).append("  ")
    return lines


def _chip(source: str, weight: float, told: str, colour: bool) -> Line:
    shade = float(np.clip(weight, 0, 1))
    written = f"{source} {told}"
    if not colour:
        return Line(f"{written} {density(shade)}")
    return Line(f" {written} ", style=Style(color=ink(shade, DARK), bgcolor=colour_of(shade, DARK)))
