"""One derivation in every form: the numbers are read back from each and are the same; layouts, blanks, languages."""

import re
import shutil
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from html import unescape
from pathlib import Path

import numpy as np
import pytest
from rich.cells import cell_len

from note import NOTE
from regard.core.errors import BadInput
from regard.language import LANGUAGES
from regard.tasks.explain import explain, explain_matrices, wish, write
from regard.views.derivation import picture
from regard.views.picture import Grid, Picture

Found = dict[str, list[np.ndarray]]
NUMBER = r"[-−]?\d+(?:\.\d+)?|−∞|-\\infty"
TITLE = re.compile(r"([^\s()]+) \((\d+)×(\d+)\)")

HEADS = {
    "tokens": ["I", "can", "can", "a_b\\{%$#&~^<|*`}", "罐頭"],
    "x": [[1, 0, 0.5], [0, 1, "1/3"], ["√2", 1, 0], [1, 1, 1], [0, 0, 1]],
    "w_query": [[1, 0, 2, 1], [0, 1, 0, 1], [1, 1, 1, 1]],
    "w_key": [[0, 1, 2, 1], [1, 1, 0, 1], [0, -1, 1, 1]],
    "w_value": [[1, 0, 2, 1], [0, 1, 0, 1], [1, 1, 1, 1]],
    "b_value": [1, 2, 3, 4],
    "w_output": [[1, 2], [3, 4], [5, 6], [7, 8]],
    "b_output": [0.5, -0.5],
    "n_heads": 2,
    "positions": "sinusoidal",
    "causal": True,
}


def number(text: str) -> float:
    return float("-inf") if "∞" in text or "infty" in text else float(text.replace("−", "-"))


def as_it_is(text: str) -> np.ndarray:
    return np.array([number(each) for each in re.findall(NUMBER, text)])


def spread(line: str) -> str:
    """A line with two places for each wide sign, so that places are cells."""
    return "".join(sign + "\0" * (cell_len(sign) - 1) for sign in line)


def of_text(text: str) -> Found:
    """Each title, and under it, between its left edge and the next title's, as many lines of numbers as it says."""
    found, lines = defaultdict(list), [spread(line) for line in text.split("\n")]
    for at, line in enumerate(lines):
        titles = list(TITLE.finditer(line))
        if not titles or " = " in line or "+ " in line:
            continue  # no grid, but a line of shapes
        for title, end in zip(titles, [*(each.start() for each in titles[1:]), None], strict=True):
            rows, columns = int(title[2]), int(title[3])
            cut = [below[title.start() : end] for below in lines[at + 1 :]]
            numbers = [re.findall(rf"(?<![\w.])(?:{NUMBER})(?![\w.])", part)[-columns:] for part in cut]
            full = [row for row in numbers if len(row) == columns]
            found[title[1]].append(np.array([[number(each) for each in row] for row in full[:rows]]))
    return found


def of_markdown(text: str) -> Found:
    found = of_mathematics(text)
    for title, body in re.findall(r"\*\*(\S+) \(\d+×\d+\)\*\*\n\n((?:\|.*\n?)+)", text):
        rows = [line.split(" | ")[1:] for line in body.strip().split("\n")[2:]]
        found[title.replace("\\", "")].append(np.array([as_it_is(" ".join(row)) for row in rows]))
    return found


def of_mathematics(text: str) -> Found:
    """Arrays with a title under them."""
    found = defaultdict(list)
    pattern = r"\\underset\{(.*)\\,\(\d+ \\times \d+\)\}\{\\begin\{array\}.*\n.*\n((?:.*\n)*?)\\end\{array\}\}"
    for title, body in re.findall(pattern, text):
        rows = [line.split(" & ")[1:] for line in body.strip().split("\n")]
        found[symbol(title)].append(np.array([as_it_is(" ".join(row)) for row in rows]))
    return found


def symbol(latex: str) -> str:
    r"""S_{\mathrm{raw},1}^{T} → S_raw,1ᵀ."""
    plain = re.sub(r"\\mathrm\{(\w+)\}", r"\1", latex)
    return re.sub(r"_\{([^}]*)\}", r"_\1", plain).replace("^{T}", "ᵀ")


