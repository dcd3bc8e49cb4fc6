"""What is trained here opens in transformers: the same logits, the same tokens of a text, the same ids, greedily."""

from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from regard.core.errors import BadInput
from regard.tasks import generation
from regard.tasks.run_choices import Asked
from regard.tasks.training_lm import train_lm
from toy import reversed_pairs

QUICK: dict[str, Any] = {"steps": 211, "evaluate_every": 211, "save_every": 211, "batch_size": 11, "warmup": 3}
QUICK |= {"threads": 1, "precision": "fp32", "device": "cpu", "learning_rate": 0.01}
SIZES = {"d_model": 28, "n_layers": 2, "n_heads": 7, "d_ff": 53, "max_len": 31, "dropout": 0.1}


def quiet(kind: str, facts: dict[str, Any]) -> None:
    pass


def asked(folder: Path, tokenizer: str, form: str, **model: Any) -> Asked:
    text = folder / "text.txt"
    text.write_text("".join(f"{one}\n{other}\n\n" for one, other in reversed_pairs(997)), encoding="utf-8")
    size = {"vocab_size": 271} if tokenizer == "bpe" else {}
    return Asked({"text": [text], "tokenizer": tokenizer, **size}, {**SIZES, **model}, {**QUICK, "form": form})


@torch.inference_mode()
@pytest.mark.parametrize(("form", "tokenizer"), [("gpt2", "bpe"), ("llama", "characters")])
def test_a_trained_model_opens_in_transformers(tmp_path: Path, form: str, tokenizer: str) -> None:
    with torch.inference_mode(False), torch.enable_grad():
        train_lm(tmp_path / "run", asked(tmp_path, tokenizer, form), quiet)
    ours = generation.load(tmp_path / "run")
    theirs: Any = AutoModelForCausalLM.from_pretrained(tmp_path / "run" / "best")
    cutter = AutoTokenizer.from_pretrained(tmp_path / "run" / "best")
    assert theirs.config.model_type == form
    text = "ant bee cat\ncat bee ant\n\n dog"
    read = cutter(text, return_tensors="pt")
    assert read["input_ids"][0].tolist() == ours.tokenizer.encode(text).ids
    ids = read["input_ids"][:, :23]
    torch.testing.assert_close(theirs(ids).logits, ours.model(ids), rtol=0, atol=1e-5)
    prompt = cutter("kite\n", return_tensors="pt")
    wrote = theirs.generate(**prompt, max_new_tokens=19, do_sample=False)[0, prompt["input_ids"].shape[1] :].tolist()
    assert ours.generate("kite\n", greedy=True, max_tokens=19).ids == wrote
    assert len(set(wrote)) > 3  # it says something


@torch.inference_mode()
def test_a_model_of_few_characters_writes_what_transformers_writes(tmp_path: Path) -> None:
    """Most of its text is unknown, which neither of the two ever writes."""
    with torch.inference_mode(False), torch.enable_grad():
        whole = asked(tmp_path, "characters", "gpt2")
        few = Asked({**whole.data, "vocab_size": 6}, whole.model, {**whole.run, "steps": 31})
        train_lm(tmp_path / "run", few, quiet)
    ours = generation.load(tmp_path / "run")
    theirs: Any = AutoModelForCausalLM.from_pretrained(tmp_path / "run" / "best")
    ids = torch.tensor([ours.tokenizer.encode("the").ids])
    wrote = theirs.generate(ids, attention_mask=torch.ones_like(ids), max_new_tokens=9, do_sample=False)
    assert ours.generate("the", greedy=True, max_tokens=9).ids == wrote[0, ids.shape[1] :].tolist()
    assert ours.tokenizer.unknown == theirs(ids).logits[0, -1].argmax()  # it would be the likeliest


def test_what_no_folder_can_hold_is_refused_before_training(tmp_path: Path) -> None:
    with pytest.raises(BadInput) as caught:
        train_lm(tmp_path / "run", asked(tmp_path, "bpe", "gpt2", positions="alibi"), quiet)
    assert caught.value.code == "config_without_form"
    assert not (tmp_path / "run" / "tokenizer.json").exists()
