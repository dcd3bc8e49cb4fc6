"""Errors as a code and facts; the sentence that a person reads stands in `language/`.

A code is `errors.NAME`; the catalogue `language/*/errors.toml` holds a sentence for each.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

_sentence: Callable[..., str] | None = None


def speak_with(sentence: Callable[..., str] | None) -> None:
    """Give errors a voice: `sentence(code, **facts) -> str`. The roof does this; the foundation knows no language."""
    global _sentence
    _sentence = sentence


class RegardError(Exception):
    """Something that `regard` refuses or cannot do. Final classes: `BadInput`, `Failure`.

    Args:
        code: the name of the sentence in the catalogue `errors`, for instance `file_missing`.
        facts: what was asked, what came, the limits: plain values that the sentence names.
    """

    exit_code = 1

    def __init__(self, code: str, **facts: Any) -> None:
        super().__init__(code, facts)
        self.code = code
        self.facts = facts

    def __reduce__(self) -> tuple[Callable[[], "RegardError"], tuple[()]]:
        """Errors of worker processes arrive whole."""
        return partial(type(self), self.code, **self.facts), ()

    def __str__(self) -> str:
        if _sentence is not None:
            return _sentence(f"errors.{self.code}", **self.facts)
        return f"{self.code}: " + ", ".join(f"{name}={value!r}" for name, value in self.facts.items())


class BadInput(RegardError):  # noqa: N818 - it is the user's input that is bad, not a program
    """The user's input breaks a rule (exit code 2)."""

    exit_code = 2


class Failure(RegardError):  # noqa: N818
    """The input was good, the work could not be done (exit code 1)."""
