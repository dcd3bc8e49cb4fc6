"""Tiny models of many families, with random weights and sizes that are distinct."""

from collections.abc import Callable
from typing import Any

import torch
import transformers as hf

VOCAB = 53
PAD = 1
_ENDS = {"bos_token_id": 0, "eos_token_id": 2, "pad_token_id": PAD}
_BERT = {"hidden_size": 20, "num_hidden_layers": 2, "num_attention_heads": 5, "intermediate_size": 23}
_LLAMA = {**_BERT, "hidden_size": 24, "num_attention_heads": 6, "num_key_value_heads": 2, "head_dim": 4}
_BART = {"d_model": 20, "encoder_layers": 2, "decoder_layers": 3, "encoder_attention_heads": 5}
_BART |= {"decoder_attention_heads": 5, "encoder_ffn_dim": 23, "decoder_ffn_dim": 23, "decoder_start_token_id": 2}
_T5 = {"d_model": 20, "d_kv": 3, "d_ff": 23, "num_layers": 2, "num_decoder_layers": 3, "num_heads": 5}
_T5 |= {"decoder_start_token_id": PAD, "relative_attention_num_buckets": 7, "relative_attention_max_distance": 11}
_LONG = {"max_position_embeddings": 41}
_WINDOW = {"sliding_window": 3}
_ROPE = {"rope_theta": 10000.0, "rope_type": "default"}


def _of(config: str, model: str, **fields: Any) -> Callable[[], Any]:
    def make() -> Any:
        torch.manual_seed(7)
        found = getattr(hf, model)(getattr(hf, config)(vocab_size=VOCAB, **_ENDS, **fields))
        for parameter in found.parameters():  # as they come, weights are nearly uniform, and zero biases hide faults
            torch.nn.init.normal_(parameter, std=0.35)
        return found.eval()

    return make


ENCODERS: dict[str, Callable[[], Any]] = {
    "BERT": _of("BertConfig", "BertModel", **_BERT, **_LONG),
    "RoBERTa": _of("RobertaConfig", "RobertaModel", **_BERT, **_LONG),
    "DistilBERT": _of("DistilBertConfig", "DistilBertModel", dim=20, n_layers=2, n_heads=5, hidden_dim=23, **_LONG),
    "ALBERT": _of("AlbertConfig", "AlbertModel", embedding_size=11, **_BERT, **_LONG),
    "ELECTRA": _of("ElectraConfig", "ElectraModel", embedding_size=11, **_BERT, **_LONG),
    "ModernBERT": _of(
        "ModernBertConfig", "ModernBertModel", **_BERT, **_LONG, local_attention=4, cls_token_id=0, sep_token_id=2
    ),
}

DECODERS: dict[str, Callable[[], Any]] = {
    "GPT-2": _of("GPT2Config", "GPT2LMHeadModel", n_layer=2, n_head=5, n_embd=20, n_positions=41),
    "Llama": _of("LlamaConfig", "LlamaForCausalLM", **_LLAMA, **_LONG),
    "Qwen2": _of("Qwen2Config", "Qwen2ForCausalLM", **_LLAMA, **_LONG),
    "Qwen3": _of("Qwen3Config", "Qwen3ForCausalLM", **_LLAMA, **_LONG),
    "Mistral": _of("MistralConfig", "MistralForCausalLM", **_LLAMA, **_LONG, **_WINDOW),
    "Gemma2": _of("Gemma2Config", "Gemma2ForCausalLM", **_LLAMA, **_LONG, **_WINDOW, attn_logit_softcapping=2.0),
    "Gemma3": _of("Gemma3TextConfig", "Gemma3ForCausalLM", **_LLAMA, **_LONG, **_WINDOW),
    "Phi3": _of("Phi3Config", "Phi3ForCausalLM", **{k: v for k, v in _LLAMA.items() if k != "head_dim"}, **_LONG),
    "NeoX": _of("GPTNeoXConfig", "GPTNeoXForCausalLM", **_BERT, **_LONG),
    "OPT": _of(
        "OPTConfig", "OPTForCausalLM", hidden_size=20, num_hidden_layers=2, num_attention_heads=5, ffn_dim=23,
        word_embed_proj_dim=20, **_LONG,
    ),
    "GPT-OSS": _of(
        "GptOssConfig", "GptOssForCausalLM", **{**_LLAMA, "intermediate_size": 32}, **_LONG, **_WINDOW,
        num_local_experts=3, num_experts_per_tok=2,
    ),
}  # fmt: skip

TRANSLATORS: dict[str, Callable[[], Any]] = {
    "T5": _of("T5Config", "T5ForConditionalGeneration", **_T5),
    "mT5": _of("MT5Config", "MT5ForConditionalGeneration", **_T5),
    "BART": _of("BartConfig", "BartForConditionalGeneration", **_BART, **_LONG),
    "mBART": _of("MBartConfig", "MBartForConditionalGeneration", **_BART, **_LONG),
    "Marian": _of("MarianConfig", "MarianMTModel", **_BART, **_LONG),
    "Pegasus": _of("PegasusConfig", "PegasusForConditionalGeneration", **_BART, **_LONG),
    "M2M100": _of("M2M100Config", "M2M100ForConditionalGeneration", **_BART, **_LONG),
}

OTHERS: dict[str, Callable[[], Any]] = {
    "Whisper": _of(
        "WhisperConfig", "WhisperForConditionalGeneration", **_BART, num_mel_bins=7, max_source_positions=13,
        max_target_positions=17,
    ),
}  # fmt: skip

HIDDEN: dict[str, Callable[[], Any]] = {
    "GPT-J": _of("GPTJConfig", "GPTJForCausalLM", n_layer=2, n_head=5, n_embd=20, n_positions=41, rotary_dim=2),
    "BLOOM": _of("BloomConfig", "BloomForCausalLM", n_layer=2, n_head=5, hidden_size=20),
    "Falcon": _of("FalconConfig", "FalconForCausalLM", hidden_size=20, num_hidden_layers=2, num_attention_heads=5),
    "XLNet": _of("XLNetConfig", "XLNetModel", d_model=20, n_layer=2, n_head=5, d_inner=23),
    "DeBERTa": _of("DebertaV2Config", "DebertaV2Model", **_BERT, **_LONG),
}

BLIND: dict[str, Callable[[], Any]] = {
    "Mamba": _of("MambaConfig", "MambaForCausalLM", hidden_size=20, num_hidden_layers=2, state_size=3),
}


def ids(batch: int = 3, length: int = 11) -> torch.Tensor:
    """Ids without those that mean something."""
    generator = torch.Generator().manual_seed(5)
    return torch.randint(3, VOCAB, (batch, length), generator=generator)


def padded(side: str, batch: int = 3, length: int = 11) -> dict[str, torch.Tensor]:
    """The same, with 0, 2, 4 … of padding on a side."""
    found, mask = ids(batch, length), torch.ones(batch, length, dtype=torch.long)
    for row in range(batch):
        blank = slice(0, 2 * row) if side == "left" else slice(length - 2 * row, length)
        found[row, blank], mask[row, blank] = PAD, 0
    return {"input_ids": found, "attention_mask": mask}
