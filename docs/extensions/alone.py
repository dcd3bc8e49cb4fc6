"""The built pages ask no other host for anything; a page that would is a failure of the build.

Links that a reader may follow are no request; scripts, styles, pictures, frames and fonts are.
"""

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

from sphinx.application import Sphinx
from sphinx.errors import ExtensionError

FETCHED = {"src", "srcset", "poster", "data", "action"}
LINKED = {"stylesheet", "preload", "modulepreload", "icon", "preconnect", "dns-prefetch", "manifest"}
ELSEWHERE = re.compile(r"\s*(?:https?:)?//", re.IGNORECASE)
IN_STYLE = re.compile(r"(?:url\(|@import)\s*['\"]?\s*((?:https?:)?//[^'\")\s]+)", re.IGNORECASE)


class Requests(HTMLParser):
    """Collects every address on another host that a browser would ask when it opens the page."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attributes}
        kinds = set(given.get("rel", "").lower().split())
        fetched = FETCHED | ({"href"} if tag == "link" and kinds & LINKED else set())
        self.found += [value for name, value in given.items() if name in fetched and ELSEWHERE.match(value)]
        self.found += IN_STYLE.findall(given.get("style", ""))
        if "srcdoc" in given:
            self.found += requests(given["srcdoc"])


def requests(page: str) -> list[str]:
    """Addresses on other hosts that this page of HTML asks for."""
    parser = Requests()
    parser.feed(page)
    styles = re.findall(r"<style[^>]*>(.*?)</style>", page, re.DOTALL | re.IGNORECASE)
    return parser.found + [found for style in styles for found in IN_STYLE.findall(style)]


def asked(folder: Path) -> Iterator[tuple[Path, str]]:
    """Every page or style of a folder, with what it asks another host for."""
    for path in sorted(folder.rglob("*.html")):
        yield from ((path, address) for address in requests(path.read_text(encoding="utf-8")))
    for path in sorted(folder.rglob("*.css")):
        yield from ((path, address) for address in IN_STYLE.findall(path.read_text(encoding="utf-8")))


def refuse(app: Sphinx, fault: Exception | None) -> None:
    found = [] if fault else [f"{path.relative_to(app.outdir)}: {address}" for path, address in asked(Path(app.outdir))]
    if found:
        raise ExtensionError("pages that ask another host:\n" + "\n".join(found))


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("build-finished", refuse)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
