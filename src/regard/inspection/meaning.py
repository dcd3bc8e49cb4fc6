"""What vectors mean by where they point: how alike two are, and the plane that shows most of many."""

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


def principal(centred: np.ndarray) -> tuple[np.ndarray, tuple[float, float]]:
    """Vectors (n, d), already centred, on the two axes on which they are spread most (principal components).

    Returns:
        (n, 2), and the share of all squared lengths that each axis shows. Of each axis the coordinate furthest out is
        positive, of equals the last.

    >>> principal(np.array([[-2.0, 0.0], [0.0, 0.0], [2.0, 0.0]]))[0][:, 0]
    array([-2.,  0.,  2.])
    """
    left, sizes, _ = np.linalg.svd(centred, full_matrices=False)
    found = np.zeros((len(centred), 2))
    found[:, : len(sizes)] = (left * sizes)[:, :2]
    furthest = found[len(found) - 1 - np.abs(found[::-1]).round(9).argmax(axis=0), [0, 1]]
    shares = [*(sizes**2 / max(float(sizes @ sizes), 1e-300))[:2].tolist(), 0.0, 0.0]
    return np.where(furthest < 0, -1.0, 1.0) * found, (shares[0], shares[1])
