"""`regard models`: what comes with the package, and its cards."""

import json
from pathlib import Path

import pytest
from asking import ask, refused

from regard.models import catalogue, folder
from regard.models.gpt import Gpt, llama
from regard.text import prose_tokenizers
from toy import tokenizer, translator

CARD = """---
regard:
  languages: English → Backwards
  bleu: 87.65
  chrf: 93.21
  measured_on: 97 sentences
---

# A model that reverses words
"""


@pytest.fixture
def shelf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package with two small models."""
    monkeypatch.setattr(catalogue, "_shelf", lambda: tmp_path / "bundled")
    for name, kind in (("backwards", "dot"), ("backwards-fixed", "none")):
        model = translator(vocab_size=tokenizer().vocab_size, attention=kind)
        folder.save(tmp_path / "bundled" / name, model, tokenizer(), CARD)
    return tmp_path / "bundled"


@pytest.mark.parametrize("lang", ["en", "zh-Hant", "zh-Hans"])
def test_the_list_has_a_line_a_model_and_says_how_to_go_on(shelf: Path, lang: str) -> None:
    answer = ask("models", "--lang", lang)
    one, other, hint = answer.out.splitlines()
    assert one.startswith("backwards ")
    assert other.startswith("backwards-fixed ")
    for line in (one, other):
        assert all(figure in line for figure in ("87.65", "93.21", "97 sentences", " MB"))
    assert ("dot" in one, "none" in other) == (True, True)
    assert "regard models" in hint


def test_json_lists_them_as_they_are(shelf: Path) -> None:
    told = json.loads(ask("models", "--format", "json").out)
    assert [each["name"] for each in told] == ["backwards", "backwards-fixed"]
    assert told[1]["attention"] == "none"
    assert told[0]["bleu"] == 87.65
    assert told[0]["bytes"] == sum(path.stat().st_size for path in (shelf / "backwards").iterdir())


def test_a_language_model_is_listed_by_what_it_was_measured_by(shelf: Path) -> None:
    tokenizer = prose_tokenizers.train(["the cat"], kind="characters")
    card = "---\nregard:\n  languages: English\n  bits_per_byte: 2.13\n  measured_on: 11 lines\n---\n"
    model = Gpt(llama(vocab_size=tokenizer.vocab_size, d_model=8, n_layers=1, n_heads=2))
    folder.save(shelf / "tales", model, tokenizer, card)
    line = ask("models").out.splitlines()[2]
    assert line.startswith("tales ")
    assert all(figure in line for figure in ("English", "llama", "2.13", "11 lines"))
    told = json.loads(ask("models", "--format", "json").out)
    assert [each["kind"] for each in told] == ["translation", "translation", "generation"]


@pytest.mark.parametrize("card", ["", "# A model\n", "---\nlicense: mit\n---\n", "---\n---\n"])
def test_a_model_without_scores_on_its_card_is_listed_all_the_same(shelf: Path, card: str) -> None:
    (shelf / "backwards" / "README.md").write_text(card)
    bare, other, _ = ask("models").out.splitlines()
    assert bare.startswith("backwards ")
    assert bare.endswith(" MB; its card states no scores")
    assert "87.65" in other
    told = json.loads(ask("models", "--format", "json").out)
    assert told[0]["kind"] == "translation"
    assert "bleu" not in told[0]
    (shelf / "backwards" / "README.md").unlink()
    assert ask("models").out.startswith("backwards ")


def test_a_card(shelf: Path, reverser: Path) -> None:
    assert ask("models", "backwards").out == CARD
    assert json.loads(ask("models", "backwards", "--format", "json").out) == {
        "name": "backwards",
        "card": CARD.rstrip("\n"),
    }
    own = ask("models", reverser).out
    assert "# An RNN translator" in own
    assert "step 200 of 200" in own or "step 100 of 200" in own


def test_a_bundled_name_goes_before_a_folder_of_that_name(shelf: Path, tmp_path: Path, monkeypatch: object) -> None:
    (tmp_path / "backwards").mkdir()
    assert catalogue.find("backwards") == shelf / "backwards"


def test_what_is_wrong_is_said_in_one_line(shelf: Path, tmp_path: Path) -> None:
    said = refused("models", "backward")
    assert "No model is called backward" in said
    assert "nearest bundled one is backwards (" in said
    assert "backwards, backwards-fixed" in said
    assert "is no model folder" in refused("models", tmp_path)
    assert "--format yaml" in refused("models", "--format", "yaml")


def test_the_models_of_this_package_are_listed_with_their_scores() -> None:
    told = json.loads(ask("models", "--format", "json").out)
    for each in told:
        assert each["bytes"] <= 13_000_000
        assert each["bleu" if each["kind"] == "translation" else "bits_per_byte"] > 0
        assert ask("models", each["name"]).out.startswith("---")
