"""GPT-2's form (Radford et al. 2019), as `transformers` has it (`GPT2LMHeadModel`).

It keeps matrices transposed, and queries, keys and values in one.
"""

import re
from collections.abc import Iterator
from typing import Any, Literal

from pydantic import Field, model_validator

from regard.models.forms.form import Fields, Foreign, Piece, Share
from regard.models.forms.prose import HEAD, prose_form
from regard.models.gpt import GptConfig

ACTIVATIONS = {"gelu": "gelu_new", "gelu_exact": "gelu", "relu": "relu", "swish": "silu"}
"""Our names → those of `transformers`."""

FIELDS = {
    "vocab_size": "vocab_size",
    "max_len": "n_positions",
    "d_model": "n_embd",
    "n_layers": "n_layer",
    "n_heads": "n_head",
    "d_ff": "n_inner",
    "activation": "activation_function",
    "norm_eps": "layer_norm_epsilon",
    "dropout": "resid_pdrop",
    "tied": "tie_word_embeddings",
}

MATRICES = {
    "attn.c_attn": ("attention.to_query", "attention.to_key", "attention.to_value"),
    "attn.c_proj": ("attention.to_output",),
    "mlp.c_fc": ("feed_forward.up",),
    "mlp.c_proj": ("feed_forward.down",),
}
NORMS = {"ln_1": "around_attention.norm", "ln_2": "around_feed_forward.norm"}
EMBEDDING = "transformer.wte.weight"
MASKS = re.compile(r"transformer\.h\.\d+\.attn\.(masked_)?bias")


class Gpt2(Foreign):
    """The fields of a GPT-2 `config.json` that decide what is computed, with the defaults of `transformers`."""

    vocab_size: int
    n_positions: int
    n_embd: int
    n_layer: int
    n_head: int = Field(ge=1)
    n_inner: int | None = None
    activation_function: Literal["gelu_new", "gelu_pytorch_tanh", "gelu", "relu", "silu", "swish"] = "gelu_new"
    layer_norm_epsilon: float = 1e-5
    resid_pdrop: Share = 0.1
    embd_pdrop: Share = 0.1
    attn_pdrop: Share = 0.1
    tie_word_embeddings: bool = True
    scale_attn_weights: Literal[True] = True
    scale_attn_by_inverse_layer_idx: Literal[False] = False
    reorder_and_upcast_attn: Literal[False] = False
    add_cross_attention: Literal[False] = False

    @model_validator(mode="after")
    def _fits(self) -> "Gpt2":
        if self.n_embd % self.n_head:
            raise ValueError(f"n_embd {self.n_embd} % n_head {self.n_head} ≠ 0")
        return self


def read_config(fields: Fields) -> GptConfig:
    """Our config from GPT-2's."""
    theirs = Gpt2.model_validate(fields)
    ours = {name: getattr(theirs, other) for name, other in FIELDS.items()}
    known = {other: name for name, other in ACTIVATIONS.items()} | {"gelu_pytorch_tanh": "gelu", "swish": "swish"}
    return GptConfig.model_validate({**ours, "activation": known[theirs.activation_function]})


def write_config(config: GptConfig) -> Fields:
    """GPT-2's config from ours."""
    fields = {other: getattr(config, name) for name, other in FIELDS.items()}
    fields |= {"activation_function": ACTIVATIONS[config.activation], "n_inner": config.hidden}
    return fields | {"embd_pdrop": config.dropout, "attn_pdrop": 0.0}


def pieces(config: GptConfig) -> Iterator[Piece]:
    """Which of their tensors hold which of ours."""
    yield Piece(EMBEDDING, ("embedding.weight",))
    yield Piece("transformer.wpe.weight", ("positions.table.weight",))
    for kind in ("weight", "bias"):
        yield Piece(f"transformer.ln_f.{kind}", (f"norm.{kind}",))
        for n in range(config.n_layers):
            for theirs, ours in MATRICES.items():
                names = tuple(f"layers.{n}.{name}.{kind}" for name in ours)
                yield Piece(f"transformer.h.{n}.{theirs}.{kind}", names, turned=kind == "weight")
            for theirs, name in NORMS.items():
                yield Piece(f"transformer.h.{n}.{theirs}.{kind}", (f"layers.{n}.{name}.{kind}",))
    if not config.tied:
        yield Piece(HEAD, ("to_logits.weight",))


def rules(config: GptConfig) -> dict[str, list[Any]]:
    """What GPT-2's form has a word for."""
    return {
        "norm": ["layer"],
        "positions": ["learned"],
        "activation": list(ACTIVATIONS),
        "bias": [True],
        "n_kv_heads": [None, config.n_heads],
        "d_head": [None, config.d_model / config.n_heads],
        "window": [None],
    }


GPT2 = prose_form(
    "gpt2",
    "GPT2LMHeadModel",
    read_config=read_config,
    write_config=write_config,
    pieces=pieces,
    rules=rules,
    body="transformer",
    embedding=EMBEDDING,
    buffers=MASKS,
    fields=FIELDS,
)
