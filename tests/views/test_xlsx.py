"""Spreadsheets compute what `regard explain` computes, and follow when a number is changed.

Twice evaluated: by a small evaluator (tests/sheet.py) always, by LibreOffice where it is installed.
"""

import json
import re
import shutil
import subprocess
import zipfile
from copy import deepcopy
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from openpyxl import Workbook, load_workbook

from regard.core.errors import BadInput
from regard.inspection.derivation import Derivation
from regard.tasks import explain as task
from regard.views.xlsx.book import Book
from sheet import Sheets, opened

RANDOM = np.random.default_rng(7)


def some(*shape: int) -> list:
    return RANDOM.normal(size=shape).tolist()


def projected(n: int = 3, width: int = 5, wide: int = 14, **more: Any) -> dict:
    """x and its three matrices."""
    rows = {"one_hot": width + n, "index": width + 1}.get(more.get("positions", ""), width)
    given = {"tokens": [f"w{at}" for at in range(n)], "x": some(n, width)}
    return given | {f"w_{part}": some(rows, wide) for part in ("query", "key", "value")} | more


CASES = {
    "one head": projected(),
    "biases": projected(b_query=some(14), b_key=some(14), b_value=some(14)),
    "heads": projected(n_heads=2, w_output=some(14, 5), b_output=some(5)),
    "causal": projected(n=5, n_heads=7, causal=True),
    "scale": projected(scale=0.37, w_output=some(14, 3)),
    "one-hot": projected(positions="one_hot"),
    "index": projected(positions="index"),
    "sinusoidal": projected(width=6, positions="sinusoidal"),
    "ready": {"tokens": ["a", "b"], "query": some(2, 6), "key": some(2, 6), "value": some(2, 4), "n_heads": 2},
    "two texts": {
        **{"tokens": ["a", "b"], "key_tokens": ["x", "y", "z"], "causal": True},
        **{"query": some(2, 3), "key": some(3, 3), "value": some(3, 5)},
    },
}


def book(derivation: Derivation, **wish: Any) -> Workbook:
    return opened(task.workbook(derivation, task.wish(derivation, **wish)))


def compare(sheets: Sheets, derivation: Derivation, *, turned: bool = False, within: float = 1e-12) -> int:
    """Every step against the JSON; how many were compared."""
    told = json.loads(task.to_json(derivation))
    numbers = told["inputs"] | told["steps"] | ({"output": told["output"]} if "output" in told else {})
    count = 0
    for name, step in derivation.steps.items():
        for head in range(derivation.n_heads if step.per_head else 1):
            came = sheets.named(f"{name}_{head + 1}" if step.per_head and derivation.n_heads > 1 else name)
            expected = np.array(numbers[name], dtype=float).reshape(step.values.shape)
            flipped = turned and name in ("scores", "scaled", "masked", "weights", "context")
            np.testing.assert_allclose(
                came.T if flipped else came, expected[head] if step.per_head else expected, rtol=within, atol=within
            )
            count += 1
    return count


@pytest.mark.parametrize("layout", ["query-rows", "key-rows"])
@pytest.mark.parametrize("content", CASES.values(), ids=CASES)
def test_formulas_give_the_numbers_of_json(content: dict, layout: str) -> None:
    derivation = task.explain_matrices(content)
    found = Sheets(book(derivation, layout=layout))
    assert compare(found, derivation, turned=layout == "key-rows") >= len(derivation.steps)


@pytest.mark.parametrize("name", ["returns", "creature"])
def test_the_bundled_examples(name: str) -> None:
    derivation = task.explain(name)
    compare(Sheets(book(derivation)), derivation)


