"""The shapes in the annotations of core and layers, held against what really comes and goes.

jaxtyping's import hook puts this check around every function of the modules named in conftest.py.
"""

from collections.abc import Callable
from typing import Any, Self, TypeVar

from beartype import beartype

Function = TypeVar("Function", bound=Callable[..., Any])


def answered(function: Function) -> Function:
    """beartype, but only once the function has answered: what it refuses by itself, in words, it may refuse.

    jaxtyping asks twice: before the call with the return type Any (let pass here), after it with arguments and answer.
    `Self` means nothing to beartype outside of its class, and lets pass too.
    """
    asked = function.__annotations__
    return function if asked.get("return") is Any or Self in asked.values() else beartype(function)
