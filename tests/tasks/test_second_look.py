"""Faults that a second look found, each held by a test."""

import shutil
from pathlib import Path
from typing import Any

import pytest
import torch

import regard
from regard.core.checks import check_shapes
from regard.core.errors import BadInput
from regard.core.scorers import scaled_dot
from regard.generation.sentences import MAX_SOURCE
from regard.models.folder import Loaded
from regard.models.rnn import RnnTranslator
from regard.tasks.run_choices import Asked
from regard.tasks.training import train_translation
from regard.tasks.translation import Translator
from regard.training import checkpoint
from regard.training.checkpoint import Standing
from toy import tokenizer, translator


def toy(kind: str = "dot") -> Translator:
    model = translator(vocab_size=tokenizer().vocab_size, attention=kind)
    return Translator(Loaded(model, tokenizer(), "toy", "0"))


def test_no_link_leads_to_a_word_that_was_not_read() -> None:
    found = toy().translate("cat " * (MAX_SOURCE + 40), beam=1)
    assert found.unread == 40
    assert all(int(link.split("-")[0]) < MAX_SOURCE for link in found.alignment.split())


def test_python_is_refused_what_the_command_line_is_refused() -> None:
    for text, code in (("a\ud800b", "text_surrogate"), ("a\0b", "text_typed_nul")):
        with pytest.raises(BadInput) as caught:
            toy().translate(text)
        assert caught.value.code == code
    with pytest.raises(BadInput, match="weights"):
        toy().record("cat", "dog", keep=("weihgts",))


def test_a_translation_prints_as_one_line() -> None:
    assert len(repr(toy().translate("cat dog"))) < 300


def test_saving_removes_damaged_later_checkpoints_and_never_its_own(tmp_path: Path) -> None:
    model = translator(vocab_size=tokenizer().vocab_size)
    optimizer = [torch.optim.AdamW(model.parameters())]
    good = checkpoint.save(tmp_path, model, optimizer, tokenizer(), Standing(step=399))
    for step in (401, 402):
        damaged = shutil.copytree(good, tmp_path / f"step-{step:08d}")
        (damaged / "state.json").write_text("{}")
    assert checkpoint.latest(tmp_path)[0] == good
    checkpoint.save(tmp_path, model, optimizer, tokenizer(), Standing(step=400))
    assert sorted(path.name for path in tmp_path.glob("step-*")) == ["step-00000399", "step-00000400"]


def test_the_fixed_context_is_dropped_out_in_training_as_states_are() -> None:
    def differs(model: RnnTranslator) -> bool:
        source = torch.tensor([[5, 6, 7, 3]])
        torch.manual_seed(1)
        one = model.start(source).memory.value
        torch.manual_seed(2)
        return not torch.equal(one, model.start(source).memory.value)

    model = translator(attention="none", dropout=0.5)
    assert not differs(model)
    assert differs(model.train())


def test_masks_combine_with_matrices_and_attention_names_what_is_no_tensor() -> None:
    matrix = torch.tensor([[True, False], [True, True]])
    assert torch.equal((regard.masks.causal() & matrix).allows(2, 2), matrix)
    x = torch.eye(2)
    for arguments, code in (((x.numpy(), x, x), "attend_no_tensor"), ((x, x.double(), x), "attend_types")):
        with pytest.raises(BadInput) as caught:
            check_shapes(*arguments, scaled_dot)
        assert caught.value.code == code


def test_a_refused_resume_leaves_no_folder(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="no run"):
        train_translation(tmp_path / "run", Asked(), lambda kind, facts: None, resume=True)
    assert not (tmp_path / "run").exists()


def test_a_page_is_asked_for_as_it_can_be_drawn() -> None:
    """An unknown layout or language was the usual one, without a word."""
    trace = regard.record("tiny-gpt", "Once upon a time")
    choices: list[dict[str, Any]] = [{"layout": "nope"}, {"lang": "xx"}]
    for choice in choices:
        with pytest.raises(BadInput) as caught:
            trace.html(**choice)
        assert caught.value.code == "unknown_choice"
    assert 'lang="zh-Hant"' in trace.html("zh-Hant", layout="key-rows")


@pytest.mark.parametrize("texts", [None, 3, [3], ["a", None]])
def test_heads_of_what_is_no_text(texts: Any) -> None:
    with pytest.raises(BadInput) as caught:
        regard.heads("tiny-gpt", texts)
    assert caught.value.code == "record_text"


@pytest.mark.parametrize("choice", [{"text": 3}, {"text": ["a", "b"]}, {"target": 3}, {"patch": 3}])
def test_evidence_of_what_is_no_text(choice: dict[str, Any]) -> None:
    with pytest.raises(BadInput) as caught:
        regard.evidence("tiny-gpt", **{"text": "Once upon a time", **choice})
    assert caught.value.code == "one_text"
    assert caught.value.facts["name"] in choice


@pytest.mark.parametrize("pair", ["The cat", ("a", "b", "c"), ("a", None), 3])
def test_what_is_no_pair_is_not_aligned(pair: Any) -> None:
    with pytest.raises(BadInput) as caught:
        regard.align("en-fr", [("The cat", "Le chat"), pair])
    assert (caught.value.code, caught.value.facts["number"]) == ("align_no_pair", 2)
