"""`regard explain` from the command line: documented JSON, forms, files, and bad input in one line each."""

import json
import os
from pathlib import Path

import numpy as np
import pytest

from note import NOTE, STEPS
from regard.cli import main
from regard.core.errors import RegardError
from regard.tasks import choices
from regard.tasks import explain as task

GOOD = "tokens: [a, b]\nx: [[1, 0], [0, 1]]\nw_query: [[1, 2], [3, 4]]\nw_key: [[1, 0], [0, 1]]\nw_value: [[1], [2]]\n"


def regard(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """What a command line that goes well prints; nothing goes to stderr."""
    code = main.run(list(arguments))
    out, err = capsys.readouterr()
    assert (code, err) == (0, "")
    return out


def test_the_json_of_the_note(capsys: pytest.CaptureFixture[str]) -> None:
    """DESIGN's keys; every matrix of note 003, at full precision."""
    content = json.loads(regard(capsys, "explain", "returns", "--format", "json"))
    assert list(content) == ["tokens", "inputs", "steps", "reading"]
    assert content["tokens"] == ["退貨", "流程", "期限"]
    assert list(content["steps"]) == list(STEPS)
    for symbol, (name, expected) in NOTE.items():
        got = content["steps"][name][0] if name in STEPS else content["inputs"][name]
        got = got[0] if name == "key_transposed" else got
        assert np.shape(got) == np.shape(expected), symbol
        np.testing.assert_allclose(got, expected, rtol=0, atol=5e-7, err_msg=symbol)
    assert content["inputs"]["w_key"][0][0] == 0.5**0.5
    assert (content["inputs"]["sqrt_d_key"], content["inputs"]["scale"]) == (2**0.5, 2**-0.5)
    assert content["steps"]["masked"] == content["steps"]["scaled"]
    assert [list(look) for look in content["reading"]] == [["query_index", "query", "key_index", "key", "weight"]] * 3
    assert [(look["query"], look["key"]) for look in content["reading"]] == [
        ("退貨", "期限"),
        ("流程", "期限"),
        ("期限", "期限"),
    ]


def test_hidden_scores_are_null_and_layouts_are_one(capsys: pytest.CaptureFixture[str]) -> None:
    printed = {
        regard(capsys, "explain", "creature", "--causal", "--format", "json", "--layout", layout, "--digits", digits)
        for layout, digits in (("query-rows", "2"), ("key-rows", "9"))
    }
    (text,) = printed
    steps = json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))["steps"]
    for query in range(8):
        assert [score is None for score in steps["masked"][0][query]] == [key > query for key in range(8)]
        assert [weight == 0 for weight in steps["weights"][0][query]] == [key > query for key in range(8)]


