"""Language models on the user's own text: exact resume, what suits a text, what is refused before any work."""

import io
import json
import os
import signal
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoTokenizer

from regard.core.errors import BadInput
from regard.models import folder as model_folder
from regard.tasks import generation
from regard.tasks.run_choices import Asked
from regard.tasks.training import train_translation
from regard.tasks.training_lm import train_lm
from regard.text import prose_tokenizers
from regard.training.loop import Stopped
from regard.training.settings import LmSettings
from toy import reversed_pairs, write_pairs

STEPS = 17
QUICK = {"steps": STEPS, "evaluate_every": 7, "save_every": 5, "batch_size": 3, "warmup": 3}
QUICK |= {"threads": 1, "precision": "fp32", "device": "cpu"}
TINY = {"d_model": 14, "n_layers": 2, "n_heads": 7, "d_ff": 23, "max_len": 13, "dropout": 0.1}
HARD = {"optimizer": "muon", "schedule": "wsd", "accumulate": 2, "form": "llama"}
GROUPED = {**TINY, "d_model": 36, "n_heads": 6, "n_kv_heads": 3}


def prose(folder: Path, words: int = 997) -> Path:
    """A text whose next word hangs on the last one."""
    path = folder / "text.txt"
    path.write_text("".join(f"{source} {target}\n" for source, target in reversed_pairs(words)), encoding="utf-8")
    return path


def asked(folder: Path, data: dict | None = None, model: dict | None = None, **run: Any) -> Asked:
    said = {"text": [prose(folder)], "vocab_size": 263, **(data or {})}
    return Asked(said, TINY if model is None else model, {**QUICK, **run})


def quiet(kind: str, facts: dict) -> None:
    pass


def weights(run: Path) -> dict[str, torch.Tensor]:
    return load_file(run / f"step-{STEPS:08d}" / "model.safetensors")


def same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def refused(folder: Path, **given: Any) -> BadInput:
    with pytest.raises(BadInput) as caught:
        train_lm(folder / "run", asked(folder, **given), quiet)
    return caught.value


