"""Training on the user's own pairs: Chinese in both directions, choices, what a run writes down and refuses."""

import json
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from regard.core.errors import BadInput, Failure
from regard.tasks import run_choices, run_log, training
from regard.tasks.training import Asked, train_translation
from regard.tasks.translation import load
from regard.training.metrics import Quality
from regard.training.settings import TranslationSettings as Settings
from regard.views import html, png, terminal
from toy import reversed_pairs, write_pairs

QUICK = {"steps": 3, "evaluate_every": 2, "batch_tokens": 211, "threads": 1, "precision": "fp32", "device": "cpu"}
TINY = {"d_embedding": 7, "d_model": 22}

COLOURS = {"黑": "black", "白": "white", "紅": "red", "藍": "blue", "老": "old"}
COLOURS |= {"小": "small", "大": "big", "胖": "fat", "瘦": "thin", "新": "new"}
ANIMALS = {"貓": "cat", "狗": "dog", "鳥": "bird", "馬": "horse", "熊": "bear"}
ANIMALS |= {"魚": "fish", "牛": "cow", "羊": "sheep", "兔": "rabbit", "蛇": "snake"}
CHINESE = [(f"{c}{a}。", f"the {COLOURS[c]} {ANIMALS[a]}.") for c, a in product(COLOURS, ANIMALS)]


def train(folder: Path, data: dict[str, Any] | None = None, model: dict[str, Any] = TINY, **run: Any) -> dict[str, Any]:
    """A run in `folder`/run, on the words backwards unless told otherwise; its outcome and all that it told."""
    if not (folder / "pairs.tsv").exists():
        write_pairs(folder / "pairs.tsv", reversed_pairs(211))
    told: list[tuple[str, Any]] = []
    asked = Asked({"pairs": [folder / "pairs.tsv"], "tokenizer": "words", **(data or {})}, model, {**QUICK, **run})
    outcome = train_translation(folder / "run", asked, lambda kind, facts: told.append((kind, facts)))
    return {**outcome, "told": told}


def refused(folder: Path, **asked: Any) -> BadInput:
    with pytest.raises(BadInput) as caught:
        train(folder, **asked)
    return caught.value


# Chinese


@pytest.mark.parametrize("columns", [(1, 2), (2, 1)])
def test_a_small_chinese_file_is_learnt_and_its_pictures_show_every_sign(
    tmp_path: Path, columns: tuple[int, int]
) -> None:
    write_pairs(tmp_path / "pairs.tsv", CHINESE)
    data = {"columns": columns, "tokenizer": "bpe", "vocab_size": 97, "held_out": 3}
    course = {"steps": 200, "batch_tokens": 301, "learning_rate": 0.01, "evaluate_every": 100, "label_smoothing": 0.0}
    outcome = train(tmp_path, data, {"d_embedding": 31, "d_model": 62, "dropout": 0.0}, **course)
    assert ("tok:zh" in outcome["metrics"]["signatures"]["bleu"]) == (columns == (2, 1))
    sources, targets = ([pair[column - 1] for pair in CHINESE] for column in columns)
    found = load(tmp_path / "run").translate(sources, beam=1)
    right = sum(made.translation == target for made, target in zip(found, targets, strict=True))
    assert right > 0.7 * len(CHINESE)
    for made in found[::17]:
        picture = made.picture("zh-Hant")
        for shown in (terminal.render(picture, width=100), html.render(picture, lang="zh-Hant")):
            assert set("".join((made.source + made.translation).split())) <= set(shown)
    png.save(picture, tmp_path / "x.png")
    assert (tmp_path / "x.png").stat().st_size > 1000


def test_a_sign_that_the_model_has_never_seen_is_shown_all_the_same(tmp_path: Path) -> None:
    write_pairs(tmp_path / "pairs.tsv", CHINESE)
    train(tmp_path, {"tokenizer": "characters", "vocab_size": 97}, steps=1)
    made = load(tmp_path / "run").translate("黑龍。")
    assert made.json()["source_tokens"] == ["▁", "黑", "<unk>", "。", "</s>"]
    assert "龍" in terminal.render(made.picture("zh-Hant"), width=100)