def test_the_json_of_heads_and_output(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "heads.json"
    two = [[1, 2], [3, 4]]
    content = {"tokens": ["a", "b"], "x": two, "w_query": two, "w_key": two, "w_value": two, "w_output": two}
    file.write_text(json.dumps(content | {"n_heads": 2}))
    told = json.loads(regard(capsys, "explain", str(file), "--format", "json"))
    assert np.shape(told["steps"]["scores"]) == (2, 2, 2)
    context = np.array(told["steps"]["context"])[..., 0].T
    np.testing.assert_allclose(told["output"], context @ np.array(two), rtol=1e-12)
    assert [set(look) - {"query_index", "query", "key_index", "key", "weight"} for look in told["reading"]] == [
        {"head"}
    ] * 2


def test_every_form_goes_to_a_file_of_its_kind(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    starts = {"md": "# ", "tex": "% xelatex", "html": "<!doctype html>", "json": "{", "py": "# ", "txt": "Attention"}
    for suffix, start in starts.items():
        file = tmp_path / f"returns.{suffix}"
        assert main.run(["explain", "returns", "-o", str(file)]) == 0
        assert capsys.readouterr() == ("", f"Wrote {file}.\n")
        assert file.read_text(encoding="utf-8").startswith(start)
        assert "\x1b[" not in file.read_text(encoding="utf-8")
    assert {choices.form_of(f"x.{suffix}") for suffix in (*starts, "xlsx")} == set(choices.EXPLAIN_FORMS)


def test_a_pipe_is_written_to_and_not_replaced(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    assert main.run(["explain", "returns", "--format", "json", "-o", str(pipe)]) == 0
    assert os.read(reader, 10) == b'{"tokens":'
    os.close(reader)
    assert pipe.is_fifo()


def test_a_file_comes_before_an_example(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "creature").mkdir()
    assert task.explain("creature").example == "creature"  # a folder is no file of matrices
    (tmp_path / "returns").write_text(GOOD)
    assert task.explain("returns").tokens == ("a", "b")


def test_causal_from_the_file_or_from_the_command_line(tmp_path: Path) -> None:
    file = tmp_path / "x.yaml"
    file.write_text(GOOD)
    assert "masked" not in task.explain(str(file)).steps
    assert "masked" in task.explain(str(file), causal=True).steps
    file.write_text(GOOD + "causal: true")
    assert "masked" in task.explain(str(file)).steps


def test_a_worksheet_with_its_answers(capsys: pytest.CaptureFixture[str]) -> None:
    sheet = regard(capsys, "explain", "returns", "--blank", "weights", "--blank", "context", "--lang", "zh-Hant")
    assert "練習單" in sheet
    assert "A, O" in sheet
    assert "0.506480" not in sheet
    both = regard(capsys, "explain", "returns", "--blank", "weights", "--answers")
    assert "0.506480" in both[both.index("Answers") :]


@pytest.mark.parametrize("lang", ["zh-Hant", "zh-Hans", "en"])
def test_every_line_fits_the_terminal(
    lang: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """In cells: a Chinese sign takes two."""
    from rich.cells import cell_len

    monkeypatch.setenv("COLUMNS", "80")
    for name in task.examples():
        out = regard(capsys, "explain", name, "--causal", "--lang", lang)
        assert max(map(cell_len, out.splitlines())) <= 80


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (GOOD.replace("[3, 4]", "[3]"), ["w_query", "row 2", "1 numbers", "2"]),
        (GOOD.replace("[3, 4]", "[.nan, 4]"), ["w_query", "row 2", "column 1", ".nan"]),
        (GOOD.replace("[a, b]", "[a]"), ["x is 2×2", "1 tokens"]),
        (GOOD.replace("w_key: [[1, 0], [0, 1]]", "w_key: [[1, 0]]"), ["w_key is 1×2", "2 rows"]),
        (GOOD + "b_querry: [1, 2]", ["b_querry", "b_query"]),
        (GOOD + "n_heads: 3", ["n_heads 3", "width of query, 2"]),
        (GOOD + "query: [[1]]", ["both x and query"]),
        (GOOD.replace("w_value", "# w_value"), ["w_value is missing"]),
        ("- 1", ["mapping"]),
        ("x: [", ["line 1", "YAML"]),
        ("", ["empty"]),
    ],
)
def test_a_bad_file_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, words: list[str]
) -> None:
    file = tmp_path / "bad.yaml"
    file.write_text(text)
    for lang in ("en", "zh-Hant", "zh-Hans"):
        assert main.run(["explain", str(file), "--lang", lang]) == 2
        out, err = capsys.readouterr()
        assert (out, err.count("\n")) == ("", 1)
        assert lang != "en" or all(word in err for word in words), err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["retruns"], ["retruns", "returns", "creature"]),
        ([""], ["returns"]),
        (["no/such.yaml"], ["no/such.yaml"]),
        (["."], ["folder"]),
        (["returns", "--format", "latx"], ["latx", "latex", "markdown"]),
        (["returns", "--layout", "rows"], ["rows", "key-rows", "query-rows"]),
        (["returns", "--blank", "weigths"], ["weigths", "weights", "query_raw"]),
        (["returns", "--blank", "masked"], ["masked", "scaled"]),
        (["returns", "--answers"], ["--answers", "--blank"]),
        (["returns", "--blank", "weights", "--format", "json"], ["--blank", "json"]),
        (["a fluffy cat", "--text"], ["a fluffy cat", "model"]),
        (["two\nlines\x1b[2J"], ["two lines\\x1b[2J"]),
        (["x" * 100_000], ["xxx"]),
    ],
)
def test_bad_input_is_one_line(capsys: pytest.CaptureFixture[str], arguments: list[str], words: list[str]) -> None:
    assert main.run(["explain", *arguments]) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert len(err) <= 1001
    assert all(word in err for word in words), err


def test_a_place_that_cannot_be_written(capsys: pytest.CaptureFixture[str]) -> None:
    assert main.run(["explain", "returns", "-o", "no/such/folder/x.md"]) == 1
    assert capsys.readouterr().err.count("\n") == 1


def test_the_command_line_offers_what_the_task_has(capsys: pytest.CaptureFixture[str]) -> None:
    out = regard(capsys, "explain", "--help")
    assert all(choice in out for choice in (*choices.EXPLAIN_FORMS, *choices.LAYOUTS, *task.examples()))


def test_an_unknown_step_is_an_error_of_ours() -> None:
    with pytest.raises(RegardError):
        task.wish(task.explain("returns"), blank=["nothing"])
