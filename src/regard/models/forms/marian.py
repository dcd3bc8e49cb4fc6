"""Marian's form: a Transformer translator as a folder that `transformers` (`MarianMTModel`) and CTranslate2 open.

Both begin a target with a zero vector. In `transformers` it is the padding's, in CTranslate2 it is built in, and its
converter cuts the last row off the vocabulary, which must be the padding's. So padding, our id 0, is the last on disk,
and every other id is one less; it is the start as well (docs/decisions/0009).
"""

import json
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, model_validator
from torch import Tensor

from regard.models.transformer import Transformer, TransformerConfig
from regard.text.tokenizers import END, PAD, SPECIAL, START, UNKNOWN

ACTIVATIONS = {"relu": "relu", "swish": "swish", "gelu": "gelu_new", "gelu_exact": "gelu"}
"""Our names → those of `transformers`."""

ATTENTION = {"to_query": "q_proj", "to_key": "k_proj", "to_value": "v_proj", "to_output": "out_proj"}
PARTS = {
    "self_attention": "self_attn",
    "cross_attention": "encoder_attn",
    "feed_forward.up": "fc1",
    "feed_forward.down": "fc2",
    "around_self.norm": "self_attn_layer_norm",
    "around_cross.norm": "encoder_attn_layer_norm",
    "around_feed_forward.norm": "final_layer_norm",
}


class Marian(BaseModel):
    """The fields of a Marian `config.json` that decide what is computed, with the defaults of `transformers`."""

    model_config = ConfigDict(frozen=True, extra="ignore", strict=True)

    vocab_size: int = 58101
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
    dropout: float = 0.1
    scale_embedding: Literal[True]
    share_encoder_decoder_embeddings: Literal[True] = True
    tie_word_embeddings: Literal[True] = True
    pad_token_id: int = 58100
    decoder_start_token_id: int = 58100

    @model_validator(mode="after")
    def _ours(self) -> "Marian":
        """What both sides share here may be told twice in Marian's form: it must be told alike."""
        last = self.vocab_size - 1
        twins = {
            "decoder_vocab_size": (self.decoder_vocab_size or self.vocab_size, self.vocab_size),
            "decoder_attention_heads": (self.decoder_attention_heads, self.encoder_attention_heads),
            "decoder_ffn_dim": (self.decoder_ffn_dim, self.encoder_ffn_dim),
            "pad_token_id": (self.pad_token_id, last),
            "decoder_start_token_id": (self.decoder_start_token_id, last),
        }
        for name, (came, expected) in twins.items():
            if came != expected:
                raise ValueError(f"{name} {came} ≠ {expected}")
        return self


def read_config(fields: dict[str, Any]) -> TransformerConfig:
    """Our config from Marian's.

    Raises:
        ValidationError: a field that is missing, out of range, or of a Marian that is not computed here.
    """
    marian = Marian.model_validate(fields)
    ours = {theirs: name for name, theirs in ACTIVATIONS.items()} | {"silu": "swish"}
    same_depth = marian.decoder_layers == marian.encoder_layers
    paper_width = marian.encoder_ffn_dim == 4 * marian.d_model
    return TransformerConfig.model_validate(
        {
            "vocab_size": marian.vocab_size,
            "max_len": marian.max_position_embeddings,
            "d_model": marian.d_model,
            "n_layers": marian.encoder_layers,
            "n_decoder_layers": None if same_depth else marian.decoder_layers,
            "n_heads": marian.encoder_attention_heads,
            "d_ff": None if paper_width else marian.encoder_ffn_dim,
            "activation": ours[marian.activation_function],
            "dropout": marian.dropout,
        }
    )


