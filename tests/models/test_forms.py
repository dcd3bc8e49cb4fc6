"""GPT-2's and Llama's folders: what we write opens in transformers, what it writes opens here, lies are refused."""

import json
import resource
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM, AutoTokenizer, GPT2Config, GPT2LMHeadModel, LlamaConfig, LlamaForCausalLM

from regard.core.errors import BadInput
from regard.models import folder
from regard.models.forms import form_of
from regard.models.gpt import Gpt, GptConfig, gpt2, llama
from regard.tasks import generation
from regard.text import prose_tokenizers

TEXT = "I can can a can.\n\nThe mole in the tower,  l'été; 床前明月光\n"
TOKENIZERS = {
    "bpe": prose_tokenizers.train([TEXT], vocab_size=283),
    "characters": prose_tokenizers.train([TEXT], kind="characters"),
}
GPT2_SIZES: dict[str, Any] = {"max_len": 67, "d_model": 21, "n_heads": 3, "n_layers": 2, "d_ff": 29}
LLAMA_SIZES: dict[str, Any] = {"max_len": 67, "d_model": 28, "n_heads": 4, "n_layers": 3, "d_ff": 31}
MIXES: dict[str, tuple[Any, dict[str, Any]]] = {
    "gpt2": (gpt2, GPT2_SIZES),
    "gpt2-untied": (gpt2, {**GPT2_SIZES, "tied": False, "activation": "gelu", "norm_eps": 1e-3, "dropout": 0.3}),
    "gpt2-relu": (gpt2, {**GPT2_SIZES, "activation": "relu", "d_ff": None}),
    "llama": (llama, {**LLAMA_SIZES, "d_head": 6}),
    "llama-grouped": (llama, {**LLAMA_SIZES, "n_kv_heads": 2, "d_head": 10, "rope_theta": 311.0, "norm_eps": 1e-3}),
    "llama-untied": (llama, {**LLAMA_SIZES, "n_kv_heads": 1, "tied": False, "d_head": 2, "bias": True}),
    "llama-biased": (llama, {**LLAMA_SIZES, "d_head": 6, "bias": "attention"}),
}


def made(mix: str = "gpt2", kind: str = "bpe") -> tuple[Gpt, Any]:
    """A model with every number at random, norms and biases too, and its tokenizer."""
    torch.manual_seed(5)
    maker, sizes = MIXES[mix]
    tokenizer = TOKENIZERS[kind]
    model = Gpt(maker(vocab_size=tokenizer.vocab_size, **sizes)).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.1)
    return model, tokenizer


def written(place: Path, mix: str = "gpt2", kind: str = "bpe") -> Path:
    folder.save(place / "model", *made(mix, kind), "# card\n")
    return place / "model"


@torch.inference_mode()
@pytest.mark.parametrize("kind", list(TOKENIZERS))
@pytest.mark.parametrize("mix", list(MIXES))
def test_what_we_write_opens_in_transformers(tmp_path: Path, mix: str, kind: str) -> None:
    path = written(tmp_path, mix, kind)
    theirs: Any = AutoModelForCausalLM.from_pretrained(path)
    tokenizer = AutoTokenizer.from_pretrained(path)
    ours = generation.load(path)
    model, _ = made(mix, kind)
    ids = torch.randint(0, model.config.vocab_size, (3, 61), generator=torch.Generator().manual_seed(7))
    torch.testing.assert_close(ours.model(ids), model(ids), rtol=0, atol=1e-5)  # laid out for writing
    torch.testing.assert_close(theirs(ids).logits, model(ids), rtol=0, atol=1e-5)
    assert tokenizer(TEXT)["input_ids"] == ours.tokenizer.encode(TEXT).ids
    assert tokenizer.decode(tokenizer(TEXT)["input_ids"]) == TEXT
    assert tokenizer.convert_tokens_to_ids(tokenizer.eos_token) == ours.tokenizer.end
    prompt = tokenizer("I can", return_tensors="pt")
    wrote = theirs.generate(**prompt, max_new_tokens=23, do_sample=False)[0, prompt["input_ids"].shape[1] :]
    forbidden = [] if ours.tokenizer.unknown is None else [ours.tokenizer.unknown]
    if not set(forbidden) & set(wrote.tolist()):
        assert ours.generate("I can", greedy=True, max_tokens=23).ids == wrote.tolist()


