"""Where a command's text comes from: arguments, a file, standard input. One sentence a line, each kept in its place."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from regard.core.errors import BadInput
from regard.text.corpus import JSON_LINES, Corpus
from regard.text.lines import STDIN, Line, each_line, read_lines, typed

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


def openings(
    texts: Sequence[str], path: str | None, *, field: str | None = None, as_text: bool = False, encoding: str = "utf-8"
) -> Iterator[str]:
    """Where texts are to begin: an argument is one, whatever lines it has; of a file each line is one.

    Args:
        texts: arguments: openings, or paths of files that exist.
        path: `--input`; `-`, or neither texts nor path, is standard input.
        field: files hold JSON objects, a line each, with the opening in this field; those that end in .jsonl do, too.
        as_text: an argument is an opening even where a file has its name.

    Raises:
        BadInput: texts and a path at once; a file that is not there or not text.
    """
    if texts and path is not None:
        raise BadInput("text_twice", path=path)
    if not texts:
        yield from _file(path if path is not None else STDIN, field, encoding)
    for text in texts:
        if not as_text and _is_file(text):
            yield from _file(text, field, encoding)
        else:
            yield typed(text).text


def whole(what: str | None, path: str | None = None, *, as_text: bool = False, encoding: str = "utf-8") -> str:
    """One text, with whatever lines it has: an argument, or all of the file that has its name.

    Args:
        path: `--input`; `-`, or neither text nor path, is standard input.
        as_text: the argument is the text even where a file has its name.

    Raises:
        BadInput: a text and a path at once; a file that is not there or not text.
    """
    if what is not None and path is not None:
        raise BadInput("text_twice", path=path)
    if what is not None and (as_text or not (what == STDIN or _is_file(what))):
        return typed(what).text
    name = next(each for each in (path, what, STDIN) if each is not None)
    return "\n".join(read_lines(name, encoding=encoding))


def _file(path: str, field: str | None, encoding: str) -> Iterator[str]:
    """The openings in a file."""
    if field is not None or path.removesuffix(".gz").endswith(JSON_LINES):
        yield from (piece.text for piece in Corpus((), field=field or "prompt", encoding=encoding).read(Path(path)))
    else:
        yield from (line.text for line in each_line(path, encoding=encoding))


def _is_file(text: str) -> bool:
    """Whether a file has this name; names that no file can have are none."""
    try:
        return len(text) < 4096 and os.path.exists(text)
    except (ValueError, UnicodeEncodeError):
        return False
