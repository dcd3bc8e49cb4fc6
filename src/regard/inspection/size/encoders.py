"""Encoders, and encoders with decoders: from `transformers`' names for the sizes to what a model is made of."""

from dataclasses import replace

from regard.inspection.size.architecture import Architecture, Stack
from regard.inspection.size.fields import Fields


def bert(f: Fields, padded: int = 0) -> Architecture:
    """Devlin et al. 2019: an encoder with norms after each part; `padded`: rows of positions that stand for none."""
    d_model, rows = f.size("hidden_size"), f.size("max_position_embeddings")
    heads, d_head = f.size("num_attention_heads"), f.d_head("hidden_size", "num_attention_heads")
    stack = Stack(f.size("num_hidden_layers"), d_model, heads, d_head, heads, f.size("intermediate_size"))
    stack = replace(stack.biased(), causal=False, last_norm=False)
    segments, longest = f.size("type_vocab_size", 2, least=0), max(1, rows - padded)
    top = {"head_bias": True, "transform": True, "tied": f.tied(True)}
    return Architecture(f.size("vocab_size"), d_model, (stack,), (rows,), segments, norms=1, longest=longest, **top)


def roberta(f: Fields) -> Architecture:
    """Liu et al. 2019: positions are counted from the row after the padding's."""
    return bert(f, f.size("pad_token_id", 1, least=0) + 1)


def distilbert(f: Fields) -> Architecture:
    """Sanh et al. 2019: BERT without the table that tells sentences apart."""
    names = {"hidden_size": "dim", "num_hidden_layers": "n_layers", "num_attention_heads": "n_heads"}
    for ours, theirs in (names | {"intermediate_size": "hidden_dim"}).items():
        f.size(theirs)
        f = Fields({**f.values, ours: f.values[theirs]}, f.path)
    return bert(Fields({**f.values, "type_vocab_size": 0}, f.path))


def t5(f: Fields) -> Architecture:
    """Raffel et al. 2020: distances in place of positions, a table for each half; no biases; 1.1 and later gated."""
    d_model, heads = f.size("d_model"), f.size("num_heads")
    encoder = Stack(
        f.size("num_layers"),
        d_model,
        heads,
        f.size("d_kv"),
        heads,
        f.size("d_ff"),
        gated=f.word("feed_forward_proj", "relu").startswith("gated-"),
        distances=f.size("relative_attention_num_buckets", 32),
        causal=False,
    )
    n_layers = f.size("num_decoder_layers", encoder.n_layers)
    decoder = replace(encoder, n_layers=n_layers, cross=True, causal=True)
    return Architecture(f.size("vocab_size"), d_model, (encoder, decoder), tied=f.tied(True))


def mt5(f: Fields) -> Architecture:
    """Xue et al. 2021: T5 1.1 in many languages; gated where nothing else is said."""
    return t5(Fields({"feed_forward_proj": "gated-gelu", **f.values}, f.path))


def marian(f: Fields) -> Architecture | None:
    """Junczys-Dowmunt et al. 2018, the Transformer of 2017. Its waves are two tables that are not trained."""
    vocab_size, longest = f.size("vocab_size"), f.size("max_position_embeddings")
    shared = f.flag("share_encoder_decoder_embeddings", True) and f.tied(True)
    if not shared or f.size("decoder_vocab_size", vocab_size) != vocab_size:
        return None
    stacks = tuple(replace(stack, last_norm=False) for stack in _halves(f))
    return Architecture(vocab_size, f.size("d_model"), stacks, (longest, longest), longest=longest)


def transformer(f: Fields) -> Architecture:
    """Vaswani et al. 2017 as in the paper: the waves are computed, and one table serves three times."""
    stacks = tuple(replace(stack, last_norm=False) for stack in _halves(f))
    return Architecture(f.size("vocab_size"), f.size("d_model"), stacks)


def bart(f: Fields, *, last_norm: bool = False) -> Architecture:
    """Lewis et al. 2020: learned positions on both sides, two rows more than it reads tokens."""
    longest = f.size("max_position_embeddings")
    stacks = tuple(replace(stack, last_norm=last_norm) for stack in _halves(f))
    rows = (longest + 2, longest + 2)
    return Architecture(f.size("vocab_size"), f.size("d_model"), stacks, rows, norms=2, longest=longest)


def mbart(f: Fields) -> Architecture:
    """Liu et al. 2020: BART with a norm at the end of each half."""
    return bart(f, last_norm=True)


def _halves(f: Fields) -> tuple[Stack, Stack]:
    """Encoder and decoder, each with its own sizes."""
    d_model = f.size("d_model")
    made = []
    for half in ("encoder", "decoder"):
        heads = f.size(f"{half}_attention_heads")
        d_head = f.d_head("d_model", f"{half}_attention_heads")
        d_ff = f.size(f"{half}_ffn_dim")
        made.append(Stack(f.size(f"{half}_layers"), d_model, heads, d_head, heads, d_ff).biased())
    return replace(made[0], causal=False), replace(made[1], cross=True)
