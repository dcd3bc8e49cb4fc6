"""Batches: which examples go together, in which order. A pure function of lengths, seed and epoch, so that a resumed
run, and a run with more workers, sees the same.

Examples of like length go together, so that little is spent on padding.
"""

from collections.abc import Sequence

import numpy as np


def batches(source: Sequence[int], target: Sequence[int], *, tokens: int, seed: int, epoch: int) -> list[np.ndarray]:
    """Index arrays, one a batch; each example once an epoch.

    Args:
        source, target: length of each example's two sides, in tokens.
        tokens: budget of a batch: examples × longest side, padding counted.
        seed, epoch: other values, another order.
    """
    random = np.random.default_rng([seed, epoch])
    order = _by_length(np.asarray(source), np.asarray(target), random)
    longest = np.maximum(np.asarray(source), np.asarray(target))[order]
    cuts = _cuts(longest, tokens)
    groups = np.split(order, cuts)
    return [groups[i] for i in random.permutation(len(groups))]


def in_order(lengths: Sequence[int], *, tokens: int) -> list[np.ndarray]:
    """Batches for translating or measuring: longest first, no chance in it."""
    order = np.argsort(-np.asarray(lengths), kind="stable")
    return np.split(order, _cuts(np.asarray(lengths)[order], tokens)) if len(order) else []


def _by_length(source: np.ndarray, target: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Sorted by target, then source length, ties by chance."""
    return np.lexsort((random.random(len(source)), source, target))


def _cuts(longest: np.ndarray, tokens: int) -> list[int]:
    """Where a batch must end so that no batch is over budget; an example over budget stands alone."""
    cuts, start, high = [], 0, 0
    for index, length in enumerate(longest.tolist()):
        high = max(high, length)
        if index > start and high * (index - start + 1) > tokens:
            cuts.append(index)
            start, high = index, length
    return cuts


def padded(rows: Sequence[Sequence[int]], fill: int) -> np.ndarray:
    """Rows of ids as one matrix (rows, longest), shorter ones filled up on the right with `fill`."""
    out = np.full((len(rows), max(map(len, rows), default=0)), fill, dtype=np.int64)
    for index, row in enumerate(rows):
        out[index, : len(row)] = row
    return out