def of_html(text: str) -> Found:
    found = defaultdict(list)
    for title, body in re.findall(r'<p class="title">(\S+) \(\d+×\d+\)</p>.*?<tbody>(.*?)</tbody>', text):
        rows = re.findall(r"<tr>(.*?)</tr>", body)
        cells = [re.findall(r"<td[^>]*>(.*?)</td>", row) for row in rows]
        found[unescape(title)].append(np.array([as_it_is(" ".join(row)) for row in cells]))
    return found


READERS = {"text": of_text, "markdown": of_markdown, "latex": of_mathematics, "html": of_html}


@pytest.mark.parametrize("form", READERS)
@pytest.mark.parametrize("lang", LANGUAGES)
def test_every_number_of_the_note_in_every_form(form: str, lang: str) -> None:
    returns = explain("returns")
    found = READERS[form](write(returns, form, wish(returns, lang=lang), colour=False))
    for symbol, (_, expected) in NOTE.items():
        assert found[symbol], symbol
        for matrix in found[symbol]:
            np.testing.assert_allclose(matrix, expected, rtol=0, atol=5e-7, err_msg=symbol)


def grids(shown: Picture) -> Iterator[Grid]:
    for part in getattr(shown, "parts", ()):
        yield from grids(part)
    if isinstance(shown, Grid):
        yield shown


