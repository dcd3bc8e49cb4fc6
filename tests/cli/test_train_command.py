"""`regard train translation`: options arrive, a run goes on, signals leave a checkpoint, bad input is one line."""

import json
import os
import pty
import re
import select
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
from asking import Answer, ask, options, refused, start

from regard.tasks import training
from regard.tasks.run_choices import Data
from regard.training.settings import TranslationSettings as Settings
from toy import reversed_pairs, write_pairs

TINY = ("--tokenizer", "words", "--d-embedding", "7", "--d-model", "22", "--batch-tokens", "211", "--threads", "1")
TINY = (*TINY, "--precision", "fp32", "--device", "cpu")
SHORT = (*TINY, "--steps", "5", "--evaluate-every", "4")


@pytest.fixture
def pairs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small file of pairs in the folder that the command runs in."""
    monkeypatch.chdir(tmp_path)
    return write_pairs(Path("pairs.tsv"), reversed_pairs(211))


def train(*arguments: str | Path, output: str = "run", **more: Any) -> Answer:
    return ask("train", "translation", "--output", output, *arguments, **more)


def facts() -> dict[str, Any]:
    return json.loads(Path("run/run.json").read_text())


def test_the_last_line_is_json_alone_on_stdout(pairs: Path) -> None:
    answer = train("--pairs", pairs, *SHORT, "--format", "json")
    assert answer.code == 0
    told = json.loads(answer.out)
    assert answer.out.count("\n") == 1
    assert list(told) == ["steps", "loss", "metrics", "checkpoint"]
    assert (told["steps"], told["checkpoint"]) == (5, "run/best")
    assert told["metrics"]["signatures"]["bleu"].startswith("nrefs:1")


def test_a_pipe_is_told_in_plain_lines(pairs: Path) -> None:
    answer = train("--pairs", pairs, *TINY, "--steps", "50", "--evaluate-every", "25")
    assert "\x1b" not in answer.err
    assert "\r" not in answer.err
    lines = answer.err.splitlines()
    assert re.fullmatch(r"Pairs: (\d+) read, \1 kept\.", lines[0])
    assert re.match(
        r"Training on \d+ pairs, validating on \d+: 50 steps, an RNN with attention dot, 4315 parameters", lines[1]
    )
    assert lines[2].startswith("Scores are sacrebleu's: BLEU nrefs:1|case:mixed|eff:no|tok:13a")
    assert re.match(r"Validation at step 25: loss \d\.\d\d, BLEU [\d.]+, chrF [\d.]+ \(the best so far\)\.", lines[3])
    assert re.match(r"  .+ → .* \(reference: .+\)", lines[4])
    assert re.match(r"Step 50 of 50: loss \d\.\d{3}, \d+ tokens/s, padding [\d.]+%, 0:00 left\.", lines[5])
    assert len(lines) == 8
    assert re.fullmatch(r"50 steps; the best model: .* it is in run/best\.\n", answer.out)


def test_every_option_arrives(pairs: Path) -> None:
    write_pairs(Path("valid.tsv"), reversed_pairs(17, seed=5))
    data = {
        "validation": ["valid.tsv"],
        "columns": "2,1",
        "encoding": "ascii",
        "held_out": 7,
        "tokenizer": "characters",
    }
    data |= {"vocab_size": 29, "joined": 0.5, "epochs": 0.5, "minutes": 1.5}
    model = {
        "attention": "concat",
        "input_feeding": "luong",
        "cell": "lstm",
        "d_embedding": 5,
        "d_model": 14,
        "n_layers": 2,
        "dropout": 0.125,
    }
    run = {"steps": 2, "batch_tokens": 307, "learning_rate": 0.003, "warmup": 3, "label_smoothing": 0.2, "clip": 0.7}
    run |= {"seed": 5, "evaluate_every": 2, "patience": 3, "save_every": 4, "precision": "fp32", "threads": 1}
    run |= {"device": "cpu", "accumulate": 2, "optimizer": "muon", "schedule": "wsd", "weight_decay": 0.03}
    run |= {"decayed": "matrices", "beta1": 0.8, "beta2": 0.97, "compile": False, "watch": "ant\tant"}
    assert {"pairs", *data} == set(Data.model_fields)
    of_transformers = {"n_decoder_layers", "n_heads", "d_ff", "activation", "max_len"}  # see test_train_transformer
    assert set(run) == set(Settings.model_fields) - {"model"}
    assert options("train", "translation") == {"pairs", *data, "model", *model, *of_transformers, *run}
    given = {name: value[0] if isinstance(value, list) else value for name, value in (data | model | run).items()}
    assert not given.pop("compile")
    typed = [part for name, value in given.items() for part in (f"--{name.replace('_', '-')}", str(value))]
    assert train("--pairs", pairs, *typed).code == 0
    written = facts()
    assert written["data"] == {"pairs": ["pairs.tsv"], **data, "columns": [2, 1]}
    assert {name: written["settings"]["model"][name] for name in model} == model
    assert {name: written["settings"][name] for name in run} == run


def test_two_files_and_a_gz_are_pairs_too(pairs: Path) -> None:
    import gzip

    left, right = zip(*reversed_pairs(211), strict=True)
    Path("a.gz").write_bytes(gzip.compress("\n".join(left).encode()))
    Path("b.txt").write_text("\n".join(right))
    assert train("--pairs", "a.gz", "--pairs", "b.txt", *SHORT).code == 0
    assert facts()["data"]["pairs"] == ["a.gz", "b.txt"]


def test_resume_goes_on_where_it_stopped_and_takes_equal_choices(pairs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = training.RunLog.__call__

    def stopping(log: Any, kind: str, told: dict) -> None:
        real(log, kind, told)
        if (kind, told.get("step")) == ("step", 3):
            os.kill(os.getpid(), signal.SIGTERM)

    with monkeypatch.context() as patch:
        patch.setattr(training.RunLog, "__call__", stopping)
        stopped = train("--pairs", pairs, *SHORT)
    assert (stopped.code, stopped.out) == (143, "")
    assert "Stopped by SIGTERM; the checkpoint run/step-00000003 is written, and --resume goes on" in stopped.err
    again = train("--resume", "--pairs", pairs, *SHORT, "--format", "json")
    assert again.code == 0
    assert "Resumed from run/step-00000003." in again.err
    assert json.loads(again.out)["steps"] == 5
    assert train("--resume").code == 0


@pytest.mark.parametrize(
    ("option", "value", "stored"),
    [("--steps", "6", "5"), ("--d-model", "24", "22"), ("--epochs", "3", "10"), ("--vocab-size", "77", "5000")],
)
def test_resume_refuses_other_choices(pairs: Path, option: str, value: str, stored: str) -> None:
    assert train("--pairs", pairs, *SHORT).code == 0
    said = refused("train", "translation", "--output", "run", "--resume", option, value)
    assert f"= {value}" in said
    assert f"begun with {stored}" in said


def test_alone_it_says_what_can_be_trained() -> None:
    answer = ask("train")
    assert (answer.code, answer.err) == (0, "")
    assert "translation" in answer.out


# Bad input


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ([], "nothing to train on.*--pairs"),
        (["--pairs", "none.tsv"], "No file none.tsv"),
        (["--pairs", "folder"], "folder is a folder"),
        (["--pairs", "x" * 5000], "Cannot read|No file"),
        (["--pairs", "pairs.tsv", "--pairs", "short.txt"], "short.txt has 1 lines"),
        (["--pairs", "pairs.tsv", "--pairs", "pairs.tsv", "--pairs", "pairs.tsv"], "3 came"),
        (["--pairs", "latin1.tsv"], "latin1.tsv, line 1, byte 1"),
        (["--pairs", "one.tsv"], "one.tsv, line 2: 1 column"),
        (["--pairs", "three.tsv"], "three.tsv, line 1: 3 columns.*--columns 1,2"),
        (["--pairs", "empty.tsv"], "empty.tsv holds no line"),
        (["--pairs", "single.tsv"], "Cannot hold out"),
        (["--pairs", "blank.tsv"], "None of the 9 pairs"),
        (["--pairs", "-"], "stdin.* holds no line"),
        (["--pairs", "pairs.tsv", "--columns", "1,1"], "--columns 1,1"),
        (["--pairs", "pairs.tsv", "--columns", "one"], "--columns one"),
        (["--pairs", "pairs.tsv", "--columns", "1,3"], "--columns 1,3"),
        (["--pairs", "pairs.tsv", "--validation", "none.tsv"], "No file none.tsv"),
        (["--pairs", "pairs.tsv", "--validation", "pairs.tsv"], "None of the .* also in the validation pairs"),
        (["--pairs", "pairs.tsv", "--steps", "0"], "--steps = 0.*≥ 1"),
        (["--pairs", "pairs.tsv", "--steps", "many"], "--steps takes a whole number, and “many” came"),
        (["--pairs", "pairs.tsv", "--epochs", "nan"], "--epochs = nan"),
        (["--pairs", "pairs.tsv", "--vocab-size", "3"], "--vocab-size = 3.*≥ 8"),
        (["--pairs", "pairs.tsv", "--threads", "0"], "--threads = 0.*≥ 1"),
        (["--pairs", "pairs.tsv", "--threads", "10000"], "--threads = 10000.*≤ 1024"),
        (["--pairs", "pairs.tsv", "--learning-rate", "nan"], "--learning-rate = nan"),
        (["--pairs", "pairs.tsv", "--learning-rate", "inf"], "--learning-rate = inf.*finite"),
        (["--pairs", "pairs.tsv", "--learning-rate", "-1"], "--learning-rate = -1.*> 0"),
        (["--pairs", "pairs.tsv", "--dropout", "nan"], "--dropout = nan"),
        (["--pairs", "pairs.tsv", "--dropout", "1"], "--dropout = 1.*< 1"),
        (["--pairs", "pairs.tsv", "--d-model", "23"], "--d-model = 23.*multiple of 2"),
        (["--pairs", "pairs.tsv", "--seed", "-1"], "--seed = -1.*≥ 0"),
        (["--pairs", "pairs.tsv", "--attention", "dott"], "--attention dott.*nearest is dot"),
        (["--pairs", "pairs.tsv", "--cell", "rnn"], "--cell rnn.*gru, lstm"),
        (["--pairs", "pairs.tsv", "--tokenizer", "bbpe"], "--tokenizer bbpe.*nearest is bpe"),
        (["--pairs", "pairs.tsv", "--precision", "fp16"], "--precision fp16.*bf16"),
        (["--pairs", "pairs.tsv", "--device", "tpu"], "--device tpu.*nearest is cpu"),
        (["--pairs", "pairs.tsv", "--format", "xml"], "--format xml.*text, json"),
        (["--pairs", "pairs.tsv", "--encoding", "utf-9"], "utf-9.*utf-8"),
        (["--resume"], "no run in run"),
    ],
    ids=str,
)
def test_what_is_wrong_is_said_in_one_line(pairs: Path, arguments: list[str], told: str) -> None:
    Path("folder").mkdir()
    files = {"one": "a\tb\nc\n", "three": "a\tb\tc\n", "empty": "", "single": "a\tb\n", "blank": "a\t\n" * 9}
    for name, text in files.items():
        Path(f"{name}.tsv").write_text(text)
    Path("latin1.tsv").write_bytes(b"b\xe9\tc\n")
    Path("short.txt").write_text("a\n")
    said = refused("train", "translation", "--output", "run", *arguments)
    assert re.search(told, said), said
    assert not Path("run/run.json").exists()


@pytest.mark.parametrize("output", ["pairs.tsv", "pairs.tsv/run", "x" * 300, "/proc/none"])
def test_a_folder_that_cannot_be_made_is_refused(pairs: Path, output: str) -> None:
    said = refused("train", "translation", "--pairs", pairs, "--output", output, *SHORT)
    assert "Cannot make the folder" in said


def test_what_is_refused_leaves_nothing_behind(pairs: Path) -> None:
    """Neither folders that were made for it, nor a lock in those of others."""
    wrong = ("train", "translation", "--pairs", pairs, "--d-model", "15", "--output")
    assert "--d-model = 15" in refused(*wrong, "new/folder/run")
    assert not Path("new").exists()
    Path("empty").mkdir()
    refused(*wrong, "empty")
    assert list(Path("empty").iterdir()) == []
    Path("full").mkdir()
    Path("full/diary.txt").write_text("a\n")
    assert "full is not empty" in refused(*wrong, "full")
    assert "no run in full" in refused("train", "translation", "--resume", "--output", "full")
    assert [path.name for path in Path("full").iterdir()] == ["diary.txt"]


def test_without_a_folder_it_says_how_to_name_one() -> None:
    assert "--output" in refused("train", "translation", "--pairs", "pairs.tsv")


def test_the_folder_of_another_run_is_left_alone(pairs: Path) -> None:
    assert train("--pairs", pairs, *SHORT).code == 0
    before = sorted(path.name for path in Path("run").rglob("*"))
    assert "run is not empty" in refused("train", "translation", "--pairs", pairs, "--output", "run", *SHORT)
    assert sorted(path.name for path in Path("run").rglob("*")) == before


def test_a_device_that_is_chosen_but_not_there(pairs: Path) -> None:
    import torch

    other = "mps" if torch.cuda.is_available() else "cuda"
    said = refused("train", "translation", "--pairs", pairs, "--output", "run", "--device", other)
    assert f"--device {other}" in said


@pytest.mark.parametrize(("lang", "told"), [("zh-Hant", "位於 run/best。"), ("zh-Hans", "run/best。")])
def test_it_speaks_chinese(pairs: Path, lang: str, told: str) -> None:
    answer = train("--pairs", pairs, *SHORT, "--lang", lang)
    assert told in answer.out
    for words in ("Training", "Validation", "Pairs", "best"):
        assert words not in answer.err
    said = refused("train", "translation", "--output", "x", "--pairs", pairs, "--steps", "0", "--lang", lang)
    assert "≥ 1" in said
    assert "must" not in said


# The real program


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_it_with_a_checkpoint_and_the_shells_code(pairs: Path, number: int, code: int) -> None:
    long = ("--steps", "100000", "--evaluate-every", "100000", "--save-every", "100000")
    process = start("train", "translation", "-o", "run", "--pairs", pairs, *TINY, *long, stderr=subprocess.PIPE)
    assert process.stderr
    for line in process.stderr:
        if line.startswith(b"Step "):
            process.send_signal(number)
            break
    said = process.stderr.read().decode()
    process.stderr.close()
    assert process.wait(60) == code
    written = [path.name for path in Path("run").glob("step-*")]
    assert len(written) == 1
    assert f"the checkpoint run/{written[0]} is written" in said
    assert "Traceback" not in said


def test_a_terminal_sees_a_bar_that_goes_and_lines_that_stay(pairs: Path) -> None:
    ours, theirs = pty.openpty()
    course = ("--steps", "60", "--evaluate-every", "30")
    process = start("train", "translation", "-o", "run", "--pairs", pairs, *TINY, *course, stdout=theirs, stderr=theirs,
                    env={**os.environ, "TERM": "xterm", "COLUMNS": "100"})  # fmt: skip
    os.close(theirs)
    seen, until = b"", time.monotonic() + 60
    while time.monotonic() < until and select.select([ours], [], [], 60)[0]:
        try:
            seen += os.read(ours, 4096)
        except OSError:  # the other side is closed
            break
    os.close(ours)
    assert process.wait(60) == 0
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", seen.decode())
    assert "━" in text
    assert "60/60" in text
    assert "tokens/s" in text
    assert text.count("Validation at step") == 2
    assert text.rstrip().endswith("it is in run/best.")
