"""How much each token counts for one query, by every reading: for a head, a layer or a whole model."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from regard.core.errors import BadInput
from regard.core.protocols import Site
from regard.core.recipe import shared
from regard.inspection.evidence import Target, agreement, effects, likeliest
from regard.inspection.knockout import Edge
from regard.inspection.readings import SOURCES, flow, norm, relevance, rollout, weight
from regard.inspection.roles import blocks
from regard.inspection.trace import READ, SOURCE, Trace
from regard.inspection.trace import Sequence as Side
from regard.tasks.heads import MUTE
from regard.tasks.mixing import Seen, mixing, outputs_of
from regard.tasks.reading import shown
from regard.tasks.recording import opened, record
from regard.tasks.subjects import subject_of, tokens_of
from regard.views.picture import Rows
from regard.views.readings import readings as drawn


@dataclass(frozen=True)
class Scope:
    """Which attentions: None is all. `part` is `cross` in a translator where it is None."""

    part: str | None = None
    layer: int | None = None
    head: int | None = None

    def of(self, sites: Sequence[Site]) -> list[Site]:
        """The places it names.

        Raises:
            BadInput: `no_site`, `no_head`.
        """
        part = self.part or sites[-1].part
        found = [site for site in sites if site.part == part and self.layer in (None, site.layer)]
        if not found:
            raise BadInput("no_site", part=part, layer=self.layer, sites=", ".join(site.address for site in sites))
        if self.head is not None and not 0 <= self.head < found[0].n_heads:
            raise BadInput("no_head", head=self.head, n_heads=found[0].n_heads, address=found[0].address)
        return found


@dataclass(frozen=True)
class Read:
    """Readings for one query.

    Attributes:
        query: its number; `query_token`, `keys`: the tokens, as people read them.
        target: the token whose log-probability counts; empty where the model says nothing.
        readings: by name, a number a key; None where the model says nothing. `knockout` is Δ log-probability.
        agreement: Spearman's of each two (of knockout its size), over the keys that the query can be reached by.
    """

    name: str
    query: int
    query_token: str
    keys: tuple[str, ...]
    target: tuple[str, ...]
    readings: dict[str, list[float] | None]
    agreement: dict[str, dict[str, float | None]]

    def json(self) -> dict[str, Any]:
        """As the command's JSON holds them."""
        return {
            "query": self.query,
            "query_token": self.query_token,
            "keys": list(self.keys),
            "target": list(self.target),
            "readings": self.readings,
            "agreement": self.agreement,
            "sources": SOURCES,
        }

    def picture(self, lang: str | None = None) -> Rows:
        """A table, a row a token, and how far readings agree."""
        return drawn(self.query_token, self.keys, self.target, self.readings, self.agreement, lang)


def read(
    model: Any, text: str, scope: Scope | None = None, *, query: int | None = None, target: str | None = None
) -> Read:
    """Every reading for one query.

    Args:
        model: as `regard.record` takes it.
        scope: which attentions; rollout, flow and gradients go from the words up to the last of them.
        query: which token asks, from 0; None: the last.
        target: a continuation or a translation; None for the model's own.

    Raises:
        BadInput: an empty text, no such part, layer, head or query, a model without attention.
    """
    of, scope = opened(model), scope or Scope()
    try:
        subject, wanted = subject_of(of, text, target)
    except BadInput as error:
        if error.code not in MUTE:
            raise
        return _silent(of, text, record(model, text, keep=("query", "key", "value")), scope, query)
    if not subject.sites:
        raise BadInput("no_attention", name=of.name)
    at = _query(scope.of(subject.sites)[0], subject.sequences, subject.asked[-1] if query is None else query)
    subject, goal = _asked(subject, wanted, scope, at)
    visits, gradients = subject.graded(goal.gain)
    texts = {address: visit.row(0).wide() for address, visit in visits.items()}
    seen = {
        address: Seen(each.steps()["weights"], shared(each.value, len(each.query)), gradients[address][0].float())
        for address, each in texts.items()
        if address in gradients
    }
    outputs = outputs_of(of, subject.sites, getattr(subject, "reading", None))
    found, keys = _found(subject.sites, subject.sequences, seen, outputs, scope, at)
    whole = scope.part is None and scope.layer is None and scope.head is None
    cuts = [
        [Edge(site.address, scope.head, None if whole else at, key) for site in scope.of(subject.sites)]
        for key in range(len(keys.ids))
    ]
    base = subject.said([[]])[0]
    found["knockout"] = [each.change for each in effects(subject, base, goal, cuts, "renormalised")]
    return _told(of, subject.sequences, scope.of(subject.sites)[0], at, found, tokens_of(of, goal.ids))