@pytest.mark.parametrize("form", READERS)
@pytest.mark.parametrize("layout", ["query-rows", "key-rows"])
def test_every_number_of_many_heads_in_every_form(form: str, layout: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is read back, grid by grid and in order, is the picture's, rounded; every value of it is a step's."""
    monkeypatch.setenv("COLUMNS", "200")
    heads = explain_matrices(HEADS)
    asked = wish(heads, layout=layout, digits=3)
    found = READERS[form](write(heads, form, asked, colour=False))
    wanted = defaultdict(list)
    for grid in grids(picture(heads, asked)):
        wanted[grid.title.partition(" ")[0]].append(grid.values)
    assert {title: len(values) for title, values in found.items()} == {title: len(v) for title, v in wanted.items()}
    for title, values in wanted.items():
        some = {matrix.tobytes() for matrix in (np.round(each, 3) + 0.0 for each in found[title])}
        assert some == {(np.round(each, 3) + 0.0).tobytes() for each in values}, title


def of_script(text: str, folder: Path) -> dict[str, np.ndarray]:
    """What the script prints, when it is run by itself."""
    file = folder / "script.py"
    file.write_text(text, encoding="utf-8")
    command = [sys.executable, "-I", "-W", "error", str(file)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, encoding="utf-8")
    found = {}
    for name, shape, body in re.findall(r"^(\w+) \(([\d, ]*)\)\n(.*?)\n\n(?=\w|$)", done.stdout, flags=re.M | re.S):
        numbers = re.findall(r"-?\d+\.?\d*|-inf", body)
        found[name] = np.array([*map(float, numbers)]).reshape([int(size) for size in re.findall(r"\d+", shape)])
    return found


FOUR_BY_TWO = [[1, 2], [3, 4], [5, 6], [7, 8]]
INDEXED = {
    **{key: HEADS[key] for key in ("tokens", "x", "n_heads", "causal")},
    **{"w_query": FOUR_BY_TWO, "w_key": FOUR_BY_TWO, "w_value": FOUR_BY_TWO, "b_value": [1, 2]},
    **{"positions": "index", "scale": 0.3},
}
BLIND = {
    **{"tokens": ["a", "b"], "key_tokens": ["c"], "query": [[1, 2], [3, 4]], "key": [[1, 1]], "value": [[5, 6]]},
    **{"causal": True, "n_heads": 2},
}
SCRIPTS = {
    "returns": lambda: explain("returns"),
    "creature": lambda: explain("creature", causal=True),
    **{name: lambda c=c: explain_matrices(c) for name, c in (("heads", HEADS), ("index", INDEXED), ("blind", BLIND))},
}


@pytest.mark.parametrize("name", SCRIPTS)
def test_the_script_prints_the_same_numbers(name: str, tmp_path: Path) -> None:
    derivation = SCRIPTS[name]()
    found = of_script(write(derivation, "python", wish(derivation, digits=9)), tmp_path)
    assert found.keys() == derivation.steps.keys()
    for name, step in derivation.steps.items():
        values = step.values.reshape(found[name].shape)
        np.testing.assert_allclose(found[name], values, rtol=0, atol=6e-10, err_msg=name)


@pytest.mark.parametrize("form", ["text", "html"])
@pytest.mark.parametrize("layout", ["query-rows", "key-rows"])
def test_causal_in_both_layouts(form: str, layout: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Queries as rows: zeros above the diagonal, rows sum to 1. Keys as rows: zeros below, columns sum to 1."""
    monkeypatch.setenv("COLUMNS", "120")
    creature = explain("creature", causal=True)
    found = READERS[form](write(creature, form, wish(creature, layout=layout, digits=9), colour=False))
    (weights,), other = found["A" if layout == "query-rows" else "Aᵀ"], found["Aᵀ" if layout == "query-rows" else "A"]
    assert not other
    hidden = np.triu(weights, 1) if layout == "query-rows" else np.tril(weights, -1)
    assert (hidden == 0).all()
    np.testing.assert_allclose(weights.sum(1 if layout == "query-rows" else 0), 1, atol=1e-8)
    assert np.count_nonzero(weights) == 36


def test_keys_as_rows_turns_whole_products() -> None:
    """(A·V)ᵀ = Vᵀ·Aᵀ: what stands beside each other still multiplies out, in either layout."""
    for layout in ("query-rows", "key-rows"):
        returns = explain("returns")
        shown = list(grids(picture(returns, wish(returns, layout=layout))))
        scores = next(at for at, grid in enumerate(shown) if grid.title.startswith("S_raw"))
        context = len(shown) - 1
        for at in (scores, context):
            left, right, product = (grid.values for grid in shown[at - 2 : at + 1])
            np.testing.assert_allclose(left @ right, product, atol=1e-12)


@pytest.mark.parametrize("form", READERS)
def test_a_blank_is_blank_everywhere_and_answered_at_the_end(form: str) -> None:
    """The weights are blank as a step and as a factor of the context, and no sentence gives them away."""
    returns = explain("returns")
    asked = wish(returns, blank=["weights"])
    sheet, both = (write(returns, form, asked, answers=answers, colour=False) for answers in (False, True))
    assert "0.692804" in sheet  # the context, which was not asked for
    assert not {"0.186324", "0.506480", "0.665241"} & set(re.findall(r"\d\.\d{6}", sheet))
    assert READERS[form](both)["A"][-1].tolist() == NOTE["A"][1]


def test_a_single_number_is_blank_too() -> None:
    returns = explain("returns")
    sheet = write(returns, "text", wish(returns, blank=["sqrt_d_key"]), colour=False)
    assert "√d_k = √2 = ?" in sheet
    assert "√d_k = √2 = 1.414214" in write(returns, "text", wish(returns), colour=False)


@pytest.mark.parametrize(("lang", "said"), [("en", "looks most at"), ("zh-Hant", "最關注"), ("zh-Hans", "最关注")])
def test_the_reading_in_words(lang: str, said: str) -> None:
    """Each query, never row or column: 行 and 列 are swapped between the two Chinese notes."""
    returns = explain("returns")
    text = write(returns, "text", wish(returns, lang=lang), colour=False)
    reading = text[text.index("6 ") :]
    assert reading.count(said) == 3
    assert "流程" in reading
    assert "0.506480" in reading
    assert not re.search("行|列|row|column", text)


def test_words_that_come_twice_are_told_apart() -> None:
    text = write(heads := explain_matrices(HEADS), "text", wish(heads), colour=False)
    assert "can₁" in text
    assert "can₂" in text


def test_whole_numbers_are_shown_whole() -> None:
    """As few digits as show every number as it is, never more than were asked for."""
    returns = explain("returns")
    digits = {grid.title.partition(" ")[0]: grid.digits for grid in grids(picture(returns, wish(returns, digits=3)))}
    assert (digits["X"], digits["S"], digits["A"]) == (0, 1, 3)


def tex(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    command = ["xelatex", "-interaction=nonstopmode", "-halt-on-error", *arguments]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, errors="replace")


@pytest.mark.skipif(shutil.which("xelatex") is None, reason="needs TeX (xelatex)")
@pytest.mark.parametrize(("name", "lang"), [("returns", "zh-Hant"), ("heads", "en")])
def test_latex_compiles(tmp_path: Path, name: str, lang: str) -> None:
    derivation = explain(name) if name == "returns" else explain_matrices(HEADS)
    asked = wish(derivation, lang=lang, layout="key-rows", blank=["weights"])
    (tmp_path / "paper.tex").write_text(write(derivation, "latex", asked, answers=True), encoding="utf-8")
    done = tex("paper.tex", cwd=tmp_path)
    assert done.returncode == 0, done.stdout[-2000:]
    assert (tmp_path / "paper.pdf").stat().st_size > 5000
    assert "Overfull \\hbox" not in done.stdout


@pytest.mark.parametrize("form", READERS)
def test_what_nobody_could_read_is_not_drawn(form: str) -> None:
    """But JSON holds it."""
    n = 200
    rows = [[0.5]] * n
    large = explain_matrices({"tokens": ["a"] * n, "query": rows, "key": rows, "value": rows})
    with pytest.raises(BadInput) as caught:
        write(large, form, wish(large))
    assert caught.value.code == "too_many_to_show"
    assert len(write(large, "json", wish(large))) > n * n


def test_the_whole_of_it_in_one_line() -> None:
    """Beginning with the formula of the paper; mask, heads and a scale of one's own change it."""
    small = {"tokens": ["a"], "query": [[1, 2]], "key": [[1, 2]], "value": [[1, 2]]}
    for more, line in (
        ({}, "O = softmax(Q·Kᵀ / √d_k) · V"),
        ({"causal": True}, "O = softmax(mask(Q·Kᵀ / √d_k)) · V"),
        ({"n_heads": 2, "scale": 3}, "O_h = softmax(c·Q_h·K_hᵀ) · V_h"),
    ):
        derivation = explain_matrices(small | more)
        assert line in write(derivation, "text", wish(derivation), colour=False)


@pytest.mark.parametrize(
    ("name", "lang", "sentence"),
    [
        ("returns", "en", "“流程” looks most at “期限” (0.506480), then at itself (0.307196)."),
        ("returns", "zh-Hant", "「期限」最關注自己（0.665241），其次是「流程」（0.244728）。"),
        ("returns", "zh-Hans", "“退貨”最关注“期限”（0.506480），其次是“流程”（0.307196）。"),
        ("creature", "en", "“a” looks only at itself (1.0000)."),
        ("creature", "zh-Hant", "「creature」一樣關注「fluffy」、「blue」（各 0.4481）。"),
        ("heads", "zh-Hans", "第 2 个 head：“I”只看自己（1.000000）。"),
        ("blind", "en", "Head 1: “a” may look at nothing; its context is zero."),
        ("blind", "en", "Head 2: “b” looks only at “c” (1)."),
    ],
)
def test_sentences_of_the_reading(name: str, lang: str, sentence: str) -> None:
    derivation = SCRIPTS[name]()
    lines = write(derivation, "markdown", wish(derivation, lang=lang)).split("\n")
    assert sentence in [line.strip() for line in lines]


@pytest.mark.parametrize("form", [*READERS, "json", "python"])
def test_tokens_command_nothing(form: str) -> None:
    """Escapes, line breaks, surrogates, tags, TeX: what is shown is a name, in one place."""
    evil = ["\x1b[31m", "a\nb", "\ud800", "", "<script>alert(1)</script>", "\\input{x}", "\u202e", "x" * 500]
    rows = [[at] for at in range(len(evil))]
    derivation = explain_matrices({"tokens": evil, "query": rows, "key": rows, "value": rows})
    text = write(derivation, form, wish(derivation), colour=False)
    text.encode("utf-8", errors="strict" if form != "json" else "surrogatepass")
    assert not {"\x1b", "\u202e"} & set(text if form != "json" else "")
    commands = {"html": "<script>alert", "markdown": r"(?<!\\)<script", "latex": r"\\input"}
    assert not re.search(commands.get(form, "^b$"), text, flags=re.M)


def test_ready_matrices_begin_with_the_queries() -> None:
    """No heading stands over nothing."""
    blind = SCRIPTS["blind"]()
    headings = re.findall(r"^## (\d+) ", write(blind, "markdown", wish(blind)), flags=re.M)
    assert headings == ["1", "2", "3", "4", "5"]