def write_config(config: TransformerConfig) -> dict[str, Any]:
    """Marian's `config.json` of ours. Weights are computed with in fp32, however they are stored."""
    last, heads, width = config.vocab_size - 1, config.n_heads, config.hidden
    return {
        "architectures": ["MarianMTModel"],
        "model_type": "marian",
        "dtype": "float32",
        "is_encoder_decoder": True,
        "vocab_size": config.vocab_size,
        "decoder_vocab_size": config.vocab_size,
        "max_position_embeddings": config.max_len,
        "d_model": config.d_model,
        **{"encoder_layers": config.n_layers, "decoder_layers": config.decoder_layers},
        **{"encoder_attention_heads": heads, "decoder_attention_heads": heads},
        **{"encoder_ffn_dim": width, "decoder_ffn_dim": width},
        "activation_function": ACTIVATIONS[config.activation],
        **{"dropout": config.dropout, "attention_dropout": 0.0, "activation_dropout": 0.0},
        **{"scale_embedding": True, "share_encoder_decoder_embeddings": True, "tie_word_embeddings": True},
        **{"pad_token_id": last, "decoder_start_token_id": last, "bos_token_id": START - 1, "eos_token_id": END - 1},
        "forced_eos_token_id": None,
    }


def read_tensors(tensors: dict[str, Tensor], config: TransformerConfig) -> dict[str, Tensor]:
    """Marian's tensors under our names; what has none keeps its own, for whoever counts them."""
    ours = {theirs: name for name, theirs in _names(config).items()}
    found = {ours.get(name, name): tensor for name, tensor in tensors.items()}
    return _with_rows(found, 1)


def write_tensors(tensors: dict[str, Tensor], config: TransformerConfig) -> dict[str, Tensor]:
    """Our tensors under Marian's names."""
    theirs = _names(config)
    return {theirs[name]: tensor for name, tensor in _with_rows(tensors, -1).items()}


def _names(config: TransformerConfig) -> dict[str, str]:
    """Our names of tensors → Marian's."""
    found = {"embedding.weight": "model.shared.weight", "head_bias": "final_logits_bias"}
    for stack, n_layers in (("encoder", config.n_layers), ("decoder", config.decoder_layers)):
        for part, theirs in PARTS.items():
            if "cross" in part and stack == "encoder":
                continue
            inside = ATTENTION if part.endswith("attention") else {"": ""}
            for name, their_name in inside.items():
                ends = [".".join(filter(None, (part, name))), ".".join(filter(None, (theirs, their_name)))]
                for n in range(n_layers):
                    for kind in ("weight", "bias"):
                        found[f"{stack}.{n}.{ends[0]}.{kind}"] = f"model.{stack}.layers.{n}.{ends[1]}.{kind}"
    return found


def _with_rows(tensors: dict[str, Tensor], by: int) -> dict[str, Tensor]:
    """With the rows of the vocabulary moved on: −1 puts padding last and 1 first again. The bias is a row there."""
    moved = dict(tensors)
    if "embedding.weight" in tensors:
        moved["embedding.weight"] = tensors["embedding.weight"].roll(by, 0)
    if "head_bias" in tensors:
        bias = tensors["head_bias"].roll(by, -1)
        moved["head_bias"] = bias[None] if by < 0 else bias.squeeze(0) if bias.ndim == 2 else bias
    return moved


def write_tokenizer(ours: str) -> str:
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
    return _renumbered(ours, -1, ending)


def read_tokenizer(theirs: str) -> str:
    """A `tokenizer.json` that `write_tokenizer` wrote, as it was."""
    return _renumbered(theirs, 1, None)


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


def beside(config: TransformerConfig) -> dict[str, dict[str, Any]]:
    """Files for `transformers` alone: how its tokenizer is called, and how it searches as `regard translate` does."""
    last = config.vocab_size - 1
    special = dict(zip(("pad_token", "unk_token", "bos_token", "eos_token"), SPECIAL, strict=True))
    return {
        "tokenizer_config.json": {
            "tokenizer_class": "PreTrainedTokenizerFast",
            "model_max_length": config.max_len,
            "clean_up_tokenization_spaces": False,
            **special,
        },
        "generation_config.json": {
            **{"pad_token_id": last, "decoder_start_token_id": last, "eos_token_id": END - 1},
            "suppress_tokens": sorted((number - 1) % config.vocab_size for number in (PAD, UNKNOWN, START)),
            **{"num_beams": 5, "length_penalty": 1.0, "early_stopping": False, "renormalize_logits": True},
            "max_length": min(512, config.max_len),
        },
    }


def build(config: TransformerConfig) -> Transformer:
    """The model of a config."""
    return Transformer(config)
