"""Which heads of a model stand out on one text, told from the statistics of their weights alone."""

from collections.abc import Mapping

import numpy as np

from regard.core.statistics import Statistics

ROLES = ("previous", "first", "itself", "sharp")
"""What a head may be the best at: looking at the token before, at the first one, at itself, and at few at once."""

COUNT = 8
"""At most so many heads are named."""

LEAST = 0.1
"""A head is named for a place that it looks at only from so much weight on; the sharpest are named in any case."""


def roles(found: Statistics[np.ndarray]) -> dict[str, np.ndarray]:
    """How much each head is of each of `ROLES`: (heads,) numbers within 0…1, means over the queries from the second on.

    `previous`, `first` and `itself` are the weights on the token before, on the first token and on the query's own;
    `sharp` is the largest weight. The first query, which often sees itself alone, is left out where there are others.
    Queries of another sequence than the keys (cross-attention) have no token before and no own.

    >>> one = np.array([[1.0, 0.25]])
    >>> none = np.zeros((1, 0, 0))
    >>> found = Statistics(one, one, one, one, one, one, one, one, one, one, none, none, None)
    >>> roles(found)["sharp"]
    array([0.25])
    """
    columns = {"previous": found.before, "first": found.first, "itself": found.itself, "sharp": found.largest}
    return {role: _mean(column) for role, column in columns.items() if column is not None}


def standing_out(scores: Mapping[str, np.ndarray], count: int = COUNT) -> list[tuple[int, str]]:
    """The heads that stand out, each with what it is best at: the best of each role in turn, then the second best …

    A head is named once, by the first role that names it; a role but `sharp` names only heads of at least `LEAST`.

    >>> standing_out({"previous": np.array([0.1, 0.9, 0.2]), "sharp": np.array([0.8, 0.9, 0.3])}, 3)
    [(1, 'previous'), (0, 'sharp'), (2, 'previous')]
    """
    waiting = {
        role: [
            int(at)
            for at in np.argsort(-each, kind="stable")
            if each[at] > 0 and (role == "sharp" or each[at] >= LEAST)
        ]
        for role, each in scores.items()
    }
    named: dict[int, str] = {}
    while len(named) < count and any(waiting.values()):
        for role, order in waiting.items():
            best = next((at for at in order if at not in named), None)
            waiting[role] = [] if best is None else order[order.index(best) + 1 :]
            if best is not None and len(named) < count:
                named[best] = role
    return list(named.items())


def _mean(column: np.ndarray) -> np.ndarray:
    chosen = column[:, 1:] if column.shape[1] > 1 else column
    return chosen.mean(1, dtype=np.float64) if chosen.shape[1] else np.zeros(len(column))
