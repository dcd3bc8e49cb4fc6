"""From the config of a model to what it is made of, family by family: `transformers`' names for the sizes."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from regard.core.errors import BadInput
from regard.inspection.size.architecture import Architecture, Experts, Stack
from regard.inspection.size.fields import Fields

BARE: dict[str, Any] = {"head": False, "head_bias": False, "transform": False}
"""What a model without its head has not."""


def gpt2(f: Fields) -> Architecture:
    """Radford et al. 2019: norms before, biases everywhere, learned positions."""
    d_model, longest = f.size("n_embd"), f.size("n_positions")
    heads = f.size("n_head")
    stack = Stack(
        f.size("n_layer"), d_model, heads, f.d_head("n_embd", "n_head"), heads, f.size("n_inner", 4 * d_model)
    )
    return Architecture(
        f.size("vocab_size"), d_model, (_biased(stack),), (longest,), tied=_tied(f, True), longest=longest
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
    return Architecture(f.size("vocab_size"), d_model, (stack,), tied=_tied(f, False), longest=longest)


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
    return replace(llama(f, mlp_bias=False, **features), tied=_tied(f, True))


def gemma2(f: Fields) -> Architecture:
    """Gemma Team 2024b: a norm after each part too."""
    return gemma(f, norms=4)


def gemma3(f: Fields) -> Architecture:
    """Gemma Team 2025, the part that reads text."""
    return gemma(f, norms=4, head_norms=True)


def mixtral(f: Fields) -> Architecture:
    """Jiang et al. 2024: experts in every layer."""
    experts = Experts(
        f.size("num_local_experts"),
        f.size("num_experts_per_tok"),
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
    return Architecture(f.size("vocab_size"), d_model, (_biased(stack),), norms=1, tied=_tied(f, True))


def opt(f: Fields) -> Architecture | None:
    """Zhang et al. 2022: GPT-3 made anew; two rows of positions more than it reads tokens."""
    d_model, longest = f.size("hidden_size"), f.size("max_position_embeddings")
    if f.size("word_embed_proj_dim", d_model) != d_model or not f.flag("enable_bias", True):
        return None
    heads = f.size("num_attention_heads")
    d_head = f.d_head("hidden_size", "num_attention_heads")
    stack = _biased(Stack(f.size("num_hidden_layers"), d_model, heads, d_head, heads, f.size("ffn_dim")))
    last = f.flag("do_layer_norm_before", True) and not f.flag("_remove_final_layer_norm")
    stacks = (replace(stack, last_norm=last),)
    rows = (longest + 2,)
    return Architecture(f.size("vocab_size"), d_model, stacks, rows, tied=_tied(f, True), longest=longest)


def bert(f: Fields, padded: int = 0) -> Architecture:
    """Devlin et al. 2019: an encoder with norms after each part; `padded`: rows of positions that stand for none."""
    d_model, rows = f.size("hidden_size"), f.size("max_position_embeddings")
    heads, d_head = f.size("num_attention_heads"), f.d_head("hidden_size", "num_attention_heads")
    stack = Stack(f.size("num_hidden_layers"), d_model, heads, d_head, heads, f.size("intermediate_size"))
    stack = replace(_biased(stack), causal=False, last_norm=False)
    segments, longest = f.size("type_vocab_size", 2, least=0), max(1, rows - padded)
    top = {"head_bias": True, "transform": True, "tied": _tied(f, True)}
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
    return Architecture(f.size("vocab_size"), d_model, (encoder, decoder), tied=_tied(f, True))


def mt5(f: Fields) -> Architecture:
    """Xue et al. 2021: T5 1.1 in many languages; gated where nothing else is said."""
    return t5(Fields({"feed_forward_proj": "gated-gelu", **f.values}, f.path))


def marian(f: Fields) -> Architecture | None:
    """Junczys-Dowmunt et al. 2018, the Transformer of 2017. Its waves are two tables that are not trained."""
    vocab_size, longest = f.size("vocab_size"), f.size("max_position_embeddings")
    shared = f.flag("share_encoder_decoder_embeddings", True) and _tied(f, True)
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
        made.append(_biased(Stack(f.size(f"{half}_layers"), d_model, heads, d_head, heads, d_ff)))
    return replace(made[0], causal=False), replace(made[1], cross=True)


def _biased(stack: Stack) -> Stack:
    return replace(stack, qkv_bias=True, output_bias=True, mlp_bias=True, norm_bias=True)


def _tied(f: Fields, default: bool) -> bool:
    return f.flag("tie_word_embeddings", default)


def _experts(f: Fields, d_shared: int = 0) -> Experts:
    """Those of Qwen, which may leave layers out."""
    n_layers, step = f.size("num_hidden_layers"), f.size("decoder_sparse_step", 1)
    plain = f.values.get("mlp_only_layers") or []
    layers = [at for at in range(n_layers) if at not in plain and (at + 1) % step == 0]
    count = f.size("num_experts", 0) or f.size("num_local_experts")
    chosen, d_ff = f.size("num_experts_per_tok"), f.size("moe_intermediate_size")
    return Experts(count, chosen, d_ff, len(layers), d_shared, shared_gate=d_shared > 0)


Reader = Callable[[Fields], Architecture | None]

_READERS: dict[str, tuple[Reader, str, str]] = {
    "gpt2": (gpt2, "GPT2LMHeadModel", "GPT2Model"),
    "llama": (llama, "LlamaForCausalLM", "LlamaModel"),
    "mistral": (mistral, "MistralForCausalLM", "MistralModel"),
    "mixtral": (mixtral, "MixtralForCausalLM", "MixtralModel"),
    "qwen2": (qwen2, "Qwen2ForCausalLM", "Qwen2Model"),
    "qwen2_moe": (qwen2_moe, "Qwen2MoeForCausalLM", "Qwen2MoeModel"),
    "qwen3": (qwen3, "Qwen3ForCausalLM", "Qwen3Model"),
    "qwen3_moe": (qwen3_moe, "Qwen3MoeForCausalLM", "Qwen3MoeModel"),
    "phi3": (mistral, "Phi3ForCausalLM", "Phi3Model"),
    "gemma": (gemma, "GemmaForCausalLM", "GemmaModel"),
    "gemma2": (gemma2, "Gemma2ForCausalLM", "Gemma2Model"),
    "gemma3_text": (gemma3, "Gemma3ForCausalLM", "Gemma3TextModel"),
    "gpt_neox": (gpt_neox, "GPTNeoXForCausalLM", "GPTNeoXModel"),
    "bloom": (bloom, "BloomForCausalLM", "BloomModel"),
    "opt": (opt, "OPTForCausalLM", "OPTModel"),
    "bert": (bert, "BertForMaskedLM", "BertModel"),
    "roberta": (roberta, "RobertaForMaskedLM", "RobertaModel"),
    "distilbert": (distilbert, "DistilBertForMaskedLM", "DistilBertModel"),
    "t5": (t5, "T5ForConditionalGeneration", "T5Model"),
    "mt5": (mt5, "MT5ForConditionalGeneration", "MT5Model"),
    "marian": (marian, "MarianMTModel", "MarianModel"),
    "bart": (bart, "BartForConditionalGeneration", "BartModel"),
    "mbart": (mbart, "MBartForConditionalGeneration", "MBartModel"),
    "transformer": (transformer, "Transformer", ""),
}
FAMILIES = tuple(_READERS)
"""Values of `model_type` that have formulas here; `transformer` is that of the paper, the others `transformers`'."""


def architecture(f: Fields) -> tuple[Architecture, str] | None:
    """What a config describes, and the class that it is counted as; None of a family, or a class, without formulas.

    Raises:
        BadInput: a size is missing, or is none.
    """
    found = _READERS.get(f.word("model_type"))
    named = f.values.get("architectures")
    kind = named[0] if isinstance(named, list) and named and isinstance(named[0], str) else found and found[1]
    both = kind == "BertForPreTraining" and f.word("model_type") == "bert"
    if found is None or not (kind in found[1:] or both):
        return None
    made = found[0](f)
    if made is None or not kind:
        return None
    if both:
        made = replace(made, pooler=True, next_sentence=True)
    if kind == found[2]:
        made = replace(made, **BARE, pooler=kind in ("BertModel", "RobertaModel"))
    return made, kind
