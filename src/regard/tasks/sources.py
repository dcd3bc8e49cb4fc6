"""Where a command's text comes from: arguments, a file, standard input. One sentence a line, each kept in its place."""

import os
from collections.abc import Iterator, Sequence

from regard.core.errors import BadInput
from regard.text.lines import STDIN, Line, each_line, typed

LONGEST = 20_000
"""Characters of a line that are read; what is beyond is cut, and said so."""


def sentences(
    texts: Sequence[str], path: str | None, *, as_text: bool = False, encoding: str = "utf-8"
) -> Iterator[Line]:
    """The sentences asked for.

    Args:
        texts: arguments: sentences, or paths of files that exist.
        path: `--input`; `-`, or neither texts nor path, is standard input.
        as_text: an argument is a sentence even where a file has its name.

    Raises:
        BadInput: texts and a path at once; a file that is not there or not text.
    """
    if texts and path is not None:
        raise BadInput("text_twice", path=path)
    if not texts:
        yield from each_line(path if path is not None else STDIN, encoding=encoding, max_characters=LONGEST)
    for text in texts:
        if not as_text and _is_file(text):
            yield from each_line(text, encoding=encoding, max_characters=LONGEST)
        else:
            yield from (typed(line, max_characters=LONGEST) for line in text.split("\n"))


def _is_file(text: str) -> bool:
    """Whether a file has this name; names that no file can have are none."""
    try:
        return len(text) < 4096 and os.path.exists(text)
    except (ValueError, UnicodeEncodeError):
        return False
