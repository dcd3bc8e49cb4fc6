"""A run that is watched: what is recorded is what the model of that step does, and training does not notice."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from torch import nn

from regard.core.errors import BadInput, Failure
from regard.inspection import record as recording
from regard.models import folder
from regard.tasks import watching
from regard.tasks.look import Asked as Heads
from regard.tasks.look import look
from regard.tasks.run_choices import Asked
from regard.tasks.training import train_translation
from regard.tasks.training_lm import train_lm
from regard.tasks.watching import Watcher, pair_probe, text_probe, watched
from regard.text import tokenizers
from toy import WORDS, reversed_pairs, write_pairs

TEXT = "ant bee cat ant bee"
SIZES = {"n_layers": 2, "n_heads": 3, "d_model": 12, "d_ff": 17, "max_len": 13}
COURSE = {"steps": 11, "batch_size": 3, "evaluate_every": 2, "save_every": 4, "threads": 1, "precision": "fp32"}


def quiet(kind: str, facts: dict) -> None:
    pass


def trained(folder: Path, name: str = "run", **course: object) -> Path:
    text = folder / "text.txt"
    text.write_text("\n".join(line for pair in reversed_pairs(61) for line in pair), encoding="utf-8")
    asked = Asked({"text": [text], "tokenizer": "characters"}, SIZES, {**COURSE, **course})
    train_lm(folder / name, asked, quiet)
    return folder / name


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return trained(tmp_path_factory.mktemp("watched"), watch=TEXT[:11])


def test_every_validation_is_recorded_and_what_was_before_the_first_step(run: Path) -> None:
    found = watched(run)
    assert list(found) == [0, 2, 4, 6, 8, 10, 11]
    for trace in found.values():
        assert {key: (t.shape, t.dtype.name) for key, t in trace.tensors.items()} == {
            f"decoder.layers.{n}.self/weights": ((3, 11, 11), "float16") for n in range(2)
        }
        assert trace.sequences["read"].text == TEXT[:11]
    assert len({trace.fingerprint for trace in found.values()}) == 7
    size = 2 * 3 * 11 * 11 * 2
    assert all(size < path.stat().st_size < size + 2048 for path in (run / "watch").iterdir())


def test_the_strip_is_what_the_models_of_those_steps_do(run: Path) -> None:
    """Each kept checkpoint is loaded as a model like any other, and recorded by itself."""
    strip = {each["step"]: each["patterns"] for each in look(str(run), Heads()).json()["steps"]}
    kept = sorted(path for path in run.glob("step-*") if int(path.name[5:]) in strip)
    assert len(kept) == 2
    for path in kept:
        loaded = folder.load(path)
        probe = text_probe(TEXT[:11], loaded.tokenizer, 13)
        trace = recording.record(loaded.model, probe, name="alone", fingerprint="0")
        patterns = strip[int(path.name[5:])]
        assert [(each["layer"], each["head"]) for each in patterns] == [(n, h) for n in range(2) for h in range(3)]
        for each in patterns:
            alone = trace.weights(layer=each["layer"], head=each["head"])
            np.testing.assert_array_equal(np.array(each["weights"]), alone.astype(np.float16))
        other = strip[0]
        assert other != patterns


def test_training_does_not_notice(run: Path, tmp_path: Path) -> None:
    """Every number of the run but its times, and every bit of its last checkpoint."""
    alone = trained(tmp_path)
    assert not (alone / "watch").exists()
    weights = [path / "step-00000011" / "model.safetensors" for path in (run, alone)]
    assert weights[0].read_bytes() == weights[1].read_bytes()
    logs = [[told(line) for line in (path / "metrics.jsonl").read_text().splitlines()] for path in (run, alone)]
    assert logs[0] == logs[1]


def told(line: str) -> dict:
    times = ("seconds", "tokens_per_second", "seconds_left")
    return {name: value for name, value in json.loads(line).items() if name not in times}


def test_a_resumed_run_forgets_what_came_after_and_records_it_again_the_same(run: Path, tmp_path: Path) -> None:
    again = tmp_path / "run"
    shutil.copytree(run, again)
    shutil.rmtree(again / "step-00000011")
    (again / "watch" / "step-00000010.safetensors").write_bytes(b"what a killed run left")
    shutil.copy(again / "watch" / "step-00000000.safetensors", again / "watch" / "step-00000009.safetensors")
    train_lm(again, Asked(), quiet, resume=True)
    once, twice = watched(run), watched(again)
    assert list(once) == list(twice)
    for step, trace in once.items():
        assert (trace.fingerprint, trace.sequences, trace.check) == (
            twice[step].fingerprint,
            twice[step].sequences,
            twice[step].check,
        )
        for key, tensor in trace.tensors.items():
            np.testing.assert_array_equal(tensor, twice[step].tensors[key])


def test_a_translator_is_watched_on_a_pair(tmp_path: Path) -> None:
    pairs = write_pairs(tmp_path / "pairs.tsv", reversed_pairs(101))
    data = {"pairs": [pairs], "tokenizer": "words", "vocab_size": 31, "held_out": 7}
    course = {"steps": 4, "evaluate_every": 2, "batch_tokens": 101, "threads": 1, "watch": "ant bee\tbee ant"}
    train_translation(tmp_path / "run", Asked(data, {"d_embedding": 7, "d_model": 22}, course), quiet)
    found = watched(tmp_path / "run")
    assert list(found) == [0, 2, 4]
    assert found[4].weights().shape == (3, 3)
    assert look(str(tmp_path / "run"), Heads()).json()["key_tokens"] == ["ant", " bee", "</s>"]


# What is kept


def watcher(output: Path, run: Path, told: list) -> tuple[Watcher, Any]:
    loaded = folder.load(run / "best")
    probe = text_probe("ant bee", loaded.tokenizer, 13)
    return Watcher(output, probe, 5, lambda kind, facts: told.append((kind, facts))), loaded


def test_few_files_stay_and_they_are_evenly_spaced(run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "MOST_FILES", 8)
    watch, loaded = watcher(tmp_path, run, [])
    for step in range(0, 5 * 37, 5):
        watch(loaded.model, step, {})
        assert len(watched(tmp_path)) <= 10
    watch(loaded.model, 183, {})
    assert list(watched(tmp_path)) == [0, 40, 80, 120, 160, 183]


def test_large_files_are_fewer(run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "MOST_BYTES", 1)
    watch, loaded = watcher(tmp_path, run, [])
    for step in range(0, 5 * 40, 5):
        watch(loaded.model, step, {})
    assert watching.LEAST_FILES // 2 < len(watched(tmp_path)) <= watching.LEAST_FILES + 2


def test_a_run_goes_on_where_a_recording_fails(run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list = []
    watch, loaded = watcher(tmp_path, run, told)
    monkeypatch.setattr(recording, "_logits_deviation", lambda *runs: float("nan"))
    loaded.model.train()
    watch(loaded.model, 5, {})
    assert [(kind, facts["error"].code) for kind, facts in told] == [("warning", "trace_check")]
    assert isinstance(told[0][1]["error"], Failure)
    assert loaded.model.training
    assert watched(tmp_path) == {}


# Bad input


@pytest.mark.parametrize(("text", "code"), [("ant bee cat dog", "watch_too_long"), ("", "text_empty")])
def test_a_text_that_cannot_be_watched_is_refused_before_the_run_begins(tmp_path: Path, text: str, code: str) -> None:
    with pytest.raises(BadInput) as caught:
        trained(tmp_path, watch=text)
    assert caught.value.code == code
    assert not (tmp_path / "run" / "run.json").exists()
    assert len(watched(trained(tmp_path, watch="ant"))) == 7


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("ant bee", "watch_pair"),
        ("a\tb\tc", "watch_pair"),
        ("\tant", "text_empty"),
        ("ant " * 9 + "\tb", "watch_too_long"),
    ],
)
def test_a_pair_that_is_none_is_refused(line: str, code: str) -> None:
    tokenizer = tokenizers.train([" ".join(WORDS)] * 2, kind="words", vocab_size=31)
    with pytest.raises(BadInput) as caught:
        pair_probe(line, tokenizer, 7)
    assert caught.value.code == code


def test_a_resume_cannot_watch_something_else(run: Path, tmp_path: Path) -> None:
    shutil.copytree(run, tmp_path / "run")
    with pytest.raises(BadInput) as caught:
        train_lm(tmp_path / "run", Asked(run={"watch": "dog"}), quiet, resume=True)
    assert (caught.value.code, caught.value.facts["name"]) == ("resume_differs", "watch")


def test_a_model_in_training_is_recorded_without_dropout(run: Path, tmp_path: Path) -> None:
    """Before the first step the model stands as it was made, ready to train."""
    watch, loaded = watcher(tmp_path, run, [])
    for part in loaded.model.modules():
        if isinstance(part, nn.Dropout):
            part.p = 0.5
    for step in (5, 10):
        loaded.model.train(step == 5)
        watch(loaded.model, step, {})
    one, other = watched(tmp_path).values()
    for key, tensor in one.tensors.items():
        np.testing.assert_array_equal(tensor, other.tensors[key])
