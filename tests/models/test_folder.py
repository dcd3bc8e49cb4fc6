"""A model folder: what is saved is what is loaded; what was altered is refused with the reason."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from regard.core.errors import BadInput
from regard.core.files import MANIFEST, seal
from regard.models import catalogue, folder
from toy import WORDS, tokenizer, translator


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    folder.save(tmp_path / "toy", translator(vocab_size=tokenizer().vocab_size), tokenizer(), "# card\n")
    return tmp_path / "toy"


def test_what_is_saved_is_loaded(saved: Path) -> None:
    loaded = folder.load(saved)
    source, read = torch.tensor([[5, 6, 3]]), torch.tensor([[2, 7]])
    model = translator(vocab_size=tokenizer().vocab_size)
    assert torch.equal(loaded.model.features(source, read), model.features(source, read))
    assert loaded.tokenizer.decode(loaded.tokenizer.encode(" ".join(WORDS)).ids) == " ".join(WORDS)
    assert loaded.name == "toy"
    assert {p.name for p in saved.iterdir()} == {
        "config.json",
        "model.safetensors",
        "tokenizer.json",
        "README.md",
        MANIFEST,
    }


def test_half_precision_halves_the_file_and_keeps_three_digits(tmp_path: Path, saved: Path) -> None:
    model = translator(vocab_size=tokenizer().vocab_size)
    folder.save(tmp_path / "half", model, tokenizer(), "", dtype=torch.float16)
    sizes = [(path / folder.WEIGHTS).stat().st_size for path in (saved, tmp_path / "half")]
    assert sizes[1] < 0.6 * sizes[0]
    loaded = folder.load(tmp_path / "half").model
    for name, tensor in model.state_dict().items():
        torch.testing.assert_close(loaded.state_dict()[name], tensor, rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize("name", ["config.json", "model.safetensors", "tokenizer.json"])
def test_a_flipped_bit_is_found(saved: Path, name: str) -> None:
    data = bytearray((saved / name).read_bytes())
    data[len(data) // 2] ^= 1
    (saved / name).write_bytes(data)
    with pytest.raises(BadInput) as caught:
        folder.load(saved)
    assert (caught.value.code, Path(caught.value.facts["path"]).name) == ("file_altered", name)


LIES = [None, "many", -1, 0, 2**31, 1.5, [], {}]


FIELDS = ["vocab_size", "d_model", "d_embedding", "n_layers", "dropout", "attention", "model_type"]
NO_LIE = [("dropout", 0)]


@pytest.mark.parametrize(("field", "lie"), [(f, lie) for f in FIELDS for lie in LIES if (f, lie) not in NO_LIE])
def test_a_config_that_lies_is_refused(saved: Path, field: str, lie: object) -> None:
    config = json.loads((saved / "config.json").read_text())
    (saved / "config.json").write_text(json.dumps(config | {field: lie}))
    seal(saved)  # a liar who also mends the manifest
    with pytest.raises(BadInput) as caught:
        folder.load(saved)
    assert caught.value.code in {
        "config_field",
        "vocab_mismatch",
        "weights_mismatch",
        "weights_layers",
        "model_type_unknown",
    }


@pytest.mark.parametrize("change", ["missing", "unexpected", "shape", "cut", "text"])
def test_weights_that_do_not_match_are_refused(saved: Path, change: str) -> None:
    path = saved / folder.WEIGHTS
    tensors = load_file(path)
    if change == "missing":
        del tensors["head_bias"]
    if change == "unexpected":
        tensors["../../etc/passwd"] = torch.zeros(2)
    if change == "shape":
        tensors["head_bias"] = torch.zeros(3)
    save_file(tensors, path)
    if change == "cut":
        path.write_bytes(path.read_bytes()[:-5])
    if change == "text":
        path.write_text("no weights")
    seal(saved)  # a liar who also mends the manifest
    with pytest.raises(BadInput) as caught:
        folder.load(saved)
    told = {"missing": "weights_missing", "unexpected": "weights_unexpected", "shape": "weights_mismatch"}
    assert caught.value.code == told.get(change, "weights_broken")


def test_no_folder_and_unknown_names_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="no model folder"):
        catalogue.find(str(tmp_path))
    with pytest.raises(BadInput) as caught:
        catalogue.find("en-fq")
    assert caught.value.code == "unknown_model"
