"""`regard record`: a file with what the model attended to, told in text and JSON; one line for what cannot be."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from asking import ask, refused

from regard.inspection.trace import load
from regard.language import LANGUAGES
from regard.models import folder
from regard.models.gpt import Gpt, llama
from regard.text import prose_tokenizers

TEXT = "I can can a can"


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny Llama of signs, which does not know 貓."""
    place = tmp_path_factory.mktemp("record") / "tiny"
    tokenizer = prose_tokenizers.train([f"{TEXT}. the cat"] * 3, kind="characters", vocab_size=23)
    torch.manual_seed(3)
    sizes = {"vocab_size": tokenizer.vocab_size, "max_len": 31, "d_model": 12, "n_layers": 3, "n_heads": 2, "d_ff": 11}
    folder.save(place, Gpt(llama(**sizes)).eval(), tokenizer, "# tiny\n")
    return place


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "x.safetensors"


def test_what_is_written_is_what_is_told(model: Path, file: Path) -> None:
    answer = ask("record", TEXT, "--model", model, "-o", file, "--format", "json")
    told, trace = json.loads(answer.out), load(file)
    assert set(told) == {"file", "tokens", "addresses", "check"}
    assert told["file"] == str(file)
    assert told["tokens"] == {"read": list(TEXT)}
    assert told["addresses"] == [site.address for site in trace.sites] == [f"decoder.layers.{n}.self" for n in range(3)]
    assert told["check"]["kind"] == "rows"
    assert told["check"]["deviation"] == trace.check.deviation <= 1e-5
    assert answer.err == ""
    np.testing.assert_allclose(trace.weights(layer=2, head=1).sum(-1), 1, atol=1e-6)


@pytest.mark.parametrize("lang", LANGUAGES)
def test_it_is_told_to_people_too(model: Path, file: Path, lang: str) -> None:
    answer = ask("record", "a 貓貓", "--model", model, "-o", file, "--lang", lang)
    first, check, look = answer.out.splitlines()
    assert all(said in first for said in (str(file), "kB", "tiny", "read 4", "3", "6"))
    assert "e-0" in check
    assert look.endswith(f"regard look {file}")
    assert all(said in answer.err for said in ("2", "4", "貓"))
    assert answer.err.count("\n") == 1


def test_parts_layers_and_heads_are_chosen(model: Path, file: Path) -> None:
    ask(
        "record",
        TEXT,
        "--model",
        model,
        "-o",
        file,
        "--layer",
        "0",
        "--layer",
        "2",
        "--head",
        "1",
        "--keep",
        "weights,value",
    )
    trace = load(file)
    assert [site.layer for site in trace.sites] == [0, 2]
    assert trace.heads == (1,)
    assert {name.partition("/")[2] for name in trace.tensors} == {"weights", "value"}
    ask("record", TEXT, "--model", model, "-o", file, "--keep", "statistics", "--check", "full")
    assert load(file).check.kind == "full"


def test_a_given_translation(file: Path) -> None:
    told = json.loads(
        ask("record", "The cat sleeps.", "--model", "en-fr-transformer", "--target", "Le chat dort.", "-o", file,
            "--part", "cross", "--format", "json").out
    )  # fmt: skip
    assert "".join(told["tokens"]["target"][:-1]).strip() == "Le chat dort."
    assert {address.rpartition(".")[2] for address in told["addresses"]} == {"cross"}


def test_text_from_anywhere(model: Path, tmp_path: Path, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("can").write_text("I\ncan\n", encoding="utf-8")
    options = ("--model", model, "-o", file, "--format", "json")
    asked = [ask("record", "can", *options), ask("record", "--input", "can", *options)]
    asked += [ask("record", *options, stdin="I\ncan\n"), ask("record", "I\ncan", *options)]
    assert {each.out for each in asked} == {asked[0].out}
    assert json.loads(asked[0].out)["tokens"]["read"] == ["I", "\n⟨?⟩", *"can"]
    assert json.loads(ask("record", "can", "--text", *options).out)["tokens"]["read"] == list("can")


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        (("-o", "x.txt"), ".safetensors"),
        (("-o", "no/x.safetensors"), "no"),
        (("--keep", "all"), "qk, weights, steps"),
        (("--check", "none"), "full"),
        (("--part", "middle"), "encoder"),
        (("--part", "cross"), "decoder.layers.0.self"),
        (("--layer", "3"), "decoder.layers.2.self"),
        (("--head", "2"), "2 heads"),
        (("--head", "x"), "--head"),
        (("--input", "y"), "y"),
        (("--model", "tiny-gtp"), "tiny-gpt"),
        (("--format", "yaml"), "json"),
    ],
)
def test_what_cannot_be_is_said(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, asked: tuple[str, ...], told: str
) -> None:
    monkeypatch.chdir(tmp_path)
    options = {"-o": "x.safetensors", "--model": str(model)} | dict([asked])
    assert told in refused("record", TEXT, *(each for pair in options.items() for each in pair))
    assert list(tmp_path.iterdir()) == []


def test_what_cannot_be_recorded_is_said(model: Path, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "--output" in refused("record", TEXT)
    assert "at least one word" in refused("record", " ", "--model", model, "-o", file)
    assert "reads at most 31" in refused("record", "a" * 40, "--model", model, "-o", file)
    assert "no attention" in refused("record", "the cat", "--model", "en-fr-fixed", "-o", file)
    from regard.inspection import estimate

    monkeypatch.setattr(estimate, "free", lambda: 10**6)
    assert "statistics (" in refused("record", TEXT, "--model", model, "-o", file, code=1)
    assert not file.exists()
