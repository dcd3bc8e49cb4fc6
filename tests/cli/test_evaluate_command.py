"""`regard evaluate --pairs`: figures in words, as JSON and as a picture; models side by side; bad input in one line."""

import json
import re
import shutil
from pathlib import Path

import pytest
from asking import ask, refused
from sacrebleu.metrics import BLEU, CHRF

from regard.models import folder
from regard.tasks.translation import load
from toy import reversed_pairs, tokenizer, translator, write_pairs

PAIRS = reversed_pairs(67, seed=8)


@pytest.fixture(scope="module")
def poor(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that has learnt nothing."""
    path = tmp_path_factory.mktemp("models") / "poor"
    folder.save(path, translator(vocab_size=tokenizer().vocab_size, attention="none"), tokenizer(), "# card\n")
    return path


@pytest.fixture
def pairs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return write_pairs(Path("pairs.tsv"), PAIRS)


def test_the_figures_are_sacrebleus(reverser: Path, pairs: Path) -> None:
    answer = ask("evaluate", "--pairs", pairs, "--model", reverser, "--beam", "2", "--format", "json")
    assert (answer.code, answer.err) == (0, "")
    told = json.loads(answer.out)
    assert list(told) == ["model", "pairs", "bleu", "chrf", "signatures", "by_length"]
    sources, targets = ([pair[side] for pair in PAIRS] for side in (0, 1))
    texts = [made.translation for made in load(reverser).translate(sources, beam=2, look=False)]
    bleu = BLEU()
    assert told["bleu"] == bleu.corpus_score(texts, [targets]).score
    assert told["signatures"]["bleu"] == str(bleu.get_signature())
    assert told["chrf"] == CHRF().corpus_score(texts, [targets]).score
    assert (told["model"], told["pairs"]) == ("run", len(PAIRS))
    assert sum(each["pairs"] for each in told["by_length"]) == len(PAIRS)


def test_in_words_it_is_a_table_by_length(reverser: Path, pairs: Path) -> None:
    answer = ask("evaluate", "--pairs", pairs, "--model", reverser)
    counts = {
        name: sum(low <= len(s.split()) <= high for s, _ in PAIRS) for name, low, high in (("1–5", 1, 5), ("6–9", 6, 9))
    }
    for name, count in counts.items():
        assert re.search(rf"^{name} +{count} ", answer.out, re.MULTILINE), answer.out
    assert re.search(rf"^run +{len(PAIRS)} +(\d+\.\d\d) +\d+\.\d\d$", answer.out, re.MULTILINE)
    assert "tok:13a" in answer.out
    assert "10–14" not in answer.out  # no pair is that long


def test_two_models_side_by_side(reverser: Path, poor: Path, pairs: Path) -> None:
    both = ("--model", reverser, "--model", poor, "--beam", "1")
    told = json.loads(ask("evaluate", "--pairs", pairs, *both, "--format", "json").out)
    assert [each["model"] for each in told["models"]] == ["run", "poor"]
    (difference,) = told["comparisons"]
    assert (difference["model"], difference["against"]) == ("run", "poor")
    assert difference["difference"] == pytest.approx(told["models"][0]["bleu"] - told["models"][1]["bleu"])
    assert difference["p_value"] < 0.01
    shown = ask("evaluate", "--pairs", pairs, *both).out
    assert f"run has {difference['difference']:+.2f} BLEU against poor" in shown
    assert "run leads poor most at" in shown


def test_two_folders_of_one_name_are_told_apart(reverser: Path, poor: Path, pairs: Path) -> None:
    shutil.copytree(poor, "other/run")
    told = json.loads(
        ask("evaluate", "--pairs", pairs, "--model", reverser, "--model", "other/run", "--format", "json").out
    )
    assert [each["model"] for each in told["models"]] == [str(reverser), "other/run"]


def test_the_other_direction_and_other_files(reverser: Path, pairs: Path) -> None:
    turned = json.loads(
        ask("evaluate", "--pairs", pairs, "--columns", "2,1", "--model", reverser, "--format", "json").out
    )
    assert turned["bleu"] > 95  # backwards is its own inverse
    Path("a").write_text("".join(f"{source}\n" for source, _ in PAIRS))
    Path("b").write_text("".join(f"{target}\n" for _, target in PAIRS))
    two = json.loads(ask("evaluate", "--pairs", "a", "--pairs", "b", "--model", reverser, "--format", "json").out)
    one = json.loads(ask("evaluate", "--pairs", pairs, "--model", reverser, "--format", "json").out)
    assert two == one


def test_pictures(reverser: Path, poor: Path, pairs: Path) -> None:
    both = ("--model", reverser, "--model", poor, "--beam", "1")
    answer = ask("evaluate", "--pairs", pairs, *both, "--picture", "x.html", "--picture", "x.png", "--picture", "-")
    assert answer.err.startswith("Wrote x.html.\nWrote x.png.")
    assert answer.out.count("How well") == 1
    assert "1–5" in Path("x.html").read_text()
    assert Path("x.png").read_bytes().startswith(b"\x89PNG")


def test_it_speaks_chinese(reverser: Path, pairs: Path) -> None:
    for lang, told in (("zh-Hant", "原文"), ("zh-Hans", "原文")):
        shown = ask("evaluate", "--pairs", pairs, "--model", reverser, "--beam", "1", "--lang", lang).out
        assert told in shown
        assert "words" not in shown


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ([], "pairs with --pairs FILE for translators, or a text with --text FILE"),
        (["--pairs", "pairs.tsv", "--text", "pairs.tsv"], "--pairs and --text were both given"),
        (["--pairs", "pairs.tsv", "--stride", "3"], "--stride and --pairs were both given"),
        (["--pairs", "pairs.tsv", "--field", "body"], "--field and --pairs were both given"),
        (["--pairs", "pairs.tsv", "--model", "tiny-gpt"], "tiny-gpt continues texts and translates none"),
        (["--pairs", "none.tsv"], "No file none.tsv"),
        (["--pairs", "folder"], "folder is a folder"),
        (["--pairs", "empty.tsv"], "empty.tsv holds no line"),
        (["--pairs", "latin1.tsv"], "latin1.tsv, line 1"),
        (["--pairs", "pairs.tsv", "--columns", "1,1"], "--columns 1,1"),
        (["--pairs", "pairs.tsv", "--columns", "1,3"], "--columns 1,3"),
        (["--pairs", "pairs.tsv", "--beam", "0"], "1 to 100"),
        (["--pairs", "pairs.tsv", "--model", "en-fq"], "No model is called en-fq"),
        (["--pairs", "pairs.tsv", "--model", "folder"], "folder is no model folder"),
        (["--pairs", "pairs.tsv", "--format", "yaml"], "--format yaml"),
        (["--pairs", "pairs.tsv", "--picture", "x.bmp"], "x.bmp"),
        (["--pairs", "pairs.tsv", "--picture", "none/x.png"], "no folder none"),
        (["--pairs", "pairs.tsv", "--picture", "-", "--format", "json"], "must stand alone"),
    ],
    ids=str,
)
def test_what_is_wrong_is_said_in_one_line(pairs: Path, arguments: list[str], told: str) -> None:
    Path("folder").mkdir()
    Path("empty.tsv").write_text("")
    Path("latin1.tsv").write_bytes(b"b\xe9\tc\n")
    assert told in refused("evaluate", *arguments)


def test_empty_sides_count_as_they_are(reverser: Path, pairs: Path) -> None:
    """An empty source has an empty translation; it is no fault of the file, and no fault of the program."""
    write_pairs(pairs, [("", "ant"), ("ant bee", "bee ant"), ("cat", "")])
    told = json.loads(ask("evaluate", "--pairs", pairs, "--model", reverser, "--format", "json").out)
    assert told["pairs"] == 3
    assert sum(each["pairs"] for each in told["by_length"]) == 2