THEIRS: dict[str, Any] = {
    "gpt2": (GPT2LMHeadModel, GPT2Config, {"n_positions": 61, "n_embd": 21, "n_layer": 2, "n_head": 3}),
    "llama": (
        LlamaForCausalLM,
        LlamaConfig,
        {
            **{"max_position_embeddings": 61, "hidden_size": 28, "num_hidden_layers": 2},
            **{"num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 6, "intermediate_size": 31},
        },
    ),
}
FOREIGN: list[tuple[str, dict[str, Any]]] = [
    ("gpt2", {}),
    ("gpt2", {"tie_word_embeddings": False, "n_inner": 23, "activation_function": "gelu"}),
    ("llama", {}),
    ("llama", {"tie_word_embeddings": True, "rope_parameters": {"rope_type": "default", "rope_theta": 311.0}}),
    ("llama", {"attention_bias": True, "mlp_bias": True}),
    ("llama", {"attention_bias": True, "mlp_bias": False}),
    ("llama", {"attention_bias": False, "mlp_bias": True}),
]


def foreign(place: Path, family: str, **more: Any) -> tuple[Path, Any]:
    """A folder that transformers wrote, with a tokenizer of ours."""
    torch.manual_seed(11)
    architecture, config, sizes = THEIRS[family]
    model = architecture(config(**{"vocab_size": 283, "bos_token_id": 0, "eos_token_id": 0, **sizes, **more})).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.1)
    model.save_pretrained(place)
    (place / "tokenizer.json").write_text(TOKENIZERS["bpe"].json(), encoding="utf-8")
    return place, model


@torch.inference_mode()
@pytest.mark.parametrize(("family", "more"), FOREIGN)
def test_what_transformers_writes_opens_here(tmp_path: Path, family: str, more: dict[str, Any]) -> None:
    path, model = foreign(tmp_path, family, **more)
    ids = torch.randint(0, 283, (3, 59))
    torch.testing.assert_close(folder.load(path).model(ids), model(ids).logits, rtol=0, atol=1e-5)


@torch.inference_mode()
def test_a_real_llama_gives_the_logits_of_transformers(shared: Path) -> None:
    path = shared / "models" / "stories260K"
    ids = torch.tensor([[1, *folder.load(path).tokenizer.encode("Once upon a time, there was a mole.").ids]])
    expected = AutoModelForCausalLM.from_pretrained(path)(ids).logits
    torch.testing.assert_close(folder.load(path).model(ids), expected, rtol=0, atol=1e-5)


def changed(path: Path, **fields: Any) -> Path:
    config = json.loads((path / "config.json").read_text()) | fields
    (path / "config.json").write_text(json.dumps({name: value for name, value in config.items() if value != "gone"}))
    return path


def retold(path: Path, change: Any) -> Path:
    """The weights of a folder after `change(tensors)`."""
    tensors = load_file(path / "model.safetensors")
    change(tensors)
    save_file(tensors, path / "model.safetensors", metadata={"format": "pt"})
    return path


@torch.inference_mode()
@pytest.mark.parametrize("family", ["gpt2", "llama"])
def test_harmless_extras_are_harmless(tmp_path: Path, family: str) -> None:
    path, model = foreign(tmp_path, family, tie_word_embeddings=True)
    prefix, embedding = ("transformer.", "wte") if family == "gpt2" else ("model.", "embed_tokens")

    def older(tensors: dict[str, torch.Tensor]) -> None:
        for name in list(tensors):
            tensors[name.removeprefix(prefix)] = tensors.pop(name)
        tensors["lm_head.weight"] = tensors[f"{embedding}.weight"].clone()
        if family == "gpt2":
            tensors["h.0.attn.bias"] = torch.ones(1, 1, 61, 61)
            tensors["h.1.attn.masked_bias"] = torch.tensor(-1e4)
        else:
            tensors["layers.1.self_attn.rotary_emb.inv_freq"] = torch.ones(3)

    retold(path, older)
    ids = torch.randint(0, 283, (3, 59))
    torch.testing.assert_close(folder.load(path).model(ids), model(ids).logits, rtol=0, atol=1e-5)
    retold(path, lambda tensors: tensors["lm_head.weight"].mul_(2))
    assert refusal(path).code == "weights_disagree"


def refusal(path: Path) -> BadInput:
    with pytest.raises(BadInput) as caught:
        folder.load(path)
    return caught.value


SIZES = {
    "gpt2": [
        "vocab_size",
        "n_positions",
        "n_embd",
        "n_layer",
        "n_head",
        "n_inner",
        "layer_norm_epsilon",
        "resid_pdrop",
    ],
    "llama": [
        *("vocab_size", "hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads"),
        *("num_key_value_heads", "head_dim", "max_position_embeddings", "rms_norm_eps"),
    ],
}
LIES = ["gone", None, "many", -1, 0, 2**31, float("nan"), [3], 1.5]
NO_LIES = {
    *(("n_inner", str(None)), ("layer_norm_epsilon", "gone"), ("resid_pdrop", "gone"), ("resid_pdrop", "0")),
    *(("max_position_embeddings", "gone"), ("rms_norm_eps", "gone")),
}


