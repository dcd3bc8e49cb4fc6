"""What an edge, a head, a layer or a word does to what a model says: for the command line, Python and the docs."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from regard.core.errors import BadInput
from regard.core.protocols import Site
from regard.inspection.evidence import Effect, Evidence, Target, effects, likeliest
from regard.inspection.evidence import evidence as gathered
from regard.inspection.knockout import Edge, How, Knockout
from regard.inspection.subject import Own, Resumed, Subject
from regard.inspection.trace import READ, SOURCE
from regard.inspection.trace import Sequence as Side
from regard.models.gpt import Gpt
from regard.tasks.reading import shown
from regard.tasks.recording import opened
from regard.tasks.subjects import subject_of, tokens_of
from regard.views.evidence import Cut
from regard.views.evidence import evidence as drawn
from regard.views.picture import Rows

KINDS = ("edges", "heads", "layers", "words")
"""What may be cut one by one."""


@dataclass(frozen=True)
class One:
    """What alone is cut: None is all of them."""

    part: str | None = None
    layer: int | None = None
    head: int | None = None
    query: int | None = None
    key: int | None = None

    def knockout(self, subject: Subject) -> Knockout:
        """The edges of a subject that this means.

        Raises:
            BadInput: `no_site`, `no_head`, `edge_outside`.
        """
        sites = [site for site in subject.sites if self.part in (None, site.part) and self.layer in (None, site.layer)]
        if not sites:
            known = ", ".join(site.address for site in subject.sites)
            raise BadInput("no_site", part=self.part or subject.sites[0].part, layer=self.layer, sites=known)
        for site in sites:
            self._refuse_outside(subject, site)
        return [Edge(site.address, self.head, self.query, self.key) for site in sites]

    def _refuse_outside(self, subject: Subject, site: Site) -> None:
        queries, keys = (len(subject.sequences[name].ids) for name in (site.queries, site.keys))
        if self.head is not None and not 0 <= self.head < site.n_heads:
            raise BadInput("no_head", head=self.head, n_heads=site.n_heads, address=site.address)
        if not (0 <= (self.query or 0) < queries and 0 <= (self.key or 0) < keys):
            query, key = ("–" if asked is None else asked for asked in (self.query, self.key))
            raise BadInput("edge_outside", query=query, key=key, queries=queries, keys=keys)


@dataclass(frozen=True)
class Told:
    """Effects on what a model says of one text.

    Attributes:
        name: of the model.
        subject: the model on the text.
        target: whose log-probability counts, and its tokens.
        found: the effects, the greatest first, and how well ranking and weight agreed with them.
        kind: what was cut one by one: of `KINDS`, or `one` for what was named.
        how: how it was cut.
    """

    name: str
    subject: Subject
    target: tuple[str, ...]
    found: Evidence
    kind: str
    how: How

    def json(self) -> dict[str, Any]:
        """`target`, `baseline`, `effects`, `agreement`, as the command's JSON holds them."""
        return {
            "target": {"tokens": list(self.target), "ids": list(self.found.target.ids)},
            "baseline": {"log_prob": self.found.log_prob},
            "effects": [self._effect(each) for each in self.found.effects],
            "agreement": _number(self.found.agreement),
            "weight_agreement": _number(self.found.weight_agreement),
        }

    def sides(self, address: str) -> tuple[Side, Side]:
        """What queries and keys of a place are."""
        site = next(site for site in self.subject.sites if site.address == address)
        return self.subject.sequences[site.queries], self.subject.sequences[site.keys]

    def _effect(self, effect: Effect) -> dict[str, Any]:
        numbers = {
            "weight": effect.weight, "delta_logit": effect.delta_logit, "delta_log_prob": effect.delta_log_prob,
            "kl": effect.kl, "rank": effect.rank, "estimate": effect.estimate, "flag": effect.flag,
        }  # fmt: skip
        return {**self.place(effect), **numbers}

    def place(self, effect: Effect) -> dict[str, Any]:
        """What was cut, in words: the fields that say so."""
        first = effect.knockout[0]
        assert isinstance(first, Edge)
        queries, keys = self.sides(first.address)
        if self.kind == "words" and first.key is not None:
            number = keys.words[first.key]
            return {"word": keys.word_list()[number], "word_index": number}
        found: dict[str, Any] = {"address": first.address, "head": first.head, "query": first.query, "key": first.key}
        for side, tokens, at in (("query", shown(queries), first.query), ("key", shown(keys), first.key)):
            found |= {} if at is None else {f"{side}_token": tokens[at]}
        return found

    def picture(self, lang: str | None = None) -> Rows:
        """The effects as a table, and what they say."""
        cuts = [self._cut(each) for each in self.found.effects]
        told = (self.found.log_prob, self.found.agreement)
        return drawn(cuts, [token.strip("Ġ▁") for token in self.target], *told, how=self.how, lang=lang)

    def _cut(self, effect: Effect) -> Cut:
        place = self.place(effect)
        part, layer, head = _where(place)
        return Cut(
            part,
            layer,
            head,
            query=place.get("query_token", ""),
            key=place.get("word", place.get("key_token", "")),
            weight=float("nan") if effect.weight is None else effect.weight,
            change=effect.delta_log_prob,
            kl=effect.kl,
            rank=effect.rank,
            flag=effect.flag,
        )


