"""Sizes by formula equal those of `transformers`, which builds each model on the device `meta` to count it."""

from math import prod

import pytest
import torch
import transformers
from transformers import CONFIG_MAPPING

from regard.core.errors import BadInput
from regard.inspection.size.architecture import Architecture, Experts, Stack
from regard.inspection.size.built import built, of_module
from regard.inspection.size.families import FAMILIES, architecture
from regard.inspection.size.fields import Fields
from regard.inspection.size.parts import PARTS, Size
from regard.inspection.size.published import find, published
from regard.inspection.size.recurrent import recurrent
from regard.inspection.size.tensors import Known, of_tensors
from regard.models.rnn import RnnConfig, RnnTranslator

IDS = {"pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2}
DECODER = IDS | {
    **{"vocab_size": 211, "hidden_size": 48, "num_hidden_layers": 3, "num_attention_heads": 6},
    **{"num_key_value_heads": 2, "intermediate_size": 101, "max_position_embeddings": 59},
}
WIDE = DECODER | {"head_dim": 10}
EXPERTS = {"num_experts": 5, "num_experts_per_tok": 2, "moe_intermediate_size": 19}
GPT2 = IDS | {"vocab_size": 211, "n_positions": 37, "n_embd": 48, "n_layer": 3, "n_head": 6}
HALVES = {"encoder_layers": 3, "decoder_layers": 2, "encoder_attention_heads": 4, "decoder_attention_heads": 6}
TWO = {"vocab_size": 211, "d_model": 48, "encoder_ffn_dim": 101, "decoder_ffn_dim": 103, "max_position_embeddings": 59}
BOTH = TWO | HALVES | IDS | {"decoder_start_token_id": 0, "forced_eos_token_id": 2}
T5 = IDS | {"vocab_size": 211, "d_model": 48, "d_kv": 7, "num_heads": 5, "d_ff": 101, "num_layers": 3}

CASES = [
    ("gpt2", GPT2),
    ("gpt2", GPT2 | {"n_inner": 101, "tie_word_embeddings": False}),
    ("llama", DECODER),
    ("llama", WIDE | {"attention_bias": True, "mlp_bias": True, "tie_word_embeddings": True}),
    ("mistral", WIDE),
    ("mixtral", DECODER | {"num_local_experts": 5, "num_experts_per_tok": 2}),
    ("qwen2", DECODER),
    ("qwen2_moe", DECODER | EXPERTS | {"shared_expert_intermediate_size": 23, "decoder_sparse_step": 2}),
    ("qwen3", WIDE),
    ("qwen3_moe", WIDE | EXPERTS | {"mlp_only_layers": [1]}),
    ("phi3", DECODER),
    ("gemma", WIDE),
    ("gemma2", WIDE),
    ("gemma3_text", WIDE),
    ("gpt_neox", DECODER | {"num_key_value_heads": None}),
    ("gpt_neox", DECODER | {"num_key_value_heads": None, "attention_bias": False}),
    ("bloom", IDS | {"vocab_size": 211, "hidden_size": 48, "n_layer": 3, "n_head": 6}),
    ("opt", DECODER | {"ffn_dim": 101}),
    ("opt", DECODER | {"ffn_dim": 101, "do_layer_norm_before": False}),
    ("bert", DECODER | {"type_vocab_size": 3}),
    ("bert", DECODER | {"architectures": ["BertForPreTraining"]}),
    ("roberta", DECODER | {"type_vocab_size": 1}),
    ("distilbert", {"vocab_size": 211, "dim": 48, "n_layers": 3, "n_heads": 6, "hidden_dim": 101}),
    ("t5", T5 | {"num_decoder_layers": 2}),
    ("t5", T5 | {"feed_forward_proj": "gated-gelu", "relative_attention_num_buckets": 16}),
    ("mt5", T5),
    ("marian", BOTH),
    ("bart", BOTH),
    ("mbart", BOTH),
]


def config_of(family: str, fields: dict) -> transformers.PreTrainedConfig:
    told = {name: value for name, value in fields.items() if name not in ("model_type", "architectures")}
    return CONFIG_MAPPING[family](**{name: value for name, value in told.items() if value is not None})


def foreign(kind: str, config: transformers.PreTrainedConfig) -> torch.nn.Module:
    """The model as `transformers` builds it, without memory for its weights."""
    with torch.device("meta"):
        return getattr(transformers, kind)(config)


def described(family: str, fields: dict) -> tuple[Size, str]:
    found = architecture(Fields({"max_position_embeddings": 59} | fields | {"model_type": family}, "config.json"))
    assert found is not None
    return found[0].size(), found[1]


@pytest.mark.parametrize("bare", [False, True], ids=["whole", "bare"])
@pytest.mark.parametrize(("family", "fields"), CASES, ids=[f"{family}-{at}" for at, (family, _) in enumerate(CASES)])
def test_formulas_count_what_transformers_counts(family: str, fields: dict, bare: bool) -> None:
    fields = {"max_position_embeddings": 59} | fields if family == "distilbert" else fields
    config = config_of(family, fields)
    if bare:
        fields = fields | {"architectures": [type(transformers.AutoModel.from_config(config)).__name__]}
    size, kind = described(family, fields)
    model = foreign(kind, config)
    assert size.total == model.num_parameters()
    by_name = of_module(model)
    assert by_name.parts == size.parts, "the rules by name and the formulas must agree part by part"
    assert by_name.active == size.active


def test_every_family_has_a_case() -> None:
    assert {family for family, _ in CASES} | {"transformer"} == set(FAMILIES)


REAL = [name for name, each in published().items() if each.config["model_type"] != "transformer"]


@pytest.mark.parametrize("name", REAL)
def test_published_models_count_as_transformers_counts_them(name: str) -> None:
    """The real sizes; the head of T5 1.1 is a matrix of its own, as its weights have it, and is untied here."""
    each = published()[name]
    size, kind = described(each.config["model_type"], each.config)
    model = foreign(kind, config_of(each.config["model_type"], each.config))
    if name.startswith("flan-t5"):
        model.lm_head.weight = torch.nn.Parameter(torch.empty_like(model.lm_head.weight))
    assert size.total == model.num_parameters()


# What the authors' own files add up to, as their model cards tell it.
TOLD = {
    **{"gpt2": 124_439_808, "gpt2-xl": 1_557_611_200, "bert-base": 109_514_298, "distilbert": 66_985_530},
    **{"llama-7b": 6_738_415_616, "llama-2-70b": 68_976_648_192, "llama-3-8b": 8_030_261_248},
    **{"llama-3.1-405b": 405_853_388_800, "llama-3.2-1b": 1_235_814_400, "mistral-7b": 7_241_732_096},
    **{"mixtral-8x7b": 46_702_792_704, "qwen2.5-7b": 7_615_616_512, "qwen3-8b": 8_190_735_360},
    **{"t5-small": 60_506_624, "t5-11b": 11_307_321_344, "flan-t5-base": 247_577_856, "minilm-l6": 22_713_216},
    **{"bloom-176b": 176_247_271_424, "pythia-70m": 70_426_624, "gemma-2-9b": 9_241_705_984},
    **{"qwen3-30b-a3b": 30_532_122_624, "roberta-base": 124_697_433, "bart-large": 406_291_456},
}  # fmt: skip


@pytest.mark.parametrize("name", TOLD)
def test_published_models_have_the_numbers_that_are_told(name: str) -> None:
    each = published()[name]
    assert described(each.config["model_type"], each.config)[0].total == TOLD[name]


def test_gpt3_by_hand() -> None:
    """Note 001: 96 layers of 96 heads; a third of it is attention."""
    each = find("GPT-3")
    assert each is not None
    size, _ = described("gpt2", each.config)
    assert size.total == pytest.approx(175e9, rel=0.005)
    assert size.attention == 4 * 96 * 96 * 12288 * 128 == 57_982_058_496
    assert {size.parts[part] for part in ("query", "key", "value", "output")} == {96 * 96 * 12288 * 128}
    assert size.attention_share == pytest.approx(1 / 3, abs=0.002)
    assert size.kept() == 96 * 2 * 12288
    per_layer = 12 * 12288**2
    work = size.flops(2048)
    assert work is not None
    assert work["matrices"] == 2 * (96 * per_layer + 50257 * 12288)
    assert work["attention"] == 96 * 2 * 2 * 2048 * 12288


def test_every_multiplication_is_counted() -> None:
    """Against the layers that really run: one token through a model, its linear layers watched."""
    config = config_of("llama", WIDE)
    model = transformers.LlamaForCausalLM(config).eval()
    done = 0

    def seen(module: torch.nn.Linear, inputs: tuple[torch.Tensor], output: torch.Tensor) -> None:
        nonlocal done
        done += 2 * prod(inputs[0].shape) * module.out_features

    for module in model.modules():
        if isinstance(module, torch.nn.Linear):
            module.register_forward_hook(seen)
    with torch.inference_mode():
        cache = model(torch.tensor([[3]])).past_key_values
    size, _ = described("llama", WIDE)
    assert done == (size.flops(1) or {})["matrices"]
    kept = sum(tensor.numel() for layer in cache.layers for tensor in (layer.keys, layer.values))
    assert kept == size.kept()


def test_a_translator_has_two_kinds_of_tokens() -> None:
    """By hand: a source token goes through the encoder and makes keys and values, a target token does the rest."""
    wide, narrow = 10, 7
    encoder = Stack(2, wide, 1, wide, 1, narrow, causal=False, last_norm=False)
    decoder = Stack(3, wide, 1, wide, 1, narrow, cross=True, last_norm=False)
    size = Architecture(13, wide, (encoder, decoder)).size()
    square, feed = wide * wide, 2 * wide * narrow
    assert (size.flops(5, "source") or {})["matrices"] == 2 * (2 * (4 * square + feed) + 3 * 2 * square)
    assert (size.flops(5) or {})["matrices"] == 2 * (3 * (6 * square + feed) + 13 * wide)
    assert (size.flops(5) or {})["attention"] == 2 * 3 * 2 * 2 * 5 * wide
    assert size.kept() == size.kept("source") == 3 * 2 * wide


def test_experts_that_are_not_chosen_rest() -> None:
    experts = Experts(5, 2, 7, n_layers=3)
    size = Architecture(13, 11, (Stack(4, 11, 1, 11, 1, 17, gated=True, experts=experts),)).size()
    assert size.total - size.active == 3 * 3 * (3 * 11 * 7)


@pytest.mark.parametrize("attention", ["none", "dot", "general", "additive", "concat"])
@pytest.mark.parametrize(("cell", "feeding"), [("gru", "none"), ("lstm", "luong"), ("gru", "bahdanau")])
def test_the_rnn_has_what_its_tensors_have(attention: str, cell: str, feeding: str) -> None:
    sizes = {"vocab_size": 97, "d_embedding": 11, "d_model": 14, "n_layers": 3}
    fields = {**sizes, "attention": attention, "cell": cell, "input_feeding": feeding}
    model = RnnTranslator(RnnConfig.model_validate(fields))
    assert recurrent(Fields(fields, "config.json")).total == sum(each.numel() for each in model.parameters())


def test_a_family_without_formulas_is_built() -> None:
    """Falcon: one head of keys and values, and all three in one matrix."""
    sizes = {
        "vocab_size": 211,
        "hidden_size": 48,
        "num_hidden_layers": 3,
        "num_attention_heads": 6,
        "multi_query": True,
    }
    fields = IDS | sizes | {"model_type": "falcon", "architectures": ["FalconForCausalLM"]}
    assert architecture(Fields(fields, "config.json")) is None
    size, kind = built(Fields(fields, "config.json"))
    assert kind == "FalconForCausalLM"
    assert size.total == foreign(kind, config_of("falcon", IDS | sizes)).num_parameters()
    assert size.parts["query"] == size.parts["output"] == 3 * 48 * 48
    assert size.parts["key"] == size.parts["value"] == 3 * 48 * 8


def test_what_no_rule_knows_is_shown() -> None:
    found = of_tensors({"mystery.weight": (3, 5), "layers.0.attn.q_proj.weight": (7, 5)}, Known())
    assert found.parts == {"query": 35, "other": 15}
    assert found.flops(3) is None
    assert list(found.parts) == [part for part in PARTS if part in found.parts]


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"n_embd": None}, "size_missing"),
        ({"n_embd": "48"}, "size_field"),
        ({"n_layer": -3}, "size_field"),
        ({"n_layer": True}, "size_field"),
        ({"vocab_size": 10**30}, "size_field"),
        ({"n_head": 7}, "size_heads"),
        ({"tie_word_embeddings": "yes"}, "size_flag"),
    ],
)
def test_absurd_sizes_are_refused(change: dict, code: str) -> None:
    with pytest.raises(BadInput) as caught:
        described("gpt2", GPT2 | change)
    assert caught.value.code == code


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"model_type": "falcn", "hidden_size": 8}, "size_family"),
        ({"model_type": "falcon"}, "size_missing"),
        ({"hidden_size": 8}, "size_missing"),
        ({"model_type": 7}, "size_missing"),
        ({"model_type": "gemma3"}, "size_missing"),
        ({"model_type": "falcon", "vocab_size": "5", "hidden_size": 8, "num_hidden_layers": 2}, "size_field"),
        ({"model_type": "falcon", "vocab_size": -5, "hidden_size": 8, "num_hidden_layers": 2}, "size_field"),
        ({"model_type": "falcon", "vocab_size": 5, "hidden_size": 8, "num_hidden_layers": 10**6}, "size_missing"),
    ],
)
def test_what_cannot_be_built_is_refused(fields: dict, code: str) -> None:
    with pytest.raises(BadInput) as caught:
        built(Fields(fields, "config.json"))
    assert caught.value.code == code


