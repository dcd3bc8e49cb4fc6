"""The roles of a model's heads on some texts, from their traces: any model's. Definitions are in `inspection.heads`."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from regard.core.errors import BadInput
from regard.core.protocols import Site
from regard.inspection import standing
from regard.inspection.heads import LEAD, ROLES, Tally, lead, named, wanted
from regard.inspection.trace import Trace

SCRATCH = 2**24
"""Bytes of weights that are made at once."""


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


def heads(traces: Sequence[Trace]) -> list[Head]:
    """All heads that were recorded, place by place; each query of each text counts alike.

    Args:
        traces: of one model, on one text each.

    Raises:
        BadInput: `step_not_kept`: neither queries and keys nor weights are in a trace.
    """
    tallies: dict[str, Tally] = {}
    for trace in traces:
        agreed = _agreed(trace)
        for site in trace.sites:
            _take(tallies.setdefault(site.address, Tally()), trace, site, agreed)
    first = traces[0]
    return [
        _head(tallies[site.address], site, at, head)
        for site in first.sites
        for at, head in enumerate(range(site.n_heads) if first.heads is None else first.heads)
    ]


def standing_out(trace: Trace, most: int = standing.COUNT) -> list[tuple[Site, int, str]]:
    """The heads to look at first, each with its role: the best of each role in turn, then the second best …

    Heads without a role come after those, the sharpest first (`sharp`).
    """
    found = heads([trace])
    leads = {role: np.array([each.lead(role) for each in found]) for role in ROLES if role != "uniform"}
    scores = {role: np.where(each >= LEAD, each, 0.0) for role, each in leads.items()}
    named = standing.standing_out(scores, most)
    taken = {at for at, _ in named}
    sharp = np.array([0.0 if at in taken else each.sharpness or 0.0 for at, each in enumerate(found)])
    named += standing.standing_out({"sharp": sharp}, most - len(named))
    return [(found[at].site, found[at].head, role) for at, role in named]


def _head(tally: Tally, site: Site, at: int, head: int) -> Head:
    known = [role for role in ROLES if role in tally.counts]
    shares, even = {role: tally.mean(role, at) for role in known}, {role: tally.of_even(role) for role in known}
    return Head(site, head, shares, even, tally.mean("sharpness", at))


def _take(tally: Tally, trace: Trace, site: Site, agreed: np.ndarray | None) -> None:
    """One place of one text."""
    itself = site.queries == site.keys
    ids = trace.sequences[site.keys].ids if itself else None
    n_queries = len(trace.sequences[site.queries].ids)
    for rows, weights, visible in blocks(trace, site):
        n_keys = weights.shape[-1]
        line = rows + n_keys - n_queries if itself else rows * (n_keys - 1) / max(1, n_queries - 1)
        tally.take(weights, visible, wanted(line, n_keys, ids, None if agreed is None else agreed[rows]))


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


def blocks(trace: Trace, site: Site) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Some queries of a place after the others: their numbers, weights (heads, rows, keys), and what they may see.

    Where weights alone were kept, a query may see what any head gave weight.
    """
    if not trace.computes(site):
        kept = trace.tensors.get(f"{site.address}/weights")
        if kept is None:
            raise BadInput("step_not_kept", step="weights", kept=", ".join(sorted(trace.tensors)) or "–")
        yield np.arange(kept.shape[1]), kept, np.asarray((kept > 0).any(0))
        return
    from regard.core.recipe import seen, weights  # nobody waits for torch who reads what was kept

    recipe, query, key = trace.asked(site)
    n_queries, n_keys = query.shape[1], key.shape[1]
    at_once = max(1, SCRATCH // max(1, 4 * len(query) * n_keys))
    for start in range(0, n_queries, at_once):
        rows = slice(start, min(n_queries, start + at_once))
        allowed = seen(recipe, n_keys, rows)
        visible = np.ones((rows.stop - start, n_keys), dtype=bool) if allowed is None else allowed.numpy()
        yield np.arange(start, rows.stop), weights(recipe, query, key, rows).numpy(), visible
