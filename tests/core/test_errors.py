"""Errors: a code and facts; a voice is given by others."""

import copy
import pickle
from collections.abc import Iterator

import pytest

from regard.core.errors import BadInput, Failure, RegardError, speak_with
from regard.language import say


@pytest.fixture
def voice() -> Iterator[None]:
    """The catalogue speaks, and after the test whoever spoke before."""
    import regard.core.errors as errors

    before = errors._sentence
    speak_with(say)
    yield
    speak_with(before)


def test_exit_codes() -> None:
    assert (BadInput("x").exit_code, Failure("x").exit_code) == (2, 1)


def test_with_a_voice_it_is_a_sentence(voice: None) -> None:
    assert str(BadInput("window_size", size=0)) == say("errors.window_size", size=0)
    assert "0" in str(BadInput("window_size", size=0))


def test_without_a_voice_it_is_code_and_facts(voice: None) -> None:
    speak_with(None)
    assert str(BadInput("window_size", size=0, name="x")) == "window_size: size=0, name='x'"


@pytest.mark.parametrize("error", [BadInput("window_size", size=3), Failure("cannot_write", path="a", reason="b")])
def test_it_travels_between_processes(error: RegardError) -> None:
    for twin in (pickle.loads(pickle.dumps(error)), copy.copy(error)):  # noqa: S301 - our own bytes
        assert (type(twin), twin.code, twin.facts) == (type(error), error.code, error.facts)
