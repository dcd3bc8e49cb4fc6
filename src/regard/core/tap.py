"""The tap: one door for looking and for patching.

A tap is called as `tap(address, step, tensor)` and returns the tensor that goes on. The active tap is read once, at a
model's entry, and handed down; a copied context carries it into worker threads, so two requests never mix.

>>> with tapped(lambda address, step, tensor: tensor):
...     active() is not None
True
>>> active() is None
True
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import partial

from torch import Tensor

Tap = Callable[[str, str, Tensor], Tensor]

_active: ContextVar[Tap | None] = ContextVar("tap", default=None)


def active() -> Tap | None:
    """The tap of this context, or None. Models call it once, at their entry."""
    return _active.get()


@contextmanager
def tapped(tap: Tap) -> Iterator[None]:
    """Within this block, models that start to run in this context are seen by `tap`."""
    token = _active.set(tap)
    try:
        yield
    finally:
        _active.reset(token)


def at(tap: Tap | None, address: str) -> Callable[[str, Tensor], Tensor] | None:
    """The tap with an address bound, as `attend` takes it; None stays None."""
    return None if tap is None else partial(tap, address)
