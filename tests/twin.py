"""The slow twin: attention in plain Python, one number at a time. No torch, nothing of ours, nothing clever.

A matrix is a list of rows. A mask is a list of rows of bools, true where this query may look at this key.
"""

import math
from collections.abc import Callable

Vector = list[float]
Matrix = list[Vector]
Allowed = list[list[bool]]
Score = Callable[[Vector, Vector], float]

HIDDEN = -math.inf


def dot(query: Vector, key: Vector) -> float:
    return math.fsum(q * k for q, k in zip(query, key, strict=True))


def times(matrix: Matrix, vector: Vector) -> Vector:
    return [dot(row, vector) for row in matrix]


def general(w: Matrix) -> Score:
    """q·Wk."""
    return lambda query, key: dot(query, times(w, key))


def additive(v: Vector) -> Score:
    """v·tanh(q + k)."""
    return lambda query, key: dot(v, [math.tanh(q + k) for q, k in zip(query, key, strict=True)])


def concat(w: Matrix, v: Vector) -> Score:
    """v·tanh(W[q; k])."""
    return lambda query, key: dot(v, [math.tanh(x) for x in times(w, query + key)])


def softmax(row: Vector) -> Vector:
    """Sums to 1; all 0 where everything is hidden."""
    highest = max(row, default=HIDDEN)
    if highest == HIDDEN:
        return [0.0] * len(row)
    powers = [math.exp(x - highest) for x in row]
    return [power / math.fsum(powers) for power in powers]


def attend(
    query: Matrix, key: Matrix, value: Matrix, *, score: Score, scale: float = 1.0, may: Allowed | None = None
) -> dict[str, Matrix]:
    """All steps. `d_value` is 0 where there are no values to tell."""
    scores = [[score(q, k) for k in key] for q in query]
    scaled = [[s * scale for s in row] for row in scores]
    masked = [[s if may is None or may[i][j] else HIDDEN for j, s in enumerate(row)] for i, row in enumerate(scaled)]
    weights = [softmax(row) for row in masked]
    columns = list(zip(*value, strict=True))
    context = [[dot(row, list(column)) for column in columns] for row in weights]
    return {"scores": scores, "scaled": scaled, "masked": masked, "weights": weights, "context": context}


def causal(queries: int, keys: int) -> Allowed:
    """Query i is position i + keys − queries, and looks back only."""
    return [[j <= i + keys - queries for j in range(keys)] for i in range(queries)]


def window(size: int, queries: int, keys: int) -> Allowed:
    """Itself and the size − 1 before it."""
    return [[0 <= i + keys - queries - j < size for j in range(keys)] for i in range(queries)]
