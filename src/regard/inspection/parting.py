"""What a word looked at when its senses parted, and how far they stay together when it may not look there."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from regard.core.protocols import Site
from regard.inspection.knockout import Edge, Knockout
from regard.inspection.senses import Pairs, alike, layer_of
from regard.inspection.trace import READ, SOURCE, Trace
from regard.inspection.trace import Sequence as Side
from regard.inspection.vectors import Reader, at_once
from regard.inspection.way import Look, Parting
from regard.text.occurrences import Occurrence, parts


@dataclass(frozen=True)
class Joined:
    """How the vectors of a word's pieces become one: their `mean`, or the `last`, which has read the others."""

    kind: str

    def places(self, tokens: Sequence[int]) -> list[int]:
        """The tokens that stand for a word."""
        return list(tokens[-1:] if self.kind == "last" else tokens)


def tokens_of(side: Side, span: tuple[int, int]) -> list[int]:
    """The tokens of which a part lies within these characters."""
    return [at for at, (start, end) in enumerate(side.spans) if start < span[1] and end > span[0]]


def parting(
    reader: Reader,
    occurrences: Sequence[Occurrence],
    sides: Sequence[Side],
    vectors: np.ndarray,
    of: Pairs,
    *,
    layer: int,
    joined: Joined,
    done: Callable[[int], None] | None = None,
) -> Parting | None:
    """What each occurrence looked at in a layer; None where the model attends to nothing there.

    Args:
        sides: of each occurrence, its sentence as the model reads it.
        vectors: (occurrences, d), theirs after that layer.
        of: the pairs of occurrences.
        layer: after which senses part, from 1.
        done: told how many more occurrences are finished.
    """
    looks, rest, checks, hidden = [], [], [], vectors.copy()
    base = layer_of(layer, alike(vectors, of), of.same).apart
    for at, (occurrence, side) in enumerate(zip(occurrences, sides, strict=True)):
        trace = reader.trace(side)
        sites = [site for site in reads(trace) if site.layer < layer]
        if not sites or sites[-1].layer != layer - 1:
            return None
        own = tokens_of(side, occurrence.span)
        words = list(_beside(side, occurrence.span))
        weights = _weights(trace, sites[-1], joined.places(own))
        came = _hidden(reader, side, sites, own, [tokens for _, tokens in words], layer, joined)
        found = [
            Look(
                side.text[slice(*span)], span, float(weights[tokens].sum()), _apart(vectors, of, layer, at, each) - base
            )
            for (span, tokens), each in zip(words, came, strict=True)
        ]
        order = sorted(range(len(found)), key=lambda number: -found[number].weight)
        looks.append(tuple(found[number] for number in order))
        rest.append(1.0 - sum(each.weight for each in found))
        checks.append(trace.check)
        if order and found[order[0]].weight > 0:
            hidden[at] = came[order[0]]
        if done:
            done(1)
    without = layer_of(layer, alike(hidden, of), of.same)
    return Parting(layer, tuple(looks), tuple(rest), without, max(checks, key=lambda check: check.deviation))


def reads(trace: Trace) -> tuple[Site, ...]:
    """The places where a reader attends, a layer each, in order."""
    alone = [site for site in trace.sites if site.part != "cross" and site.queries in (SOURCE, READ)]
    return tuple(sorted(alone, key=lambda site: site.layer))


def _beside(side: Side, own: tuple[int, int]) -> Iterator[tuple[tuple[int, int], list[int]]]:
    """The other words of a sentence with their tokens; one that shares its token with the word is none."""
    taken = set(tokens_of(side, own))
    for span in parts(side.text):
        tokens = [token for token in tokens_of(side, span) if token not in taken]
        if tokens and not (span[0] < own[1] and span[1] > own[0]):
            taken |= set(tokens)
            yield span, tokens


def _weights(trace: Trace, site: Site, queries: Sequence[int]) -> np.ndarray:
    """Where these tokens look, (keys,): mean over them and over heads."""
    heads = [trace.weights(part=site.part, layer=site.layer, head=head) for head in range(site.n_heads)]
    return np.asarray(np.mean([each[list(queries)] for each in heads], axis=(0, 1)), dtype=np.float64)


def _hidden(
    reader: Reader,
    side: Side,
    sites: Sequence[Site],
    queries: Sequence[int],
    words: Sequence[Sequence[int]],
    layer: int,
    joined: Joined,
) -> np.ndarray:
    """The vector of a word after a layer, with each of these other words hidden from it in all layers: (words, d)."""
    cuts: list[Knockout] = [
        [Edge(site.address, None, query, key) for site in sites for query in queries for key in keys] for keys in words
    ]
    found = []
    for start in range(0, len(cuts), at_once(len(side.ids))):
        some = cuts[start : start + at_once(len(side.ids))]
        stages = reader.stages([side.ids] * len(some), some)
        found.append(stages.layers[layer][:, joined.places(queries)].mean(1).numpy())
    return np.concatenate(found) if found else np.zeros((0, 0))


def _apart(vectors: np.ndarray, of: Pairs, layer: int, at: int, instead: np.ndarray) -> float:
    """How far senses are apart with another vector for one occurrence."""
    changed = vectors.copy()
    changed[at] = instead
    return layer_of(layer, alike(changed, of), of.same).apart
