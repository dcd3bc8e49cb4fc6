"""What vectors mean by where they point: the same word in several places, before and after attention."""

import numpy as np

from regard.inspection.trace import Trace


def stages(trace: Trace, stack: str = "decoder") -> dict[str, np.ndarray]:
    """The vectors of a text on their way through a model, (tokens, d_model) each.

    Names: `embedded` (words alone), `positioned` (with their positions), then `0`, `1`, … (after each layer).

    Args:
        trace: recorded with `keep=record.VECTORS`.
        stack: `encoder` or `decoder`.
    """
    found = {step: trace.tensors[f"{stack}/{step}"][0] for step in ("embedded", "positioned")}
    layers = {int(key.split(".")[2].partition("/")[0]): key for key in trace.tensors if key.endswith("/states")}
    return found | {str(n): trace.tensors[layers[n]][0] for n in sorted(layers)}


def cosines(vectors: np.ndarray) -> np.ndarray:
    """The cosine between each two of these vectors, in float64: (n, d) → (n, n); NaN where one has no length.

    >>> cosines(np.array([[1.0, 0.0], [0.0, 2.0], [3.0, 3.0]])).round(3)[2]
    array([0.707, 0.707, 1.   ])
    """
    values = np.asarray(vectors, dtype=np.float64)
    lengths = np.linalg.norm(values, axis=-1, keepdims=True)
    unit = values / np.where(lengths > 0, lengths, np.nan)
    return np.asarray(unit @ unit.T)
