"""Alignment: cross-attention read as one matrix, whatever the number of layers and heads that made it."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from regard.core.errors import BadInput
from regard.core.protocols import Site
from regard.inspection.trace import SOURCE, TARGET, Sequence, Trace
from regard.text.words import to_words


@dataclass(frozen=True)
class Aligned:
    """What each token that was written looked at in the source.

    Attributes:
        site: where.
        weights: (target tokens, source tokens), the mean over the heads of that place; each target's sum to 1.
    """

    site: Site
    weights: np.ndarray


def aligned(trace: Trace, layer: int | None = None) -> Aligned | None:
    """The alignment of a translator's trace; None for a model that does not look at its source.

    Args:
        layer: whose heads are averaged, from 0; None takes the last, as JoeyNMT and CTranslate2 do. In the Transformers
            trained here it agrees best with how people align words (docs/decisions/0014).

    Raises:
        BadInput: `no_site`: there is no such layer.
    """
    places = [site for site in trace.sites if site.part == "cross"]
    if not places:
        return None
    wanted = places[-1].layer if layer is None else layer
    site = next((site for site in places if site.layer == wanted), None)
    if site is None:
        raise BadInput("no_site", part="cross", layer=layer, sites=", ".join(s.address for s in places))
    heads = [trace.weights(part="cross", layer=site.layer, head=head) for head in range(site.n_heads)]
    return Aligned(site, heads[0] if len(heads) == 1 else np.mean(heads, axis=0))


@dataclass(frozen=True)
class Reading:
    """How word alignments are read from the weights of a translator.

    Attributes:
        layer: which layer's cross-attention, from 0; None: the last.
        head: which head, from 0; None: the mean of all.
        shift: take the query that reads a target word instead of the one that predicts it, a step later (Chen et al.
            2020, Accurate Word Alignment Induction from Neural Machine Translation, section 4).
        end: the weight on what is no text, such as the end of the sentence, is `ignored`: the rest is renormalised
            before heads and pieces are averaged; or `kept`: a word that looks there most has no link.
    """

    layer: int | None = None
    head: int | None = None
    shift: bool = False
    end: Literal["ignored", "kept"] = "ignored"


def readings(sites: Iterable[Site], like: Reading | None = None) -> list[Reading]:
    """Every layer, head, mean of heads and both queries, the plainest first: what `regard align --choose` tries.

    Args:
        sites: the places of a trace.
        like: what is not tried is as in this one.
    """
    found = []
    for site in reversed([site for site in sites if site.part == "cross"]):
        heads = [None, *range(site.n_heads)] if site.n_heads > 1 else [None]
        found += [
            replace(like or Reading(), layer=site.layer, head=head, shift=shift)
            for head in heads
            for shift in (False, True)
        ]
    return found


def word_weights(trace: Trace, reading: Reading) -> np.ndarray:
    """What each target word looks at in the source: (target words, source words), a word being what stands between
    spaces. With `end="kept"` one column more: the weight on what is no text.

    Raises:
        BadInput: `no_attention`: the model looks at nothing; `no_site`, `no_head`: no such layer or head.
    """
    source, target = trace.sequences[SOURCE], trace.sequences[TARGET]
    weights = _pattern(trace, reading)
    if reading.shift:  # query i + 1 reads what query i predicts; nothing reads the end
        weights = np.concatenate([weights[..., 1:, :], weights[..., -1:, :]], axis=-2)
    sources, targets = _words(source), _words(target)
    n_source, n_target = len(source.text.split()), len(target.text.split())
    inner = weights[:, targets >= 0]
    if reading.end == "ignored":
        inner = _renormalised(np.where(sources >= 0, inner, 0.0))
    groups = np.where(sources >= 0, sources, n_source)
    between = to_words(inner.mean(axis=0), groups, targets[targets >= 0])
    whole = np.zeros((n_target, n_source + 1))
    whole[: between.shape[0], : between.shape[1]] = between
    return whole if reading.end == "kept" else whole[:, :n_source]


def _pattern(trace: Trace, reading: Reading) -> np.ndarray:
    """(heads, target tokens, source tokens) of the head asked for, or of all."""
    places = [site for site in trace.sites if site.part == "cross"]
    if not places:
        raise BadInput("no_attention", name=trace.model)
    wanted = places[-1].layer if reading.layer is None else reading.layer
    site = trace.site("cross", wanted)
    heads = range(site.n_heads) if reading.head is None else [reading.head]
    found = [trace.weights(part="cross", layer=site.layer, head=head) for head in heads]
    return np.stack(found).astype(np.float64)


def _words(side: Sequence) -> np.ndarray:
    """The word that each token belongs to; −1 for one that is no text."""
    count = len(side.text.split())
    words = np.array(side.words)
    return np.where(words < count, words, -1)


def _renormalised(weights: np.ndarray) -> np.ndarray:
    total = weights.sum(axis=-1, keepdims=True)
    return np.divide(weights, total, out=np.zeros_like(weights), where=total > 0)
