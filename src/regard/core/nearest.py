"""A wrong name is answered with the nearest right one."""

from collections.abc import Iterable
from difflib import get_close_matches

from regard.core.errors import BadInput


def nearest(asked: str, known: Iterable[str]) -> str:
    """The name of `known` that is most like `asked`; empty where nothing is known.

    >>> nearest("latx", ["text", "latex", "html"])
    'latex'
    """
    names = list(known)
    folded = {name.casefold(): name for name in reversed(names)}
    close = get_close_matches(asked[:200].casefold(), folded, n=1, cutoff=0.0)
    return folded[close[0]] if close else ""


def one_of(asked: str, known: Iterable[str], what: str) -> str:
    """`asked`, where it is one of `known`.

    Args:
        what: what was asked for, as the user calls it: `--format`, `positions`.

    Raises:
        BadInput: `unknown_choice`, with the nearest and all that are known.
    """
    names = list(known)
    if asked not in names:
        raise BadInput("unknown_choice", what=what, asked=asked, nearest=nearest(asked, names), known=", ".join(names))
    return asked
