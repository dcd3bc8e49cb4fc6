"""What vectors mean by where they point: how alike two are."""

import numpy as np


def cosines(vectors: np.ndarray) -> np.ndarray:
    """The cosine between each two of these vectors, in float64: (n, d) → (n, n); NaN where one has no length.

    >>> cosines(np.array([[1.0, 0.0], [0.0, 2.0], [3.0, 3.0]])).round(3)[2]
    array([0.707, 0.707, 1.   ])
    """
    unit = directions(vectors)
    return np.asarray(unit @ unit.T)


def directions(vectors: np.ndarray) -> np.ndarray:
    """Vectors (…, d) made one long, in float64; NaN where one has no length."""
    values = np.asarray(vectors, dtype=np.float64)
    lengths = np.linalg.norm(values, axis=-1, keepdims=True)
    return np.asarray(values / np.where(lengths > 0, lengths, np.nan))