@pytest.mark.parametrize("family", ["gpt2", "llama"])
def test_a_config_with_a_lie_in_any_field_is_refused(tmp_path: Path, family: str) -> None:
    """By name and file, in under a second and 200 MB; a size that is none of the file's, by the tensor it breaks."""
    path, _ = foreign(tmp_path, family, **({"n_inner": 23} if family == "gpt2" else {}))
    truth = json.loads((path / "config.json").read_text())
    for field in SIZES[family]:
        for lie in LIES:
            if (field, str(lie)) in NO_LIES:
                continue
            changed(path, **{**truth, field: lie})
            start, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
            error = refusal(path)
            assert time.perf_counter() - start < 1.0, (field, lie)
            assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200_000, (field, lie)
            assert str(path) in error.facts["path"]
            named = error.code == "config_field" and (field in error.facts["field"] or field in error.facts["reason"])
            assert named or error.code.startswith("weights_"), (field, lie, error)


@pytest.mark.parametrize("field", ["attention_bias", "mlp_bias"])
def test_biases_that_are_not_there_are_missed_by_name(tmp_path: Path, field: str) -> None:
    path, _ = foreign(tmp_path, "llama")
    error = refusal(changed(path, **{field: True}))
    assert error.code == "weights_missing"
    assert error.facts["name"].endswith(".bias")
    assert ("self_attn" if field == "attention_bias" else "mlp") in error.facts["name"]


@pytest.mark.parametrize(
    ("family", "field", "value"),
    [
        ("gpt2", "scale_attn_weights", False),
        ("gpt2", "scale_attn_by_inverse_layer_idx", True),
        ("gpt2", "reorder_and_upcast_attn", True),
        ("gpt2", "add_cross_attention", True),
        ("gpt2", "activation_function", "tanh"),
        ("gpt2", "activation_function", ["gelu"]),
        ("gpt2", "tie_word_embeddings", 1),
        ("llama", "rope_scaling", {"rope_type": "linear", "factor": 2.0}),
        ("llama", "rope_scaling", {"factor": 2.0}),
        ("llama", "rope_parameters", {"rope_type": "yarn", "rope_theta": 1e4, "factor": 4.0}),
        ("llama", "rope_parameters", {"partial_rotary_factor": 0.5}),
        ("llama", "rope_theta", float("nan")),
        ("llama", "hidden_act", "gelu"),
        ("llama", "pretraining_tp", 2),
        ("llama", "attention_bias", 1),
        ("llama", "quantization_config", {"bits": 4}),
        ("llama", "auto_map", {"AutoModel": "x.Y"}),
        ("gpt2", "eos_token_id", -1),
        ("gpt2", "bos_token_id", "</s>"),
        ("gpt2", "bos_token_id", 283),
        ("llama", "bos_token_id", 10**12),
        ("llama", "eos_token_id", [7, 600]),  # the generation config has another
        ("llama", "forced_eos_token_id", "x"),
    ],
)
def test_what_would_compute_something_else_is_refused_by_name(
    tmp_path: Path, family: str, field: str, value: object
) -> None:
    path, _ = foreign(tmp_path, family)
    error = refusal(changed(path, **{field: value}))
    assert error.code == "config_field"
    assert field in error.facts["field"] or field in error.facts["reason"]


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda tensors: tensors.pop("transformer.h.1.ln_2.bias"), "weights_missing"),
        (lambda tensors: tensors.update({"transformer.h.2.ln_2.bias": torch.ones(21)}), "weights_unexpected"),
        (lambda tensors: tensors.update({"h.1.ln_2.bias": torch.ones(21)}), "weights_disagree"),
        (lambda tensors: tensors.update({"transformer.ln_f.bias": torch.ones(19)}), "weights_mismatch"),
        (lambda tensors: tensors.update({"transformer.ln_f.bias": torch.ones(21, dtype=torch.int64)}), "weights_type"),
    ],
)
def test_every_tensor_is_accounted_for(tmp_path: Path, change: Any, code: str) -> None:
    path, _ = foreign(tmp_path, "gpt2")
    assert refusal(retold(path, change)).code == code


def test_ids_that_have_no_row_are_refused(tmp_path: Path) -> None:
    path, _ = foreign(tmp_path, "gpt2")
    (path / "generation_config.json").write_text('{"eos_token_id": [7, 283]}')
    assert refusal(path).code == "end_id"
    (path / "generation_config.json").write_text('{"eos_token_id": [7, 282]}')
    assert folder.load(path).tokenizer.ends == (7, 282)
    (path / "tokenizer.json").write_text(prose_tokenizers.train([TEXT * 2], vocab_size=293).json())
    assert refusal(path).code == "vocab_mismatch"


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_weights_that_are_no_numbers_are_refused_by_name(tmp_path: Path, number: float) -> None:
    path, _ = foreign(tmp_path, "llama")
    name = "model.layers.1.self_attn.q_proj.weight"
    error = refusal(retold(path, lambda tensors: tensors[name].flatten()[3:4].fill_(number)))
    assert (error.code, error.facts["name"]) == ("weights_not_finite", name)


