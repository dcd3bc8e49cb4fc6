"""`regard look`: one set of numbers in every form, and one clear line for what cannot be shown."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from asking import ask, refused

from regard.models import folder
from regard.models.gpt import Gpt, gpt2
from regard.tasks.watching import Watcher, text_probe
from regard.text import prose_tokenizers

TEXT = "I can can a can"


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny GPT as a folder, with a run's patterns beside it."""
    place = tmp_path_factory.mktemp("look") / "tiny"
    tokenizer = prose_tokenizers.train([f"{TEXT}. the cat can"] * 3, vocab_size=263)
    torch.manual_seed(3)
    sizes = {"vocab_size": tokenizer.vocab_size, "max_len": 13, "d_model": 6, "n_layers": 2, "n_heads": 3}
    made = Gpt(gpt2(**sizes, d_ff=11)).eval()
    folder.save(place, made, tokenizer, "# tiny\n")
    watcher = Watcher(place, text_probe(TEXT, tokenizer, 13), 2, lambda kind, facts: None)
    for step in range(0, 21, 2):
        watcher(made, step, {})
        with torch.no_grad():
            for parameter in made.parameters():
                parameter.mul_(1.3)
    return place


def test_a_run_is_a_strip_of_steps(model: Path) -> None:
    shown = json.loads(ask("look", model, "--format", "json").out)
    assert set(shown) == {"tokens", "steps", "check"}
    assert "".join(shown["tokens"]) == TEXT
    assert [each["step"] for each in shown["steps"]] == list(range(0, 21, 2))
    for each in shown["steps"]:
        assert [(p["address"], p["layer"], p["head"]) for p in each["patterns"]] == [
            (f"decoder.layers.{layer}.self", layer, head) for layer in range(2) for head in range(3)
        ]
        for pattern in each["patterns"]:
            np.testing.assert_allclose(np.sum(pattern["weights"], axis=-1), 1, atol=2e-3)
    assert shown["check"]["kind"] == "full"
    assert shown["check"]["deviation"] < shown["check"]["tolerance"]


def test_a_text_is_looked_at_by_one_head(model: Path) -> None:
    asked = ("look", TEXT, "--model", model, "--layer", "1", "--head", "2")
    (pattern,) = json.loads(ask(*asked, "--format", "json").out)["patterns"]
    assert (pattern["address"], pattern["layer"], pattern["head"]) == ("decoder.layers.1.self", 1, 2)
    shown = ask(*asked).out
    for row in pattern["weights"]:
        assert all(f"{weight:.2f}" in shown for weight in row)
    assert "Checked by up to 32 queries a head" in shown
    (first,) = json.loads(ask("look", TEXT, "--model", model, "--format", "json").out)["patterns"]
    assert ask("look", TEXT, "--model", model).out.count(f"layer {first['layer']} head {first['head']}") == 2


def test_a_trace_file_is_opened_as_the_run_shows_it(model: Path) -> None:
    file = model / "watch" / "step-00000004.safetensors"
    alone = json.loads(ask("look", file, "--layer", "1", "--format", "json").out)
    run = json.loads(ask("look", model, "--layer", "1", "--format", "json").out)
    assert alone["patterns"] == run["steps"][2]["patterns"]
    assert alone["tokens"] == run["tokens"]


def test_a_file_of_text_is_read_and_text_may_have_its_name(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("can").write_text(TEXT + "\n", encoding="utf-8")
    whole = [json.loads(ask("look", each, "--model", model, "--format", "json").out) for each in ("can", TEXT)]
    assert whole[0] == whole[1]
    assert json.loads(ask("look", "can", "--text", "--model", model, "--format", "json").out)["tokens"] != TEXT


def test_queries_words_and_several_heads(model: Path, tmp_path: Path) -> None:
    asked = ("look", TEXT, "--model", model, "--layer", "1", "--head", "0", "--head", "2")
    whole, some = (json.loads(ask(*asked, *more, "--format", "json").out) for more in ((), ("--query", "2-3")))
    assert [each["head"] for each in some["patterns"]] == [0, 2]
    assert [each["weights"][2:4] for each in whole["patterns"]] == [each["weights"] for each in some["patterns"]]
    words = json.loads(ask("look", TEXT, "--model", model, "--words", "--format", "json").out)
    assert [token.strip() for token in words["tokens"][-5:]] == TEXT.split()
    answer = ask(*asked, "--query", "2", "-o", tmp_path / "w.csv")
    assert (answer.code, answer.out) == (0, "")
    assert len((tmp_path / "w.csv").read_text().splitlines()) == 1 + 2 * len(whole["tokens"])
    assert "--query works on a text" in refused("look", model, "--query", "2")


@pytest.mark.parametrize("form", ["png", "svg", "pdf", "html", "json"])
def test_every_form_is_written(model: Path, tmp_path: Path, form: str) -> None:
    answer = ask("look", model, "-o", tmp_path / f"strip.{form}")
    assert (answer.code, answer.out) == (0, "")
    assert answer.err == f"Wrote {tmp_path / 'strip.'}{form}.\n"
    data = (tmp_path / f"strip.{form}").read_bytes()
    assert data.startswith({"png": b"\x89PNG", "svg": b"<?xml", "pdf": b"%PDF", "html": b"<!doc", "json": b"{"}[form])
    if form == "json":
        assert json.loads(data) == json.loads(ask("look", model, "--format", "json").out)


@pytest.mark.parametrize(("lang", "told"), [("en", "At the end"), ("zh-Hant", "注意力圖樣"), ("zh-Hans", "注意力图样")])
def test_it_speaks(model: Path, lang: str, told: str) -> None:
    shown = ask("look", model, "--lang", lang).out
    assert told in shown
    assert ("步 →" in shown) == (lang != "en")


def test_steps_that_do_not_fit_are_said(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    shown = ask("look", model).out
    assert "6 of 11 recorded steps are drawn" in " ".join(shown.split())
    assert max(map(len, shown.split("\n"))) <= 60


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        (("--layer", "2"), "decoder.layers.0.self, decoder.layers.1.self"),
        (("--layer", "-1"), "decoder.layers.0.self, decoder.layers.1.self"),
        (("--head", "3"), "Head 3 was asked for"),
        (("--part", "cross"), "no attention of part cross"),
        (("--part", "middle"), "encoder"),
        (("-o", "x.doc"), ".html"),
        (("--format", "yaml"), "json"),
        (("--words",), "step-00000020.safetensors"),
    ],
)
def test_what_is_not_there_is_said(model: Path, asked: tuple[str, ...], told: str) -> None:
    assert told in refused("look", model, *asked)


def test_what_cannot_be_looked_at_is_said(model: Path, tmp_path: Path) -> None:
    assert "--watch" in refused("look", tmp_path)
    assert "at least one word" in refused("look", "", "--model", model)
    assert "reads at most 13" in refused("look", TEXT * 5, "--model", model)
    assert "cannot be read as a trace" in refused("look", _broken(tmp_path))
    assert "no attention" in refused("look", "the cat", "--model", "en-fr-fixed")


def _broken(folder: Path) -> Path:
    file = folder / "half.safetensors"
    file.write_bytes(b"\x00" * 7)
    return file
