"""Llama's form (Touvron et al. 2023), as `transformers` has it (`LlamaForCausalLM`)."""

import re
from collections.abc import Iterator
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from regard.models.forms.form import Fields, Foreign, Piece, Share
from regard.models.forms.prose import HEAD, prose_form
from regard.models.gpt import GptConfig

FIELDS = {
    "vocab_size": "vocab_size",
    "max_len": "max_position_embeddings",
    "d_model": "hidden_size",
    "n_layers": "num_hidden_layers",
    "n_heads": "num_attention_heads",
    "n_kv_heads": "num_key_value_heads",
    "d_head": "head_dim",
    "d_ff": "intermediate_size",
    "norm_eps": "rms_norm_eps",
    "tied": "tie_word_embeddings",
}

MATRICES = {
    "self_attn.q_proj": "attention.to_query",
    "self_attn.k_proj": "attention.to_key",
    "self_attn.v_proj": "attention.to_value",
    "self_attn.o_proj": "attention.to_output",
    "mlp.gate_proj": "feed_forward.gate",
    "mlp.up_proj": "feed_forward.up",
    "mlp.down_proj": "feed_forward.down",
}
NORMS = {"input_layernorm": "around_attention.norm", "post_attention_layernorm": "around_feed_forward.norm"}
EMBEDDING = "model.embed_tokens.weight"
RATES = re.compile(r"model\.(layers\.\d+\.self_attn\.)?rotary_emb\.inv_freq")


BIASES: dict[tuple[bool, bool], Any] = {
    (True, True): True,
    (True, False): "attention",
    (False, True): "feed_forward",
    (False, False): False,
}
"""Their attention_bias and mlp_bias → our bias."""


class Rope(BaseModel):
    """How far positions turn: one base for all, nothing stretched."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    rope_theta: float | None = None
    rope_type: Literal["default"] | None = None
    type: Literal["default"] | None = None
    partial_rotary_factor: float | None = Field(None, ge=1, le=1)


class Llama(Foreign):
    """The fields of a Llama `config.json` that decide what is computed, with the defaults of `transformers`."""

    vocab_size: int
    hidden_size: int
    intermediate_size: int
    num_hidden_layers: int
    num_attention_heads: int = Field(ge=1)
    num_key_value_heads: int | None = Field(None, ge=1)
    head_dim: int | None = Field(None, ge=1)
    max_position_embeddings: int = 2048
    hidden_act: Literal["silu", "swish"] = "silu"
    rms_norm_eps: float = 1e-6
    tie_word_embeddings: bool = False
    rope_theta: float = Field(10000.0, gt=1)
    rope_scaling: Rope | None = None
    rope_parameters: Rope | None = None
    attention_bias: bool = False
    attention_dropout: Share = 0.0
    mlp_bias: bool = False
    pretraining_tp: int = Field(1, ge=1, le=1)

    @model_validator(mode="after")
    def _fits(self) -> "Llama":
        if self.hidden_size % self.num_attention_heads:
            heads = self.num_attention_heads
            raise ValueError(f"hidden_size {self.hidden_size} % num_attention_heads {heads} ≠ 0")
        if (size := self.head_dim or self.hidden_size // self.num_attention_heads) % 2:
            raise ValueError(f"head_dim {size} % 2 ≠ 0")
        return self

    @property
    def theta(self) -> float:
        """The base, by the place that `transformers` looks at: the older of the two places of rules comes first."""
        places = [each for each in (self.rope_scaling, self.rope_parameters) if each and each.model_fields_set]
        theta = places[0].rope_theta if places else None
        return self.rope_theta if theta is None else theta


def read_config(fields: Fields) -> GptConfig:
    """Our config from Llama's."""
    theirs = Llama.model_validate(fields)
    ours = {name: getattr(theirs, other) for name, other in FIELDS.items()}
    form = {"norm": "rms", "positions": "rotary", "activation": "swiglu"}
    ours["bias"] = BIASES[theirs.attention_bias, theirs.mlp_bias]
    return GptConfig.model_validate({**ours, **form, "rope_theta": theirs.theta})


def write_config(config: GptConfig) -> Fields:
    """Llama's config from ours. The base of positions is told in both its places."""
    fields = {other: getattr(config, name) for name, other in FIELDS.items()}
    fields |= {"num_key_value_heads": config.n_kv_heads or config.n_heads, "head_dim": config.head_size}
    fields |= {"intermediate_size": config.hidden, "hidden_act": "silu"}
    fields |= {"attention_bias": config.bias in (True, "attention"), "mlp_bias": config.bias in (True, "feed_forward")}
    fields |= {"attention_dropout": 0.0, "rope_theta": config.rope_theta}
    return fields | {"rope_parameters": {"rope_type": "default", "rope_theta": config.rope_theta}}


def pieces(config: GptConfig) -> Iterator[Piece]:
    """Which of their tensors is which of ours."""
    yield Piece(EMBEDDING, ("embedding.weight",))
    yield Piece("model.norm.weight", ("norm.weight",))
    for n in range(config.n_layers):
        for theirs, ours in MATRICES.items():
            biased = config.bias is True or config.bias == ours.partition(".")[0]
            for kind in ("weight", "bias") if biased else ("weight",):
                yield Piece(f"model.layers.{n}.{theirs}.{kind}", (f"layers.{n}.{ours}.{kind}",))
        for theirs, ours in NORMS.items():
            yield Piece(f"model.layers.{n}.{theirs}.weight", (f"layers.{n}.{ours}.weight",))
    if not config.tied:
        yield Piece(HEAD, ("to_logits.weight",))


def rules(config: GptConfig) -> dict[str, list[Any]]:
    """What Llama's form has a word for: the width is shared out among heads, though they may have another."""
    heads = [n for n in range(1, config.d_model + 1) if config.d_model % n == 0]
    return {"norm": ["rms"], "positions": ["rotary"], "activation": ["swiglu"], "window": [None], "n_heads": heads}


LLAMA = prose_form(
    "llama",
    "LlamaForCausalLM",
    read_config=read_config,
    write_config=write_config,
    pieces=pieces,
    rules=rules,
    body="model",
    embedding=EMBEDDING,
    buffers=RATES,
    fields=FIELDS,
)
