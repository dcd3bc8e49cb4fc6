"""A run that chose by measuring: the bits are those of a run that was told so, and a resume obeys what is written."""

import json
import os
import signal
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from regard import language
from regard.cli.progress import LmTraining
from regard.core.errors import BadInput
from regard.tasks.run_choices import Asked
from regard.tasks.training_lm import train_lm
from regard.training import precision, trial
from regard.training.loop import Stopped
from toy import reversed_pairs

STEPS = 7
TINY = {"d_model": 10, "n_layers": 1, "n_heads": 5, "d_ff": 13, "max_len": 11, "dropout": 0.1}
RUN = {"steps": STEPS, "batch_size": 3, "warmup": 3, "save_every": 3, "threads": 1, "device": "cpu"}


def worth_it(patch: pytest.MonkeyPatch) -> None:
    """Every run is long enough for a trial, and whatever is tried is taken."""
    for name, value in {"FEWEST": 1, "LONG": 0.0, "MARGIN": 1e9, "AT_LEAST": 0.0}.items():
        patch.setattr(trial, name, value)


@pytest.fixture(autouse=True)
def _worth_it(monkeypatch: pytest.MonkeyPatch) -> None:
    worth_it(monkeypatch)


def asked(folder: Path, **run: Any) -> Asked:
    path = folder / "text.txt"
    path.write_text("".join(f"{source} {target}\n" for source, target in reversed_pairs(499)), encoding="utf-8")
    return Asked({"text": [path], "vocab_size": 263}, TINY, {**RUN, **run})


def quiet(kind: str, facts: dict[str, Any]) -> None:
    pass


def weights(run: Path) -> dict[str, torch.Tensor]:
    return load_file(run / f"step-{STEPS:08d}" / "model.safetensors")


def same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def written(run: Path) -> dict[str, Any]:
    return json.loads((run / "run.json").read_text())


def test_what_a_trial_chose_gives_the_bits_of_a_run_that_was_told_so(tmp_path: Path) -> None:
    """fp32 is tried against bf16 and taken; nothing else tells the runs apart."""
    told: list[Any] = []
    given = asked(tmp_path, compile=False)
    monkey = pytest.MonkeyPatch()
    with monkey.context() as patched:
        patched.setattr(precision, "best", lambda: "bf16")
        train_lm(tmp_path / "tried", given, lambda kind, facts: told.append((kind, facts)))
        assert "trial" not in written_after(tmp_path / "said", asked(tmp_path, compile=False, precision="fp32"))
        train_lm(tmp_path / "bf16", asked(tmp_path, compile=False, precision="bf16"), quiet)
    facts = written(tmp_path / "tried")
    assert facts["settings"]["precision"] == "fp32"
    assert [way["choices"]["precision"] for way in facts["trial"]["ways"]] == ["bf16", "fp32"]
    assert all(way["seconds_a_step"] > 0 for way in facts["trial"]["ways"])
    assert [kind for kind, _ in told].count("trial") == 1
    assert same(weights(tmp_path / "tried"), weights(tmp_path / "said"))
    assert not same(weights(tmp_path / "tried"), weights(tmp_path / "bf16"))


def written_after(run: Path, given: Asked) -> dict[str, Any]:
    train_lm(run, given, quiet)
    return written(run)


def compiled_runs(folder: Path) -> tuple[bool, bool, str]:
    """Whether a run chose to be compiled; its bits, stopped and taken up, are those of one told to; what is refused."""
    worth_it(pytest.MonkeyPatch())

    def tell(what: str, facts: dict[str, Any]) -> None:
        if what == "step" and facts["step"] == 4:
            os.kill(os.getpid(), signal.SIGTERM)

    with pytest.raises(Stopped):
        train_lm(folder / "tried", asked(folder, precision="fp32"), tell)
    torch._dynamo.reset()  # as in a new process
    train_lm(folder / "tried", Asked(), quiet, resume=True)
    train_lm(folder / "said", asked(folder, precision="fp32", compile=True), quiet)
    with pytest.raises(BadInput) as caught:
        train_lm(folder / "tried", Asked(run={"compile": False}), quiet, resume=True)
    bits = same(weights(folder / "tried"), weights(folder / "said"))
    return written(folder / "tried")["settings"]["compile"], bits, caught.value.code


@pytest.mark.skipif(not precision.has_compiler("cpu"), reason="no C++ compiler")
def test_a_compiled_run_is_taken_up_compiled_to_the_same_bits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a process of its own: the checks of shapes that the suite puts into every function cannot be compiled."""
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path / "compiled"))
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as apart:
        assert apart.submit(compiled_runs, tmp_path).result() == (True, True, "resume_differs")


def test_a_compiler_that_is_missing_is_told_before_any_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CXX", "no-such-compiler")
    with pytest.raises(BadInput) as caught:
        train_lm(tmp_path / "run", asked(tmp_path, compile=True), quiet)
    assert (caught.value.code, caught.value.facts) == ("compiler_missing", {"name": "no-such-compiler"})
    train_lm(tmp_path / "run", asked(tmp_path, precision="fp32"), quiet)
    assert written(tmp_path / "run")["settings"]["compile"] is False


@pytest.mark.parametrize(
    ("lang", "line"),
    [
        (
            "en",
            "Tried on this machine in 41 s: bf16 20.0 ms a step, bf16 compiled 15.5 ms a step. Taken: bf16 compiled.",
        ),
        ("zh-Hant", "在這台機器上試了 41 秒：bf16 每步 20.0 毫秒，編譯後的 bf16 每步 15.5 毫秒。採用：編譯後的 bf16。"),
        ("zh-Hans", "在这台机器上试了 41 秒：bf16 每步 20.0 毫秒，编译后的 bf16 每步 15.5 毫秒。采用：编译后的 bf16。"),
    ],
)
def test_a_trial_is_told_in_one_line(capsys: pytest.CaptureFixture[str], lang: str, line: str) -> None:
    ways = [trial.Way({"precision": "bf16", "compile": each}, 0.02 - 0.0045 * each, 3.0) for each in (False, True)]
    language.choose(lang)
    try:
        LmTraining()("trial", {"trial": trial.Trial(tuple(ways), ways[1], 41.2)})
    finally:
        language.choose(None)
    assert capsys.readouterr().err == line + "\n"