def _silent(of: Any, text: str, trace: Trace, scope: Scope, query: int | None) -> Read:
    """Of a model that says nothing: what its attentions alone tell."""
    from regard.inspection.foreign import reading

    site = scope.of(trace.sites)[0]
    at = _query(site, trace.sequences, len(trace.sequences[site.queries].ids) - 1 if query is None else query)
    seen = {}
    for each in trace.sites:
        weights = torch.cat([torch.from_numpy(some) for _, some, _ in blocks(trace, each)], dim=1)
        value = torch.from_numpy(trace.tensors[f"{each.address}/value"]).float()
        seen[each.address] = Seen(weights, shared(value, len(weights)))
    outputs = outputs_of(of, trace.sites, reading.of_texts(of, [text]))
    found, _ = _found(trace.sites, trace.sequences, seen, outputs, scope, at)
    return _told(of, trace.sequences, site, at, found, ())


def _query(site: Site, sequences: Mapping[str, Side], query: int) -> int:
    """A query that there is."""
    count = len(sequences[site.queries].ids)
    if not 0 <= query < count:
        raise BadInput("edge_outside", query=query, key=None, queries=count, keys=len(sequences[site.keys].ids))
    return query


def _asked(subject: Any, wanted: Target | None, scope: Scope, query: int) -> tuple[Any, Target]:
    """The subject asked at this query alone; an encoder's query counts for all that is said."""
    if scope.part == "encoder" and READ in subject.sequences:
        return subject, wanted or likeliest(subject.said([[]])[0])
    places = list(subject.asked)
    alone = replace(subject, asked=[query])
    if wanted is not None and query in places:
        return alone, Target((wanted.ids[places.index(query)],))
    return alone, likeliest(alone.said([[]])[0])


def _found(
    sites: Sequence[Site],
    sequences: Mapping[str, Side],
    seen: Mapping[str, Seen],
    outputs: Mapping[str, Tensor | None],
    scope: Scope,
    query: int,
) -> tuple[dict[str, list[float] | None], Side]:
    """The readings that need no run, and the side of the keys."""
    chosen = scope.of(sites)
    first = len(sequences[SOURCE].ids) if SOURCE in sequences else 0
    upto = [site for site in sites[: sites.index(chosen[-1]) + 1] if site.address in seen]
    mixings = {
        site: mixing(site, sequences, seen, outputs, scope.head if site in chosen else None, first) for site in upto
    }
    line, own = list(mixings.values()), [mixings[site] for site in chosen if site in mixings]
    count = max(each.rows.stop for each in line)
    count = max(count, *(each.columns.stop for each in line))
    at, columns = own[0].rows.start + query, own[0].columns
    graded = all(each.gradient is not None for each in line)
    keys = range(columns.start, columns.stop)
    found: dict[str, list[float] | None] = {
        "weight": weight(own, query).tolist(),
        "norm": _listed(norm(own, query)),
        "rollout": rollout(line, count)[at, columns].tolist(),
        "flow": _listed(flow(line, count, at, keys)),
        "gradient": relevance(line, count)[at, columns].tolist() if graded else None,
        "knockout": None,
    }
    return found, sequences[chosen[0].keys]


def _told(
    of: Any,
    sequences: Mapping[str, Side],
    site: Site,
    query: int,
    found: dict[str, list[float] | None],
    target: tuple[str, ...],
) -> Read:
    asks, keys = sequences[site.queries], sequences[site.keys]
    reached = [at for at, each in enumerate(found["rollout"] or []) if each > 0]
    size = {name: [abs(each[at]) for at in reached] for name, each in found.items() if each is not None}
    agree = {one: {other: _number(agreement(size[one], size[other])) for other in size} for one in size}
    return Read(of.name, query, shown(asks)[query], shown(keys), target, found, agree)


def _number(value: float) -> float | None:
    return None if value != value else value


def _listed(found: Tensor | None) -> list[float] | None:
    return None if found is None else list(found.tolist())
