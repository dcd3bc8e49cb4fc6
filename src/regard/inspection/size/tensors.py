"""The size of a model that no formula knows, from the names and shapes of its parameters.

Names of parameters say what they are for, in every family a little differently. Where none of the rules knows a name,
its numbers are counted as `other`.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import prod

from regard.inspection.size.parts import Heads, Piece, Side, Size, merged

Shape = tuple[int, ...]

RULES = (
    ("norms", r"norm|\bln\w*\b"),
    ("positions", r"position|\bwpe\b|relative_attention_bias|rel_pos|\brel_embed"),
    ("pooler", r"pooler"),
    (
        "head",
        r"lm_head|embed_out|\bhead\b|classifier|\bscore\b|qa_outputs|cls\.|vocab_(projector|transform)|predictions",
    ),
    ("other", r"projector|embeddings_project|embedding_hidden_mapping|project_(in|out)"),
    ("embedding", r"embed|\bwte\b|\bshared\b"),
    ("recurrent", r"rnn|gru|lstm|mixer|mamba|\bssm"),
    ("router", r"router|\bgate\b|expert_gate"),
    ("mlp", r"\bmlp\b|\bffn?|ffw|feed_forward|experts|\bmoe|Dense(Gated\w+|Relu)Dense|\bfc"),
    ("fused", r"c_attn|query_key_value|\b\w?qkv\w*\b|in_proj"),
    ("keys_values", r"\bkv_\w+|key_value"),
    ("query", r"\b(q|wq|q_\w+|query\w*|\w+_query)\b"),
    ("key", r"\b(k|wk|k_\w+|key\w*|\w+_key)\b"),
    ("value", r"\b(v|wv|v_\w+|value\w*|\w+_value)\b"),
    ("output", r"\b(o|wo|o_proj|out_proj|out_lin|to_output)\b|att(ention|n)\.(output\.)?dense|attn\.c_proj"),
    ("mlp", r"dense|intermediate|(gate|up|down)_proj|\bw[123]\b|\blin[12]\b"),
)
"""Which words of a name tell its part; the first that fits."""

_RULES = tuple((part, re.compile(pattern, re.IGNORECASE)) for part, pattern in RULES)
_EXPERTS = re.compile(r"(?<!shared_)experts\b", re.IGNORECASE)
_SOURCE = re.compile(r"\bencoder\b(?!_)")
_CROSS = re.compile(r"encoder_attn|EncDecAttention|cross_?attn|cross_?attention|cross_attn", re.IGNORECASE)


@dataclass(frozen=True)
class Known:
    """What a config says that names do not.

    Attributes:
        heads: its attentions, if it says so.
        experts, chosen: how many networks a layer has, and how many a token uses; 0 where there are none.
        tied: products of a head that is the embedding itself.
        longest: the most tokens it reads.
        both: it reads one text and writes another.
    """

    heads: tuple[Heads, ...] | None = None
    experts: int = 0
    chosen: int = 0
    tied: int = 0
    longest: int | None = None
    both: bool = False


def of_tensors(tensors: Mapping[str, Shape], known: Known) -> Size:
    """The size of a model with these parameters, each counted once.

    >>> of_tensors({"h.0.attn.q_proj.weight": (6, 4), "h.0.attn.q_proj.bias": (6,)}, Known()).parts
    {'query': 24, 'biases': 6}
    """
    pieces = [piece for name, shape in tensors.items() for piece in _pieces(name, shape, known)]
    tied = Piece("head", 0, known.tied)
    return Size(merged([*pieces, tied]), known.heads, known.longest)


def part_of(name: str) -> str:
    """The part that a parameter belongs to, by its name; `fused` and `keys_values` are several at once.

    >>> part_of("model.layers.3.self_attn.o_proj.weight"), part_of("model.layers.3.self_attn.sinks")
    ('output', 'other')
    """
    part = next((part for part, rule in _RULES if rule.search(name)), "other")
    if part in ("norms", "positions", "embedding"):
        return part
    return "biases" if name.endswith("bias") else part


def _pieces(name: str, shape: Shape, known: Known) -> Iterator[Piece]:
    part, count = part_of(name), prod(shape)
    side: Side = "source" if known.both and _SOURCE.search(name) else "token"
    if part == "fused":
        for each, share in zip(("query", "key", "value"), _thirds(shape, known), strict=True):
            yield Piece(each, share, share, side)
    elif part == "keys_values":
        yield Piece("key", count - count // 2, count - count // 2, side)
        yield Piece("value", count // 2, count // 2, side)
    elif part == "mlp" and known.chosen and known.experts and _EXPERTS.search(name):
        used = count * known.chosen // known.experts
        yield Piece("mlp", count, used, side, idle=count - used)
    else:
        looked_up = part in ("embedding", "positions", "pooler") or len(shape) < 2
        across = _CROSS.search(name) and part in ("key", "value") and known.both
        yield Piece(part, count, 0 if looked_up else count, "source" if across else side)


def _thirds(shape: Shape, known: Known) -> tuple[int, int, int]:
    """Numbers of queries, keys and values in one matrix: queries as wide as all heads, where that leaves room for keys
    and values of any number of heads, else a third each."""
    count = prod(shape)
    queries = sum(heads.n_heads * heads.d_head for heads in known.heads or ())
    for wide in (max(shape), min(shape)):
        if 0 < queries < wide <= 3 * queries and (wide - queries) % 2 == 0:
            rest = (wide - queries) // 2 * (count // wide)
            return count - 2 * rest, rest, rest
    return count - 2 * (count // 3), count // 3, count // 3