def knockout(model: Any, text: str, *, target: str | None = None, how: How = "renormalised", **one: Any) -> Told:
    """What a model says of a text when some of its edges are cut, all at once.

    Args:
        model, target, how: as `evidence` takes them.
        one: `part`, `layer`, `head`, `query`, `key`: which edges; what is not named stands for all.

    Raises:
        BadInput: as `evidence`.

    >>> told = knockout("en-fr", "The black cat ate the mouse.", query=4, key=3)
    >>> effect = told.found.effects[0]
    >>> effect.weight > 0.9 and effect.delta_log_prob < -5
    True
    """
    return evidence(model, text, target=target, how=how, one=One(**one))


def evidence(
    model: Any,
    text: str,
    *,
    target: str | None = None,
    kind: str = "edges",
    most: int = 20,
    how: How = "renormalised",
    one: One | None = None,
) -> Told:
    """What counts for what a model says after, or of, a text.

    Args:
        model: as `regard.record` takes it.
        target: the text whose log-probability counts: a continuation or a translation; None for the model's own next
            token, or its own translation.
        kind: what is cut one by one: of `KINDS`. Edges are ranked by gradients first, and `most` of them cut.
        how: `renormalised` (cut before softmax) or `zeroed` (after it).
        one: cut this alone.

    Raises:
        BadInput: an empty text, one too long, a model without attention, an edge that is not there.

    >>> told = evidence("en-fr", "The black cat ate the mouse.", most=3)
    >>> [told.place(effect)["key_token"] for effect in told.found.effects][:1]
    [' ate']
    """
    of = opened(model)
    subject, wanted = subject_of(of, text, target)
    if not subject.sites:
        raise BadInput("no_attention", name=of.name)
    found = _found(subject, wanted, kind if one is None else "edges", most, how, one)
    return Told(of.name, subject, tokens_of(of, found.target.ids), found, kind if one is None else "one", how)


def _found(subject: Subject, target: Target | None, kind: str, most: int, how: How, one: One | None) -> Evidence:
    if one is None and kind == "edges":
        runs = Resumed(subject) if isinstance(subject, Own) and isinstance(subject.model, Gpt) else None
        return gathered(subject, target, most=most, how=how, runs=runs)
    base = subject.logits([[]])[0]
    target = target or likeliest(base)
    knockouts: list[Knockout] = [one.knockout(subject)] if one is not None else list(_each(subject, kind))
    told = [_weighed(subject, each) for each in effects(subject, base, target, knockouts, how)]
    told.sort(key=lambda each: -abs(each.delta_log_prob))
    return Evidence(target, float(target.log_prob(base)), tuple(told[:most]), float("nan"), float("nan"))


def _weighed(subject: Subject, effect: Effect) -> Effect:
    """With its weight, where one edge of one head was cut."""
    edge = effect.knockout[0]
    alone = len(effect.knockout) == 1 and isinstance(edge, Edge) and edge.query is not None and edge.key is not None
    if not alone or not isinstance(edge, Edge):
        return effect
    text = subject.visits()[edge.address].row(0)
    if edge.head is None and len(text.query) > 1:
        return effect
    return replace(effect, weight=float(text.steps()["weights"][edge.head or 0, edge.query, edge.key]))


def _each(subject: Subject, kind: str) -> Iterator[Knockout]:
    """The knockouts of every head, every layer, or every word that is looked at."""
    if kind == "heads":
        yield from ([Edge(site.address, head)] for site in subject.sites for head in range(site.n_heads))
    elif kind == "layers":
        yield from ([Edge(site.address)] for site in subject.sites)
    else:
        side = subject.sequences[SOURCE if SOURCE in subject.sequences else READ]
        for word in dict.fromkeys(side.words):
            keys = np.flatnonzero(np.array(side.words) == word).tolist()
            yield [Edge(site.address, key=key) for site in _looking(subject, side) for key in keys]


def _looking(subject: Subject, side: Side) -> list[Site]:
    """The places whose keys are a side's."""
    return [site for site in subject.sites if subject.sequences[site.keys] is side]


def _where(place: dict[str, Any]) -> tuple[str, str, str]:
    """Part, layer and head, as far as they were cut alone."""
    if "address" not in place:
        return "", "", ""
    site, head = Site(place["address"], "", "", 0), place["head"]
    return site.part, str(site.layer), "" if head is None else str(head)


def _number(value: float) -> float | None:
    return None if np.isnan(value) else value


def to_json(told: Told) -> str:
    """The JSON of the command."""
    return json.dumps(told.json(), ensure_ascii=False, allow_nan=False)
