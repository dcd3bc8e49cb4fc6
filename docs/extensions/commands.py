"""The reference of the commands: what each of them answers to `--help`, asked when the pages are built."""

import os
from collections.abc import Iterator
from contextlib import redirect_stdout
from io import StringIO

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.errors import ExtensionError
from sphinx.util.docutils import SphinxDirective

from regard.cli import main


def commands() -> Iterator[tuple[str, ...]]:
    """Every command by its words: `explain`, then `train translation`."""
    for name, command in main.build([]).commands.items():
        yield from [(name, below) for below in getattr(command, "commands", {})] or [(name,)]


def told(*names: str) -> str:
    """What `regard NAMES --help` prints."""
    printed = StringIO()
    with redirect_stdout(printed):
        code = main.run([*names, "--help"])
    if code:
        raise ExtensionError(f"regard {' '.join(names)} --help: exit code {code}")
    return printed.getvalue()


def section(names: tuple[str, ...]) -> nodes.section:
    """A command with its help."""
    found = nodes.section(ids=["-".join(names)], names=[" ".join(names)])
    found += nodes.title("", "", nodes.literal("", f"regard {' '.join(names)}"))
    text = told(*names)
    found += nodes.literal_block(text, text, language="none")
    return found


class Commands(SphinxDirective):
    """`commands`: a section for each."""

    def run(self) -> list[nodes.Node]:
        return [section(names) for names in commands()]


def setup(app: Sphinx) -> dict[str, bool]:
    os.environ["COLUMNS"] = "80"  # whatever the terminal that builds
    app.add_directive("commands", Commands)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
