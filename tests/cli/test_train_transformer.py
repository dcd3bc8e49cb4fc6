"""`regard train translation --model transformer`, and what is done with the result."""

import json
from pathlib import Path

import pytest
from asking import ask, refused

from toy import reversed_pairs, write_pairs


def test_the_command_trains_translates_and_evaluates(tmp_path: Path) -> None:
    pairs, run = write_pairs(tmp_path / "pairs.tsv", reversed_pairs(401)), tmp_path / "run"
    sizes = ["--d-model", "22", "--n-layers", "1", "--n-decoder-layers", "2", "--n-heads", "11", "--d-ff", "41"]
    course = ["--steps", "13", "--batch-tokens", "211", "--threads", "1", "--device", "cpu", "--activation", "swish"]
    told = ask("train", "translation", "--model", "transformer", "--pairs", pairs, "-o", run, *sizes, *course)
    assert told.code == 0, told.err
    assert "a Transformer (1 + 2 layers, width 22, 11 heads)" in told.err
    card = (run / "best" / "README.md").read_text(encoding="utf-8")
    assert "Encoder of 1 and decoder of 2 layers, 11 heads, width 22, feed-forward layers of 41." in card
    found = ask("translate", "ant bee", "--model", run, "--format", "json")
    assert set(json.loads(found.out)) >= {"translation", "attention", "alignment"}
    assert ask("evaluate", "--model", run, "--pairs", pairs, "--format", "json").code == 0


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--model", "transformr"], "transformer"),
        (["--model", "transformer", "--cell", "lstm"], "--cell = lstm, and this kind of model has no such choice"),
        (["--model", "rnn", "--n-heads", "2"], "--n-heads = 2, and this kind of model has no such choice"),
        (["--model", "transformer", "--n-heads", "7"], "d_model = 256 ≠ k · 7"),
    ],
)
def test_what_cannot_be_is_one_clear_line(tmp_path: Path, options: list[str], told: str) -> None:
    pairs = write_pairs(tmp_path / "pairs.tsv", reversed_pairs(401))
    rest = ["--pairs", pairs, "-o", tmp_path / "run", "--tokenizer", "words", *options]
    assert told in refused("train", "translation", *rest)
