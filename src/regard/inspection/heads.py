"""What a head does, told from its patterns alone: numbers between 0 and 1, each with its definition."""

import numpy as np


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
