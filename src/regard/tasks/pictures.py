"""A picture into a file, in the form that the end of its name asks for."""

import os
from collections.abc import Sequence
from pathlib import Path

from regard.core.errors import BadInput
from regard.core.files import write_whole
from regard.language import current
from regard.views import html
from regard.views.picture import Picture

FORMS = ("html", "png", "svg", "pdf")


def check_places(paths: Sequence[str], *, alone: bool = False) -> None:
    """Refuse, before any work is done, a picture whose name says no form, or that can be written nowhere.

    Args:
        paths: files, or `-` for the terminal.
        alone: stdout holds JSON and nothing else.
    """
    for path in paths:
        if path == "-" and alone:
            raise BadInput("picture_beside_json")
        if path != "-":
            form_of(path)
            check_place(path)


def check_place(path: str) -> None:
    """Refuse a file that cannot be written: a folder, or a file in a folder that is not there or not ours."""
    folder = os.path.dirname(path) or "."
    if os.path.isdir(path):
        raise BadInput("place_is_folder", path=path)
    if not os.path.isdir(folder):
        raise BadInput("place_missing", path=path, folder=folder)
    if not os.access(path if os.path.exists(path) else folder, os.W_OK):
        raise BadInput("place_closed", path=path)


def form_of(path: str) -> str:
    """The form that the end of a file's name asks for."""
    form = Path(path).suffix.lower().removeprefix(".")
    if form not in FORMS:
        raise BadInput("picture_form", path=path, known=", ".join(f".{known}" for known in FORMS))
    return form


def write(picture: Picture, path: str, lang: str | None = None) -> str:
    """Write the picture; what a reader should know of its fonts, or nothing."""
    if form_of(path) == "html":
        write_whole(path, html.render(picture, lang=lang or current()).encode())
        return ""
    from regard.views import png

    note = png.save(picture, path, lang=lang)
    return "" if note is None else note.sentence
