"""What one place's weights say, in numbers of the size O(n): `Statistics`. `core.reducing` makes them of q and k."""

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Generic, TypeVar

T = TypeVar("T")

TOP = 8
"""How many keys of each query are named."""

SIZE = 64
"""How many blocks a pooled map has at most, each way."""


@dataclass(frozen=True)
class Statistics(Generic[T]):
    """Exact statistics of the weights of some heads: torch tensors, or numpy arrays from a trace.

    A query that may see nothing has zeros, and −1 where a key's number stands. Of equal weights any comes first.

    Attributes:
        entropy: (heads, queries), −Σ w·log w, in nats.
        largest, largest_key: (heads, queries), the largest weight and the number of its key.
        first: (heads, queries), the weight on key 0.
        itself, before: (heads, queries), the weight on the query's own position and on the one before it; None where
            queries and keys are not the same sequence.
        distance: (heads, queries), Σ w·|query − key|, in tokens; None there, too.
        top_weights, top_keys: (heads, queries, top), the largest weights, falling; 0 and −1 where there are no more.
        received: (heads, keys), Σ over the queries of the weight on each key.
        pooled: (heads, rows, columns), a map of blocks of ⌈n/size⌉ tokens (the last of each side may be shorter): the
            weight that a block's queries put on a block's keys, summed over these keys and averaged over these
            queries, so that each row sums to 1, as weights do.
        peak: (heads, rows, columns), the largest weight in each block.
        log_sum_exp: (heads, queries), the log of Σ exp(masked), sinks included: −inf where nothing may be seen; None
            where only weights were at hand.
    """

    entropy: T
    largest: T
    largest_key: T
    first: T
    itself: T | None
    before: T | None
    distance: T | None
    top_weights: T
    top_keys: T
    received: T
    pooled: T
    peak: T
    log_sum_exp: T | None

    def each(self, change: Callable[[T], object]) -> "Statistics":
        """These statistics with `change` made to each tensor."""
        return Statistics(**{name: change(tensor) for name, tensor in self.named().items()}, **self._absent())

    def named(self) -> dict[str, T]:
        """The tensors by their names, without those that are not there."""
        return {name: getattr(self, name) for name in NAMES if getattr(self, name) is not None}

    def _absent(self) -> dict[str, None]:
        return {name: None for name in NAMES if getattr(self, name) is None}


NAMES = tuple(field.name for field in fields(Statistics))
"""What each is called in a trace: `ADDRESS/entropy` …"""


def width(n: int, size: int) -> int:
    """How many tokens a block of a pooled map has, so that there are at most `size` blocks.

    >>> width(130, 64)
    3
    """
    return max(1, -(-n // size))
