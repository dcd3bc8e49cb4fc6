"""A foreign model and its run: what it is given, and what it says."""

import inspect
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from regard.core.errors import Failure, RegardError


@dataclass(frozen=True)
class Foreign:
    """A model of `transformers`, and who it is.

    Attributes:
        model: a `PreTrainedModel`.
        tokenizer: of its own; None where it has none.
        name, fingerprint: what it is called, and the sha256 of its weights.
    """

    model: Any
    tokenizer: Any
    name: str
    fingerprint: str

    @property
    def two_sided(self) -> bool:
        """Whether it reads a source and writes a target."""
        return bool(getattr(self.model.config, "is_encoder_decoder", False))


def run(foreign: Foreign, inputs: Mapping[str, Any], **more: Any) -> Any:
    """The outputs of a model at rest.

    Raises:
        Failure: `foreign_failed`: it broke off; its own words stand in the reason.
    """
    model = foreign.model
    known = inspect.signature(model.forward).parameters
    if "use_cache" in known:
        more = {"use_cache": False, **more}
    placed = {name: each.to(model.device) if isinstance(each, Tensor) else each for name, each in inputs.items()}
    with told(foreign), _uncompiled(model):
        return model(**placed, **more, return_dict=True)


def _uncompiled(model: Any) -> AbstractContextManager[Any]:
    """A compiled model runs as it is written: a compiler would take our looking for a part of it."""
    compiled = any(getattr(module, "_compiled_call_impl", None) is not None for module in model.modules())
    return torch.compiler.set_stance("force_eager") if compiled else nullcontext()


@contextmanager
def told(foreign: Foreign) -> Iterator[None]:
    """What a model says when it breaks off, as one clear `Failure`."""
    try:
        yield
    except RegardError:
        raise
    except (RuntimeError, ValueError, IndexError, TypeError, KeyError, AttributeError, ImportError) as error:
        raise Failure("foreign_failed", name=foreign.name, reason=first_line(error)) from error


def said(outputs: Any) -> Tensor | None:
    """What a model says of each token: its logits, else its last vectors."""
    for name in ("logits", "last_hidden_state"):
        found = getattr(outputs, name, None)
        if isinstance(found, Tensor):
            return found
    return None


def apart(came: Tensor | None, expected: Tensor | None) -> float:
    """How far two tensors are from each other: max|a − b| / max|b|."""
    if came is None or expected is None or not expected.numel():
        return 0.0
    far = (came.float() - expected.float()).abs().max() / expected.float().abs().max().clamp(min=1e-30)
    return float(far)


def first_line(error: BaseException) -> str:
    """What an exception says, short."""
    return next(iter(str(error).strip().splitlines()), type(error).__name__)[:300]
