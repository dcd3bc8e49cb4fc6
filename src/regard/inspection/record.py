"""Recording: run a model with a tap, keep the steps asked for, and hold them against the model run without one."""

from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from regard.core.errors import Failure
from regard.core.protocols import Site
from regard.core.tap import tapped
from regard.inspection.trace import READ, Check, Sequence, Trace
from regard.text.tokenizers import SPECIAL, START

TOLERANCE = 1e-4
"""How far a recorded tensor may be from the model's own, in fp32."""

KEPT = ("weights",)
VECTORS = ("embedded", "positioned", "states")
"""What the vectors themselves are called under a tap: words alone, with their positions, after each layer."""

_CHECKED = ("weights", "value", "context")


class Traceable(Protocol):
    """A model of ours that can be recorded: where it attends, and its run over a whole text at once."""

    @property
    def sites(self) -> tuple[Site, ...]:
        """Where it attends."""

    @property
    def features(self) -> Callable[..., Tensor]:
        """What each position says about the next token; a translator is given the source and what its decoder reads."""

    def head(self, features: Tensor) -> Tensor:
        """Its logits."""

    def parameters(self) -> Iterator[Tensor]:
        """Its weights; they say on which device it runs."""


def teacher_forced(source: Sequence, target: Sequence, start: int) -> dict[str, Sequence]:
    """What a translator is recorded on: it reads `start` and the target without its end, and writes the target."""
    words = target.words[:-1]
    own = max(words, default=-1) + 1
    tokens, ids = (SPECIAL[START], *target.tokens[:-1]), (start, *target.ids[:-1])
    read = Sequence(target.text, tokens, ids, (own, *words), ((0, 0), *target.spans[:-1]))
    return {"source": source, READ: read, "target": target}


@torch.inference_mode()
def record(
    model: Traceable, sequences: Mapping[str, Sequence], *, name: str, fingerprint: str, keep: Collection[str] = KEPT
) -> Trace:
    """What `model` attends to on one text.

    Args:
        sequences: of a GPT {"read": the text}; of a translator `teacher_forced(source, target, start)`, where query i
            of the cross-attention is the position that predicts target token i.
        name, fingerprint: who the model is.
        keep: the steps of `core.attend.STEPS` to keep, and of `VECTORS`.

    Raises:
        Failure: `trace_check`: what was recorded is not what the model computes.
    """
    device = next(iter(model.parameters())).device
    inputs = [torch.tensor([sequences[side].ids], device=device) for side in ("source", READ) if side in sequences]
    untouched = model.head(model.features(*inputs))
    parts: dict[str, list[Tensor]] = {}

    def look(address: str, step: str, tensor: Tensor) -> Tensor:
        if step in keep or step in _CHECKED:
            parts.setdefault(f"{address}/{step}", []).append(tensor)
        return tensor

    with tapped(look):
        logits = model.head(model.features(*inputs))
    sites = tuple(model.sites)
    seen = {key: _whole(key, each) for key, each in parts.items()}
    check = _checked(sites, seen, logits, untouched)
    kept = {key: _per_head(tensor) for key, tensor in seen.items() if key.rpartition("/")[2] in keep}
    return Trace(name, fingerprint, dict(sequences), sites, kept, check)


def _whole(key: str, parts: list[Tensor]) -> Tensor:
    """A step's tensor over all queries; with input feeding it comes query by query, and the same memory each time."""
    return parts[0] if key.endswith(("/key", "/value")) or len(parts) == 1 else torch.cat(parts, dim=-2)


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
