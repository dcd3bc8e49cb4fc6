"""A picture in a notebook or on a page of the documents: drawn once, whole, with words for those who do not see it."""

import re
from base64 import b64encode
from html import escape

from regard.views.picture import Picture

_IMAGE = (
    '<div style="overflow-x:auto"><img alt="{alt}" src="data:image/svg+xml;base64,{data}" '
    'style="width:{wide:.0f}px;max-width:max(100%,30rem)"></div>'
)
_PIXELS = 96 / 72  # of a page, a point of the drawing
_WIDE = re.compile(rb'<svg[^>]* width="([\d.]+)pt"')


def image(picture: Picture, lang: str | None = None) -> str:
    """The picture as an `<img>` that holds all it shows; on a narrow screen it is pushed sideways, not shrunk."""
    from regard.views import png  # matplotlib only where something is drawn

    drawn, _ = png.draw(picture, "svg", lang=lang)
    found = _WIDE.search(drawn)
    wide = float(found[1]) * _PIXELS if found else 640.0
    return _IMAGE.format(alt=escape(told(picture)), data=b64encode(drawn).decode(), wide=wide)


def told(picture: Picture) -> str:
    """The words of a picture, of its parts one after the other."""
    own = [picture.title, picture.reading, *map(told, getattr(picture, "parts", ()))]
    return " ".join(filter(None, own))