@pytest.mark.shared
@pytest.mark.parametrize("columns", [(1, 2), (2, 1)])
def test_real_chinese_is_trained_on_in_both_directions(tmp_path: Path, shared: Path, columns: tuple[int, int]) -> None:
    lines = (shared / "data" / "tatoeba-en-zh" / "train.tsv").read_text(encoding="utf-8").split("\n")[:800]
    (tmp_path / "pairs.tsv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    outcome = train(tmp_path, {"tokenizer": "bpe", "columns": columns, "vocab_size": 997}, steps=20, evaluate_every=20)
    assert outcome["steps"] == 20
    source = lines[0].split("\t")[columns[0] - 1]
    made = load(tmp_path / "run").translate(source)
    shown = terminal.render(made.picture("zh-Hant"), width=120)
    assert set("".join((source + made.translation).split())) <= set(shown)


# What a run is told, and what it writes down


def test_the_outcome_is_that_of_the_best_validation(tmp_path: Path) -> None:
    outcome = train(tmp_path, steps=7)
    assert list(outcome)[:4] == ["steps", "loss", "metrics", "checkpoint"]
    lines = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    validations = [line for line in lines if line["kind"] == "validation"]
    assert [line["step"] for line in validations] == [2, 4, 6, 7]
    best = max(validations, key=lambda line: line["score"])
    assert (outcome["loss"], outcome["metrics"]["step"], outcome["steps"]) == (best["loss"], best["step"], 7)
    assert Path(outcome["checkpoint"]).is_dir()
    card = (tmp_path / "run" / "best" / "README.md").read_text()
    assert f"step {best['step']} of 7" in card
    assert best["signatures"]["bleu"] in card


def test_where_bleu_stands_still_the_loss_decides(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """At BLEU 0, as in the beginning, the model of the smallest loss is the best, and nothing stops too early."""
    monkeypatch.setattr(training, "quality", lambda *_: Quality(0.0, 0.0, {"bleu": "", "chrf": ""}))
    outcome = train(tmp_path, steps=12, evaluate_every=1, patience=2)
    assert outcome["steps"] == outcome["metrics"]["step"] == 12


def test_patience_ends_a_run_that_gets_no_better(tmp_path: Path) -> None:
    outcome = train(tmp_path, steps=40, evaluate_every=1, patience=2, learning_rate=1e-12)
    assert outcome["steps"] < 40
    assert (tmp_path / "run" / f"step-{outcome['steps']:08d}").is_dir()


def test_what_is_told_before_training(tmp_path: Path) -> None:
    pairs = [*reversed_pairs(211), ("", "nothing"), ("ant", ""), ("gone " * 101, "gone " * 101)]
    write_pairs(tmp_path / "pairs.tsv", [*pairs, pairs[0]])
    told = train(tmp_path, {"held_out": 13, "joined": 0.5})["told"]
    kinds = [kind for kind, _ in told]
    assert kinds[:2] == ["data", "start"]
    facts, start = told[0][1], told[1][1]
    report = facts["report"]
    assert {f.name: f.count for f in report.findings if f.count} == {"empty": 2, "long": 1, "duplicate": 1}
    assert report.read == len(pairs) + 1 == report.kept + 4
    assert facts["validation"] == start["validation"] == 13
    assert facts["training"] + 13 == report.kept
    assert start["pairs"] == round(1.5 * facts["training"])
    assert start["settings"].model.d_model == 22


def test_every_choice_is_settled_and_written_down(tmp_path: Path) -> None:
    train(tmp_path, steps=1)
    written = json.loads((tmp_path / "run" / "run.json").read_text())
    settings = Settings.model_validate_json(json.dumps(written["settings"]))
    assert (settings.steps, settings.threads, settings.device, settings.model.d_embedding) == (1, 1, "cpu", 7)
    assert settings.model.vocab_size == 16  # 12 words and 4 signs of its own, of the 5000 that there may be
    assert written["data"]["epochs"] == 10.0


def test_epochs_make_the_steps(tmp_path: Path) -> None:
    asked = {name: value for name, value in QUICK.items() if name != "steps"}
    write_pairs(tmp_path / "pairs.tsv", reversed_pairs(211))
    data = {"pairs": [tmp_path / "pairs.tsv"], "tokenizer": "words"}
    steps = [
        train_translation(tmp_path / f"run{epochs}", Asked({**data, "epochs": epochs}, TINY, asked), lambda *_: None)[
            "steps"
        ]
        for epochs in (1, 2, 0.01)
    ]
    assert steps[0] > 3
    assert steps[1:] == [2 * steps[0], 1]


def test_speed_and_time_left_count_no_validation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A clock that ticks once a step and ten times a validation: 1 step a tick is said at step 50."""
    now = [0]
    monkeypatch.setattr(run_log.time, "monotonic", lambda: now[0])
    told: list[Any] = []
    settings = Settings(model={"vocab_size": 17}, steps=100)  # type: ignore[arg-type]
    reporter = run_log.RunLog(tmp_path, settings, lambda kind, facts: told.append((kind, facts)))
    for step in range(1, 51):
        now[0] += 1
        reporter("step", {"step": step, "loss": 1.0, "tokens": 30, "padding": 0.25, "rate": 0.1, "norm": 1.0})
        if step == 33:
            now[0] += 1000
            reporter("validation", {"step": step, "loss": 1.0})
    said = next(facts for kind, facts in told if kind == "progress")
    assert (said["tokens_per_second"], said["seconds_left"], said["padding"]) == (30, 50, 0.25)


# What is refused, and what is left behind


@pytest.mark.parametrize(
    ("where", "name", "value", "rule"),
    [
        ("run", "steps", 0, "≥ 1"),
        ("run", "threads", 0, "≥ 1"),
        ("run", "threads", 10_000, "≤ 1024"),
        ("run", "learning_rate", float("nan"), "finite"),
        ("run", "learning_rate", float("inf"), "finite"),
        ("run", "clip", float("inf"), "finite"),
        ("run", "label_smoothing", 1.0, "< 1"),
        ("run", "seed", 2**31, "< 2147483648"),
        ("model", "dropout", float("nan"), ""),
        ("model", "dropout", 1.0, "< 1"),
        ("model", "d_model", 23, "multiple of 2"),
        ("data", "vocab_size", 3, "≥ 8"),
        ("data", "held_out", 0, "≥ 1"),
        ("data", "epochs", float("inf"), ""),
        ("data", "epochs", 0.0, "> 0"),
        ("data", "joined", -0.5, "≥ 0"),
    ],
)
def test_a_choice_that_breaks_a_rule_is_refused_before_any_work(
    tmp_path: Path, where: str, name: str, value: float, rule: str
) -> None:
    asked = (
        {"data": {name: value}} if where == "data" else {"model": {name: value}} if where == "model" else {name: value}
    )
    error = refused(tmp_path, **asked)
    assert error.facts["name"] == name
    assert f"--{name.replace('_', '-')} = " in str(error)
    assert rule in str(error)
    assert not (tmp_path / "run").exists()


def test_a_device_that_is_not_there_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_choices.precision, "has", lambda device: False)
    assert refused(tmp_path, device="cuda").code == "device_missing"


def test_data_that_was_refused_stands_in_nobodys_way(tmp_path: Path) -> None:
    """The folder of a run that never began can be used for the next one, though its report may lie there."""
    assert (
        refused(tmp_path, data={"tokenizer": "words", "held_out": 10**6, "columns": (1, 3)}).code == "pairs_row_short"
    )
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "data.json").write_text("{}")
    (tmp_path / "run" / "tokenizer.json").write_text("{}")
    assert train(tmp_path)["steps"] == 3
    assert refused(tmp_path).code == "output_not_empty"


@pytest.mark.parametrize(
    ("lines", "code"),
    [
        ([], "pairs_empty"),
        ([("ant", "bee")], "split_impossible"),
        ([("", "bee"), ("ant", "")] * 20, "pairs_none_left"),
        ([("ant", "bee")] * 20, "split_impossible"),
        ([("ant", "bee " * 200)], "pairs_none_left"),
    ],
)
def test_pairs_that_leave_nothing_to_train_on_are_refused(tmp_path: Path, lines: list, code: str) -> None:
    write_pairs(tmp_path / "pairs.tsv", lines)
    assert refused(tmp_path).code == code


def test_a_vocabulary_of_eight_is_poor_but_no_error(tmp_path: Path) -> None:
    assert train(tmp_path, {"tokenizer": "bpe", "vocab_size": 8})["steps"] == 3


def test_pairs_that_cannot_be_read_again_are_refused(tmp_path: Path) -> None:
    assert refused(tmp_path, data={"pairs": [Path("/dev/zero")]}).code == "pairs_fleeting"


def test_checkpoints_of_another_version_are_refused_not_trained_over(tmp_path: Path) -> None:
    from regard.core.files import seal

    train(tmp_path)
    for path in (tmp_path / "run").glob("step-*"):
        (path / "manifest.json").unlink()
        seal(path, format="regard-checkpoint-2", step=3)
    with pytest.raises(BadInput) as caught:
        train_translation(tmp_path / "run", Asked(), lambda *_: None, resume=True)
    assert caught.value.code == "checkpoint_version"
    assert (tmp_path / "run" / "metrics.jsonl").stat().st_size > 100


@pytest.mark.parametrize(
    "text", ["", "[]", "{", '{"data": {"pairs": 3}}', '{"data": {"pairs": ["x"]}, "settings": {}}']
)
def test_a_run_whose_choices_cannot_be_read_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "run.json").write_text(text)
    with pytest.raises(BadInput) as caught:
        train_translation(tmp_path / "run", Asked(), lambda *_: None, resume=True)
    assert caught.value.code == "run_broken"


def test_a_folder_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "run").write_text("a file")
    assert refused(tmp_path).code == "output_folder"
    (tmp_path / "file").write_text("")
    with pytest.raises(BadInput) as caught:
        train_translation(tmp_path / "file" / "run", Asked(), lambda *_: None)
    assert caught.value.code == "output_folder"


def test_a_full_disk_is_told_and_what_was_saved_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The disk is full from the second checkpoint on: the first one is whole, and the run goes on from it."""
    from regard.core import files
    from regard.training import checkpoint

    real, calls = files.os.fsync, []

    def full(descriptor: int) -> None:
        calls.append(descriptor)
        if len(list((tmp_path / "run").glob("step-*"))) and calls:
            raise OSError(28, "No space left on device")
        real(descriptor)

    with monkeypatch.context() as patch:
        patch.setattr(files.os, "fsync", full)
        patch.setattr(checkpoint, "retried", lambda write: write())
        with pytest.raises(Failure, match="No space left") as caught:
            train(tmp_path, steps=6, save_every=1, evaluate_every=6)
    assert caught.value.code == "cannot_write"
    assert [path.name for path in (tmp_path / "run").glob("step-*")] == ["step-00000001"]
    assert not list((tmp_path / "run").glob(".tmp-*"))
    assert train_translation(tmp_path / "run", Asked(), lambda *_: None, resume=True)["steps"] == 6
