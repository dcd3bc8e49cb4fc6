"""The size of an RNN translator, from its config: `models.rnn`, by formulas."""

from collections.abc import Iterator

from regard.core.nearest import one_of
from regard.inspection.size.architecture import matrix
from regard.inspection.size.fields import Fields
from regard.inspection.size.parts import Heads, Piece, Side, Size, merged

MODEL_TYPE = "regard-rnn"
KINDS = ("none", "dot", "general", "additive", "concat")
GATES = {"gru": 3, "lstm": 4}


def recurrent(f: Fields) -> Size:
    """Its size. The attention `dot` has no parameters at all: states are compared as they are.

    Raises:
        BadInput: a size is missing or none, no such attention or cell.
    """
    attention, d_model = one_of(f.word("attention", "dot"), KINDS, "attention"), f.size("d_model", 384)
    kept = 1 if attention == "dot" else 2  # the states themselves serve as keys and values
    heads = () if attention == "none" else (Heads(1, 1, d_model, 1, "token", "source", kept),)
    return Size(merged(_pieces(f, attention, d_model)), heads)


def _pieces(f: Fields, attention: str, d_model: int) -> Iterator[Piece]:
    vocab_size, d_embedding, n_layers = f.size("vocab_size"), f.size("d_embedding", 256), f.size("n_layers", 1)
    gates = GATES[one_of(f.word("cell", "gru"), GATES, "cell")]
    fed = {"none": 0, "luong": d_embedding, "bahdanau": d_model}
    read = d_embedding + fed[one_of(f.word("input_feeding", "none"), fed, "input_feeding")]
    yield Piece("embedding", vocab_size * d_embedding)
    for _ in range(2):  # forward and backward
        yield from _rnn(d_embedding, d_model // 2, n_layers, gates, "source")
    yield from _rnn(read, d_model, n_layers, gates, "token")
    yield Piece("recurrent", d_model * d_model * n_layers)  # the bridge from the last state, once a text
    yield Piece("biases", d_model * n_layers)
    if attention in ("additive", "concat"):
        yield matrix("query", d_model, d_model)
        yield Piece("scorer", d_model)
    if attention in ("additive", "concat", "general"):
        yield matrix("key", d_model, d_model, side="source")
    yield matrix("mlp", 2 * d_model, d_embedding)
    yield Piece("biases", d_embedding + vocab_size)
    yield Piece("head", 0, vocab_size * d_embedding)  # the embedding's own numbers


def _rnn(d_input: int, d_state: int, n_layers: int, gates: int, side: Side) -> Iterator[Piece]:
    """Each gate reads the input and the state, and has two biases."""
    yield matrix("recurrent", d_input + d_state, gates * d_state, 1, side)
    yield matrix("recurrent", 2 * d_state, gates * d_state, n_layers - 1, side)
    yield Piece("biases", 2 * gates * d_state * n_layers)
