"""What an edge, a head, a layer or a span of text does to what a model says: for every face."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cache
from typing import Any, Literal

from torch import Tensor

from regard.core.errors import BadInput
from regard.core.nearest import one_of
from regard.inspection.evidence import Effect, Evidence, Target, effects, goal_of, log_prob_of
from regard.inspection.evidence import evidence as gathered
from regard.inspection.knockout import Edge, Knockout, Output
from regard.inspection.knockout import How as Cutting
from regard.inspection.subject import Own, Resumed, Subject
from regard.inspection.visit import Visit
from regard.models.gpt import Gpt
from regard.tasks.cuts import KINDS, Cut, Named, patched, refuse_unaligned
from regard.tasks.evidence_told import Patch, Told
from regard.tasks.reading import shown
from regard.tasks.recording import opened
from regard.tasks.subjects import elsewhere, subject_of, tokens_of

How = Literal["renormalised", "zeroed", "mean", "patched"]
"""Edges are cut before softmax, or after it; or what heads hand on is replaced: by its mean, by another text's."""


HOWS = ("renormalised", "zeroed", "mean")
"""What may be asked for; `patched` is what another text makes of it."""


def evidence(
    model: Any,
    text: str,
    *,
    target: str | None = None,
    vector: Named = None,
    kind: str | None = "edges",
    most: int = 20,
    how: How = "renormalised",
    patch: str | None = None,
    part: str | None = None,
    layer: int | None = None,
    head: int | None = None,
    query: Named = None,
    key: Named = None,
) -> Told:
    """What counts for what a model says after, or of, a text.

    Args:
        model: as `regard.record` takes it.
        target: the text whose log-probability counts: a continuation or a translation; None for the model's own next
            token, or its own translation.
        vector: whose vector counts instead, as its cosine with what it was: `mean` (of all tokens), or tokens, by
            number or by text. A model that says no words needs it.
        kind: what is cut one by one: of `cuts.KINDS`. Edges are ranked by gradients first, and `most` of them cut.
            None: all that is named is cut at once.
        how: `renormalised` (cut before softmax) or `zeroed` (after it); `mean`: what heads hand on is replaced by its
            mean over the text's queries.
        patch: another text: what heads hand on is replaced by what it is there, token by token.
        part, layer, head, query, key: within what; what is not named stands for all. Queries and keys are a token's
            number, from 0, several (`range(3, 8)`), or a piece of the text.

    Raises:
        BadInput: an empty text, one too long, a model without attention, an edge that is not there; `foreign_mute`;
            `tokens_unnamed`; `one_text`, `unknown_choice`, `setting_bound`: a choice that is none; `patch_lengths`,
            `patch_outside`: texts that cannot be laid on each other; `patch_edges`.

    >>> told = evidence("en-fr", "The black cat ate the mouse.", most=3)
    >>> [told.place(effect)["key_token"] for effect in told.found.effects][:1]
    [' ate']
    """
    _refuse_unless_texts(text=text, target=target or "", patch=patch or "")
    _refuse_unless_chosen(kind, most, how)
    of, how, cut = opened(model), how if patch is None else "patched", Cut(part, layer, head, query, key)
    subject, wanted = subject_of(of, text, target, vector)
    if not subject.sites:
        raise BadInput("no_attention", name=of.name)
    other = None if patch is None else elsewhere(of, subject, patch)
    if kind == "edges":
        found = _ranked(subject, wanted, cut, most, how)
    else:
        cuts = [cut.edges(subject)] if kind is None else list(cut.each(subject, kind))
        found = _tried(subject, wanted, cuts, most, how, other)
    stood_in = None if other is None else _patch(other, found)
    return Told(of.name, subject, _named(of, subject, found), found, kind, how, stood_in)


def knockout(model: Any, text: str, **choices: Any) -> Told:
    """What a model says of a text when some of its edges are cut, or what some heads hand on is replaced, all at once.

    Args:
        model, choices: as `evidence` takes them; `part`, `layer`, `head`, `query` and `key` name what is cut.

    Raises:
        BadInput: as `evidence`.

    >>> told = knockout("en-fr", "The black cat ate the mouse.", query="mangé", key="ate")
    >>> effect = told.found.effects[0]
    >>> effect.weight > 0.9 and effect.delta_log_prob < -5
    True
    """
    return evidence(model, text, kind=None, **choices)


