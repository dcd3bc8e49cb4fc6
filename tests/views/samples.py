"""Pictures that the tests of every medium draw: sizes are distinct primes, tokens come from several scripts."""

import numpy as np

from regard.views.alignment import alignment
from regard.views.picture import Columns, Formula, Grid, Links, Marks, Rows, Series, Table, Text, Tiles

SOURCE = ("the", "black", "cat", "ate", "the", "mouse", ".")
TARGET = ("le", "chat", "noir", "a", "mangé", "la", "souris", ".", "</s>", "x", "y")
CHINESE = ("退貨", "流程", "期限")
HOSTILE = "</script><img src=x onerror=\"document.title='broken'\">"
ESCAPE = "\x1b[31mred\x07"


def weights(targets: int, sources: int, seed: int = 0) -> np.ndarray:
    """Rows that sum to 1, one weight of each clearly the largest."""
    return np.random.default_rng(seed).dirichlet([0.3] * sources, targets)


def grid(rows: int = 3, columns: int = 5, seed: int = 0, **more: object) -> Grid:
    """A grid of numbers of both signs, one hidden and one blank."""
    values = np.random.default_rng(seed).normal(size=(rows, columns)).round(3)
    values[0, -1], values[-1, 0] = -np.inf, np.nan
    names = {
        "row_names": tuple(f"q{at}" for at in range(rows)),
        "column_names": tuple(f"k{at}" for at in range(columns)),
    }
    return Grid(values=values, **{"digits": 3, **names, **more})  # type: ignore[arg-type]


def aligned(lang: str = "en") -> Rows:
    return alignment(SOURCE, TARGET, weights(len(TARGET), len(SOURCE)), check="checked: rows", lang=lang)


MARKS = Marks(
    title="BLEU by length",
    x_axis="words",
    y_axis="BLEU",
    digits=1,
    series=(
        Series("en-fr", ("1–5", "6–9", "15+"), (48.2, 41.0, 33.1), errors=(1.8, 1.1, 2.3)),
        Series("en-fr-fixed", ("1–5", "6–9", "15+"), (47.1, 36.2, -2.9), kind="bars"),
    ),
)
TABLE = Table(head=("model", "sentences", "BLEU"), rows=(("en-fr", 412, 48.2), ("退貨 <b>", 91, -3.05)), digits=2)
TILES = Tiles(
    title="Tiles",
    values=np.stack([[weights(3, 5, seed) for seed in range(2)], [weights(3, 5, seed) for seed in (5, 7)]]),
    row_names=("layer 0", "退貨 <b>"),
    column_names=("0", "100"),
    row_axis="head",
    column_axis="step",
)
EVERYTHING = Rows(
    title="Everything",
    reading="A reading.\nOf two lines.",
    check="checked",
    parts=(
        Text(text="Head", level=1),
        Text(text="One paragraph.\nAnother."),
        Formula(
            title="F", latex=r"A = \operatorname{softmax}\left(\frac{QK^\top}{\sqrt{d_k}}\right)", plain="A = softmax"
        ),
        Columns(parts=(grid(heat=False), grid(2, 3, 1)), signs=("·",)),
        grid(row_names=CHINESE, row_axis="query", column_axis="key"),
        Links(top=SOURCE, bottom=TARGET, links=((0, 0, 0.91), (4, 1, 0.05))),
        MARKS,
        TABLE,
        TILES,
    ),
)
EMPTY = (
    *(Grid(), Tiles(), Links(), Marks(), Table(), Formula(), Text(), Rows(), Columns()),
    Rows(parts=(Rows(), Columns())),
)
