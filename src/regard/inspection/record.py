"""Recording: run a model with a watcher, keep what is asked for, and hold it against the kernel that the model ran."""

from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Protocol

import torch
from torch import Tensor

from regard.core.errors import BadInput
from regard.core.protocols import Site
from regard.core.tap import tapped
from regard.inspection.estimate import places, refuse_unless_it_fits
from regard.inspection.keeping import Checking, Choice, Keeper, steps_of
from regard.inspection.trace import READ, SOURCE, TARGET, Sequence, Trace
from regard.inspection.visit import Watcher
from regard.text.tokenizers import SPECIAL, START

VECTORS = ("embedded", "positioned", "states")
"""What the vectors themselves are called under a tap: words alone, with their positions, after each layer."""


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
    kinds = ("special", *target.kinds[:-1]) if target.kinds else ()
    read = Sequence(target.text, tokens, ids, (own, *words), ((0, 0), *target.spans[:-1]), kinds)
    return {SOURCE: source, READ: read, TARGET: target}


@torch.inference_mode()
def record(
    model: Traceable,
    sequences: Mapping[str, Sequence],
    *,
    name: str,
    fingerprint: str,
    keep: str | Collection[str] = "qk",
    check: Checking = "rows",
    choice: Choice | None = None,
) -> Trace:
    """What `model` attends to on one text.

    Args:
        sequences: of a GPT {"read": the text}; of a translator `teacher_forced(source, target, start)`, where query i
            of the cross-attention is the position that predicts target token i.
        name, fingerprint: who the model is.
        keep: names of `keeping.KEEPS`, of steps, and of `VECTORS`.
        check: `rows`, or `full`: every row, and the logits of the model run without a watcher.
        choice: which parts, layers and heads; None for all.

    Raises:
        Failure: `memory_short`; `trace_check`: what was recorded is not what the model computes.
        BadInput: `keep_unknown`, `head_absent`, `no_site`.
    """
    device = next(iter(model.parameters())).device
    inputs = [torch.tensor([sequences[side].ids], device=device) for side in (SOURCE, READ) if side in sequences]
    choice, kept = choice or Choice(), steps_of(keep, VECTORS)
    sites = _chosen(model.sites, choice)
    lengths = {name: len(side.ids) for name, side in sequences.items()}
    refuse_unless_it_fits(places(sites, lengths, getattr(model, "config", None), choice.heads), kept)
    expected = {site.address: len(sequences[site.queries].ids) for site in sites}
    keeper = Keeper(kept, check, choice, expected)

    def vector(address: str, step: str, tensor: Tensor) -> None:
        if step in kept:
            keeper.tensors.add(f"{address}/{step}", tensor)

    with tapped(Watcher(keeper, vector)):
        features = model.features(*inputs)
    far = _logits_deviation(model, inputs, features) if check == "full" else 0.0
    keeper.finish()
    heads = None if choice.heads is None else tuple(sorted(choice.heads))
    return Trace(name, fingerprint, dict(sequences), sites, keeper.tensors, keeper.checked(far), keeper.recipes, heads)


def _chosen(sites: tuple[Site, ...], choice: Choice) -> tuple[Site, ...]:
    """The places that were asked for; of a model without attention none."""
    found = tuple(site for site in sites if choice.takes(site.address))
    if sites and not found:
        part, layer = next(iter(choice.parts or ()), sites[0].part), next(iter(choice.layers or ()), 0)
        raise BadInput("no_site", part=part, layer=layer, sites=", ".join(site.address for site in sites))
    return found


def _logits_deviation(model: Traceable, inputs: list[Tensor], features: Tensor) -> float:
    """How far the logits of the watched run are from those of the model alone: max|a − b| / max|b|."""
    came, expected = model.head(features), model.head(model.features(*inputs))
    if not expected.numel():
        return 0.0
    return float((came - expected).abs().max() / expected.abs().max().clamp(min=1e-30))
