"""A picture into a file, in the form that the end of its name asks for."""

from pathlib import Path

from regard.core.errors import BadInput
from regard.core.files import write_whole
from regard.core.nearest import nearest
from regard.language import current
from regard.views import html
from regard.views.picture import Picture

FORMS = ("html", "png", "svg", "pdf")


def check_form(path: str) -> None:
    """Refuse a name whose end says no form, before any work is done."""
    form = Path(path).suffix.lower().removeprefix(".")
    if path != "-" and form not in FORMS:
        raise BadInput("picture_form", path=path, nearest=nearest(form, FORMS), known=", ".join(f".{f}" for f in FORMS))


def write(picture: Picture, path: str, lang: str | None = None) -> str:
    """Write the picture; what a reader should know of its fonts, or nothing."""
    check_form(path)
    if Path(path).suffix.lower() == ".html":
        write_whole(path, html.render(picture, lang=lang or current()).encode())
        return ""
    from regard.views import png

    note = png.save(picture, path, lang=lang)
    return "" if note is None else note.sentence