@torch.inference_mode()
@pytest.mark.parametrize("places", [("rope_scaling",), ("rope_parameters",), ("rope_parameters", "rope_scaling")])
def test_the_base_of_positions_is_read_where_transformers_reads_it(tmp_path: Path, places: tuple[str, ...]) -> None:
    path, _ = foreign(tmp_path, "llama")
    changed(path, rope_parameters=None, rope_theta=311.0)
    changed(path, **{place: {"rope_type": "default", "rope_theta": 7.0 * n} for n, place in enumerate(places, 3)})
    ids = torch.randint(0, 283, (3, 59))
    theirs = AutoModelForCausalLM.from_pretrained(path).eval()
    torch.testing.assert_close(folder.load(path).model(ids), theirs(ids).logits, rtol=0, atol=1e-5)


@torch.inference_mode()
def test_weights_in_several_files(tmp_path: Path) -> None:
    path, model = foreign(tmp_path, "llama")
    (path / "model.safetensors").unlink()
    model.save_pretrained(path, max_shard_size="20KB")
    assert len(list(path.glob("model-*.safetensors"))) > 1
    ids = torch.randint(0, 283, (3, 59))
    loaded = folder.load(path)
    torch.testing.assert_close(loaded.model(ids), model(ids).logits, rtol=0, atol=1e-5)
    assert len(loaded.fingerprint) == 64
    index = path / "model.safetensors.index.json"
    told = json.loads(index.read_text())
    placed = told["weight_map"]
    less = {name: file for name, file in placed.items() if name != "model.norm.weight"}
    for name, lie in {"zz": placed | {"zz": placed["model.norm.weight"]}, "model.norm.weight": less}.items():
        index.write_text(json.dumps({**told, "weight_map": lie}))
        error = refusal(path)
        assert (error.code, error.facts["name"]) == ("weights_index", name)


@pytest.mark.parametrize("name", ["../elsewhere.safetensors", "/etc/passwd", "link.safetensors", "none.safetensors"])
def test_an_index_that_leads_elsewhere_is_refused(tmp_path: Path, name: str) -> None:
    path, _ = foreign(tmp_path / "model", "gpt2")
    (path / "model.safetensors").rename(tmp_path / "elsewhere.safetensors")
    (path / "link.safetensors").symlink_to(tmp_path / "elsewhere.safetensors")
    (path / "model.safetensors.index.json").write_text(json.dumps({"weight_map": {"transformer.wte.weight": name}}))
    assert refusal(path).code == "weights_elsewhere"


def test_a_pickle_is_never_read(tmp_path: Path) -> None:
    path, _ = foreign(tmp_path, "gpt2")
    (path / "model.safetensors").rename(path / "pytorch_model.bin")
    assert refusal(path).code == "weights_pickled"
    (path / "pytorch_model.bin").unlink()
    assert refusal(path).code == "weights_absent"


@pytest.mark.parametrize("model_type", ["bert", None, 7, ["gpt2"], {"gpt2": 1}])
def test_a_family_that_is_not_read_here_is_named(tmp_path: Path, model_type: object) -> None:
    path, _ = foreign(tmp_path, "gpt2")
    error = refusal(changed(path, model_type=model_type))
    assert (error.code, error.facts["came"]) == ("model_type_unknown", model_type)


@pytest.mark.parametrize(
    ("field", "choices"),
    [
        ("positions", {"positions": "alibi"}),
        ("positions", {"positions": "one_hot"}),
        ("positions", {"positions": "sinusoidal"}),
        ("n_kv_heads", {"n_kv_heads": 2}),
        ("d_head", {"d_head": 3}),
        ("bias", {"bias": False}),
        ("window", {"window": 5}),
        ("activation", {"activation": "swiglu"}),
        ("positions", {"norm": "rms"}),
        ("norm", {"positions": "rotary"}),
    ],
)
def test_what_no_folder_can_hold_is_said_before_training(field: str, choices: dict[str, Any]) -> None:
    config = GptConfig.model_validate({"vocab_size": 11, "d_model": 32, "n_heads": 4, **choices})
    with pytest.raises(BadInput) as caught:
        form_of(config)
    assert (caught.value.code, caught.value.facts["field"]) == ("config_without_form", field)


def test_the_form_of_a_config_is_known() -> None:
    assert form_of(gpt2(vocab_size=11)).model_type == "gpt2"
    assert form_of(llama(vocab_size=11)).model_type == "llama"


def test_to_load_a_model_draws_no_random_number(tmp_path: Path) -> None:
    path = written(tmp_path, "llama")
    torch.manual_seed(3)
    before = torch.get_rng_state()
    folder.load(path)
    assert torch.equal(torch.get_rng_state(), before)
