"""What heads and tokens look at, in words: the same sentences for every medium."""

import numpy as np

from regard.inspection.roles import SAMPLED
from regard.language import say
from regard.views.heads import Heads
from regard.views.signs import number, shortened

DIGITS = 4
"""Digits of a weight after the point: of long texts most weights are small."""


def name(place: tuple[int, int], lang: str | None) -> str:
    """What a head is called."""
    return say("views.layer_head", lang, layer=place[0], head=place[1])


def standing(heads: Heads, lang: str | None) -> str:
    """The best head of each role that names one, in the words of `regard heads`."""
    best = dict[str, tuple[int, float]]()
    for at, role, share in heads.standing:
        best.setdefault(role, (at, share))
    told = [
        say(f"heads.does_{role}", lang, head=name(heads.names[at], lang), share=number(share, 2))
        + say("heads.end", lang)
        for role, (at, share) in best.items()
    ]
    if heads.exact and len(heads.queries) > SAMPLED:
        told.append(say("heads.sampled", lang, count=SAMPLED, total=len(heads.queries)))
    return joined(told, lang)


def on_average(heads: Heads, at: int, lang: str | None) -> str:
    """What one head does, averaged over its queries from the second on (the first often sees itself alone)."""
    found = heads.statistics
    columns = {"before": found.before, "itself": found.itself, "first": found.first, "largest": found.largest}
    facts = {key: number(_mean(column[at]), 2) for key, column in columns.items() if column is not None}
    if found.distance is None:
        return say("views.head_mean_across", lang, **facts)
    return say("views.head_mean", lang, distance=number(_mean(found.distance[at]), 1), **facts)


def token(heads: Heads, query: int, weights: np.ndarray, lang: str | None) -> str:
    """Where one query looks.

    Args:
        weights: (keys,).
    """
    asked = named(heads.queries, query, lang)
    first, second = [*np.argsort(-weights, kind="stable")[:2].tolist(), None][:2]
    if first is None or weights[first] == 0:
        return say("views.token_nothing", lang, query=asked)
    facts = {"query": asked, "key": named(heads.keys, first, lang), "weight": number(weights[first], DIGITS)}
    if second is None or weights[second] == 0:
        return say("views.token_only", lang, **facts)
    then = {"second": named(heads.keys, second, lang), "second_weight": number(weights[second], DIGITS)}
    return say("views.token_most", lang, **facts, **then)


def named(tokens: tuple[str, ...], at: int, lang: str | None) -> str:
    """A token of a sentence, with its number."""
    return say("views.token_at", lang, token=shortened(tokens[at]), at=at)


def joined(sentences: list[str], lang: str | None) -> str:
    """Sentences one after the other; empty ones are left out."""
    return say("views.between_sentences", lang).join(filter(None, sentences))


def _mean(column: np.ndarray) -> float:
    return float(column[len(column) > 1 :].mean(dtype=np.float64))