@pytest.mark.parametrize("layers", ["ab", 3, [[1]], [-1], [True], {"1": 1}])
def test_layers_without_experts_are_a_list_of_numbers(layers: object) -> None:
    with pytest.raises(BadInput) as caught:
        described("qwen3_moe", WIDE | EXPERTS | {"mlp_only_layers": layers})
    assert caught.value.code == "size_numbers"


def test_layers_are_counted_not_walked_through() -> None:
    deep = WIDE | EXPERTS | {"num_hidden_layers": 10**9, "decoder_sparse_step": 3, "mlp_only_layers": [2, 2, 3, 10**9]}
    size, _ = described("qwen3_moe", deep)
    with_experts = (10**9) // 3 - 1
    assert size.parts["router"] == with_experts * WIDE["hidden_size"] * EXPERTS["num_experts"]


def test_more_experts_than_there_are_cannot_be_chosen() -> None:
    with pytest.raises(BadInput) as caught:
        described("mixtral", DECODER | {"num_local_experts": 2, "num_experts_per_tok": 5})
    assert caught.value.code == "size_field"


def test_heads_that_do_not_share_are_refused() -> None:
    with pytest.raises(BadInput) as caught:
        described("llama", DECODER | {"num_key_value_heads": 4})
    assert caught.value.code == "size_groups"
