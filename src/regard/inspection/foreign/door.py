"""The door: one attention function that `transformers` calls in our name, for every family that asks its interface.

It lets the kernel run that the family has of its own, torch's fused one or the family's plain one, and shows the active
watch what went in and what came out. Without a watch it does nothing else. A watch is found in a `ContextVar`, so two
threads never mix, though they share a model.
"""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from torch import Tensor, nn
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import eager_mask, sdpa_mask

from regard.core.errors import BadInput

FUSED, PLAIN = "regard_one", "regard_two"
"""Our names: for torch's kernel, and for the family's own. A name with `sdpa` in it would be taken for that backend."""

Kernel = Callable[..., tuple[Tensor, Tensor | None]]


class Watch:
    """Whoever is shown the attentions of a run; some also change them.

    Attributes:
        plain: whether the family's plain kernel shall run, which gives its weights.
    """

    plain = False

    def masked(self, module: nn.Module, given: dict[str, Any]) -> Tensor | None:
        """One attention is about to run: the mask that goes to its kernel."""
        found: Tensor | None = given["attention_mask"]
        return found

    def saw(self, module: nn.Module, given: dict[str, Any], output: Tensor, weights: Tensor | None) -> Tensor:
        """It has run: what it was given, and what it gave; the output (batch, queries, heads, d_value) that goes on."""
        return output


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
        kernel, watch = plain_kernel(module) if _plain(own) else sdpa_attention_forward, _watch.get()
        if watch is None:
            return kernel(module, query, key, value, attention_mask, **more)
        given = {"query": query, "key": key, "value": value, "attention_mask": attention_mask, **more}
        attention_mask = given["attention_mask"] = watch.masked(module, given)
        output, weights = kernel(module, query, key, value, attention_mask, **more)
        return watch.saw(module, given, output, weights), weights

    def mask(*args: Any, **more: Any) -> Tensor | None:
        return (eager_mask if _plain(own) else sdpa_mask)(*args, **more)

    AttentionInterface.register(name, attention)
    AttentionMaskInterface.register(name, mask)


for _name in (FUSED, PLAIN):
    _opened(_name)
