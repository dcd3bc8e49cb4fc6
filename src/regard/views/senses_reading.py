"""What the parting of senses comes to, in words."""

from collections.abc import Iterator

import numpy as np

from regard.inspection.senses import Layer
from regard.inspection.way import Look, Parting, Way
from regard.language import say
from regard.views.signs import number, shortened

SURE = 0.05
"""So seldom shuffled labels may come as far, that it is not called chance."""


def reading(way: Way, lang: str | None) -> str:
    """From where the words begin to what hiding what they looked at does."""
    told = [*_start(way, lang), *_parted(way, lang), *_chosen(way, lang), *_looked(way, lang)]
    return say("views.between_sentences", lang).join(told)


def best(way: Way) -> Layer | None:
    """The layer with the largest AUC, the first of equals; None where it is undefined."""
    known = [layer for layer in way.layers[1:] if layer.auc is not None]
    return max(known, key=lambda layer: layer.auc or 0.0, default=None)


def _start(way: Way, lang: str | None) -> Iterator[str]:
    """Whether they begin as one, how pieces are joined, what positions and the direction of reading do."""
    one = len(way.pairs.words) == 1
    if one:
        equal = bool(np.all(way.alone == way.alone[0]))
        yield say("senses.start_one" if equal else "senses.start_several", lang, word=way.pairs.words[0])
    split = sum(pieces > 1 for pieces in way.pieces)
    if split:
        facts = {"split": split, "count": len(way.pieces), "most": max(way.pieces)}
        yield say("senses.joined_mean" if way.join == "mean" else "senses.joined_last", lang, **facts)
    if way.unknown:
        yield say("senses.unknown", lang, unknown=way.unknown, count=len(way.pieces))
    if way.alone.shape == way.vectors[0].shape and np.allclose(way.alone, way.vectors[0]):
        yield say("senses.positions_inside", lang)
    if not way.ahead:
        yield say("senses.behind", lang)


def _parted(way: Way, lang: str | None) -> Iterator[str]:
    """Where they part, where they are told apart best, and whether that is more than chance."""
    top, at = best(way), way.parted
    before, after, (one, other) = way.layers[at - 1], way.layers[at], way.pairs.told
    if top is None or top.auc is None or way.chance is None:
        yield say("senses.parted_cosine", lang, layer=at, before=number(before.every, 2), after=number(after.every, 2))
        if len(way.occurrences) > 2 or one + other:
            kind = "no_labels" if one + other == 0 else "one_label" if other == 0 else "no_same"
            yield say(f"senses.{kind}", lang)
        return
    facts = {"model": way.name, "layer": top.layer, "auc": number(top.auc, 2), "p": number(way.chance, 3)}
    if way.chance > SURE:
        yield say("senses.unsure", lang, same=one, different=other, **facts)
        return
    grown = {"before": number(before.auc or 0.0, 2), "after": number(after.auc or 0.0, 2)}
    yield say("senses.parted_auc", lang, layer=at, **grown)
    yield say("senses.best", lang, same=one, different=other, **facts)


def _chosen(way: Way, lang: str | None) -> Iterator[str]:
    if way.chosen is None:
        return
    found = way.chosen
    low, high = (number(each, 3) for each in found.interval)
    gain = number(found.held.auc - found.before, 3)
    facts = {"layer": found.layer, "auc": number(found.held.auc, 3), "before": number(found.before, 3)}
    halves = {"choosing": found.choosing.words, "words": found.held.words, "chosen": number(found.choosing.auc, 3)}
    counts = {"same": found.held.same, "different": found.held.different}
    yield say("senses.chosen", lang, gain=gain, low=low, high=high, **facts, **halves, **counts)


def _looked(way: Way, lang: str | None) -> Iterator[str]:
    """What hiding the words does that were looked at most, and whether common words are looked at less."""
    parting = way.parting
    if parting is None or parting.without is None:
        return
    base, without = way.layers[parting.layer], parting.without
    facts = {"layer": parting.layer, "apart": number(base.apart, 3), "without": number(without.apart, 3)}
    if base.auc is None or without.auc is None:
        yield say("senses.without", lang, **facts)
    elif way.chance is not None and way.chance <= SURE:
        yield say("senses.without_auc", lang, auc=number(base.auc, 2), hidden=number(without.auc, 2), **facts)
    common, own = shared(way, parting)
    if common and own:
        names = list(dict.fromkeys(shortened(look.word.lower()) for look in common))[:6]
        joined = say("senses.comma", lang).join(names)
        weights = {"common": number(_mean(common), 3), "own": number(_mean(own), 3)}
        changes = {"common_change": number(_change(common), 4), "own_change": number(_change(own), 4)}
        yield say("senses.shared", lang, names=joined, **weights, **changes)


def shared(way: Way, parting: Parting) -> tuple[list[Look], list[Look]]:
    """Words that stand beside more than one sense, and those that stand beside one alone; signs are left out."""
    beside: dict[str, set[str]] = {}
    labels = [each.label or each.sentence for each in way.occurrences]
    for label, looks in zip(labels, parting.looks, strict=True):
        for look in looks:
            beside.setdefault(look.word.casefold(), set()).add(label)
    words = [look for looks in parting.looks for look in looks if look.word[:1].isalnum() and look.weight > 0]
    common = [look for look in words if len(beside[look.word.casefold()]) > 1]
    return common, [look for look in words if len(beside[look.word.casefold()]) == 1]


def _mean(looks: list[Look]) -> float:
    return float(np.mean([look.weight for look in looks]))


def _change(looks: list[Look]) -> float:
    return float(np.mean([abs(look.effect or 0.0) for look in looks]))
