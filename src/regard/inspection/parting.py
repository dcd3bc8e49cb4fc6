"""What a word looked at when its senses parted, and how far they stay together when it may not look there."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from regard.core.protocols import Site
from regard.inspection.knockout import Edge, Knockout
from regard.inspection.senses import Pairs, alike, layer_of
from regard.inspection.trace import READ, SOURCE, Check, Trace
from regard.inspection.trace import Sequence as Side
from regard.inspection.vectors import Reader, at_once
from regard.inspection.way import Look, Parting
from regard.text.occurrences import Occurrence, parts

CUTTABLE = ("rows", "full")
"""Checks of models whose attention was seen as it ran; what is only said afterwards cannot be cut."""


@dataclass(frozen=True)
class Joined:
    """How the vectors of a word's pieces become one: their `mean`, or the `last`, which has read the others."""

    kind: str

    def places(self, tokens: Sequence[int]) -> list[int]:
        """The tokens that stand for a word."""
        return list(tokens[-1:] if self.kind == "last" else tokens)


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
    seen: list[_Seen] = []
    for at, (occurrence, side) in enumerate(zip(occurrences, sides, strict=True)):
        trace = reader.trace(side)
        sites = [site for site in reads(trace) if site.layer < layer]
        if not sites or sites[-1].layer != layer - 1:
            return None
        one = _One(reader, side, sites, side.within(*occurrence.span), layer, joined)
        seen.append(one.seen(trace, occurrence.span, partial(_effect, vectors, of, layer, at)))
        if done:
            done(1)
    hidden = np.stack([old if each.hidden is None else each.hidden for each, old in zip(seen, vectors, strict=True)])
    cuttable = any(look.effect is not None for each in seen for look in each.looks)
    without = layer_of(layer, alike(hidden, of), of.same) if cuttable else None
    check = max((each.check for each in seen), key=lambda check: check.deviation)
    return Parting(layer, tuple(each.looks for each in seen), tuple(each.rest for each in seen), without, check)


def reads(trace: Trace) -> tuple[Site, ...]:
    """The places where a reader attends, a layer each, in order."""
    alone = [site for site in trace.sites if site.part != "cross" and site.queries in (SOURCE, READ)]
    return tuple(sorted(alone, key=lambda site: site.layer))


def _beside(side: Side, own: tuple[int, int]) -> Iterator[tuple[tuple[int, int], list[int]]]:
    """The other words of a sentence with their tokens; one that shares its token with the word is none."""
    taken = set(side.within(*own))
    for span in parts(side.text):
        tokens = [token for token in side.within(*span) if token not in taken]
        if tokens and not (span[0] < own[1] and span[1] > own[0]):
            taken |= set(tokens)
            yield span, tokens


def _weights(trace: Trace, site: Site, queries: Sequence[int]) -> np.ndarray:
    """Where these tokens look, (keys,): mean over them and over heads."""
    heads = [trace.weights(part=site.part, layer=site.layer, head=head) for head in range(site.n_heads)]
    return np.asarray(np.mean([each[list(queries)] for each in heads], axis=(0, 1)), dtype=np.float64)


@dataclass(frozen=True)
class _Seen:
    """Of one occurrence what it looked at, the rest of its weight, and its vector without the first of them."""

    looks: tuple[Look, ...]
    rest: float
    check: Check
    hidden: np.ndarray | None


@dataclass(frozen=True)
class _One:
    """One occurrence in its sentence, from which other words can be hidden in all layers up to one."""

    reader: Reader
    side: Side
    sites: Sequence[Site]
    own: Sequence[int]
    layer: int
    joined: Joined

    def seen(self, trace: Trace, span: tuple[int, int], effect: Callable[[np.ndarray], float]) -> _Seen:
        """Where it looked, and the `effect` of its vector without each word."""
        weights, words = _weights(trace, self.sites[-1], self.joined.places(self.own)), list(_beside(self.side, span))
        gained = [float(weights[tokens].sum()) for _, tokens in words]
        came = self.without([tokens for _, tokens in words]) if trace.check.kind in CUTTABLE else None
        changes = [None] * len(words) if came is None else list(map(effect, came))
        order = sorted(range(len(words)), key=lambda at: -gained[at])
        spans = [words[at][0] for at in order]
        told = zip(spans, [gained[at] for at in order], [changes[at] for at in order], strict=True)
        looks = tuple(Look(self.side.text[slice(*place)], place, weight, change) for place, weight, change in told)
        first = came[order[0]] if came is not None and order and looks[0].weight > 0 else None
        return _Seen(looks, 1.0 - sum(gained), trace.check, first)

    def without(self, words: Sequence[Sequence[int]]) -> np.ndarray:
        """Its vector after the layer with each of these words hidden from it, by their tokens: (words, d)."""
        cuts: list[Knockout] = [
            [Edge(site.address, None, query, key) for site in self.sites for query in self.own for key in keys]
            for keys in words
        ]
        found, most = [], at_once(len(self.side.ids))
        for start in range(0, len(cuts), most):
            some = cuts[start : start + most]
            vectors = self.reader.stages([self.side.ids] * len(some), some).layers[self.layer]
            found.append(vectors[:, self.joined.places(self.own)].mean(1).numpy())
        return np.concatenate(found) if found else np.zeros((0, 0))


def _effect(vectors: np.ndarray, of: Pairs, layer: int, at: int, instead: np.ndarray) -> float:
    """How much further apart senses are with another vector for one occurrence."""
    changed = vectors.copy()
    changed[at] = instead
    before, after = (layer_of(layer, alike(each, of), of.same).apart for each in (vectors, changed))
    return after - before
