"""The shapes in the annotations of core and layers, held against what really comes and goes.

jaxtyping's import hook puts this check around every function of the modules named in conftest.py.
"""

from collections.abc import Callable
from typing import Any, TypeVar

from beartype import beartype

Function = TypeVar("Function", bound=Callable[..., Any])


def answered(function: Function) -> Function:
    """beartype, but only once the function has answered: what it refuses by itself, in words, it may refuse.

    jaxtyping asks twice: before the call with the return type Any (let pass here), after it with arguments and answer.
    """
    return function if function.__annotations__.get("return") is Any else beartype(function)
