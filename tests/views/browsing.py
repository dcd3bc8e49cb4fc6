"""A page opened: by a browser where there is one, and its module by Node (which playwright brings along) everywhere."""

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from html.parser import HTMLParser
from importlib.resources import files
from pathlib import Path
from typing import Any

from playwright._impl._driver import compute_driver_executable
from playwright.sync_api import Page, sync_playwright

BROWSER = os.environ.get("REGARD_BROWSER", "/usr/bin/chromium")
_VOID = {"meta", "br", "img", "link", "input"}


@dataclass
class Element:
    """An element of a page: tag, attributes, children (elements and strings)."""

    tag: str
    attributes: dict[str, str] = field(default_factory=dict)
    children: list["Element | str"] = field(default_factory=list)

    @property
    def text(self) -> str:
        return "".join(child if isinstance(child, str) else child.text for child in self.children)

    def all(self, tag: str, **attributes: str) -> list["Element"]:
        """Elements below with this tag; `class_` asks for one of the classes."""
        found = []
        for child in self.children:
            if isinstance(child, Element):
                named = child.attributes.get("class", "").split()
                if child.tag == tag and all(value in named for value in attributes.values()):
                    found.append(child)
                found += child.all(tag, **attributes)
        return found


class _Tree(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.open = [Element("document")]

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        element = Element(tag, {name: value or "" for name, value in attributes})
        self.open[-1].children.append(element)
        if tag not in _VOID:
            self.open.append(element)

    def handle_startendtag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.open[-1].children.append(Element(tag, {name: value or "" for name, value in attributes}))

    def handle_endtag(self, tag: str) -> None:
        assert self.open[-1].tag == tag, f"</{tag}> ends <{self.open[-1].tag}>"
        self.open.pop()

    def handle_data(self, text: str) -> None:
        self.open[-1].children.append(text)


def parsed(page: str) -> Element:
    """The page as it is written, its elements well nested."""
    tree = _Tree()
    tree.feed(page)
    tree.close()
    assert len(tree.open) == 1
    return tree.open[0]


def drawn(data: dict[str, Any], *steps: tuple[Any, ...]) -> list[Element]:
    """What the page's module draws, and what it shows after each step (selector, index, event, key)."""
    module = Path(str(files("regard.views") / "page" / "regard.js"))
    asked = json.dumps({"module": module.as_uri(), "data": data, "steps": steps})
    node, script = compute_driver_executable()[0], Path(__file__).with_name("page.mjs")
    # Warnings would tell of modules without a package.json.
    done = subprocess.run(
        [node, "--no-warnings", script], input=asked, capture_output=True, text=True, encoding="utf-8"
    )
    assert done.returncode == 0, done.stderr
    return [_element(state) for state in json.loads(done.stdout)]


def _element(node: dict[str, Any]) -> Element:
    attributes = node["attributes"] | {f"style {name}": value for name, value in node["style"].items()}
    children = [child if isinstance(child, str) else _element(child) for child in node["children"]]
    return Element(node["tag"], attributes, children)


@contextmanager
def opened(page: str, folder: Path, **context: Any) -> Iterator[tuple[Page, list[str]] | None]:
    """The page in a browser, with everything it asked for or complained of; None where there is no browser."""
    if not Path(BROWSER).is_file():
        yield None
        return
    file = folder / "page.html"
    file.write_text(page, encoding="utf-8")
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=BROWSER, args=["--no-sandbox"])
        view = browser.new_page(**context)
        heard: list[str] = []
        view.on("request", lambda request: heard.append(request.url))
        view.on("console", lambda message: heard.append(message.text))
        view.on("pageerror", lambda error: heard.append(str(error)))
        view.on("dialog", lambda dialog: heard.append(dialog.message))
        view.goto(file.as_uri())
        assert heard.pop(0) == file.as_uri()
        yield view, heard
        browser.close()
