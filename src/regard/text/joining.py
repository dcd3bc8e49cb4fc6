"""Longer examples from short ones: a corpus of single sentences does not teach that a line may hold two."""

import unicodedata

import numpy as np

from regard.text.pairs import Pairs


def with_joined(pairs: Pairs, share: float, seed: int) -> Pairs:
    """The pairs, and after them `share` times as many made by joining two of them, drawn at random.

    A joined pair carries the line of its first half. A pure function of pairs, share and seed.
    """
    count = round(share * len(pairs))
    first, second = np.random.default_rng([seed, count]).integers(len(pairs), size=(2, count)).tolist()
    sources, targets = (
        [join(side[i], side[j]) for i, j in zip(first, second, strict=True)] for side in (pairs.source, pairs.target)
    )
    lines = [pairs.line[i] for i in first]
    return Pairs([*pairs.source, *sources], [*pairs.target, *targets], [*pairs.line, *lines])


def join(left: str, right: str) -> str:
    """Two sentences in a line, with a space between unless the first ends as Chinese and Japanese do.

    >>> join("Go.", "Stop."), join("走。", "停。")
    ('Go. Stop.', '走。停。')
    """
    wide = unicodedata.east_asian_width(left[-1:] or " ") in "WF"
    return left + ("" if wide else " ") + right
