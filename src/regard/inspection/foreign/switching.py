"""A model goes through our door for a while, and is then as it was."""

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import torch

from regard.inspection.foreign.door import FUSED, PLAIN

_locks: dict[int, Any] = {}
_making = threading.Lock()


def asks(model: Any) -> bool:
    """Whether the family of a model asks the interface at all."""
    asked = getattr(model, "_can_set_attn_implementation", None)  # transformers has no public name for it
    return bool(asked is not None and asked())


def watchable(own: str | None) -> str:
    """Which of our names lets the kernel run that a model has under `own`."""
    return PLAIN if own in (None, "eager") else FUSED


def unchanged(own: str | None) -> str | None:
    """The name that a model has already."""
    return own


def eager(own: str | None) -> str:
    """The name under which every family gives its weights."""
    return "eager"


@contextmanager
def switched(model: Any, named: Callable[[str | None], str | None] = watchable) -> Iterator[None]:
    """Within this block the model's attentions run through our door, and it rests (no dropout, no gradients).

    Args:
        named: how each part of the model computes attention → how it does in this block.
    """
    configs = _configs(model)
    with _locked(configs):
        before = [config._attn_implementation_internal for config in configs]
        training = [module for module in model.modules() if module.training]
        try:
            for config, own in zip(configs, before, strict=True):
                config._attn_implementation_internal = named(own)
            model.eval()
            with torch.no_grad():
                yield
        finally:
            for config, own in zip(configs, before, strict=True):
                config._attn_implementation_internal = own
            for module in training:
                module.training = True


@contextmanager
def _locked(configs: list[Any]) -> Iterator[None]:
    """Nobody else switches these meanwhile: models may share a config. Taken in one order, so that none waits forever.

    A lock stays when its config is gone; another that comes to lie there may have it.
    """
    with _making:
        locks = [_locks.setdefault(number, threading.RLock()) for number in sorted(map(id, configs))]
    with ExitStack() as held:
        for lock in locks:
            held.enter_context(lock)
        yield


def _configs(model: Any) -> list[Any]:
    """Every config that the parts of a model ask, each once."""
    found: dict[int, Any] = {}
    waiting = [module.config for module in model.modules() if hasattr(module, "config")]
    while waiting:
        config = waiting.pop()
        if id(config) not in found and hasattr(config, "_attn_implementation_internal"):
            found[id(config)] = config
            waiting += [getattr(config, name, None) for name in getattr(config, "sub_configs", {})]
    return list(found.values())
