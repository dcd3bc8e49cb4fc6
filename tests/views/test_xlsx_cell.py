"""A spreadsheet of one cell of a model: what is changed is followed to the end; see also tests/inspection/test_cell.py,
where every family's cell is held against its spreadsheet."""

import shutil
import subprocess
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from openpyxl import Workbook, load_workbook
from openpyxl.utils.cell import range_boundaries

from regard.cli import main
from regard.core.errors import BadInput
from regard.inspection.cell.cell import Cell
from regard.tasks import explain_cell as task
from sheet import Sheets, follow, opened

TEXT = "Once upon a time there"


@pytest.fixture(scope="module")
def cell() -> Cell:
    return task.explain_cell(TEXT, "tiny-gpt", task.Where(layer=2, head=3, query=3, key=1))


@pytest.fixture(scope="module")
def data(cell: Cell) -> bytes:
    return task.workbook(cell)


def change(workbook: Workbook, name: str, at: tuple[int, int], value: float) -> None:
    """Another number in a matrix, by its place on the sheet."""
    sheet, cells = workbook.defined_names[name].attr_text.rsplit("!", 1)
    left, top, _, _ = range_boundaries(cells)
    workbook[sheet.strip("'")].cell(top + at[0], left + at[1]).value = value


def again(numbers: dict[str, np.ndarray], key: int) -> dict[str, np.ndarray]:
    """GPT-2's way from x to the stream, by numpy."""
    made = {
        part: numbers[f"x_{part}"] @ numbers[f"w_{part}"] + numbers[f"b_{part}"] for part in ("query", "key", "value")
    }
    keys, values = numbers["keys"].copy(), numbers["values"].copy()
    keys[key], values[key] = made["key"], made["value"]
    scores = np.where(np.isfinite(numbers["masked"]), keys @ made["query"] * numbers["scale"], -np.inf)
    powers = np.exp(scores - scores.max())
    made |= {"weights": powers / powers.sum()}
    made["context"] = made["weights"] @ values
    made["output"] = made["context"] @ numbers["w_output"] + numbers["others"] + numbers["b_output"]
    return made | {"after": numbers["before"] + made["output"]}


def test_it_has_the_numbers_of_json(cell: Cell, data: bytes) -> None:
    assert follow(Sheets(opened(data)), cell.numbers) >= 35
    assert data == task.workbook(cell)


@pytest.mark.parametrize("name", ["w_query", "w_key", "b_value", "w_output", "x_query"])
def test_a_changed_number_is_followed(cell: Cell, data: bytes, name: str) -> None:
    workbook, numbers = opened(data), {each: values.copy() for each, values in cell.numbers.items()}
    change(workbook, name, (0, 0), 3.5)
    numbers[name].reshape(-1)[0] = 3.5  # the first of a vector, and of a matrix the same corner when turned
    expected = again(numbers, cell.key)
    before = again(cell.numbers, cell.key)
    assert np.abs(expected["after"] - before["after"]).max() > 1e-6
    sheets = Sheets(workbook)
    for part, values in expected.items():
        came = sheets.named(part).reshape(values.shape)
        np.testing.assert_allclose(came, values, rtol=1e-10, atol=1e-10, err_msg=part)


def test_a_key_that_is_hidden_weighs_nothing_until_the_mask_is_changed(cell: Cell, data: bytes) -> None:
    workbook = opened(data)
    assert Sheets(workbook).named("weights")[4, 0] == 0
    change(workbook, "mask", (4, 0), 1)
    weights = Sheets(workbook).named("weights")
    assert weights[4, 0] > 0
    assert weights.sum() == pytest.approx(1)


def test_the_rnn_to_its_word(tmp_path: Path) -> None:
    file = tmp_path / "cell.xlsx"
    assert main.run(["explain", "The cat.", "--model", "en-fr", "-o", str(file), "--lang", "zh-Hant"]) == 0
    found = task.explain_cell("The cat.", "en-fr")
    sheets = Sheets(opened(file))
    assert follow(sheets, found.numbers) >= 20
    best = found["logits"][found["best"].astype(int)]
    np.testing.assert_allclose(sheets.named("logits_best").ravel(), best, atol=1e-10)
    assert "下一個詞" in opened(file).sheetnames


def test_what_cannot_be_is_refused(
    cell: Cell, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main.run(["explain", TEXT, "--model", "tiny-gpt", "--layer", "0", "--format", "xlsx"]) == 2
    out, err = capsys.readouterr()
    assert (out, "--output FILE.xlsx" in err) == ("", True)
    monkeypatch.setattr(task, "MOST_CELLS", 100)
    with pytest.raises(BadInput) as caught:
        task.workbook(cell)
    assert caught.value.code == "too_many_to_show"


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("soffice") is None, reason="LibreOffice is not installed")
def test_libreoffice_computes_the_same(tmp_path: Path) -> None:
    """Rotary positions among it. It writes 15 digits."""
    found = task.explain_cell("床前明月光", "tang", task.Where(layer=1, head=2))
    (tmp_path / "in.xlsx").write_bytes(task.workbook(found))
    command = ["soffice", f"-env:UserInstallation=file://{tmp_path}/profile", "--headless", "--convert-to", "xlsx"]
    subprocess.run([*command, "--outdir", str(tmp_path / "out"), str(tmp_path / "in.xlsx")], check=True, timeout=600)
    done = BytesIO((tmp_path / "out" / "in.xlsx").read_bytes())
    assert follow(Sheets(load_workbook(done, data_only=True)), found.numbers) >= 30
