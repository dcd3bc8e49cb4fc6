"""A picture as a LaTeX document for XeLaTeX: formulas set as formulas, every sign that TeX reads as a command escaped.

Draws what a derivation is made of: `Text`, `Formula`, `Grid`, `Table`, `Rows`, `Columns`.
"""

from collections.abc import Callable
from itertools import zip_longest
from typing import Any

from regard.views.picture import Columns, Formula, Grid, Picture, Rows, Table, Text
from regard.views.signs import HIDDEN, cell, number
from regard.views.typeset import in_mathematics, sign_in_mathematics, words

_HEADINGS = {1: "section*", 2: "subsection*", 3: "subsubsection*"}

# The first of these that is installed is taken; all Noto and Source Han faces have every sign of the three languages.
_FACES = {
    "zh-Hans": ("Noto Serif CJK SC", "Source Han Serif SC", "Noto Sans CJK SC", "Songti SC", "SimSun"),
    "zh-Hant": ("Noto Serif CJK TC", "Source Han Serif TC", "Noto Sans CJK TC", "Songti TC", "PMingLiU"),
}
_LAST_FACES = ("bsmi00lp.ttf", "FandolSong-Regular.otf")

_PREAMBLE = r"""% xelatex FILE
\documentclass[11pt]{article}
\usepackage[margin=22mm]{geometry}
\usepackage{amsmath,amssymb,graphicx,fontspec}
\setlength{\parindent}{0pt}
\setlength{\parskip}{6pt}
\newif\ifcjk
\newif\iffaced
\IfFileExists{xeCJK.sty}{\cjktrue}{}
\newcommand{\face}[1]{\iffaced\else\IfFontExistsTF{#1}{\setCJKmainfont{#1}\setCJKsansfont{#1}\facedtrue}{}\fi}
\ifcjk
\usepackage{xeCJK}
\xeCJKsetup{CJKspace=true}
FACES\fi
% A formula, made smaller where it is wider than the line.
\newsavebox{\wide}
\newcommand{\fit}[1]{\[\sbox{\wide}{$\displaystyle #1$}%
  \ifdim\wd\wide>\linewidth\resizebox{\linewidth}{!}{\usebox{\wide}}\else\usebox{\wide}\fi\]}
\begin{document}
"""


def render(picture: Picture, *, lang: str = "en") -> str:
    """A whole document; `lang` chooses the Chinese face that is tried first."""
    first = _FACES["zh-Hans" if lang == "zh-Hans" else "zh-Hant"]
    others = _FACES["zh-Hant" if lang == "zh-Hans" else "zh-Hans"]
    faces = "".join(f"\\face{{{face}}}\n" for face in (*first, *others, *_LAST_FACES))
    return _PREAMBLE.replace("FACES", faces) + "\n" + _drawn(picture) + "\n\n\\end{document}\n"


def _drawn(picture: Picture) -> str:
    around = [f"\\textbf{{{words(picture.title)}}}"] if picture.title and not isinstance(picture, Grid) else []
    below = [words(each) for each in (picture.reading, picture.check) if each]
    return "\n\n".join([*around, _DRAWN[type(picture)](picture), *below])


def _text(picture: Text) -> str:
    lines = " \\\\\n".join(words(line) for line in picture.text.split("\n"))
    return f"\\{_HEADINGS[min(picture.level, 3)]}{{{lines}}}" if picture.level else lines


def _formula(picture: Formula) -> str:
    return f"\\fit{{{picture.latex}}}"


def _grid(picture: Grid) -> str:
    return f"\\fit{{{matrix(picture)}}}"


def _table(picture: Table) -> str:
    sides = "".join("r" if right else "l" for right in picture.right)
    rows = [" & ".join(words(cell(value, picture.digits)) for value in row) for row in picture.rows]
    head = " & ".join(words(name) for name in picture.head)
    body = " \\\\\n".join([f"{head} \\\\ \\hline\n{rows[0]}" if rows else head, *rows[1:]])
    return f"\\begin{{tabular}}{{{sides}}}\n{body}\n\\end{{tabular}}"


def _rows(picture: Rows) -> str:
    return "\n\n".join(map(_drawn, picture.parts))


def _columns(picture: Columns) -> str:
    if all(isinstance(part, Grid) for part in picture.parts):
        return f"\\fit{{{equation(picture)}}}"
    return "\n\n".join(map(_drawn, picture.parts))


_DRAWN: dict[type[Picture], Callable[[Any], str]] = {
    Text: _text,
    Formula: _formula,
    Grid: _grid,
    Table: _table,
    Rows: _rows,
    Columns: _columns,
}


def equation(picture: Columns) -> str:
    """Grids beside each other with the signs between them, in mathematics."""
    signs = [f" {sign_in_mathematics(sign)} " for sign in picture.signs] or [r" \qquad "] * len(picture.parts)
    grids = [matrix(part) for part in picture.parts if isinstance(part, Grid)]
    pieces = [piece for pair in zip_longest(grids, signs[: len(grids) - 1], fillvalue="") for piece in pair if piece]
    return "\n".join(pieces)


def matrix(grid: Grid) -> str:
    """A grid in mathematics: its numbers under and beside their names, its title under all."""
    names = grid.row_names or ("",) * len(grid.values)
    corner = " / ".join(
        axis for axis in (grid.row_axis and f"{grid.row_axis} ↓", grid.column_axis and f"{grid.column_axis} →") if axis
    )
    head = " & ".join(map(in_mathematics, (corner, *grid.column_names)))
    rows = [
        " & ".join([in_mathematics(name), *(_number(value, grid.digits) for value in row)])
        for name, row in zip(names, grid.values, strict=True)
    ]
    body = " \\\\\n".join([f"{head} \\\\ \\hline\n{rows[0]}", *rows[1:]])
    array = f"\\begin{{array}}{{r|{'r' * grid.values.shape[1]}}}\n{body}\n\\end{{array}}"
    return f"\\underset{{{in_mathematics(grid.title)}}}{{{array}}}" if grid.title else array


def _number(value: float, digits: int) -> str:
    text = number(value, digits)
    return {HIDDEN: r"-\infty", "": r"\underline{\hspace{2em}}"}.get(text, text)
