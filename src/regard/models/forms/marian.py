"""Marian's form: a Transformer translator as a folder that `transformers` (`MarianMTModel`) and CTranslate2 open.

Both begin a target with a zero vector. In `transformers` it is the padding's, in CTranslate2 it is built in, and its
converter cuts the last row off the vocabulary, which must be the padding's. So padding, our id 0, is the last on disk,
and every other id is one less; it is the start as well (docs/decisions/0011).
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

from pydantic import model_validator

from regard.models.forms.form import (
    CONFIG,
    GENERATION,
    TOKENIZER_CONFIG,
    Fields,
    Foreign,
    Form,
    Piece,
    Share,
    Tensors,
    taken,
    written,
)
from regard.models.transformer import Transformer, TransformerConfig
from regard.text import tokenizers
from regard.text.tokenizers import END, PAD, SPECIAL, START, UNKNOWN, Tokenizer

FIELDS = {
    "vocab_size": "vocab_size",
    "max_len": "max_position_embeddings",
    "d_model": "d_model",
    "n_layers": "encoder_layers",
    "n_decoder_layers": "decoder_layers",
    "n_heads": "encoder_attention_heads",
    "d_ff": "encoder_ffn_dim",
    "activation": "activation_function",
    "dropout": "dropout",
}

ACTIVATIONS = {"relu": "relu", "swish": "swish", "gelu": "gelu_new", "gelu_exact": "gelu"}
"""Our names → those of `transformers`."""

LOOKS = {"self_attention": "self_attn", "cross_attention": "encoder_attn"}
ATTENTION = (("to_query", "q_proj"), ("to_key", "k_proj"), ("to_value", "v_proj"), ("to_output", "out_proj"))
PARTS = {
    "feed_forward.up": "fc1",
    "feed_forward.down": "fc2",
    "around_self.norm": "self_attn_layer_norm",
    "around_cross.norm": "encoder_attn_layer_norm",
    "around_feed_forward.norm": "final_layer_norm",
}
COPIES = {
    "lm_head.weight",
    *(f"model.{stack}.embed_{what}.weight" for stack in ("encoder", "decoder") for what in ("tokens", "positions")),
}


class Marian(Foreign):
    """The fields of a Marian `config.json` that decide what is computed, with the defaults of `transformers`."""

    is_encoder_decoder: Literal[True] = True
    vocab_size: int
    decoder_vocab_size: int | None = None
    max_position_embeddings: int = 1024
    d_model: int = 1024
    encoder_layers: int = 12
    decoder_layers: int = 12
    encoder_attention_heads: int = 16
    decoder_attention_heads: int = 16
    encoder_ffn_dim: int = 4096
    decoder_ffn_dim: int = 4096
    activation_function: Literal["relu", "swish", "silu", "gelu", "gelu_new"] = "gelu"
    dropout: Share = 0.1
    attention_dropout: Share = 0.0
    activation_dropout: Share = 0.0
    scale_embedding: Literal[True]
    share_encoder_decoder_embeddings: Literal[True] = True
    tie_word_embeddings: Literal[True] = True
    pad_token_id: int
    decoder_start_token_id: int

    @model_validator(mode="after")
    def _ours(self) -> "Marian":
        """What is told twice is told alike, and padding is the last id, and the start."""
        twins = {
            "decoder_vocab_size": (self.decoder_vocab_size or self.vocab_size, self.vocab_size),
            "decoder_attention_heads": (self.decoder_attention_heads, self.encoder_attention_heads),
            "decoder_ffn_dim": (self.decoder_ffn_dim, self.encoder_ffn_dim),
            "pad_token_id": (self.pad_token_id, self.vocab_size - 1),
            "decoder_start_token_id": (self.decoder_start_token_id, self.vocab_size - 1),
        }
        for name, (came, expected) in twins.items():
            if came != expected:
                raise ValueError(f"{name} {came} ≠ {expected}")
        return self


def read_config(fields: Fields) -> TransformerConfig:
    """Our config from Marian's."""
    theirs = Marian.model_validate(fields)
    ours = {name: getattr(theirs, other) for name, other in FIELDS.items()}
    known = {other: name for name, other in ACTIVATIONS.items()} | {"silu": "swish"}
    ours["activation"] = known[theirs.activation_function]
    same_depth, paper_width = theirs.decoder_layers == theirs.encoder_layers, ours["d_ff"] == 4 * theirs.d_model
    ours |= ({"n_decoder_layers": None} if same_depth else {}) | ({"d_ff": None} if paper_width else {})
    return TransformerConfig.model_validate(ours)


