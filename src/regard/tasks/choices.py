"""What the command line lets choose, known before anything heavy is imported."""

EXPLAIN_FORMS = ("text", "markdown", "latex", "html", "json", "python", "xlsx")
"""Forms of `regard explain`."""

LAYOUTS = ("query-rows", "key-rows")
"""Which way a grid of queries and keys lies: the papers' way, or note 000's."""

_BY_SUFFIX = {".html": "html", ".htm": "html", ".md": "markdown", ".tex": "latex", ".json": "json", ".py": "python"}
_BY_SUFFIX[".xlsx"] = "xlsx"


def form_of(path: str | None) -> str:
    """The form that a file's name asks for; `text` where it asks for none.

    >>> form_of("a/b.TEX"), form_of("x"), form_of(None)
    ('latex', 'text', 'text')
    """
    suffix = "." + path.lower().rpartition(".")[2] if path and "." in path else ""
    return _BY_SUFFIX.get(suffix, "text")
