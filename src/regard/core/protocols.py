"""What the floors above agree on: what a model offers to search, training and recording."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, Self

if TYPE_CHECKING:
    from torch import Tensor


class State(Protocol):
    """Where a decoder stands, for each row of a batch."""

    def select(self, rows: "Tensor") -> Self:
        """The states of these rows, in this order; none of them shares what `step` writes into."""


class Decoder(Protocol):
    """Anything that writes one token after another: an RNN, a Transformer, a GPT."""

    def start(self, source: "Tensor", real: "Tensor | None" = None) -> Any:
        """The state before the first token that is read by `step`.

        Args:
            source: ids (batch, source). For a translator the source, padded on the right; `real` says nothing more.
                For a GPT the prompt without its last token, padded on the left; may have no column.
            real: (batch, source), True at real tokens; None where all are.
        """

    def step(self, state: Any, ids: "Tensor") -> "tuple[Tensor, Any]":
        """Logits (batch, vocab_size) of the next token after `ids` (batch,), and the state after it.

        The state that was given is spent: a cache is written where it lies.
        """


class Recalling(State, Protocol):
    """A state that can go back."""

    def forget(self, count: int) -> Self:
        """The state before the last `count` tokens were read; this one is spent."""


class Reader(Decoder, Protocol):
    """A decoder that also reads several tokens at once, and goes back where they were not the right ones: a GPT."""

    def read(self, state: Any, ids: "Tensor") -> "tuple[Tensor, Any]":
        """Logits (batch, n, vocab_size) of the next token after each of `ids` (batch, n), and a state that recalls."""


@dataclass(frozen=True)
class Site:
    """A place where a model attends.

    Attributes:
        address: `{encoder|decoder}.layers.N.{self|cross}`.
        queries, keys: the sequence each side belongs to: `source`, `read` (what the decoder reads) or `target` (what
            it writes: the query that predicts a token stands for it).
        n_heads: how many patterns it has.
        module: what a foreign model calls it; empty for ours.
    """

    address: str
    queries: str
    keys: str
    n_heads: int
    module: str = ""

    @property
    def layer(self) -> int:
        """Its number in its stack, from 0."""
        return int(self.address.split(".")[2])

    @property
    def part(self) -> str:
        """`encoder`, `decoder` or `cross`: what `--part` calls it."""
        stack, _, _, kind = self.address.split(".")
        return kind if kind == "cross" else stack
