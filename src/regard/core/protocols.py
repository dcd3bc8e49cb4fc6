"""What the floors above agree on: what a model offers to search, training and recording."""

from dataclasses import dataclass
from typing import Any, Protocol, Self

from torch import Tensor


class State(Protocol):
    """Where a decoder stands, for each row of a batch."""

    def select(self, rows: Tensor) -> Self:
        """The states of these rows, in this order."""


class Decoder(Protocol):
    """Anything that writes one token after another: an RNN, a Transformer, a GPT."""

    def start(self, source: Tensor) -> Any:
        """The state before the first token, from source ids (batch, source)."""

    def step(self, state: Any, ids: Tensor) -> tuple[Tensor, Any]:
        """Logits (batch, vocab_size) of the next token after `ids` (batch,), and the state after it."""


@dataclass(frozen=True)
class Site:
    """A place where a model attends.

    Attributes:
        address: `{encoder|decoder}.layers.N.{self|cross}`.
        queries, keys: the sequence each side belongs to, `source` or `target`.
        n_heads: how many patterns it has.
    """

    address: str
    queries: str
    keys: str
    n_heads: int
