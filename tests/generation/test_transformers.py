"""The ids that `transformers` gives: greedily, by beams, with a penalty; on a published model."""

from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from regard.tasks.generation import Generator, load

PROMPTS = ["Once upon a time", "Lily and Tom", "The big dog said", ""]

pytestmark = pytest.mark.shared


@pytest.fixture(scope="module")
def folder(shared: Path) -> Path:
    return shared / "models" / "stories260K"


@pytest.fixture(scope="module")
def ours(folder: Path) -> Generator:
    return load(folder)


@pytest.fixture(scope="module")
def theirs(folder: Path) -> Any:
    return AutoModelForCausalLM.from_pretrained(folder).eval()


def by_transformers(model: Any, ids: list[int], **how: Any) -> list[list[int]]:
    """What it writes after `ids`, with the end token where it was reached, without the padding behind it."""
    asked = {"max_new_tokens": 97, "pad_token_id": 0, "do_sample": False, **how}
    with torch.inference_mode():
        found = model.generate(torch.tensor([ids]), attention_mask=torch.ones(1, len(ids)), **asked)
    written = [row[len(ids) :].tolist() for row in found]
    return [row[: row.index(2) + 1] if 2 in row else row for row in written]


@pytest.mark.parametrize("prompt", PROMPTS)
def test_a_prompt_has_the_ids_that_it_has_there(ours: Generator, folder: Path, prompt: str) -> None:
    assert ours.read(prompt).ids == AutoTokenizer.from_pretrained(folder)(prompt).input_ids


def test_greedy(ours: Generator, theirs: Any) -> None:
    """In a batch of different lengths, too."""
    for prompt, made in zip(PROMPTS, ours.generate(PROMPTS, greedy=True, max_tokens=97), strict=True):
        assert [made.ids] == by_transformers(theirs, ours.read(prompt).ids)


def test_greedy_text_is_theirs(ours: Generator, theirs: Any, folder: Path) -> None:
    made, tokenizer = ours.generate(PROMPTS[0], greedy=True, max_tokens=97), AutoTokenizer.from_pretrained(folder)
    ids = ours.read(PROMPTS[0]).ids
    whole = tokenizer.decode([*ids, *by_transformers(theirs, ids)[0]], skip_special_tokens=True)
    assert made.prompt + made.text == whole


def test_a_repetition_penalty(ours: Generator, theirs: Any) -> None:
    how = {"repetition_penalty": 1.3}
    for prompt, made in zip(PROMPTS, ours.generate(PROMPTS, greedy=True, max_tokens=97, **how), strict=True):
        assert [made.ids] == by_transformers(theirs, ours.read(prompt).ids, **how)


@pytest.mark.parametrize(("beam", "length_penalty"), [(2, 1.0), (5, 1.0), (4, 0.0), (3, 2.0)])
def test_beams(ours: Generator, theirs: Any, beam: int, length_penalty: float) -> None:
    """All that the search keeps, in order, with the same scores."""
    how = {"max_tokens": 41, "beam": beam, "n_best": beam, "length_penalty": length_penalty}
    for prompt, made in zip(PROMPTS, ours.generate(PROMPTS, **how), strict=True):
        asked = {"num_beams": beam, "num_return_sequences": beam, "length_penalty": length_penalty}
        found = by_transformers(theirs, ours.read(prompt).ids, max_new_tokens=41, **asked)
        assert [each.ids for each in made] == found


def test_log_probabilities(ours: Generator, theirs: Any) -> None:
    made = ours.generate(PROMPTS[0], seed=3, max_tokens=23)
    ids = [*ours.read(PROMPTS[0]).ids, *made.ids]
    with torch.inference_mode():
        told = theirs(torch.tensor([ids])).logits[0].log_softmax(-1)
    expected = told[-len(made.ids) - 1 : -1].gather(1, torch.tensor(made.ids)[:, None])[:, 0]
    assert made.log_probs == pytest.approx(expected.tolist(), abs=1e-4)
