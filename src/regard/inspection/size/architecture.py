"""What a model is made of, as a few numbers, and the formulas from these to its size."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from regard.inspection.size.parts import Heads, Piece, Side, Size, merged


@dataclass(frozen=True)
class Experts:
    """A layer's feed-forward networks of which every token chooses some.

    Attributes:
        count, chosen: how many there are, and how many a token uses.
        d_ff: width inside each.
        n_layers: layers that have them; the others have one network for all.
        d_shared: width of the network that every token uses beside them; 0 for none.
        shared_gate: that one has a gate of its own, d_model numbers.
    """

    count: int
    chosen: int
    d_ff: int
    n_layers: int
    d_shared: int = 0
    shared_gate: bool = False


@dataclass(frozen=True)
class Stack:
    """Layers alike, one upon the other.

    Attributes:
        n_layers, d_model, n_heads, d_head, n_kv_heads, d_ff: their sizes.
        cross: each layer attends to another text too.
        causal: keys and values are kept while it writes.
        gated: the feed-forward network has a third matrix, the gate.
        qkv_bias, output_bias, mlp_bias: which linear layers have biases.
        norms: norms of a layer, as wide as the model, not counting that of a cross-attention.
        norm_bias: norms have a bias beside their weight.
        head_norms: norms of queries and keys, one number for each of a head's.
        last_norm: one more at the end.
        distances: rows of the table of relative positions, one number a head; 0 for none.
        experts: None where every token goes through the same network.
    """

    n_layers: int
    d_model: int
    n_heads: int
    d_head: int
    n_kv_heads: int
    d_ff: int
    cross: bool = False
    causal: bool = True
    gated: bool = False
    qkv_bias: bool = False
    output_bias: bool = False
    mlp_bias: bool = False
    norms: int = 2
    norm_bias: bool = False
    head_norms: bool = False
    last_norm: bool = True
    distances: int = 0
    experts: Experts | None = None

    def biased(self) -> "Stack":
        """The same with biases everywhere."""
        return replace(self, qkv_bias=True, output_bias=True, mlp_bias=True, norm_bias=True)

    def pieces(self, side: Side) -> Iterator[Piece]:
        """All that its layers hold; `side`: the tokens that go through them."""
        yield from self._attention(side, side)
        if self.cross:
            yield from self._attention(side, "source")
        yield from self._feed_forward(side)
        wide = self.d_model * (2 if self.norm_bias else 1)
        yield Piece("norms", ((self.norms + self.cross) * self.n_layers + self.last_norm) * wide)
        yield Piece("norms", 2 * self.d_head * self.n_layers * self.head_norms)
        yield Piece("positions", self.distances * self.n_heads)

    def heads(self, side: Side) -> Iterator[Heads]:
        """Its attentions: to the same text, and to another."""
        own = Heads(self.n_layers, self.n_heads, self.d_head, self.n_kv_heads, side, side if self.causal else None)
        yield own
        if self.cross:
            yield replace(own, kept="source")

    def _attention(self, side: Side, keys: Side) -> Iterator[Piece]:
        """d_model × n_heads·d_head for queries and output, d_model × n_kv_heads·d_head for keys and values."""
        wide, narrow = self.n_heads * self.d_head, self.n_kv_heads * self.d_head
        for part, width, at in (("query", wide, side), ("key", narrow, keys), ("value", narrow, keys)):
            yield matrix(part, self.d_model, width, self.n_layers, at)
        yield matrix("output", wide, self.d_model, self.n_layers, side)
        biases = (wide + 2 * narrow) * self.qkv_bias + self.d_model * self.output_bias
        yield Piece("biases", biases * self.n_layers)

    def _feed_forward(self, side: Side) -> Iterator[Piece]:
        matrices, found = 3 if self.gated else 2, self.experts
        plain = self.n_layers - (found.n_layers if found else 0)
        yield matrix("mlp", self.d_model, self.d_ff, plain * matrices, side)
        yield Piece("biases", (self.d_ff * (matrices - 1) + self.d_model) * plain * self.mlp_bias)
        if found is None:
            return
        one = self.d_model * found.d_ff * matrices * found.n_layers
        unused = (found.count - found.chosen) * one
        yield Piece("mlp", found.count * one, found.chosen * one, side, idle=unused)
        yield matrix("mlp", self.d_model, found.d_shared, matrices * found.n_layers, side)
        yield matrix("router", self.d_model, found.count + found.shared_gate, found.n_layers, side)


@dataclass(frozen=True)
class Architecture:
    """A whole model.

    Attributes:
        vocab_size, d_model: of the embedding.
        stacks: one, or an encoder and a decoder.
        positions: rows of each stored table of positions: learned ones, and waves where they are kept as parameters.
        segments: rows of the table that tells sentences apart.
        norms: norms of embeddings; `norm_bias`: these have biases.
        tables: how many separate embeddings there are: two where source and target do not share one.
        head: whether tokens are predicted; `tied`: with the embedding's own numbers; `head_bias`: and a bias each.
        transform: a linear layer and a norm before that.
        pooler: the linear layer on the first token; `next_sentence`: and the two numbers from it.
        longest: the most tokens it reads.
    """

    vocab_size: int
    d_model: int
    stacks: tuple[Stack, ...]
    positions: tuple[int, ...] = ()
    segments: int = 0
    norms: int = 0
    norm_bias: bool = True
    tables: int = 1
    head: bool = True
    tied: bool = True
    head_bias: bool = False
    transform: bool = False
    pooler: bool = False
    next_sentence: bool = False
    longest: int | None = None

    def size(self) -> Size:
        """Its size, by the formulas of this file."""
        sides: tuple[Side, ...] = ("token",) if len(self.stacks) == 1 else ("source", "token")
        pieces = [*self._bottom(), *self._top()]
        heads: list[Heads] = []
        for side, stack in zip(sides, self.stacks, strict=True):
            pieces += stack.pieces(side)
            heads += stack.heads(side)
        return Size(merged(pieces), tuple(heads), self.longest)

    def _bottom(self) -> Iterator[Piece]:
        """Tables are looked up, not multiplied."""
        yield Piece("embedding", (self.vocab_size * self.tables + self.segments) * self.d_model)
        yield Piece("positions", sum(self.positions) * self.d_model)
        yield Piece("norms", self.norms * self.d_model * (2 if self.norm_bias else 1))

    def _top(self) -> Iterator[Piece]:
        """A tied head costs its multiplications, and no parameters."""
        if self.pooler:
            yield Piece("pooler", self.d_model**2)  # once a text, not a token
            yield Piece("biases", self.d_model)
        if self.next_sentence:
            yield Piece("head", self.d_model * 2)
            yield Piece("biases", 2)
        if not self.head:
            return
        if self.transform:
            yield matrix("head", self.d_model, self.d_model)
            yield Piece("biases", self.d_model)
            yield Piece("norms", 2 * self.d_model)
        products = self.d_model * self.vocab_size
        yield Piece("head", 0 if self.tied else products, products)
        yield Piece("biases", self.vocab_size * self.head_bias)


def matrix(part: str, rows: int, columns: int, times: int = 1, side: Side = "token") -> Piece:
    """Matrices alike: rows × columns numbers each, and as many multiply–adds a token."""
    count = rows * columns * times
    return Piece(part, count, count, side)
