"""The command line asked inside this process (quick), or as the real program (for signals, pipes and terminals)."""

import io
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any, NamedTuple

from regard.cli import main

PROGRAM = [sys.executable, "-W", "error", "-c", "from regard.cli.main import main; main()"]

PATIENCE = 300
"""Seconds that a program may take to answer: on a busy machine it takes one to begin."""


class Answer(NamedTuple):
    """What a command gave back."""

    code: int
    out: str
    err: str


def ask(*arguments: str | Path, stdin: str | bytes = b"") -> Answer:
    """Run `regard ARGUMENTS`, nothing but `stdin` on its standard input."""
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err), fed(stdin):
        code = main.run([str(argument) for argument in arguments])
    return Answer(code, out.getvalue(), err.getvalue())


def options(*command: str) -> set[str]:
    """The names of all parameters of a command, but for those of every one that trains."""
    found: Any = main.build(list(command[:1]))
    for name in command:
        found = found.commands[name]
    return {parameter.name for parameter in found.params} - {"output", "resume", "form_of_result", "lang"}


@contextmanager
def fed(text: str | bytes) -> Iterator[None]:
    """Standard input holds this."""
    before = sys.stdin
    sys.stdin = io.TextIOWrapper(io.BytesIO(text.encode() if isinstance(text, str) else text))
    try:
        yield
    finally:
        sys.stdin = before


def refused(*arguments: str | Path, stdin: str | bytes = b"", code: int = 2) -> str:
    """The one clear line on stderr of a command that is refused."""
    answer = ask(*arguments, stdin=stdin)
    assert answer.code == code, answer
    assert answer.out == ""
    assert answer.err.count("\n") == 1, answer.err
    assert "Traceback" not in answer.err
    assert "should not" not in answer.err  # errors.unexpected
    return answer.err


def start(*arguments: str | Path, **more: Any) -> "subprocess.Popen[bytes]":
    """The real program in a process of its own, which hears Ctrl-C even where these tests run behind a shell's `&`."""
    return subprocess.Popen([*PROGRAM, *map(str, arguments)], preexec_fn=_hears, **more)


def _hears() -> None:
    """A shell lets what it starts in the background ignore SIGINT, and children inherit that."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
