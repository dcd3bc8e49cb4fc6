"""Signatures as they stand in the source: `query: Float[Tensor, "queries d"]`, not what Python made of it."""

import ast
import inspect
import textwrap
from typing import Any

from sphinx.application import Sphinx


def written(made: Any) -> tuple[str, str | None] | None:
    """A function's arguments and what it returns, as written; None where there is no such source."""
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(inspect.unwrap(made))))
    except (OSError, TypeError, SyntaxError):
        return None
    function = tree.body[0]
    if not isinstance(function, ast.FunctionDef):
        return None
    if function.args.args and function.args.args[0].arg == "self":
        del function.args.args[0]
    return f"({ast.unparse(function.args)})", function.returns and ast.unparse(function.returns)


def replace(app: Sphinx, what: str, name: str, made: Any, *rest: Any) -> tuple[str, str | None] | None:
    return written(made) if what in ("function", "method") else None


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("autodoc-process-signature", replace)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
