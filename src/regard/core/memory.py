"""Memory: keys and values, computed once and asked many times.

Bahdanau's precomputed U·h and a Transformer's cross-attention keys are one object; it is fixed while a target grows.
"""

from dataclasses import dataclass

from torch import Tensor

from regard.core.masks import Mask, padding


@dataclass(frozen=True)
class Memory:
    """What a decoder may look at.

    Attributes:
        key: (batch, ..., keys, d_key), ready to be scored.
        value: (batch, ..., keys, d_value).
        real: (batch, keys), True where a key is a real token.
    """

    key: Tensor
    value: Tensor
    real: Tensor

    @property
    def mask(self) -> Mask:
        """No query looks at padding; axes between batch and keys (heads) share it."""
        batch, keys = self.real.shape
        return padding(self.real.reshape(batch, *(1,) * (self.key.ndim - 3), keys))

    def select(self, rows: Tensor) -> "Memory":
        """The memories of these batch rows, in this order: beams reorder, finished sentences leave."""
        return Memory(self.key[rows], self.value[rows], self.real[rows])
