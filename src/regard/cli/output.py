"""Where a result goes: to stdout, or whole into a file."""

import sys
from pathlib import Path

from regard.core.files import write_whole
from regard.language import say


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