INPUTS = ("w_query", "b_value", "x", "w_output", "query", "value")


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("changed", INPUTS)
def test_a_changed_number_changes_all_that_follows(name: str, changed: str) -> None:
    """As `regard explain` on the changed matrices has it."""
    content = deepcopy(CASES[name])
    if changed not in content or (changed in ("query", "value") and content.get("n_heads")):
        return  # a matrix that is cut into heads stands there whole, under another name
    workbook = book(task.explain_matrices(content))
    sheet, cell = re.fullmatch(r"'?([^'!]+)'?!(\$\w+\$\d+):.*", workbook.defined_names[changed].attr_text).groups()  # type: ignore[union-attr]
    workbook[sheet][cell.replace("$", "")].value = 2.5
    rows = content[changed]
    (rows[0] if isinstance(rows[0], list) else rows)[0] = 2.5
    compare(Sheets(workbook), task.explain_matrices(content))


def test_nothing_but_inputs_is_a_number() -> None:
    """Whatever is not given is a formula, so that nothing stays behind."""
    derivation = task.explain_matrices(CASES["heads"] | {"causal": True})
    workbook = book(derivation)
    given = {"x", "mask", "b_output", "w_output", *(f"w_{part}" for part in ("query", "key", "value"))}
    for name, each in workbook.defined_names.items():
        sheet, cells = each.attr_text.rsplit("!", 1)
        kinds = {box.data_type for row in workbook[sheet.strip("'")][cells.replace("$", "")] for box in np.ravel(row)}
        assert kinds == ({"n"} if name in given else {"f"}), name


def test_a_mask_that_is_changed_hides_and_shows() -> None:
    derivation = task.explain_matrices(CASES["causal"])
    workbook = book(derivation)
    found = workbook.defined_names["mask"].attr_text.rsplit("!", 1)[1].replace("$", "")
    for row in workbook[workbook.sheetnames[0]][found]:
        for box in row:
            box.value = 1
    sheets = Sheets(workbook)
    free = task.explain_matrices(CASES["causal"] | {"causal": False})
    for head in range(7):
        np.testing.assert_allclose(sheets.named(f"weights_{head + 1}"), free.weights[head], atol=1e-12)
    for box in workbook[workbook.sheetnames[0]][found][0]:
        box.value = 0
    weights = Sheets(workbook).named("weights_1")
    assert (weights[0] == 0).all()
    np.testing.assert_allclose(weights[1:].sum(1), 1)


def test_the_reading_follows() -> None:
    workbook = book(task.explain("returns"))
    texts = [box.value for row in workbook.worksheets[0].iter_rows(max_col=3) for box in row]
    assert any(isinstance(text, str) and "MATCH" in text for text in texts)
    sheets = Sheets(workbook)
    rows = [at for at in range(1, 300) if "MATCH" in str(workbook.worksheets[0].cell(at, 2).value)]
    told = [[sheets.value(workbook.sheetnames[0], row, column) for column in (1, 2, 3)] for row in rows]
    looks = task.explain("returns").looks()
    assert [(line[0], line[1]) for line in told] == [("退貨", "期限"), ("流程", "期限"), ("期限", "期限")]
    np.testing.assert_allclose([line[2] for line in told], [look.weight for look in looks])


TRICKS = ["=1+1", "+2", "@SUM(A1)", "-3", '=HYPERLINK("http://x","y")', "\x07\x1b[31m", "a\nb", " = "]


def test_tokens_stay_text() -> None:
    content = projected(n=len(TRICKS)) | {"tokens": TRICKS}
    data = task.workbook(derivation := task.explain_matrices(content), task.wish(derivation))
    with zipfile.ZipFile(BytesIO(data)) as parts:
        formulas = [text for name in parts.namelist() for text in re.findall(rb"<f>(.*?)</f>", parts.read(name))]
    assert formulas
    assert not any(b"HYPERLINK" in text or b"1+1" in text for text in formulas)
    boxes = [row[1] for row in opened(data).worksheets[0].iter_rows(max_col=2) if row[0].value in set("12345678")]
    words = [box for box in boxes if box.data_type != "n"]
    assert [box.data_type for box in words] == ["s"] * len(TRICKS)
    assert [box.value for box in words[:3]] == TRICKS[:3]
    assert all(box.quotePrefix for box in words[:5])