# The same numbers


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A run of each kind that was never interrupted."""
    made = {}
    for kind, model, run in (("plain", TINY, {}), ("hard", GROUPED, HARD)):
        made[kind] = tmp_path_factory.mktemp(kind)
        train_lm(made[kind] / "run", asked(made[kind], model=model, **run), quiet)
    return {kind: folder / "run" for kind, folder in made.items()}


def test_a_run_twice_is_bit_equal(tmp_path: Path, whole: dict[str, Path]) -> None:
    train_lm(tmp_path / "run", asked(tmp_path), quiet)
    assert same(weights(tmp_path / "run"), weights(whole["plain"]))
    assert (tmp_path / "run" / "tokenizer.json").read_bytes() == (whole["plain"] / "tokenizer.json").read_bytes()


@pytest.mark.parametrize(("kind", "stop"), [("plain", 1), ("plain", 7), ("hard", 8), ("hard", STEPS - 1)])
def test_a_stopped_run_resumes_to_the_same_bits(tmp_path: Path, whole: dict[str, Path], kind: str, stop: int) -> None:
    def tell(what: str, facts: dict) -> None:
        if what == "step" and facts["step"] == stop:
            os.kill(os.getpid(), signal.SIGTERM)

    given = asked(tmp_path, model=GROUPED, **HARD) if kind == "hard" else asked(tmp_path)
    with pytest.raises(Stopped):
        train_lm(tmp_path / "run", given, tell)
    train_lm(tmp_path / "run", Asked(), quiet, resume=True)
    assert same(weights(tmp_path / "run"), weights(whole[kind]))
    moments = [
        load_file(run / f"step-{STEPS:08d}" / "optimizer.safetensors") for run in (tmp_path / "run", whole[kind])
    ]
    assert same(*moments)
    assert ("momentum_buffer.layers.0.attention.to_query.weight" in moments[0]) == (kind == "hard")
    validations = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    assert [line["step"] for line in validations if line["kind"] == "validation"] == [7, 14, STEPS]


def test_a_resume_makes_lost_tokens_again(tmp_path: Path, whole: dict[str, Path]) -> None:
    def tell(what: str, facts: dict) -> None:
        if what == "step" and facts["step"] == 6:
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(Stopped):
        train_lm(tmp_path / "run", asked(tmp_path), tell)
    (tmp_path / "run" / "tokens" / "training.npy").write_bytes(b"torn")
    train_lm(tmp_path / "run", Asked(), quiet, resume=True)
    assert same(weights(tmp_path / "run"), weights(whole["plain"]))


def test_standard_input_is_kept_and_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = prose(tmp_path).read_bytes()
    stdin = io.TextIOWrapper(io.BytesIO(text))
    monkeypatch.setattr(sys, "stdin", stdin)
    given = Asked({"text": [Path("-")], "vocab_size": 263}, TINY, QUICK)

    def tell(what: str, facts: dict) -> None:
        if what == "step" and facts["step"] == 4:
            os.kill(os.getpid(), signal.SIGTERM)

    with pytest.raises(Stopped):
        train_lm(tmp_path / "run", given, tell)
    monkeypatch.setattr(sys, "stdin", None)
    assert train_lm(tmp_path / "run", given, quiet, resume=True)["steps"] == STEPS
    assert (tmp_path / "run" / "stdin.txt").read_bytes() == text


# What a run says, and what it leaves


def test_the_outcome_is_that_of_the_best_validation(tmp_path: Path) -> None:
    told: list[tuple[str, Any]] = []
    outcome = train_lm(tmp_path / "run", asked(tmp_path), lambda kind, facts: told.append((kind, facts)))
    assert set(outcome) == {"steps", "loss", "metrics", "checkpoint"}
    assert set(outcome["metrics"]) == {"bits_per_byte", "perplexity", "step"}
    start = next(facts for kind, facts in told if kind == "start")
    tokenizer = prose_tokenizers.load(tmp_path / "run" / "tokenizer.json")
    text = (tmp_path / "text.txt").read_text()
    assert start["tokens"] + start["validation"] == len(tokenizer.encode(text).ids) + 1
    best = model_folder.load(tmp_path / "run" / "best")
    assert best.model.config.vocab_size == tokenizer.vocab_size == 263
    card = (tmp_path / "run" / "best" / "README.md").read_text()
    assert f"| {outcome['loss']:.4f} |" in card
    assert f"step {outcome['metrics']['step']} of {STEPS}" in card


def test_the_loss_is_that_of_the_held_out_text_in_both_units(tmp_path: Path) -> None:
    """A slow twin: the best model reads each validation window alone; bits a byte from the text itself."""
    outcome = train_lm(tmp_path / "run", asked(tmp_path, {"vocab_size": 283}), quiet)
    loaded = model_folder.load(tmp_path / "run" / "best")
    ids = [*loaded.tokenizer.encode((tmp_path / "text.txt").read_text()).ids, loaded.tokenizer.end]
    held = ids[len(ids) - int(len(ids) * 0.1) :]
    total = count = 0.0
    for at in range(0, (len(held) - 1) // 13 * 13, 13):
        with torch.inference_mode():
            chances = loaded.model(torch.tensor([held[at : at + 13]])).log_softmax(-1)[0]
        total -= sum(chances[i, held[at + i + 1]].item() for i in range(13))
        count += 13
    assert outcome["loss"] == pytest.approx(total / count, abs=1e-5)
    size = len(loaded.tokenizer.decode(held).encode())
    bits = total / count / 0.6931471805599453 * len(held) / size
    assert outcome["metrics"]["bits_per_byte"] == pytest.approx(bits, abs=1e-5)


def test_what_was_not_asked_for_suits_a_small_text(tmp_path: Path) -> None:
    path = tmp_path / "text.txt"
    path.write_text("the cat sat on the mat. " * 40)
    course = {name: QUICK[name] for name in ("threads", "device")}
    train_lm(tmp_path / "run", Asked({"text": [path]}, {}, {**course, "steps": 2}), quiet)
    written = json.loads((tmp_path / "run" / "run.json").read_text())
    settings = LmSettings.model_validate_json(json.dumps(written["settings"]))
    assert settings.model.max_len == 8
    assert (settings.schedule, settings.weight_decay, settings.decayed) == ("cosine", 0.1, "matrices")


def test_a_time_becomes_steps_that_are_written_down(tmp_path: Path) -> None:
    given = asked(tmp_path, {"minutes": 0.01})
    del given.run["steps"]
    outcome = train_lm(tmp_path / "run", given, quiet)
    written = json.loads((tmp_path / "run" / "run.json").read_text())
    assert outcome["steps"] == written["settings"]["steps"] > 10
    assert written["data"]["minutes"] == 0.01
    assert train_lm(tmp_path / "run", Asked(), quiet, resume=True)["steps"] == outcome["steps"]


@pytest.mark.parametrize("documents", [99, 100])
def test_of_many_documents_every_text_begins_where_one_ends(tmp_path: Path, documents: int) -> None:
    """Then a model writes as its documents begin; the same in the run, its checkpoints, and in transformers."""
    rows = [json.dumps({"text": f"{source} {target}"}) for source, target in reversed_pairs(997)[:documents]]
    (tmp_path / "many.jsonl").write_text("\n".join(rows))
    train_lm(tmp_path / "run", asked(tmp_path, data={"text": [tmp_path / "many.jsonl"]}, steps=2), quiet)
    model = generation.load(tmp_path / "run")
    words, end = model.tokenizer.encode("ant bee").ids, model.tokenizer.end
    start = [end] if documents == 100 else []
    assert model.read("ant bee").ids == [*start, *words]
    assert AutoTokenizer.from_pretrained(tmp_path / "run" / "best")("ant bee")["input_ids"] == [*start, *words]
    ids = np.load(tmp_path / "run" / "tokens" / "training.npy").tolist()
    assert not any(one == other == end for one, other in pairwise(ids))
    for place in (tmp_path / "run", tmp_path / "run" / "step-00000002"):
        assert prose_tokenizers.load(place / "tokenizer.json").start == (end if start else None)


def test_the_tokenizer_of_another_folder_is_taken_as_it_is(tmp_path: Path, whole: dict[str, Path]) -> None:
    given = asked(tmp_path, {"tokenizer_from": whole["plain"] / "best", "vocab_size": None}, steps=1)
    train_lm(tmp_path / "run", given, quiet)
    taken = prose_tokenizers.load(tmp_path / "run" / "tokenizer.json")
    assert taken.json() == prose_tokenizers.load(whole["plain"] / "tokenizer.json").json()


# What is refused


@pytest.mark.parametrize(
    ("given", "code", "told"),
    [
        ({"model": {**TINY, "d_model": 15}}, "heads_divide", {"d_model": 15, "n_heads": 7}),
        ({"model": {**GROUPED, "n_kv_heads": 4}, "form": "llama"}, "heads_grouped", {"n_kv_heads": 4}),
        ({"model": {**TINY, "d_model": 21}, "form": "llama"}, "heads_odd", {"d_head": 3}),
        ({"model": GROUPED}, "form_lacks_groups", {"n_kv_heads": 3}),
        ({"model": {**TINY, "max_len": 0}}, "setting_bound", {"option": "--context", "rule": "≥ 1"}),
        ({"model": {**TINY, "n_heads": 0}}, "setting_bound", {"option": "--n-heads"}),
        ({"model": {"d_model": 10**9}}, "setting_bound", {"option": "--d-model", "rule": "≤ 65536"}),
        ({"model": {"n_heads": 65536, "d_model": 65536}}, "setting_bound", {"option": "--n-heads"}),
        ({"model": {"n_kv_heads": 1025}, "form": "llama"}, "setting_bound", {"option": "--n-kv-heads"}),
        ({"model": {**TINY, "dropout": 1.0}}, "setting_bound", {"rule": "< 1.0"}),
        ({"batch_size": 0}, "setting_bound", {"option": "--batch-size"}),
        ({"accumulate": 0}, "setting_bound", {"option": "--accumulate"}),
        ({"beta2": 1.0}, "setting_bound", {"option": "--beta2"}),
        ({"data": {"held_out": 1.0}}, "setting_bound", {"option": "--held-out"}),
        ({"data": {"minutes": 0.0}}, "setting_bound", {"option": "--minutes"}),
        ({"data": {"vocab_size": 256}}, "setting_bound", {"rule": "≥ 257"}),
    ],
)
def test_a_choice_that_breaks_a_rule_is_refused_before_any_work(
    tmp_path: Path, given: dict, code: str, told: dict
) -> None:
    error = refused(tmp_path, **given)
    assert error.code == code
    assert error.facts | told == error.facts
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("given", "form", "n_heads", "d_model"),
    [
        ({}, "gpt2", 4, 128),
        ({"n_heads": 3}, "gpt2", 3, 144),  # the width goes with the heads, 8 numbers a head more at a time
        ({"n_heads": 6}, "llama", 6, 144),
        ({"d_model": 90}, "llama", 3, 90),  # and the heads with the width: 4 divide it not, and pairs want 2 a head
        ({"d_model": 100}, "gpt2", 4, 100),
        ({"n_kv_heads": 3}, "llama", 3, 144),
        ({"n_kv_heads": 5, "d_model": 40}, "llama", 5, 40),
        ({"n_heads": 5, "d_model": 35}, "gpt2", 5, 35),
    ],
)
def test_heads_and_width_come_out_even_where_one_of_them_was_given(
    tmp_path: Path, given: dict, form: str, n_heads: int, d_model: int
) -> None:
    train_lm(tmp_path / "run", asked(tmp_path, model={"n_layers": 1, "max_len": 7, **given}, form=form, steps=1), quiet)
    model = json.loads((tmp_path / "run" / "run.json").read_text())["settings"]["model"]
    assert (model["n_heads"], model["d_model"]) == (n_heads, d_model)


def test_a_file_that_judges_is_not_learned_from(tmp_path: Path) -> None:
    (tmp_path / "texts").mkdir()
    for name in ("a.txt", "b.txt"):
        prose(tmp_path).rename(tmp_path / "texts" / name)
    told: dict[str, dict] = {}
    sides = {"text": [tmp_path / "texts"], "validation": [tmp_path / "texts" / "a.txt"]}
    train_lm(tmp_path / "run", asked(tmp_path, sides, steps=1), told.__setitem__)
    assert (told["apart"]["count"], Path(told["apart"]["path"]).name) == (1, "a.txt")
    assert told["start"]["tokens"] == told["start"]["validation"]  # b.txt, and a.txt, which holds the same
    assert refused(tmp_path / "texts", data={**sides, "text": sides["validation"]}).code == "text_judged"


@pytest.mark.parametrize(("text", "side"), [("", "training"), ("cat", "training"), ("cat sat " * 12, "validation")])
def test_a_text_smaller_than_one_window_is_refused_with_the_numbers(tmp_path: Path, text: str, side: str) -> None:
    path = tmp_path / "small.txt"
    path.write_text(text)
    error = refused(tmp_path, data={"text": [path]})
    assert (error.code, error.facts["side"], error.facts["needed"]) == ("text_too_small", side, 14)
    assert error.facts["tokens"] < 14
    assert not (tmp_path / "run" / "run.json").exists()
    assert train_lm(tmp_path / "run", asked(tmp_path, steps=1), quiet)["steps"] == 1  # the folder is free for the next


@pytest.mark.parametrize(
    ("content", "code"), [(b"\xff\xfe\xff", "text_undecodable"), (b"a\0b", "text_nul"), (None, "file_missing")]
)
def test_what_is_no_text_is_refused(tmp_path: Path, content: bytes | None, code: str) -> None:
    path = tmp_path / "bad.txt"
    if content is not None:
        path.write_bytes(content)
    assert refused(tmp_path, data={"text": [path]}).code.startswith(code)


def test_a_run_of_another_family_is_not_resumed(tmp_path: Path) -> None:
    pairs = write_pairs(tmp_path / "pairs.tsv", reversed_pairs(101))
    sizes = {"d_embedding": 7, "d_model": 22}
    course = {"steps": 1, "threads": 1, "batch_tokens": 211}
    train_translation(tmp_path / "rnn", Asked({"pairs": [pairs], "tokenizer": "words"}, sizes, course), quiet)
    with pytest.raises(BadInput) as caught:
        train_lm(tmp_path / "rnn", Asked(), quiet, resume=True)
    assert caught.value.code == "run_other_task"
    train_lm(tmp_path / "lm", asked(tmp_path, steps=1), quiet)
    with pytest.raises(BadInput, match="regard train lm"):
        train_translation(tmp_path / "lm", Asked(), quiet, resume=True)


def test_a_checkpoint_of_other_sizes_is_refused(tmp_path: Path) -> None:
    """Its files are whole, but it is not this run's."""
    import shutil

    train_lm(tmp_path / "run", asked(tmp_path, steps=3), quiet)
    train_lm(tmp_path / "other", asked(tmp_path, model={**TINY, "d_ff": 29}, steps=5), quiet)
    shutil.copytree(tmp_path / "other" / "step-00000005", tmp_path / "run" / "step-00000005")
    with pytest.raises(BadInput) as caught:
        train_lm(tmp_path / "run", Asked(), quiet, resume=True)
    assert caught.value.code == "weights_mismatch"


def test_a_text_that_changed_is_not_gone_on_with(tmp_path: Path) -> None:
    train_lm(tmp_path / "run", asked(tmp_path, steps=1), quiet)
    (tmp_path / "text.txt").write_text("another text\n" * 99)
    with pytest.raises(BadInput, match=r"text\.txt is not what it was"):
        train_lm(tmp_path / "run", Asked(), quiet, resume=True)


def test_a_resume_may_ask_again_for_the_same_but_for_nothing_else(tmp_path: Path) -> None:
    train_lm(tmp_path / "run", asked(tmp_path, steps=1), quiet)
    train_lm(tmp_path / "run", asked(tmp_path, steps=1), quiet, resume=True)
    with pytest.raises(BadInput) as caught:
        train_lm(tmp_path / "run", asked(tmp_path, model={**TINY, "max_len": 11}, steps=1), quiet, resume=True)
    assert caught.value.code == "resume_differs"
