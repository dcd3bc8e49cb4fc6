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
from dataclasses import dataclass

import torch
from torch import Tensor

from regard.core.biases import Bias
from regard.core.masks import Mask
from regard.core.scorers import Scorer

Tap = Callable[[str, str, Tensor], Tensor]


class Observer:
    """A tap that asks for no step between: the fused kernel runs, and shows it query, key, value, context and `output`.

    What such a tap does not need to see, it is told: how weights are made of queries and keys.
    """

    def __call__(self, address: str, step: str, tensor: Tensor) -> Tensor:
        """What goes on instead of `tensor`."""
        return tensor

    def scored(self, address: str, scorer: Scorer, bias: Bias | Tensor | None, mask: Mask | None) -> Mask | None:
        """Told before each attention how it scores; the mask that goes on: a knockout is an edit here."""
        return mask


@dataclass(frozen=True)
class Place:
    """A tap with an address bound to it, as `attend` takes it."""

    tap: Tap
    address: str

    def __call__(self, step: str, tensor: Tensor) -> Tensor:
        """The tensor that goes on."""
        return self.tap(self.address, step, tensor)

    @property
    def between(self) -> bool:
        """Whether it sees the steps between queries and context, so that no kernel may skip them."""
        return not isinstance(self.tap, Observer)

    def scored(self, scorer: Scorer, bias: Bias | Tensor | None, mask: Mask | None) -> Mask | None:
        """The mask that goes on."""
        return self.tap.scored(self.address, scorer, bias, mask) if isinstance(self.tap, Observer) else mask


_active: ContextVar[Tap | None] = ContextVar("tap", default=None)


def active() -> Tap | None:
    """The tap of this context, or None. Models call it once, at their entry; compiled code has none."""
    return None if torch.compiler.is_compiling() else _active.get()


@contextmanager
def tapped(tap: Tap) -> Iterator[None]:
    """Within this block, models that start to run in this context are seen by `tap`."""
    token = _active.set(tap)
    try:
        yield
    finally:
        _active.reset(token)


def at(tap: Tap | None, address: str) -> Place | None:
    """The tap with an address bound; None stays None."""
    return None if tap is None else Place(tap, address)