def test_labels_stay_text() -> None:
    """Words that a model proposes are labels, and could be anything."""
    made = Book(3)
    place = made.room(made.open("a"), (1, 1), flipped=False)
    made.labels(place, "=1", ["=2+2"], ["@SUM(A1)"])
    sheet = opened(made.data())["a"]
    assert [sheet[cell].data_type for cell in ("A1", "A2", "B1")] == ["s"] * 3


@pytest.mark.parametrize(("lang", "sheet"), [("en", "Head 1"), ("zh-Hant", "頭 1"), ("zh-Hans", "头 1")])
def test_in_the_readers_language(lang: str, sheet: str) -> None:
    derivation = task.explain_matrices(CASES["heads"])
    workbook = book(derivation, lang=lang)
    assert sheet in workbook.sheetnames
    assert len(workbook.sheetnames) == 4
    compare(Sheets(workbook), derivation)


def test_weights_are_shaded() -> None:
    rules = book(task.explain("returns")).worksheets[0].conditional_formatting
    assert [rule.type for ranges in rules for rule in ranges.rules] == ["colorScale"]


def test_the_same_book_has_the_same_bytes() -> None:
    derivation = task.explain("returns")
    assert task.workbook(derivation, task.wish(derivation)) == task.workbook(derivation, task.wish(derivation))


def test_what_is_blank_is_empty_and_answered() -> None:
    derivation = task.explain("returns")
    wish = task.wish(derivation, blank=["weights"])
    workbook = opened(task.workbook(derivation, wish, answers=True))
    assert np.isnan(Sheets(workbook).named("weights")).all()
    assert workbook.sheetnames[-1] == "Answers"
    numbers = [box.value for row in workbook["Answers"].iter_rows(min_col=2) for box in row if box.data_type == "n"]
    np.testing.assert_allclose([each for each in numbers if each is not None], derivation.weights.ravel())
    with pytest.raises(BadInput) as caught:
        task.workbook(derivation, task.wish(derivation), answers=True)
    assert caught.value.code == "answers_without_blank"


def test_what_no_formula_holds_is_refused() -> None:
    derivation = task.explain_matrices(projected(n=2, width=900, wide=2))
    with pytest.raises(BadInput) as caught:
        task.workbook(derivation, task.wish(derivation))
    assert caught.value.code == "xlsx_long"


def recomputed(data: bytes, folder: Path) -> Workbook:
    """What LibreOffice makes of a workbook, every formula computed."""
    (folder / "in.xlsx").write_bytes(data)
    command = ["soffice", f"-env:UserInstallation=file://{folder}/profile", "--headless", "--convert-to", "xlsx"]
    subprocess.run([*command, "--outdir", str(folder / "out"), str(folder / "in.xlsx")], check=True, timeout=600)
    return load_workbook(folder / "out" / "in.xlsx", data_only=True)


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("soffice") is None, reason="LibreOffice is not installed")
@pytest.mark.parametrize("name", ["heads", "causal"])
def test_libreoffice_computes_the_same(name: str, tmp_path: Path) -> None:
    """Both as written and with a changed weight. It writes 15 digits."""
    derivation = task.explain_matrices(CASES[name])
    compare(Sheets(recomputed(task.workbook(derivation, task.wish(derivation)), tmp_path)), derivation)
    workbook = book(derivation)
    cell = workbook.defined_names["w_query"].attr_text.rsplit("!", 1)[1].split(":")[0].replace("$", "")
    workbook.worksheets[0][cell].value = -1.25
    raw = BytesIO()
    workbook.save(raw)
    content = deepcopy(CASES[name])
    content["w_query"][0][0] = -1.25
    compare(Sheets(recomputed(raw.getvalue(), tmp_path)), task.explain_matrices(content))


def test_the_command(tmp_path: Path) -> None:
    from regard.cli import main

    file = tmp_path / "returns.xlsx"
    assert main.run(["explain", "returns", "-o", str(file)]) == 0
    compare(Sheets(opened(file)), task.explain("returns"))


def test_the_command_wants_a_file(capsys: pytest.CaptureFixture[str]) -> None:
    from regard.cli import main

    assert main.run(["explain", "returns", "--format", "xlsx"]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert "--output FILE.xlsx" in err
