"""Pages in Chinese say so in their head, so that a browser takes the right shapes of signs."""

from docutils import nodes
from sphinx.application import Sphinx

TAGS = ("zh-Hant", "zh-Hans")


def tell(app: Sphinx, page: str, template: str, context: dict[str, object], tree: nodes.document | None) -> None:
    for tag in TAGS:
        if page.startswith(f"{tag}/") or page.endswith(f".{tag}"):
            context["language"] = tag


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("html-page-context", tell)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
