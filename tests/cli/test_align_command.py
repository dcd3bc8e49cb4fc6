"""`regard align`: a line a pair, JSON, scores, choices told; bad input in one line."""

import gzip
import json
import re
from pathlib import Path

import pytest
from asking import ask, refused

PAIRS = "the black cat\tle chat noir\n\t\nshe sleeps\telle dort\n"
FOUND = ["0-0 1-2 2-1", "", "0-0 1-1"]
GOLD = "0\t0-0 1-2 2-1\n1\t\n2\t0-0 1p0\n"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("pairs.tsv").write_text(PAIRS)
    Path("gold.txt").write_text(GOLD)
    return tmp_path


def test_a_line_a_pair_and_an_empty_one_where_there_is_none() -> None:
    answer = ask("align", "--pairs", "pairs.tsv")
    assert (answer.code, answer.out.split("\n")) == (0, [*FOUND, ""])
    assert "lines 2" in answer.err
    assert ask("align", "--pairs", "-", stdin=gzip.compress(PAIRS.encode())).out == answer.out


def test_json_is_an_object_a_line_and_the_score_the_last() -> None:
    answer = ask("align", "--pairs", "pairs.tsv", "--gold", "gold.txt", "--format", "json")
    *lines, whole = [json.loads(line) for line in answer.out.splitlines()]
    assert [line["alignment"] for line in lines] == FOUND
    assert lines[0]["source"] == "the black cat"
    assert whole == {"aer": pytest.approx(1 - (4 + 4) / (5 + 4)), "precision": 4 / 5, "recall": 1.0}


def test_two_files_with_numbers_gold_turned_round_and_people_told() -> None:
    Path("en.txt").write_text("5\tthe black cat\n6\tshe sleeps\n")
    Path("fr.txt").write_text("5\tle chat noir\n6\telle dort\n")
    Path("turned.txt").write_text("5\t0-0 2-1 1-2\n6\t0-0 1-1\n")
    answer = ask("align", "--pairs", "en.txt", "--pairs", "fr.txt", "--gold", "turned.txt", "--reverse")
    assert answer.out.split("\n") == [FOUND[0], FOUND[2], ""]
    assert "AER 0.000, precision 1.000, recall 1.000" in answer.err


def test_what_was_chosen_is_told_as_one_would_ask_for_it() -> None:
    answer = ask("align", "--pairs", "pairs.tsv", "--choose", "gold.txt")
    assert re.search(r"en-fr: of 2 readings --layer 0 --no-shift .* 3 pairs \(AER 0\.\d{3}\)", answer.err)
    same = ask("align", "--pairs", "pairs.tsv", "--layer", "0", "--no-shift")
    assert same.out == answer.out == "\n".join([*FOUND, ""])
    assert ask("align", "--pairs", "pairs.tsv", "--shift").out != same.out


@pytest.mark.parametrize("form", ["html", "svg"])
def test_the_picture_shows_who_has_each_link(form: str) -> None:
    answer = ask("align", "--pairs", "pairs.tsv", "--gold", "gold.txt", "--pair", "3", "--picture", f"drawn.{form}")
    assert answer.code == 0, answer
    assert Path(f"drawn.{form}").stat().st_size > 1000
    shown = ask("align", "--pairs", "pairs.tsv", "--gold", "gold.txt", "--pair", "3", "--picture", "-").out
    assert re.search(r"elle +← +she [\d.]+ =", shown)
    assert re.search(r"dort +← +sleeps [\d.]+ \+", shown)
    assert re.search(r"sleeps [\d.]+ −", shown)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "--pairs"),
        (["--pairs", "pairs.tsv", "--gold", "short.txt"], "1 lines, and there are 3 pairs"),
        (["--pairs", "pairs.tsv", "--gold", "outside.txt"], "line 1: 7-0"),
        (["--pairs", "pairs.tsv", "--choose", "gold.txt", "--head", "0"], "--head and --choose"),
        (["--pairs", "pairs.tsv", "--choose-pairs", "pairs.tsv"], "--choose-pairs"),
        (["--pairs", "pairs.tsv", "--model", "en-fr-fixed"], "en-fr-fixed has no attention"),
        (["--pairs", "pairs.tsv", "--model", "tiny-gpt"], "tiny-gpt"),
        (["--pairs", "pairs.tsv", "--layer", "3"], "3"),
        (["--pairs", "pairs.tsv", "--threshold", "1.5"], "0 to 1"),
        (["--pairs", "pairs.tsv", "--symmetrize", "grow"], "grow"),
        (["--pairs", "pairs.tsv", "--pair", "4", "--picture", "a.svg"], "--pair 4"),
        (["--pairs", "pairs.tsv", "--format", "json", "--picture", "-"], "standard output"),
    ],
)
def test_bad_input_is_one_clear_line(arguments: list[str], words: str) -> None:
    Path("short.txt").write_text("0-0\n")
    Path("outside.txt").write_text("7-0\n\n\n")
    assert words in refused("align", *arguments)
