"""`regard train lm` on the command line: what it prints, every option, standard input, bad input."""

import json
import re
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest
from asking import Answer, ask, options, refused, start

from regard.cli.progress import LmTraining
from regard.tasks.lm_choices import LmData
from regard.training.settings import LmSettings
from toy import reversed_pairs

SIZES = ("--d-model", "14", "--n-heads", "7", "--n-layers", "1", "--context", "11", "--vocab-size", "263")
MACHINE = ("--batch-size", "2", "--threads", "1", "--precision", "fp32", "--device", "cpu")
SHORT = (*SIZES, *MACHINE, "--steps", "5", "--evaluate-every", "4")


@pytest.fixture
def text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small text in the folder that the command runs in."""
    monkeypatch.chdir(tmp_path)
    Path("text.txt").write_text("".join(f"{a} {b}\n" for a, b in reversed_pairs(97)))
    return Path("text.txt")


def train(*arguments: str | Path, **more: Any) -> Answer:
    return ask("train", "lm", "--output", "run", *arguments, **more)


def facts() -> dict[str, Any]:
    return json.loads(Path("run/run.json").read_text())


def test_a_newcomer_is_told_all_and_a_program_one_line(text: Path) -> None:
    answer = train("--text", text, *SHORT)
    lines = answer.err.splitlines()
    begun = (
        r"Training on \d+ tokens \(documents: 1\), validating on \d+: 5 steps of 2 × 11 tokens; gpt2: layers 1, heads 7"
    )
    assert re.match(begun, lines[0])
    assert re.match(r"Validation at step 4: loss \d\.\d{4} nats a token, \d\.\d{4} bits a byte \(the best", lines[1])
    assert " ▸ " in lines[2]
    ended = r"5 steps; the best model: validation loss .* nats a token, .* bits a byte, .*; it is in run/best\.\n"
    assert re.fullmatch(ended, answer.out)
    again = train("--resume", "--format", "json")
    told = json.loads(again.out)
    assert (told["steps"], told["checkpoint"], again.out.count("\n")) == (5, "run/best", 1)
    assert "Resumed from run/step-00000005." in again.err


def test_a_run_that_ends_early_says_why(text: Path) -> None:
    early = ("--patience", "1", "--evaluate-every", "1", "--learning-rate", "1e-12", "--steps", "40")
    answer = train("--text", text, *SHORT, *early)
    assert answer.out.startswith("Ended early, as --patience 1 says: validation improved no more. "), answer
    assert train("--resume").out == answer.out


def test_a_sample_commands_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    told = {"loss": 1.0, "bits_per_byte": 1.0, "perplexity": 1.0, "score": 1.0, "best": 1.0, "step": 1}
    LmTraining()("validation", told | {"sample": {"prompt": "a\x1b[31m", "text": "b\x12"}})
    assert capsys.readouterr().err.endswith("a\\x1b[31m ▸ b\\x12\n")


def test_every_option_arrives(text: Path) -> None:
    Path("valid.jsonl").write_text(json.dumps({"body": text.read_text()}))
    Path("text.jsonl").write_text(json.dumps({"body": text.read_text()}))
    train("--text", text, *SHORT, "--steps", "1")
    Path("run").rename("other")
    data = {"validation": ["valid.jsonl"], "field": "body", "encoding": "ascii", "held_out": 0.2, "tokenizer": "bpe"}
    data |= {"tokenizer_from": "other/best", "vocab_size": 263, "epochs": 0.5, "minutes": 1.5}
    model = {"n_layers": 2, "n_heads": 4, "n_kv_heads": 2, "d_model": 24, "d_ff": 29, "context": 13, "dropout": 0.125}
    run = {"steps": 2, "accumulate": 2, "optimizer": "muon", "learning_rate": 0.003, "schedule": "wsd", "warmup": 1}
    run |= {"weight_decay": 0.03, "decayed": "all", "beta1": 0.8, "beta2": 0.97, "label_smoothing": 0.2, "clip": 0.7}
    run |= {"seed": 5, "evaluate_every": 2, "patience": 3, "save_every": 4, "precision": "fp32", "compile": False}
    run |= {"threads": 1, "device": "cpu", "watch": "ant bee", "form": "llama", "batch_size": 3}
    assert {"text", *data} == set(LmData.model_fields)
    assert options("train", "lm") == {"text", *data, *model, *run}
    assert set(run) == set(LmSettings.model_fields) - {"model"}
    given = {name: value[0] if isinstance(value, list) else value for name, value in (data | model | run).items()}
    assert not given.pop("compile")
    typed = [part for name, value in given.items() for part in (f"--{name.replace('_', '-')}", str(value))]
    answer = train("--text", "text.jsonl", "--no-compile", *typed)
    assert answer.code == 0, answer
    written = facts()
    assert written["data"] == {"text": ["text.jsonl"], **data}
    assert {name: written["settings"]["model"][name.replace("context", "max_len")] for name in model} == model
    assert {name: written["settings"][name] for name in run} == run


def test_text_is_read_from_a_pipe_a_folder_and_gz(text: Path) -> None:
    import gzip

    Path("many").mkdir()
    Path("many/a.txt.gz").write_bytes(gzip.compress(text.read_bytes()))
    Path("many/b.txt").write_bytes(text.read_bytes())
    assert train("--text", "many", *SHORT).code == 0
    assert len(facts()["files"]) == 2
    Path("run").rename("first")
    assert train("--text", "-", *SHORT, stdin=text.read_bytes()).code == 0
    assert train("--resume").code == 0


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--text", "none.txt"), "No file none.txt"),
        (("--text", "text.txt", "--context", "0"), "--context = 0, and it must be ≥ 1"),
        (("--text", "text.txt", "--d-model", "15", "--n-heads", "7"), "--d-model 15 cannot be shared out"),
        (("--text", "text.txt", "--context", "100000"), r"has \d+ tokens, and a window of 100000 needs 100001"),
        (("--text", "text.txt", "--form", "lama"), "llama"),
        (("--text", "text.txt", "--optimizer", "adam"), "adamw"),
        (("--text", "text.txt", "--schedule", "cos"), "cosine"),
        (("--text", "text.txt", "--tokenizer-from", "none"), "No file none"),
        (("--text", "empty"), "holds no text"),
        (("--text", "empty.txt"), "has 1 tokens"),
        (("--text", "bad.jsonl"), r"bad\.jsonl, line 1: this is no JSON"),
        (("--text", "text.txt", "--field", "body"), "this is no JSON"),
        ((), "--text"),
    ],
)
def test_bad_input_is_one_clear_line_before_any_run(text: Path, arguments: tuple[str, ...], told: str) -> None:
    Path("empty").mkdir()
    Path("empty.txt").write_text("")
    Path("bad.jsonl").write_text("{")
    said = refused("train", "lm", "--output", "run", *arguments, "--steps", "1")
    assert re.search(told, said), said
    assert not Path("run/run.json").exists()


@pytest.mark.parametrize("lang", ["zh-Hant", "zh-Hans"])
def test_it_speaks_chinese(text: Path, lang: str) -> None:
    answer = train("--text", text, *SHORT, "--lang", lang)
    assert "run/best。" in answer.out
    assert not re.search("Training|Validation|loss|best ", answer.err)


def test_a_signal_ends_it_with_a_checkpoint_and_the_shells_code(text: Path) -> None:
    long = ("--steps", "100000", "--evaluate-every", "100000", "--save-every", "100000")
    process = start("train", "lm", "-o", "run", "--text", text, *SIZES, *MACHINE, *long, stderr=subprocess.PIPE)
    assert process.stderr
    for line in process.stderr:
        if line.startswith(b"Step "):
            process.send_signal(signal.SIGINT)
            break
    said = process.stderr.read().decode()
    process.stderr.close()
    assert process.wait(60) == 130
    written = [path.name for path in Path("run").glob("step-*")]
    assert len(written) == 1
    assert f"the checkpoint run/{written[0]} is written" in said
