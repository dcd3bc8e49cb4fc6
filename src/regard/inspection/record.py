"""Recording: run a model with a tap, keep the steps asked for, and hold them against the model run without one."""

from collections.abc import Collection, Iterator
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from regard.core.errors import Failure
from regard.core.protocols import Site
from regard.core.tap import tapped
from regard.inspection.trace import Check, Sequence, Trace

TOLERANCE = 1e-4
"""How far a recorded tensor may be from the model's own, in fp32."""


class Traceable(Protocol):
    """A translator that can be recorded: where it attends, and its teacher-forced run."""

    @property
    def sites(self) -> tuple[Site, ...]:
        """Where it attends."""

    def features(self, source: Tensor, target: Tensor) -> Tensor:
        """What each target position says about the next token."""

    def head(self, features: Tensor) -> Tensor:
        """Its logits."""

    def parameters(self) -> Iterator[Tensor]:
        """Its weights; they say on which device it runs."""


@torch.inference_mode()
def record(
    model: Traceable,
    source: Sequence,
    target: Sequence,
    *,
    start: int,
    name: str,
    fingerprint: str,
    keep: Collection[str] = ("weights",),
) -> Trace:
    """What `model` attends to while it writes `target` for `source`.

    Args:
        source, target: both sides with their end tokens; query i is the position that predicts target token i.
        start: the id that the decoder reads first.
        name, fingerprint: who the model is.
        keep: the steps of `core.attend.STEPS` to keep.

    Raises:
        Failure: `trace_check`: what was recorded is not what the model computes.
    """
    device = next(iter(model.parameters())).device
    read = torch.tensor([[start, *target.ids[:-1]]], device=device)
    ids = torch.tensor([source.ids], device=device)
    untouched = model.head(model.features(ids, read))
    seen: dict[str, Tensor] = {}

    def keep_all(address: str, step: str, tensor: Tensor) -> Tensor:
        seen[f"{address}/{step}"] = tensor
        return tensor

    with tapped(keep_all):
        logits = model.head(model.features(ids, read))
    check = _checked(model.sites, seen, logits, untouched)
    kept = {key: _per_head(tensor) for key, tensor in seen.items() if key.rsplit("/", 1)[1] in keep}
    return Trace(name, fingerprint, {"source": source, "target": target}, tuple(model.sites), kept, check)


def _checked(sites: Collection[Site], seen: dict[str, Tensor], logits: Tensor, untouched: Tensor) -> Check:
    """The full check: weights sum to 1 or 0, weights · value is the context, logits are the untouched model's."""
    found = [_deviation(logits, untouched)]
    for site in sites:
        weights, value, context = (seen[f"{site.address}/{step}"] for step in ("weights", "value", "context"))
        total = weights.sum(-1)
        found += [_deviation(total, (total > 0.5).float()), _deviation(weights @ value, context)]
    worst = float(np.max(found))  # NaN stays NaN, which max() may lose
    if not worst <= TOLERANCE:
        raise Failure("trace_check", deviation=f"{worst:.1e}", tolerance=f"{TOLERANCE:.0e}")
    return Check("full", worst, TOLERANCE)


def _deviation(came: Tensor, expected: Tensor) -> float:
    """max|a − b| / max|b|."""
    if not expected.numel():
        return 0.0
    return float((came - expected).abs().max() / expected.abs().max().clamp(min=1e-30))


def _per_head(tensor: Tensor) -> np.ndarray:
    """(1, …) of a model without heads as (1 head, …); the batch axis of one text goes."""
    per_head = tensor if tensor.dim() == 3 else tensor[0]
    return per_head.float().cpu().numpy()