def _refuse_unless_texts(**given: Any) -> None:
    for name, text in given.items():
        if not isinstance(text, str):
            raise BadInput("one_text", name=name, came=repr(text)[:60])


def _refuse_unless_chosen(kind: str | None, most: int, how: str) -> None:
    one_of(how, HOWS, "how")
    if kind is not None:
        one_of(kind, KINDS, "kind")
    if most < 1:
        raise BadInput("setting_bound", option="most", came=most, rule="≥ 1")


def _ranked(subject: Subject, target: Target | None, cut: Cut, most: int, how: How) -> Evidence:
    """Edges, ranked by gradients and then cut."""
    if how in ("mean", "patched"):
        raise BadInput("patch_edges")
    runs = Resumed(subject) if isinstance(subject, Own) and isinstance(subject.model, Gpt) else None
    within = None if cut == Cut() else cut.edges(subject)
    return gathered(subject, target, most=most, how=how, runs=runs, within=within)  # type: ignore[arg-type]


def _tried(
    subject: Subject, target: Target | None, cuts: Sequence[Sequence[Edge]], most: int, how: How, other: Subject | None
) -> Evidence:
    base = subject.said([[]])[0]
    goal = target or goal_of(subject, base)
    knockouts: list[Knockout] = list(cuts)
    cutting: Cutting = "zeroed" if how == "zeroed" else "renormalised"
    if how in ("mean", "patched"):
        knockouts = [patched(edges, values) for values in [_values(subject, other, cuts)] for edges in cuts]
    seen = cache(subject.visits)
    told = [_weighed(seen, each) for each in effects(subject, base, goal, knockouts, cutting)]
    told.sort(key=lambda each: -abs(each.change))
    return Evidence(goal, log_prob_of(goal, base), tuple(told[:most]))


def _values(subject: Subject, other: Subject | None, cuts: Sequence[Sequence[Edge]]) -> Mapping[str, Tensor]:
    """What stands in for what heads hand on, by address: the other text's, or the mean over queries.

    Raises:
        BadInput: `patch_edges`: an edge is not what a head hands on.
    """
    for edges in cuts:
        if any(edge.key is not None for edge in edges):
            raise BadInput("patch_edges")
        if other is not None:
            refuse_unaligned(subject, other, edges)
    visits = (other or subject).visits()
    whole = {address: visit.context[0] for address, visit in visits.items()}
    return whole if other is not None else {name: each.mean(-2, keepdim=True) for name, each in whole.items()}


def _patch(other: Subject, found: Evidence) -> Patch:
    side = next(iter(other.sequences.values()))
    return Patch(shown(side), None if other.vectors else log_prob_of(found.goal, other.said([[]])[0]))


def _named(of: Any, subject: Subject, found: Evidence) -> tuple[str, ...]:
    """The tokens whose log-probability counts, or whose vector; all of them are named as none."""
    if isinstance(found.goal, Target):
        return tokens_of(of, found.goal.ids)
    side = next(subject.sequences[name] for name in reversed([*subject.sequences]))
    tokens = shown(side)
    return () if len(subject.asked) == len(tokens) else tuple(tokens[place] for place in subject.asked)


def _weighed(seen: Callable[[], Mapping[str, Visit]], effect: Effect) -> Effect:
    """With its weight, where one edge of one head was cut; the model runs for that once, if at all."""
    edge = effect.knockout[0]
    if len(effect.knockout) > 1 or isinstance(edge, Output):
        return effect
    if not (isinstance(edge.query, int) and isinstance(edge.key, int)):
        return effect
    text = seen()[edge.address].row(0).wide()
    if edge.head is None and len(text.query) > 1:
        return effect
    return replace(effect, weight=float(text.steps()["weights"][edge.head or 0, edge.query, edge.key]))


def to_json(told: Told) -> str:
    """The JSON of the command."""
    return json.dumps(told.json(), ensure_ascii=False, allow_nan=False)
