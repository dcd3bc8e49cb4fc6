"""What came from standard input, kept in the run's folder: a resume reads it there."""

import sys
from collections.abc import Sequence
from pathlib import Path

from regard.core.errors import BadInput
from regard.core.files import write_whole
from regard.text.lines import STDIN

SPOOL = "stdin.txt"


def keep(paths: Sequence[Path], output: Path) -> None:
    """Write standard input into the run, byte for byte, where one of these files is `-`.

    Raises:
        BadInput: `stdin_is_terminal`; `stdin_twice`.
    """
    asking = [str(path) for path in paths].count(STDIN)
    if asking > 1:
        raise BadInput("stdin_twice", count=asking)
    if asking:
        if sys.stdin is None or sys.stdin.isatty():
            raise BadInput("stdin_is_terminal")
        write_whole(output / SPOOL, sys.stdin.buffer.read())


def placed(paths: Sequence[Path], output: Path) -> list[Path]:
    """Where each text lies: what came from standard input, in the run."""
    return [output / SPOOL if str(path) == STDIN else path for path in paths]
