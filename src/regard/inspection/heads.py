"""What a head does, told from its patterns alone: numbers between 0 and 1, each with its definition."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

ROLES = (
    "previous", "first", "itself", "next", "duplicate", "induction", "last", "diagonal", "alignment",
    "local", "uniform",
)  # fmt: skip
"""What a head may be, the narrow before the wide; see `wanted` and `Tally`."""

LOCAL = 3
"""Tokens either way that are near."""

LEAD, EVEN = 0.25, 0.75
"""So far ahead of an even head a head must be to have a role; so even it must be to be called even."""


def wanted(
    rows: np.ndarray, n_keys: int, ids: Sequence[int] | None, agreed: np.ndarray | None
) -> dict[str, np.ndarray]:
    """The keys that a head of each role looks at: bool (rows, keys), whether or not they may be seen.

    Where queries and keys are the same sequence: `previous`, `itself`, `next` the token before, its own, the one after;
    `first`, `last` the two ends (sinks); `duplicate` the same token elsewhere; `induction` what came after an earlier
    occurrence of the same token (Olsson et al. 2022, prefix matching); `local` what is at most `LOCAL` tokens away.
    In cross-attention: `first`, `last`; `diagonal` at most one token off the straight line from first to last;
    `alignment` the key that all heads of the model together look at most.

    Args:
        rows: the positions of the queries among the keys; in cross-attention the places on the line from 0 to keys − 1.
        ids: of the keys; None in cross-attention.
        agreed: (rows,), the keys of `alignment`; None where queries and keys are the same sequence.

    >>> wanted(np.array([3]), 4, [5, 6, 7, 5], None)["induction"].nonzero()[1].tolist()
    [1]
    """
    key, at = np.arange(n_keys), rows[:, None]
    if ids is None:
        found = {"first": key == 0, "last": key == n_keys - 1, "diagonal": np.abs(key - at) <= 1}
        together = {} if agreed is None else {"alignment": key == agreed[:, None]}
        return {role: np.broadcast_to(each, (len(rows), n_keys)) for role, each in (found | together).items()}
    id_of = np.asarray(ids)
    same = id_of[rows][:, None] == id_of
    after = np.zeros_like(same)
    after[:, 1:] = same[:, :-1] & (key[1:] < at)
    return {
        "previous": key == at - 1, "first": (key == 0) & (at > 0), "itself": key == at, "next": key == at + 1,
        "duplicate": same & (key != at), "induction": after, "last": (key == n_keys - 1) & (key != at),
        "local": np.abs(key - at) <= LOCAL,
    }  # fmt: skip


@dataclass
class Tally:
    """Roles of the heads of one place, added up over queries and texts.

    A role is the share of a query's weight on the keys that the role wants, averaged over the queries that have a
    choice: who may see such a key, and another one. `uniform` is 1 − ½ Σ |w − 1/n| over the n keys that a query may
    see (1 where all weigh the same), `sharpness` is 1 − entropy / log n (1 where one has all); n ≥ 2.

    Attributes:
        sums: by role, (heads,), over queries.
        even: by role, what a head that looks at all it sees evenly would have.
        counts: by role, how many queries had a choice.
    """

    sums: dict[str, np.ndarray] = field(default_factory=dict)
    even: dict[str, float] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)

    def take(self, weights: np.ndarray, visible: np.ndarray, wanted: dict[str, np.ndarray]) -> None:
        """Some queries more.

        Args:
            weights: (heads, rows, keys).
            visible: bool (rows, keys).
            wanted: by role, bool (rows, keys).
        """
        n_seen = visible.sum(-1)
        for role, keys in wanted.items():
            hit = keys & visible
            n_hit = hit.sum(-1)
            choice = (n_hit > 0) & (n_hit < n_seen)
            row, key = np.nonzero(hit & choice[:, None])
            share = weights[:, row, key].sum(-1, dtype=np.float64)
            self._add(role, share, float((n_hit[choice] / n_seen[choice]).sum()), int(choice.sum()))
        several = n_seen > 1
        w, n = weights[:, several], n_seen[several]
        away = np.abs(w - (visible[several] / n[:, None]).astype(w.dtype)).sum(-1, dtype=np.float64) / 2
        entropy = -(w * np.log(np.where(w > 0, w, 1))).sum(-1, dtype=np.float64)
        self._add("uniform", (1 - away).sum(-1), float(len(n)), len(n))
        self._add("sharpness", (1 - entropy / np.log(n)).clip(0, 1).sum(-1), 0.0, len(n))

    def _add(self, role: str, share: np.ndarray, even: float, count: int) -> None:
        self.sums[role] = self.sums.get(role, np.zeros(len(share))) + share
        self.even[role] = self.even.get(role, 0.0) + even
        self.counts[role] = self.counts.get(role, 0) + count

    def mean(self, role: str, head: int) -> float | None:
        """A head's number; None where no query had a choice."""
        count = self.counts.get(role, 0)
        return float(self.sums[role][head]) / count if count else None

    def of_even(self, role: str) -> float | None:
        """An even head's number."""
        count = self.counts.get(role, 0)
        return self.even[role] / count if count else None


