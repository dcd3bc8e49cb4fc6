"""Families that do not ask the interface: their weights as they give them themselves, or a clear refusal."""

from collections.abc import Collection, Sequence
from typing import Any

import torch
from torch import Tensor

from regard.core.errors import BadInput, Failure
from regard.core.protocols import Site
from regard.inspection.foreign.places import Places
from regard.inspection.foreign.reading import Reading, sides
from regard.inspection.foreign.run import Foreign, run
from regard.inspection.foreign.switching import eager, switched
from regard.inspection.keeping import ROUGH, TOLERANCE, Choice
from regard.inspection.trace import READ, SOURCE, TARGET, Check, Trace

SUMS = "sums"
"""The check where no queries and keys are seen: each query's weights sum to 1, or to 0."""


def eager_weights(foreign: Foreign, reading: Reading, kept: Collection[str], choice: Choice) -> list[Trace]:
    """The weights that a family gives when it is asked for `output_attentions`.

    Raises:
        BadInput: `foreign_bypass`: more than weights was asked for; `foreign_blind`: it gives none.
        Failure: `trace_check`: they do not sum to 1 or 0.
    """
    if set(kept) != {"weights"}:
        raise BadInput("foreign_bypass", name=foreign.name, family=family(foreign))
    with switched(foreign.model, eager):
        outputs = run(foreign, reading.inputs, output_attentions=True)
    places = [(site, each) for site, each in _given(foreign, outputs) if choice.takes(site.address)]
    if not places:
        raise BadInput("foreign_blind", name=foreign.name, family=family(foreign))
    return [_trace(foreign, sequences, places, row, choice) for row, sequences in enumerate(reading.sequences)]


def family(foreign: Foreign) -> str:
    """What a family is called."""
    return str(getattr(foreign.model.config, "model_type", type(foreign.model).__name__))


def _given(foreign: Foreign, outputs: Any) -> list[tuple[Site, Tensor]]:
    """Each place with its weights (batch, heads, queries, keys), by the names that outputs have."""
    stack = "decoder" if Places(foreign.model).writes else "encoder"
    alone = SOURCE if stack == "encoder" else READ
    named = {
        "attentions": (stack, "self", alone, alone),
        "encoder_attentions": ("encoder", "self", SOURCE, SOURCE),
        "decoder_attentions": ("decoder", "self", READ, READ),
        "cross_attentions": ("decoder", "cross", TARGET, SOURCE),
    }
    found = []
    for name, (part, kind, queries, keys) in named.items():
        for layer, each in enumerate(getattr(outputs, name, None) or ()):
            if isinstance(each, Tensor) and each.ndim == 4:
                found.append((Site(f"{part}.layers.{layer}.{kind}", queries, keys, each.shape[1]), each))
    return found


def _trace(foreign: Foreign, sequences: Any, places: Sequence[tuple[Site, Tensor]], row: int, choice: Choice) -> Trace:
    sizes = {
        side: size
        for site, each in places
        for side, size in zip((site.queries, site.keys), each.shape[2:], strict=True)
    }
    shown = sides(sequences, [site for site, _ in places], sizes)
    heads = None if choice.heads is None else tuple(sorted(choice.heads))
    tensors, worst = {}, 0.0
    for site, each in places:
        weights = _real(each[row].float(), shown[site.keys].kinds)
        total = weights.sum(-1)
        worst = max(worst, float((total - (total > 0.5).float()).abs().max()))
        tensors[f"{site.address}/weights"] = (weights if heads is None else _of(weights, heads)).cpu().numpy()
    tolerance = TOLERANCE if foreign.model.dtype == torch.float32 else ROUGH
    if not worst <= tolerance:
        raise Failure("trace_check", deviation=f"{worst:.1e}", tolerance=f"{tolerance:.0e}")
    sites = tuple(site for site, _ in places)
    check = Check(SUMS, worst, tolerance)
    return Trace(foreign.name, foreign.fingerprint, shown, sites, tensors, check, heads=heads)


def _of(weights: Tensor, heads: Sequence[int]) -> Tensor:
    absent = [head for head in heads if not 0 <= head < len(weights)]
    if absent:
        raise BadInput("head_absent", head=absent[0], n_heads=len(weights))
    return weights[list(heads)]


def _real(weights: Tensor, kinds: Sequence[str]) -> Tensor:
    """Zero where a query looks at padding: it could see nothing else."""
    padding = torch.tensor([kind == "padding" for kind in kinds], dtype=torch.bool, device=weights.device)
    if not padding.any():
        return weights
    return weights.masked_fill(weights[..., padding].sum(-1, keepdim=True) > 0, 0)
