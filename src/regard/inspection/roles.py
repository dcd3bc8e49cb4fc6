"""The roles of a model's heads on some texts, from their traces: any model's. Definitions are in `inspection.heads`."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from regard.core.errors import BadInput
from regard.core.protocols import Site
from regard.inspection import standing
from regard.inspection.heads import ROLES, Tally, lead, named, wanted
from regard.inspection.trace import Trace

SCRATCH = 2**24
"""Bytes of weights that are made at once."""

SAMPLED = 128
"""Of a longer text so many queries, evenly spread, tell which heads stand out."""


@dataclass(frozen=True)
class Head:
    """What a head does on some texts.

    Attributes:
        site, head: where.
        roles: of each role that its place knows, a number within 0…1; None where no query had a choice.
        even: of a head that looks at all it sees evenly.
        sharpness: 1 − entropy / log n, averaged; None where every query sees one key alone.
    """

    site: Site
    head: int
    roles: dict[str, float | None]
    even: dict[str, float | None]
    sharpness: float | None

    @property
    def role(self) -> str | None:
        """The one that it has; see `heads.named`."""
        return named(self.roles, self.even)

    def lead(self, role: str) -> float:
        """How far it is ahead of an even head in a role; 0 where that has no meaning here."""
        share, even = self.roles.get(role), self.even.get(role)
        return 0.0 if share is None or even is None or even >= 1 else lead(share, even)


def heads(traces: Sequence[Trace], sites: Sequence[Site] | None = None, most: int | None = None) -> list[Head]:
    """All heads that were recorded, place by place; each query of each text counts alike.

    Args:
        traces: of one model, on one text each.
        sites: these places alone; None for all.
        most: at most so many queries of each text, evenly spread; None for all.

    Raises:
        BadInput: `step_not_kept`: neither queries and keys nor weights are in a trace.
    """
    tallies: dict[str, Tally] = {}
    for trace in traces:
        agreed = _agreed(trace)
        for site in sites or trace.sites:
            _take(tallies.setdefault(site.address, Tally()), trace, site, agreed, most)
    first = traces[0]
    return [
        _head(tallies[site.address], site, at, head)
        for site in sites or first.sites
        for at, head in enumerate(range(site.n_heads) if first.heads is None else first.heads)
    ]


def standing_out(
    trace: Trace, places: Sequence[tuple[Site, int]], sharp: np.ndarray, most: int = standing.COUNT
) -> list[tuple[int, str, float]]:
    """The heads to look at first of some: their number among them, the role, and how much of it they have.

    The first is the first that `regard heads` names there: the one furthest ahead in its role. Then comes the best of
    each other role, then the second best … Heads without a role come last, the sharpest first (`sharp`).

    Args:
        places: those heads.
        sharp: what the sharpest are ordered by, a number each.
    """
    every = {
        (each.site, each.head): each for each in heads([trace], list(dict.fromkeys(s for s, _ in places)), SAMPLED)
    }
    found = [every[place] for place in places]
    leads = {role: np.array([each.lead(role) if each.role == role else 0.0 for each in found]) for role in ROLES}
    order = sorted((role for role in ROLES if role != "uniform"), key=lambda role: -leads[role].max(initial=0.0))
    named = standing.standing_out({role: leads[role] for role in order}, most)
    taken = {at for at, _ in named}
    rest = np.array([0.0 if at in taken else each for at, each in enumerate(sharp)])
    named += standing.standing_out({"sharp": rest}, most - len(named))
    return [(at, role, float(sharp[at]) if role == "sharp" else found[at].roles[role] or 0.0) for at, role in named]


def _head(tally: Tally, site: Site, at: int, head: int) -> Head:
    known = [role for role in ROLES if role in tally.counts]
    shares, even = {role: tally.mean(role, at) for role in known}, {role: tally.of_even(role) for role in known}
    return Head(site, head, shares, even, tally.mean("sharpness", at))


def _take(tally: Tally, trace: Trace, site: Site, agreed: np.ndarray | None, most: int | None) -> None:
    """One place of one text."""
    itself = site.queries == site.keys
    ids = trace.sequences[site.keys].ids if itself else None
    n_queries = len(trace.sequences[site.queries].ids)
    for rows, weights, visible in blocks(trace, site, most):
        n_keys = weights.shape[-1]
        line = rows + n_keys - n_queries if itself else rows * (n_keys - 1) / max(1, n_queries - 1)
        tally.take(weights, visible, wanted(line, n_keys, ids, None if itself or agreed is None else agreed[rows]))


def _agreed(trace: Trace) -> np.ndarray | None:
    """The key of each query that all heads of cross-attention together look at most; what is no text is left out."""
    places = [site for site in trace.sites if site.part == "cross"]
    if not places:
        return None
    whole = [np.concatenate([weights.sum(0) for _, weights, _ in blocks(trace, site)]) for site in places]
    kinds = trace.sequences[places[0].keys].kinds
    text = np.array([kind in ("text", "unknown") for kind in kinds], dtype=bool)
    together = np.sum(whole, axis=0)
    return np.asarray((np.where(text, together, -1.0) if text.any() else together).argmax(-1))


def blocks(trace: Trace, site: Site, most: int | None = None) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Some queries of a place after the others: their numbers, weights (heads, rows, keys), and what they may see.

    Where weights alone were kept, a query may see what any head gave weight.

    Args:
        most: at most so many queries, evenly spread; None for all.
    """
    if not trace.computes(site):
        kept = trace.tensors.get(f"{site.address}/weights")
        if kept is None:
            raise BadInput("step_not_kept", step="weights", kept=", ".join(sorted(trace.tensors)) or "–")
        rows = _spread(kept.shape[1], most)
        some = kept if len(rows) == kept.shape[1] else kept[:, rows]
        yield rows, some, np.asarray((some > 0).any(0))
        return
    from torch import from_numpy  # nobody waits for torch who reads what was kept

    from regard.core.recipe import seen, weights

    recipe, query, key = trace.asked(site)
    n_keys, every = key.shape[1], _spread(query.shape[1], most)
    at_once = max(1, SCRATCH // max(1, 4 * len(query) * n_keys))
    for start in range(0, len(every), at_once):
        rows = every[start : start + at_once]
        whole = len(every) == query.shape[1]
        asked = slice(int(rows[0]), int(rows[-1]) + 1) if whole else from_numpy(rows)
        allowed = seen(recipe, n_keys, asked)
        visible = np.ones((len(rows), n_keys), dtype=bool) if allowed is None else allowed.numpy()
        yield rows, weights(recipe, query, key, asked).numpy(), visible


def _spread(count: int, most: int | None) -> np.ndarray:
    """Numbers from 0 on, the first and the last among them."""
    return np.arange(count) if most is None or count <= most else np.linspace(0, count - 1, most).round().astype(int)
