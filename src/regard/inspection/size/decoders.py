"""Decoders: from `transformers`' names for the sizes to what a model is made of, family by family."""

from dataclasses import replace
from typing import Any

from regard.core.errors import BadInput
from regard.inspection.size.architecture import Architecture, Experts, Stack
from regard.inspection.size.fields import Fields


def gpt2(f: Fields) -> Architecture:
    """Radford et al. 2019: norms before, biases everywhere, learned positions."""
    d_model, longest = f.size("n_embd"), f.size("n_positions")
    heads = f.size("n_head")
    stack = Stack(
        f.size("n_layer"), d_model, heads, f.d_head("n_embd", "n_head"), heads, f.size("n_inner", 4 * d_model)
    )
    return Architecture(
        f.size("vocab_size"), d_model, (stack.biased(),), (longest,), tied=f.tied(True), longest=longest
    )


def llama(f: Fields, **features: Any) -> Architecture:
    """Touvron et al. 2023 and their heirs: gates, RMS norms, rotary positions; `features`: what an heir has beside."""
    d_model, heads = f.size("hidden_size"), f.size("num_attention_heads")
    kv_heads = f.size("num_key_value_heads", heads)
    if heads % kv_heads:
        names = {"heads": "num_attention_heads", "kv": "num_key_value_heads"}
        raise BadInput("size_groups", path=f.path, n_heads=heads, n_kv_heads=kv_heads, **names)
    d_head = f.size("head_dim", 0) or f.d_head("hidden_size", "num_attention_heads")
    every: dict[str, Any] = {"qkv_bias": f.flag("attention_bias"), "output_bias": f.flag("attention_bias")}
    every |= {"mlp_bias": f.flag("mlp_bias"), "gated": True} | features
    stack = Stack(
        f.size("num_hidden_layers"),
        d_model,
        heads,
        d_head,
        kv_heads,
        f.size("intermediate_size"),
        **every,
    )
    longest = f.size("max_position_embeddings", 0) or None
    return Architecture(f.size("vocab_size"), d_model, (stack,), tied=f.tied(False), longest=longest)


def mistral(f: Fields) -> Architecture:
    """Jiang et al. 2023: fewer heads of keys and values, no biases."""
    return llama(f, qkv_bias=False, output_bias=False, mlp_bias=False)


def qwen2(f: Fields) -> Architecture:
    """Yang et al. 2024: queries, keys and values have biases."""
    return llama(f, qkv_bias=True, output_bias=False, mlp_bias=False)


def qwen3(f: Fields) -> Architecture:
    """Yang et al. 2025: queries and keys are normed."""
    return llama(f, mlp_bias=False, head_norms=True)


def gemma(f: Fields, **features: Any) -> Architecture:
    """Gemma Team 2024: the head is the embedding."""
    return replace(llama(f, mlp_bias=False, **features), tied=f.tied(True))


def gemma2(f: Fields) -> Architecture:
    """Gemma Team 2024b: a norm after each part too."""
    return gemma(f, norms=4)


def gemma3(f: Fields) -> Architecture:
    """Gemma Team 2025, the part that reads text."""
    return gemma(f, norms=4, head_norms=True)


def mixtral(f: Fields) -> Architecture:
    """Jiang et al. 2024: experts in every layer."""
    count = f.size("num_local_experts")
    experts = Experts(
        count,
        f.size("num_experts_per_tok", most=count),
        f.size("intermediate_size"),
        f.size("num_hidden_layers"),
    )
    return llama(f, qkv_bias=False, output_bias=False, mlp_bias=False, experts=experts)


def qwen2_moe(f: Fields) -> Architecture:
    """Qwen2 with experts, and one that every token uses."""
    experts = _experts(f, f.size("shared_expert_intermediate_size"))
    return llama(f, qkv_bias=f.flag("qkv_bias", True), output_bias=False, mlp_bias=False, experts=experts)


def qwen3_moe(f: Fields) -> Architecture:
    """Qwen3 with experts."""
    return llama(f, mlp_bias=False, head_norms=True, experts=_experts(f))


def gpt_neox(f: Fields) -> Architecture:
    """Black et al. 2022: rotary positions, biases everywhere."""
    bias = f.flag("attention_bias", True)
    features = {"gated": False, "norm_bias": True, "mlp_bias": True, "qkv_bias": bias, "output_bias": bias}
    return llama(Fields({**f.values, "num_key_value_heads": None}, f.path), **features)


def bloom(f: Fields) -> Architecture:
    """BigScience 2022: slopes in place of positions, a norm after the embedding."""
    width = "hidden_size" if "hidden_size" in f.values else "n_embed"
    d_model, heads = f.size(width), f.size("n_head")
    stack = Stack(f.size("n_layer"), d_model, heads, f.d_head(width, "n_head"), heads, 4 * d_model)
    return Architecture(f.size("vocab_size"), d_model, (stack.biased(),), norms=1, tied=f.tied(True))


def opt(f: Fields) -> Architecture | None:
    """Zhang et al. 2022: GPT-3 made anew; two rows of positions more than it reads tokens."""
    d_model, longest = f.size("hidden_size"), f.size("max_position_embeddings")
    if f.size("word_embed_proj_dim", d_model) != d_model or not f.flag("enable_bias", True):
        return None
    heads = f.size("num_attention_heads")
    d_head = f.d_head("hidden_size", "num_attention_heads")
    stack = Stack(f.size("num_hidden_layers"), d_model, heads, d_head, heads, f.size("ffn_dim")).biased()
    last = f.flag("do_layer_norm_before", True) and not f.flag("_remove_final_layer_norm")
    stacks = (replace(stack, last_norm=last),)
    rows = (longest + 2,)
    return Architecture(f.size("vocab_size"), d_model, stacks, rows, tied=f.tied(True), longest=longest)


def _experts(f: Fields, d_shared: int = 0) -> Experts:
    """Those of Qwen, which may leave layers out."""
    n_layers, step = f.size("num_hidden_layers"), f.size("decoder_sparse_step", 1)
    plain = {at for at in f.numbers("mlp_only_layers") if at < n_layers and (at + 1) % step == 0}
    count = f.size("num_experts", 0) or f.size("num_local_experts")
    chosen, d_ff = f.size("num_experts_per_tok", most=count), f.size("moe_intermediate_size")
    return Experts(count, chosen, d_ff, n_layers // step - len(plain), d_shared, shared_gate=d_shared > 0)