def lead(share: float, even: float) -> float:
    """How far a head is ahead of an even one, in parts of what is possible: 0 as even, 1 all of its weight.

    >>> lead(0.75, 0.5)
    0.5
    """
    return (share - even) / (1 - even)


def named(roles: dict[str, float | None], even: dict[str, float | None]) -> str | None:
    """The role of a head: that in which it leads an even head most, by `LEAD` or more; None where it has none.

    `local` is asked only where no narrower role is found, and `uniform` (from `EVEN` on) after that.
    """
    leads = {
        role: lead(share, at)
        for role, share in roles.items()
        if share is not None and (at := even[role]) is not None and at < 1
    }
    narrow = {role: each for role, each in leads.items() if role not in ("local", "uniform")}
    for some in (narrow, {"local": leads.get("local", -math.inf)}):
        best = max(some, key=lambda role: some[role], default=None)
        if best is not None and some[best] >= LEAD:
            return best
    return "uniform" if (roles.get("uniform") or 0.0) >= EVEN else None


def previous_token(weights: np.ndarray) -> np.ndarray:
    """How much a head looks at the token just before: the mean of weights[i, i − 1] over all queries i ≥ 1.

    1 where every token looks at the one before it alone. A head that looks at everything before it evenly has
    the mean of 1 / (i + 1), so 0.5 for two tokens and 0.10 for thirty. The first token has none before it and is left
    out (Elhage et al. 2021 and Olsson et al. 2022 know such heads as half of an induction circuit).

    Args:
        weights: (..., queries, keys) of self-attention, so of as many queries as keys.

    Returns:
        (...); NaN for a single token.

    >>> previous_token(np.array([[1.0, 0.0, 0.0], [1.0, 0.0, 0.0], [0.25, 0.5, 0.25]]))
    array(0.75)
    """
    values = np.asarray(weights, dtype=np.float64)
    if values.shape[-2] != values.shape[-1]:
        raise ValueError(f"weights: {values.shape}")
    before = np.diagonal(values, offset=-1, axis1=-2, axis2=-1)
    return np.asarray(before.mean(-1) if before.shape[-1] else np.full(values.shape[:-2], np.nan))


def moved(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """The share of its weight that a head moved elsewhere: half the sum of |after − before|, averaged over queries.

    0 where nothing changed, 1 where no query looks at anything that it looked at before (total variation). A first
    token that may see itself alone cannot change, and counts like any other.

    Args:
        before, after: (..., queries, keys).

    >>> moved(np.array([[1.0, 0.0], [0.5, 0.5]]), np.array([[1.0, 0.0], [0.0, 1.0]]))
    array(0.25)
    """
    change = np.abs(np.asarray(after, dtype=np.float64) - np.asarray(before, dtype=np.float64))
    return np.asarray(change.sum(-1).mean(-1) / 2)
