"""What modules around one attention were given and gave, heard while the model runs.

A block is a module of a list (`layers.3`): of blocks that do not hold the place nothing is kept.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor, nn

from regard.inspection.visit import Visit


@dataclass(frozen=True)
class Heard:
    """One call of one module: (n, d) or (…, n, d) each, of the one text that ran.

    Attributes:
        took, gave: when it began and when it ended, counted over all calls.
        given: what it was given, tensors alone.
        made: the first tensor that it gave.
    """

    name: str
    module: nn.Module
    took: int
    gave: int
    given: tuple[Tensor, ...]
    made: Tensor | None


@dataclass
class _Store:
    """The calls within one block."""

    calls: list[Heard] = field(default_factory=list)
    visited: bool = False


class Listener:
    """Hears a model's modules while it runs, and is the sink of its visits; see `heard`.

    Attributes:
        visits: those of the place, each with the moment of it.
        attention: the name of the innermost module that ran at the visit.
    """

    def __init__(self, address: str) -> None:
        self.address, self.attention = address, ""
        self.visits: list[tuple[int, Visit]] = []
        self._names, self._stores, self._moment = list[str](), [_Store()], 0
        self._kept: list[Heard] = []
        self._thread = threading.get_ident()

    @property
    def calls(self) -> list[Heard]:
        """All that was kept, in the order in which calls ended."""
        return sorted([*self._kept, *self._stores[0].calls], key=lambda call: call.gave)

    def __call__(self, address: str, visit: Visit) -> None:
        """The place has run: what is heard around it is kept."""
        if address == self.address:
            self._moment += 1
            self.visits.append((self._moment, visit))
            self.attention, self._stores[-1].visited = self._names[-1] if self._names else "", True

    def begins(self, name: str) -> int:
        """A module is called; the moment of it."""
        self._moment += 1
        self._names.append(name)
        if _is_block(name):
            self._stores.append(_Store())
        return self._moment

    def ends(self, call: Heard) -> None:
        """A call is over."""
        self._names.pop()
        self._stores[-1].calls.append(call)
        if _is_block(call.name):
            done = self._stores.pop()
            self._kept += done.calls if done.visited else []

    def moment(self) -> int:
        """The next moment."""
        self._moment += 1
        return self._moment

    def mine(self) -> bool:
        """Whether it is our own run that calls: another thread's is not heard."""
        return threading.get_ident() == self._thread


@contextmanager
def heard(model: nn.Module, address: str) -> Iterator[Listener]:
    """Within this block the modules of `model` are heard, around the place with this address."""
    listener = Listener(address)
    handles = [handle for name, module in model.named_modules() if name for handle in _hooked(listener, name, module)]
    try:
        yield listener
    finally:
        for handle in handles:
            handle.remove()


def _hooked(listener: Listener, name: str, module: nn.Module) -> tuple[Any, Any]:
    began = list[tuple[int, tuple[Tensor, ...]]]()

    def before(module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        if listener.mine():
            given = tuple(_plain(each) for each in (*args, *kwargs.values()) if _is_vectors(each))
            began.append((listener.begins(name), given))

    def after(module: nn.Module, args: tuple[Any, ...], result: Any) -> None:
        if listener.mine():
            took, given = began.pop()
            first = result[0] if isinstance(result, tuple) and result else result
            made = _plain(first) if _is_vectors(first) else None
            listener.ends(Heard(name, module, took, listener.moment(), given, made))

    return module.register_forward_pre_hook(before, with_kwargs=True), module.register_forward_hook(after)


def _is_block(name: str) -> bool:
    return name.rpartition(".")[2].isdigit()


def _is_vectors(value: Any) -> bool:
    return isinstance(value, Tensor) and value.is_floating_point() and 2 <= value.ndim <= 4


def _plain(tensor: Tensor) -> Tensor:
    """The one text's, as it is now, whatever is written there later."""
    return (tensor[0] if tensor.ndim > 2 else tensor).detach().clone()
