"""A run that was interrupted ends with the same bits as one that never was."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from regard.core.errors import BadInput, Failure
from regard.tasks.training import Asked, train_translation
from regard.training import loop
from regard.training.loop import Stopped
from toy import reversed_pairs, write_pairs

STEPS = 47
RUN = {"steps": STEPS, "evaluate_every": 19, "save_every": 7, "batch_tokens": 211, "threads": 1, "warmup": 5}
MODEL = {"d_embedding": 7, "d_model": 22}


def asked(folder: Path, **run: object) -> Asked:
    pairs = write_pairs(folder / "pairs.tsv", reversed_pairs(401))
    data = {"pairs": [pairs], "tokenizer": "words", "vocab_size": 31, "held_out": 23, "joined": 0.2}
    return Asked(data, MODEL, {**RUN, **run})


def quiet(kind: str, facts: dict) -> None:
    pass


def bits(run: Path) -> dict[str, torch.Tensor]:
    return load_file(run / f"step-{STEPS:08d}" / "model.safetensors")


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[str, torch.Tensor]:
    folder = tmp_path_factory.mktemp("whole")
    train_translation(folder / "run", asked(folder), quiet)
    return bits(folder / "run")


def same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


@pytest.mark.parametrize("stop", [1, 7, 12, 19, 38, STEPS - 1])
def test_a_stopped_run_resumes_to_the_same_bits(tmp_path: Path, whole: dict, stop: int) -> None:
    """Stopped by SIGTERM after a step: the first, one with a checkpoint, amid an epoch, at validation, last but one."""

    def tell(kind: str, facts: dict) -> None:
        if kind == "step" and facts["step"] == stop:
            os.kill(os.getpid(), signal.SIGTERM)

    with pytest.raises(Stopped) as caught:
        train_translation(tmp_path / "run", asked(tmp_path), tell)
    assert caught.value.number == signal.SIGTERM
    assert caught.value.path.name == f"step-{stop:08d}"
    outcome = train_translation(tmp_path / "run", Asked(), quiet, resume=True)
    assert same(bits(tmp_path / "run"), whole)
    assert outcome["steps"] == STEPS
    assert (tmp_path / "run" / "best" / "config.json").is_file()


def test_dropout_and_order_depend_on_the_seed(tmp_path: Path, whole: dict) -> None:
    train_translation(tmp_path / "run", asked(tmp_path, seed=2), quiet)
    assert not same(bits(tmp_path / "run"), whole)


def test_kill_9_leaves_a_run_that_resumes_to_the_same_bits(tmp_path: Path, whole: dict) -> None:
    asked(tmp_path)
    program = (
        "import sys; from pathlib import Path; sys.path[:0] = sys.argv[3:];"
        "from regard.tasks.training import train_translation;"
        "from test_resume import asked, quiet; folder = Path(sys.argv[1]);"
        "resume = sys.argv[2] == 'resume' and (folder / 'run' / 'run.json').exists();"
        "train_translation(folder / 'run', asked(folder), quiet, resume=resume)"
    )
    here = [str(Path(__file__).parent), str(Path(__file__).parents[1])]
    for delay in (2, 5, 9):
        process = subprocess.Popen(
            [sys.executable, "-c", program, str(tmp_path), "resume" if delay > 2 else "new", *here]
        )
        began = time.monotonic()
        while process.poll() is None and len(list((tmp_path / "run").glob("step-*"))) < 1 + (delay > 5):
            assert time.monotonic() - began < 120
            time.sleep(0.01)
        time.sleep(0.01 * delay)
        process.kill()
        process.wait()
    train_translation(tmp_path / "run", Asked(), quiet, resume=True)
    assert same(bits(tmp_path / "run"), whole)
    assert not list((tmp_path / "run").glob(".tmp-*"))


def test_an_altered_checkpoint_is_passed_over_for_the_one_before(tmp_path: Path, whole: dict) -> None:
    train_translation(tmp_path / "run", asked(tmp_path), quiet)
    newest = tmp_path / "run" / f"step-{STEPS:08d}" / "optimizer.safetensors"
    data = bytearray(newest.read_bytes())
    data[-3] ^= 8
    newest.write_bytes(data)
    told = []
    train_translation(tmp_path / "run", Asked(), lambda kind, facts: told.append((kind, facts)), resume=True)
    warned = [facts["error"].code for kind, facts in told if kind == "warning"]
    assert warned == ["file_altered"]
    assert same(bits(tmp_path / "run"), whole)


def test_metrics_have_each_step_once_and_in_order(tmp_path: Path) -> None:
    import json

    def tell(kind: str, facts: dict) -> None:
        if kind == "validation" and facts["step"] == 38:
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(Stopped):
        train_translation(tmp_path / "run", asked(tmp_path, save_every=1000), tell)
    train_translation(tmp_path / "run", Asked(), quiet, resume=True)
    lines = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines if line["kind"] == "validation"] == [19, 38, STEPS]


def test_a_nan_stops_the_run_before_the_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = loop.loss

    def poisoned(*given):  # type: ignore[no-untyped-def]
        measured = real(*given)
        poisoned.calls += 1
        return measured if poisoned.calls < 10 else type(measured)(measured.loss * float("nan"), 1, 0.0)

    poisoned.calls = 0
    monkeypatch.setattr(loop, "loss", poisoned)
    with pytest.raises(Failure) as caught:
        train_translation(tmp_path / "run", asked(tmp_path), quiet)
    assert caught.value.code == "diverged"
    assert caught.value.facts["step"] == 10
    assert [p.name for p in (tmp_path / "run").glob("step-*")] == ["step-00000007"]


def test_what_a_resume_needs_is_held_against_what_is_there(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"no run\.json"):
        train_translation(tmp_path / "run", Asked(), quiet, resume=True)
    train_translation(tmp_path / "run", asked(tmp_path, steps=2), quiet)
    with pytest.raises(BadInput, match="not empty"):
        train_translation(tmp_path / "run", asked(tmp_path), quiet)
    write_pairs(tmp_path / "pairs.tsv", reversed_pairs(397, seed=5))
    with pytest.raises(BadInput, match=r"pairs\.tsv is not what it was"):
        train_translation(tmp_path / "run", Asked(), quiet, resume=True)


@pytest.mark.parametrize("part", [0, 1, 2])
def test_of_several_batches_the_wrong_one_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, part: int) -> None:
    real, seen = loop.loss, []

    def poisoned(model, batch, *given):  # type: ignore[no-untyped-def]
        measured = real(model, batch, *given)
        seen.append([*batch.examples[:5]])
        return type(measured)(measured.loss * float("inf"), 1, 0.0) if len(seen) == 4 + part else measured

    monkeypatch.setattr(loop, "loss", poisoned)
    with pytest.raises(Failure) as caught:
        train_translation(tmp_path / "run", asked(tmp_path, accumulate=3), quiet)
    assert (caught.value.code, caught.value.facts["step"]) == ("diverged", 2)
    assert caught.value.facts["examples"] == ", ".join(map(str, seen[3 + part]))
    assert seen[3] != seen[4] != seen[5]


def test_two_processes_do_not_train_in_one_folder(tmp_path: Path) -> None:
    from filelock import FileLock

    (tmp_path / "run").mkdir()
    with FileLock(tmp_path / "run" / ".lock"), pytest.raises(BadInput, match="Another process"):
        train_translation(tmp_path / "run", asked(tmp_path), quiet)


@pytest.mark.parametrize(("name", "value"), [("steps", 0), ("learning_rate", -1.0), ("batch_tokens", 0)])
def test_a_setting_out_of_its_range_is_refused(tmp_path: Path, name: str, value: float) -> None:
    with pytest.raises(BadInput) as caught:
        train_translation(tmp_path / "run", asked(tmp_path, **{name: value}), quiet)
    assert (caught.value.code, caught.value.facts["name"]) == ("setting_bound", name)


def test_a_resume_may_ask_again_for_the_same_but_for_nothing_else(tmp_path: Path) -> None:
    train_translation(tmp_path / "run", asked(tmp_path, steps=2), quiet)
    train_translation(tmp_path / "run", asked(tmp_path, steps=2), quiet, resume=True)
    with pytest.raises(BadInput, match="seed = 7, and the run was begun with 1"):
        train_translation(tmp_path / "run", asked(tmp_path, steps=2, seed=7), quiet, resume=True)


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_training_leaves_the_process_as_it_was(tmp_path: Path, precision: str) -> None:
    """Threads and precision are the run's; what runs afterwards in this process multiplies as before."""

    def state() -> tuple[str, str, int]:
        found = (torch.backends.mkldnn.matmul.fp32_precision, torch.backends.mkldnn.rnn.fp32_precision)
        return (*found, torch.get_num_threads())

    before, inside = state(), []
    wanted = "bf16" if precision == "bf16" else "ieee"
    tell = lambda kind, facts: inside.append(state())  # noqa: E731
    train_translation(tmp_path / "run", asked(tmp_path, steps=3, precision=precision, threads=2), tell)
    assert (wanted, wanted, 2) in inside
    assert state() == before
