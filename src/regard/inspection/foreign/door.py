"""The door: one attention function that `transformers` calls in our name, for every family that asks its interface.

It lets the kernel run that the family has of its own, torch's fused one or the family's plain one, and shows the active
watch what went in and what came out. Without a watch it does nothing else. A watch is found in a `ContextVar`, so two
threads never mix, though they share a model.
"""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Protocol

from torch import Tensor, nn
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import eager_mask, sdpa_mask

from regard.core.errors import BadInput

FUSED, PLAIN = "regard_one", "regard_two"
"""Our names: for torch's kernel, and for the family's own. A name with `sdpa` in it would be taken for that backend."""

Kernel = Callable[..., tuple[Tensor, Tensor | None]]


class Watch(Protocol):
    """Whoever is shown the attentions of a run."""

    plain: bool
    """Whether the family's plain kernel shall run, which gives its weights."""

    def saw(self, module: nn.Module, given: dict[str, Any], output: Tensor, weights: Tensor | None) -> None:
        """One attention has run: what it was given, and what it gave."""


_watch: ContextVar[Watch | None] = ContextVar("watch", default=None)


@contextmanager
def watched(watch: Watch) -> Iterator[None]:
    """Within this block, attentions that run in this context are shown to `watch`."""
    token = _watch.set(watch)
    try:
        yield
    finally:
        _watch.reset(token)


def plain_kernel(module: nn.Module) -> Kernel:
    """The plain attention of a module's own family.

    Raises:
        BadInput: `foreign_kernel`: it has none under the usual name.
    """
    kernel = getattr(sys.modules[type(module).__module__], "eager_attention_forward", None)
    if kernel is None:
        raise BadInput("foreign_kernel", module=type(module).__name__)
    found: Kernel = kernel
    return found


def _plain(otherwise: bool) -> bool:
    watch = _watch.get()
    return otherwise or (watch is not None and watch.plain)


def _opened(name: str) -> None:
    """Register our functions, of attention and of its mask, under one name."""
    own = name == PLAIN

    def attention(
        module: nn.Module, query: Tensor, key: Tensor, value: Tensor, attention_mask: Tensor | None = None, **more: Any
    ) -> tuple[Tensor, Tensor | None]:
        kernel = plain_kernel(module) if _plain(own) else sdpa_attention_forward
        output, weights = kernel(module, query, key, value, attention_mask, **more)
        watch = _watch.get()
        if watch is not None:
            given = {"query": query, "key": key, "value": value, "attention_mask": attention_mask, **more}
            watch.saw(module, given, output, weights)
        return output, weights

    def mask(*args: Any, **more: Any) -> Tensor | None:
        return (eager_mask if _plain(own) else sdpa_mask)(*args, **more)

    AttentionInterface.register(name, attention)
    AttentionMaskInterface.register(name, mask)


for _name in (FUSED, PLAIN):
    _opened(_name)
