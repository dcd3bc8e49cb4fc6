"""A picture as a file for papers and slides: PNG, SVG or PDF, drawn by matplotlib without its global state.

The same picture gives the same bytes on the same machine; the file is written whole or not at all.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields, is_dataclass
from io import BytesIO
from logging import LogRecord, getLogger
from pathlib import Path
from threading import Lock
from typing import Any

import matplotlib
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from regard.core.errors import BadInput
from regard.core.files import write_whole
from regard.language import current
from regard.views.picture import Picture
from regard.views.png.blocks import block
from regard.views.png.fonts import LATIN, FontNote, choose

FORMATS = ("png", "svg", "pdf")
_MARGIN = 22.0
_PAGE = 760.0
_DPI, _MOST_PIXELS = 200, 12_000

# What would make two files of the same picture differ.
_NAMELESS: dict[str, dict[str, Any]] = {
    "png": {"Software": None},
    "svg": {"Date": None, "Creator": None},
    "pdf": {"CreationDate": None, "Creator": None, "Producer": None},
}
_SETTINGS: dict[Any, Any] = {
    "font.family": [LATIN],
    "mathtext.fontset": "dejavusans",
    "svg.hashsalt": "regard",
    "text.usetex": False,
    "text.parse_math": False,
    "axes.unicode_minus": True,
    "image.interpolation": "nearest",
}
# Matplotlib's settings are one for the whole process; two drawings at once must not mix theirs.
_drawing = Lock()


def save(picture: Picture, path: Path | str, *, lang: str | None = None) -> FontNote | None:
    """Write `picture` to `path`; its ending (.png, .svg, .pdf) says the format.

    Returns:
        Which font was taken for Chinese and other scripts, and which signs have none; None where the bundled font
        was enough.

    Raises:
        BadInput: the ending is none of `FORMATS`.
        Failure: the file cannot be written.
    """
    path = Path(path)
    form = path.suffix.lower().removeprefix(".")
    if form not in FORMATS:
        raise BadInput("picture_format", path=str(path), given=path.suffix, formats=", ".join(FORMATS))
    drawn, note = draw(picture, form, lang=lang)
    write_whole(path, drawn)
    return note


def draw(picture: Picture, form: str, *, lang: str | None = None) -> tuple[bytes, FontNote | None]:
    """The bytes of `picture` in one of `FORMATS`, and which fonts were taken: see `save`."""
    buffer = BytesIO()
    with _drawing, _quiet(), matplotlib.rc_context():
        drawn, note = figure(picture, lang=lang)
        pixels = max(drawn.get_size_inches())
        dpi = min(_DPI, _MOST_PIXELS / pixels)
        drawn.savefig(buffer, format=form, dpi=dpi, metadata=_NAMELESS[form], facecolor="white")
    return buffer.getvalue(), note


@contextmanager
def _quiet() -> Iterator[None]:
    """Matplotlib's notes on fonts (no bold face …) are no use to a reader; what matters is in the `FontNote`."""
    logger = getLogger("matplotlib.font_manager")
    logger.addFilter(_nothing)
    try:
        yield
    finally:
        logger.removeFilter(_nothing)


def _nothing(record: LogRecord) -> bool:
    return False


def figure(picture: Picture, *, lang: str | None = None) -> tuple[Figure, FontNote | None]:
    """The drawn figure (an Agg canvas, no pyplot), and which fonts it took. Sets matplotlib's settings: see `save`."""
    matplotlib.rcdefaults()
    for name, value in _SETTINGS.items():
        matplotlib.rcParams[name] = value
    fonts, note = choose(_all_text(picture), lang or current())
    laid = block(picture, fonts, _PAGE)
    wide, high = max(laid.width, 40.0) + 2 * _MARGIN, max(laid.height, 20.0) + 2 * _MARGIN
    drawn = Figure(figsize=(wide / 72, high / 72))
    FigureCanvasAgg(drawn)
    axes = drawn.add_axes((0, 0, 1, 1), xlim=(0, wide), ylim=(high, 0))
    axes.set_axis_off()
    laid.paint(axes, _MARGIN, _MARGIN)
    axes.set(xlim=(0, wide), ylim=(high, 0))
    return drawn, note


def _all_text(value: object) -> str:
    """Every sign that a picture writes, to choose fonts by."""
    if isinstance(value, str):
        return value
    if is_dataclass(value):
        return "".join(_all_text(getattr(value, field.name)) for field in fields(value))
    return "".join(map(_all_text, value)) if isinstance(value, tuple) else ""
