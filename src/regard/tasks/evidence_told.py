"""Effects on what a model says of one text, as every face shows them: data, a table, sentences."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from regard.core.protocols import Site
from regard.inspection.evidence import Effect, Evidence, Target
from regard.inspection.knockout import Edge, at
from regard.inspection.subject import Subject
from regard.inspection.trace import Sequence as Side
from regard.tasks.reading import shown
from regard.views.evidence import Line
from regard.views.evidence import evidence as drawn
from regard.views.picture import Rows


@dataclass(frozen=True)
class Patch:
    """Another text, whose outputs stand in.

    Attributes:
        tokens: as people read them.
        log_prob: of the target there; None for a vector.
    """

    tokens: tuple[str, ...]
    log_prob: float | None


@dataclass(frozen=True)
class Told:
    """Effects on what a model says of one text.

    Attributes:
        name: of the model.
        subject: the model on the text.
        target: the tokens whose log-probability counts, or whose vector.
        found: the effects, the greatest first, and how well ranking and weight agreed with them.
        kind: what was cut one by one: of `cuts.KINDS`; None for one thing that was named.
        how: how it was cut.
        patch: the other text; None without.
    """

    name: str
    subject: Subject
    target: tuple[str, ...]
    found: Evidence
    kind: str | None
    how: str
    patch: Patch | None = None

    def json(self) -> dict[str, Any]:
        """`target`, `baseline`, `effects`, `agreement`, as the command's JSON holds them."""
        goal = self.found.goal
        target = {"ids": list(goal.ids)} if isinstance(goal, Target) else {"vector": list(self.subject.asked)}
        patch = {} if self.patch is None else {"patch": vars(self.patch) | {"tokens": list(self.patch.tokens)}}
        return {
            "target": {"tokens": list(self.target), **target},
            "baseline": {"log_prob": self.found.log_prob},
            **patch,
            "how": self.how,
            "effects": [self._effect(each) for each in self.found.effects],
            "agreement": _number(self.found.agreement),
            "weight_agreement": _number(self.found.weight_agreement),
        }

    def sides(self, address: str) -> tuple[Side, Side]:
        """What queries and keys of a place are."""
        site = next(site for site in self.subject.sites if site.address == address)
        return self.subject.sequences[site.queries], self.subject.sequences[site.keys]

    def _effect(self, effect: Effect) -> dict[str, Any]:
        names = ("weight", "delta_logit", "delta_log_prob", "kl", "rank", "cosine", "estimate", "flag")
        return {**self.place(effect), **{name: getattr(effect, name) for name in names}}

    def place(self, effect: Effect) -> dict[str, Any]:
        """What was cut, in words: the fields that say so. What was cut in several places has no address."""
        first = effect.knockout[0]
        queries, keys = self.sides(first.address)
        key = first.key if isinstance(first, Edge) else None
        if self.kind == "words" and isinstance(key, int):
            cut = sorted({each.key for each in effect.knockout if isinstance(each, Edge) and isinstance(each.key, int)})
            return {"word": _word(keys, cut), "word_index": keys.words[key], "key": cut}
        places = {each.address for each in effect.knockout}
        parts = {_site(address).part for address in places}
        found: dict[str, Any] = {"address": first.address if len(places) == 1 else None, "head": first.head}
        found |= {"part": parts.pop()} if len(places) > 1 == len(parts) else {}
        for name, side, asked in (("query", queries, first.query), ("key", keys, key)):
            found[name] = list(asked) if isinstance(asked, range) else asked
            found |= {} if asked is None else {f"{name}_token": "".join(shown(side)[at(asked)])}
        return found

    def picture(self, lang: str | None = None) -> Rows:
        """The effects as a table, and what they say."""
        lines = [self._line(each) for each in self.found.effects]
        patch = None if self.patch is None else (self.patch.tokens, self.patch.log_prob)
        told = (self.found.log_prob, self.found.agreement)
        return drawn(lines, self.target, *told, how=self.how, patch=patch, lang=lang)

    def _line(self, effect: Effect) -> Line:
        place = self.place(effect)
        return Line(
            *_where(place, self.subject.sites),
            query=place.get("query_token", ""),
            key=place.get("word", place.get("key_token", "")),
            weight=float("nan") if effect.weight is None else effect.weight,
            change=effect.change,
            kl=effect.kl,
            rank=effect.rank,
            cosine=effect.cosine,
            flag=effect.flag,
        )


def _word(side: Side, cut: Sequence[int]) -> str:
    """The word of these tokens, or what they are of it."""
    word = side.words[cut[0]]
    if len(cut) == side.words.count(word):
        return side.word_list()[word]
    told = side.text[side.spans[cut[0]][0] : side.spans[cut[-1]][1]]
    return told.strip() or told


def _where(place: dict[str, Any], sites: Sequence[Site]) -> tuple[str, str, str]:
    """Part, layer and head, as far as they were cut alone."""
    head = "" if place.get("head") is None else str(place["head"])
    if place.get("address") is None:
        several = len({site.part for site in sites}) > 1
        return place.get("part", "") if several else "", "", head
    site = _site(place["address"])
    return site.part, str(site.layer), head


def _site(address: str) -> Site:
    return Site(address, "", "", 0)


def _number(value: float) -> float | None:
    return None if np.isnan(value) else value
