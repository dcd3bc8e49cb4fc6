"""Pieces of a model, each with its numbers; what they add up to."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

PARTS = (
    "embedding",
    "positions",
    "query",
    "key",
    "value",
    "output",
    "mlp",
    "router",
    "recurrent",
    "scorer",
    "norms",
    "biases",
    "pooler",
    "head",
    "other",
)
"""The parts of a model, from bottom to top. `other` is what no rule knows: it is shown, never hidden."""

ATTENTION = ("query", "key", "value", "output")
PRECISIONS = {"fp32": 4, "bf16": 2, "int8": 1}
"""Bytes a number; int8 without its scales."""

CONTEXT = 1024
"""Tokens looked at, where nobody says how many."""

Side = Literal["token", "source"]
"""Who a multiplication is done for: every token, or in a translator every token of the source (`token`: the target)."""


@dataclass(frozen=True)
class Piece:
    """Some parameters of one part.

    Attributes:
        part: of `PARTS`.
        parameters: how many numbers.
        products: multiply–adds that one token costs here; 0 of tables that are looked up, of norms and biases.
        side: for which tokens they are done.
        idle: parameters that one token leaves alone, where it chooses experts.
    """

    part: str
    parameters: int
    products: int = 0
    side: Side = "token"
    idle: int = 0

    @property
    def active(self) -> int:
        """Parameters that one token uses: fewer where it chooses experts."""
        return self.parameters - self.idle


@dataclass(frozen=True)
class Heads:
    """Layers that attend alike, for what depends on the length: scores, contexts, and keys and values that are kept.

    Attributes:
        n_layers: how many such layers.
        n_heads, d_head: heads of queries, and their width.
        n_kv_heads: heads of keys and values; fewer where queries share them.
        side: the tokens that ask.
        kept: whose keys and values are kept while writing; None of an encoder, which reads all at once.
        tensors: what is kept of each: keys and values, or one that is both.
    """

    n_layers: int
    n_heads: int
    d_head: int
    n_kv_heads: int
    side: Side = "token"
    kept: Side | None = "token"
    tensors: int = 2


@dataclass(frozen=True)
class Size:
    """A model's numbers.

    Attributes:
        pieces: of which it is made.
        heads: its attentions; None where its config does not say how wide they are.
        longest: the most tokens it reads; None where nothing limits them.
    """

    pieces: tuple[Piece, ...]
    heads: tuple[Heads, ...] | None
    longest: int | None = None

    @property
    def parts(self) -> dict[str, int]:
        """Parameters of each part that there is, in the order of `PARTS`."""
        found = Counter[str]()
        for piece in self.pieces:
            found[piece.part] += piece.parameters
        return {part: found[part] for part in PARTS if found[part]}

    @property
    def total(self) -> int:
        """All parameters; numbers used twice are counted once."""
        return sum(piece.parameters for piece in self.pieces)

    @property
    def active(self) -> int:
        """Parameters that one token uses."""
        return sum(piece.active for piece in self.pieces)

    @property
    def attention(self) -> int:
        """Parameters that make queries, keys, values and outputs: the matrices, without their biases."""
        return sum(piece.parameters for piece in self.pieces if piece.part in ATTENTION)

    @property
    def attention_share(self) -> float:
        """Of all parameters."""
        return self.attention / self.total if self.total else 0.0

    @property
    def tied(self) -> bool:
        """The head multiplies with numbers that are counted elsewhere: the embedding's."""
        return any(piece.part == "head" and piece.products > piece.parameters for piece in self.pieces)

    @property
    def sides(self) -> tuple[Side, ...]:
        """`token`, and `source` of a model that reads one text and writes another."""
        return ("token", "source") if any(piece.side == "source" for piece in self.pieces) else ("token",)

    def context(self, asked: int | None = None) -> int:
        """How many tokens are looked at: those asked for, no more than it reads."""
        return min(asked or CONTEXT, self.longest or asked or CONTEXT)

    def flops(self, context: int, side: Side = "token") -> dict[str, int] | None:
        """Floating point operations of the forward pass for one token, two a multiply–add.

        `matrices`: every matrix that the token meets. `attention`: scores and contexts, by a token that looks at
        `context` others in every head; softmax, norms and activations are not counted. None where `heads` is.
        """
        if self.heads is None:
            return None
        matrices = 2 * sum(piece.products for piece in self.pieces if piece.side == side)
        looked = sum(each.n_layers * each.n_heads * each.d_head for each in self.heads if each.side == side)
        return {"matrices": matrices, "attention": 4 * looked * context, "total": matrices + 4 * looked * context}

    def kept(self, side: Side = "token") -> int:
        """Numbers of keys and values that are kept for one token while the model writes."""
        found = [each for each in self.heads or () if each.kept == side]
        return sum(each.tensors * each.n_layers * each.n_kv_heads * each.d_head for each in found)


def in_bytes(numbers: int) -> dict[str, int]:
    """Bytes of so many numbers in each precision.

    >>> in_bytes(10)
    {'fp32': 40, 'bf16': 20, 'int8': 10}
    """
    return {name: numbers * each for name, each in PRECISIONS.items()}


def merged(pieces: Iterable[Piece]) -> tuple[Piece, ...]:
    """The same numbers with one piece a part and side; empty ones are left out."""
    found: dict[tuple[str, Side], Piece] = {}
    for each in pieces:
        place = (each.part, each.side)
        old = found.get(place, Piece(each.part, 0, side=each.side))
        found[place] = Piece(
            each.part,
            old.parameters + each.parameters,
            old.products + each.products,
            each.side,
            old.idle + each.idle,
        )
    ordered = sorted(found.values(), key=lambda piece: (PARTS.index(piece.part), piece.side != "source"))
    return tuple(piece for piece in ordered if piece.parameters or piece.products)