def files(config: TransformerConfig, tokenizer: Tokenizer) -> dict[str, Fields]:
    """Marian's `config.json` of ours; how `transformers` calls the tokenizer, and searches as `regard translate`."""
    last, heads, width = config.vocab_size - 1, config.n_heads, config.hidden
    start = {"pad_token_id": last, "decoder_start_token_id": last, "eos_token_id": END - 1}
    return {
        CONFIG: {
            **{"architectures": ["MarianMTModel"], "model_type": "marian", "dtype": "float32"},
            **{"is_encoder_decoder": True, "vocab_size": config.vocab_size, "decoder_vocab_size": config.vocab_size},
            **{"max_position_embeddings": config.max_len, "d_model": config.d_model},
            **{"encoder_layers": config.n_layers, "decoder_layers": config.decoder_layers},
            **{"encoder_attention_heads": heads, "decoder_attention_heads": heads},
            **{"encoder_ffn_dim": width, "decoder_ffn_dim": width},
            "activation_function": ACTIVATIONS[config.activation],
            **{"dropout": config.dropout, "attention_dropout": 0.0, "activation_dropout": 0.0},
            **{"scale_embedding": True, "share_encoder_decoder_embeddings": True, "tie_word_embeddings": True},
            **{**start, "bos_token_id": START - 1, "forced_eos_token_id": None},
        },
        GENERATION: {
            **{**start, "suppress_tokens": sorted((id_ - 1) % config.vocab_size for id_ in (PAD, UNKNOWN, START))},
            **{"num_beams": 5, "length_penalty": 1.0, "early_stopping": False},
            "max_length": min(512, config.max_len),
        },
        TOKENIZER_CONFIG: {
            **{"tokenizer_class": "TokenizersBackend", "model_max_length": config.max_len},
            "clean_up_tokenization_spaces": False,
            **dict(zip(("pad_token", "unk_token", "bos_token", "eos_token"), SPECIAL, strict=True)),
        },
    }


def pieces(config: TransformerConfig) -> Iterator[Piece]:
    """Which of their tensors hold which of ours."""
    yield Piece("model.shared.weight", ("embedding.weight",))
    yield Piece("final_logits_bias", ("head_bias",))
    parts = [(f"{ours}.{inside}", f"{theirs}.{other}") for ours, theirs in LOOKS.items() for inside, other in ATTENTION]
    for stack, n_layers in (("encoder", config.n_layers), ("decoder", config.decoder_layers)):
        for ours, theirs in [*parts, *PARTS.items()]:
            for n in range(n_layers if stack == "decoder" or "cross" not in ours else 0):
                for kind in ("weight", "bias"):
                    yield Piece(f"model.{stack}.layers.{n}.{theirs}.{kind}", (f"{stack}.{n}.{ours}.{kind}",))


def read_tensors(tensors: Tensors, config: TransformerConfig) -> Tensors:
    """Their tensors as ours: padding's row comes first again."""
    found = taken(tensors, pieces(config))
    bias = found["head_bias"].squeeze(0).roll(1, 0)
    return found | {"embedding.weight": found["embedding.weight"].roll(1, 0), "head_bias": bias}


def write_tensors(tensors: Tensors, config: TransformerConfig) -> Tensors:
    """Our tensors as theirs: padding's row goes last; their bias is a row."""
    moved = {"embedding.weight": tensors["embedding.weight"].roll(-1, 0), "head_bias": tensors["head_bias"].roll(-1, 0)}
    moved["head_bias"] = moved["head_bias"][None]
    return written({**tensors, **moved}, pieces(config))


def known(name: str, config: TransformerConfig) -> str | None:
    """A tensor's name; None for one that older versions wrote beside those that say the same."""
    return None if name in COPIES else name


def read_tokenizer(path: Path, ends: tuple[int, ...]) -> Tokenizer:
    """A `tokenizer.json` that `write_tokenizer` wrote."""
    return tokenizers.load(path, lambda text: _renumbered(text, 1, None))


def write_tokenizer(tokenizer: Tokenizer) -> str:
    """Our `tokenizer.json` with padding last, and with the end token put behind every text, as the model read it."""
    end = SPECIAL[END]
    ending = {
        "type": "TemplateProcessing",
        "single": [{"Sequence": {"id": "A", "type_id": 0}}, {"SpecialToken": {"id": end, "type_id": 0}}],
        "pair": [
            {"Sequence": {"id": "A", "type_id": 0}},
            {"SpecialToken": {"id": end, "type_id": 0}},
            {"Sequence": {"id": "B", "type_id": 0}},
            {"SpecialToken": {"id": end, "type_id": 0}},
        ],
        "special_tokens": {end: {"id": end, "ids": [END - 1], "tokens": [end]}},
    }
    return _renumbered(tokenizer.json(), -1, ending)


def _renumbered(text: str, by: int, post_processor: Any) -> str:
    fields = json.loads(text)
    vocab = fields["model"]["vocab"]
    new = {token: (number + by) % len(vocab) for token, number in vocab.items()}
    fields["model"]["vocab"] = dict(sorted(new.items(), key=lambda pair: pair[1]))
    for token in fields["added_tokens"]:
        token["id"] = (token["id"] + by) % len(vocab)
    fields["added_tokens"].sort(key=lambda token: token["id"])
    fields["post_processor"] = post_processor
    return json.dumps(fields, indent=2, ensure_ascii=False)


MARIAN = Form(
    model_type="marian",
    config=TransformerConfig,
    build=Transformer,
    read_config=read_config,
    files=files,
    read_tensors=read_tensors,
    write_tensors=write_tensors,
    read_tokenizer=read_tokenizer,
    write_tokenizer=write_tokenizer,
    known=known,
    fields=FIELDS,
)
