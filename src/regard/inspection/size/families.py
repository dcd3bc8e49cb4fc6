"""Which families have formulas, and as which of their classes a config is counted."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from regard.inspection.size import decoders, encoders
from regard.inspection.size.architecture import Architecture
from regard.inspection.size.fields import Fields

BARE: dict[str, Any] = {"head": False, "head_bias": False, "transform": False}
"""What a model without its head has not."""

Reader = Callable[[Fields], Architecture | None]

_READERS: dict[str, tuple[Reader, str, str]] = {
    "gpt2": (decoders.gpt2, "GPT2LMHeadModel", "GPT2Model"),
    "llama": (decoders.llama, "LlamaForCausalLM", "LlamaModel"),
    "mistral": (decoders.mistral, "MistralForCausalLM", "MistralModel"),
    "mixtral": (decoders.mixtral, "MixtralForCausalLM", "MixtralModel"),
    "qwen2": (decoders.qwen2, "Qwen2ForCausalLM", "Qwen2Model"),
    "qwen2_moe": (decoders.qwen2_moe, "Qwen2MoeForCausalLM", "Qwen2MoeModel"),
    "qwen3": (decoders.qwen3, "Qwen3ForCausalLM", "Qwen3Model"),
    "qwen3_moe": (decoders.qwen3_moe, "Qwen3MoeForCausalLM", "Qwen3MoeModel"),
    "phi3": (decoders.mistral, "Phi3ForCausalLM", "Phi3Model"),
    "gemma": (decoders.gemma, "GemmaForCausalLM", "GemmaModel"),
    "gemma2": (decoders.gemma2, "Gemma2ForCausalLM", "Gemma2Model"),
    "gemma3_text": (decoders.gemma3, "Gemma3ForCausalLM", "Gemma3TextModel"),
    "gpt_neox": (decoders.gpt_neox, "GPTNeoXForCausalLM", "GPTNeoXModel"),
    "bloom": (decoders.bloom, "BloomForCausalLM", "BloomModel"),
    "opt": (decoders.opt, "OPTForCausalLM", "OPTModel"),
    "bert": (encoders.bert, "BertForMaskedLM", "BertModel"),
    "roberta": (encoders.roberta, "RobertaForMaskedLM", "RobertaModel"),
    "distilbert": (encoders.distilbert, "DistilBertForMaskedLM", "DistilBertModel"),
    "t5": (encoders.t5, "T5ForConditionalGeneration", "T5Model"),
    "mt5": (encoders.mt5, "MT5ForConditionalGeneration", "MT5Model"),
    "marian": (encoders.marian, "MarianMTModel", "MarianModel"),
    "bart": (encoders.bart, "BartForConditionalGeneration", "BartModel"),
    "mbart": (encoders.mbart, "MBartForConditionalGeneration", "MBartModel"),
    "transformer": (encoders.transformer, "Transformer", ""),
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
