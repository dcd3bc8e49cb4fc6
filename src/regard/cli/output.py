"""Where a result goes: to stdout, or whole into a file."""

import sys
from collections.abc import Callable, Iterable
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from regard.core.files import write_whole
from regard.language import say

if TYPE_CHECKING:
    from regard.views.picture import Picture

SHOWN = 40
"""At most so many of what a model lacks are named."""


def put(made: str | bytes, path: str | None) -> None:
    """Print a text, or write it, or bytes, to `path` and say so on stderr."""
    if path is None:
        print(made)
        return
    data = made if isinstance(made, bytes) else (made + "\n").encode("utf-8", errors="backslashreplace")
    if Path(path).exists() and not Path(path).is_file():
        Path(path).write_bytes(data)  # a pipe or a device is written to, never replaced
    else:
        write_whole(path, data)
    print(say("cli.wrote", path=path), file=sys.stderr)


def named(signs: Iterable[str]) -> str:
    """Characters or words that a model lacks, fit for any terminal; of many the first."""
    from regard.views.signs import shortened

    some = list(islice(signs, SHOWN + 1))
    return " ".join([*map(shortened, some[:SHOWN]), *(["…"] if len(some) > SHOWN else [])])


def check_output(path: str | None, form: str) -> None:
    """Refuse, before any work is done, a file that cannot be written or whose name says no form."""
    from regard.tasks import pictures

    if path is not None and _is_json(path):
        pictures.check_place(path)
    elif path is not None:
        pictures.check_places([path], alone=form == "json")


def give(told: Callable[[], str], drawn: "Callable[[], Picture]", path: str | None, form: str) -> None:
    """A result as JSON (`told`) or as a picture, printed or in a file: both, where a picture and JSON are asked for."""
    into_json = path is not None and _is_json(path)
    if into_json or form == "json":
        put(told(), path if into_json else None)
    if into_json or (path is None and form == "json"):
        return
    from regard.tasks import pictures
    from regard.views import terminal

    if path is None:
        print(terminal.render(drawn()))
        return
    note = pictures.write(drawn(), path)
    print(" ".join([say("cli.wrote", path=path), note]).strip(), file=sys.stderr)


def _is_json(path: str) -> bool:
    return path.lower().endswith(".json")
