"""Memory: keys and values, computed once and asked many times.

Bahdanau's precomputed U·h, a Transformer's cross-attention keys and a GPT's key–value cache are one object: the first
two are fixed while a target grows, the last grows by what is read (`Cache`).
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from regard.core.masks import Mask, padding


@dataclass(frozen=True)
class Memory:
    """What a decoder may look at.

    Attributes:
        key: (batch, ..., keys, d_key), ready to be scored.
        value: (batch, ..., keys, d_value).
        real: (batch, keys), True where a key is a real token; None where all are.
    """

    key: Tensor
    value: Tensor
    real: Tensor | None = None

    @property
    def mask(self) -> Mask | None:
        """No query looks at padding; axes between batch and keys (heads) share it."""
        if self.real is None:
            return None
        batch, keys = self.real.shape
        return padding(self.real.reshape(batch, *(1,) * (self.key.ndim - 3), keys))

    def select(self, rows: Tensor) -> "Memory":
        """The memories of these batch rows, in this order: beams reorder, finished sentences leave."""
        return Memory(self.key[rows], self.value[rows], None if self.real is None else self.real[rows])


class Cache:
    """A memory that grows: keys and values (batch, heads, keys, d_head) of all that was read. Final.

    Room is set aside ahead and doubled when it is used up, so a step writes its own keys and copies no others.

    >>> cache = Cache()
    >>> cache.extend(Memory(torch.zeros(1, 2, 3, 4), torch.zeros(1, 2, 3, 5))).key.shape
    torch.Size([1, 2, 3, 4])
    >>> cache.extend(Memory(torch.ones(1, 2, 1, 4), torch.ones(1, 2, 1, 5))).key[0, 0, :, 0]
    tensor([0., 0., 0., 1.])
    """

    def __init__(self) -> None:
        self.length = 0
        self._key, self._value = torch.empty(0), torch.empty(0)

    def extend(self, new: Memory) -> Memory:
        """Write new keys and values behind the others; all of them, as a view."""
        start, self.length = self.length, self.length + new.key.shape[-2]
        if self._key.ndim != new.key.ndim or self.length > self._key.shape[-2]:
            room = max(64, 2 * self.length)
            self._key, self._value = (_roomier(old, n, start, room) for old, n in self._beside(new))
        return Memory(self._written(self._key, new.key), self._written(self._value, new.value))

    def forget(self, count: int) -> None:
        """Hold the last `count` no more; what comes is written in their place."""
        self.length -= count

    def select(self, rows: Tensor) -> "Cache":
        """A cache of these batch rows, in this order."""
        chosen = Cache()
        if self.length:  # of one that holds nothing yet any rows are nothing
            chosen.length, chosen._key, chosen._value = self.length, self._key[rows], self._value[rows]
        return chosen

    def _written(self, room: Tensor, new: Tensor) -> Tensor:
        """All that is held, its end being what is new."""
        held = room.narrow(-2, 0, self.length)
        held.narrow(-2, self.length - new.shape[-2], new.shape[-2]).copy_(new)
        return held

    def _beside(self, new: Memory) -> tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]]:
        return (self._key, new.key), (self._value, new.value)


def _roomier(old: Tensor, new: Tensor, used: int, room: int) -> Tensor:
    """Room for `room` keys that begins with the `used` old ones."""
    larger = new.new_zeros(*new.shape[:-2], room, new.shape[-1])
    if used:
        larger[..., :used, :] = old[..., :used, :]
    return larger
