"""Where a result goes: to stdout, or whole into a file."""

import sys
from pathlib import Path

from regard.core.files import write_whole
from regard.language import say


def put(text: str, path: str | None) -> None:
    """Print `text`, or write it to `path` and say so on stderr."""
    if path is None:
        print(text)
        return
    data = (text + "\n").encode("utf-8", errors="backslashreplace")
    if Path(path).exists() and not Path(path).is_file():
        Path(path).write_bytes(data)  # a pipe or a device is written to, never replaced
    else:
        write_whole(path, data)
    print(say("cli.wrote", path=path), file=sys.stderr)
