"""Pictures as a page: the same numbers with scripts and without, nothing from outside, every token inert."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
from browsing import Element, drawn, opened, parsed
from samples import CHINESE, EMPTY, ESCAPE, EVERYTHING, HOSTILE, MARKS, TABLE, aligned, grid, weights

from regard.views.data import data
from regard.views.html import render
from regard.views.mathml import mathml
from regard.views.picture import Columns, Formula, Grid, Links, Marks, Picture, Rows, Series, Table, Text
from regard.views.shade import contrast

WAYS = ["written", "drawn"]


def seen(picture: Picture, way: str) -> Element:
    """The body of the page: as it is written into the file, or as the module draws it."""
    if way == "drawn":
        return drawn(embedded(render(picture)))[0]
    return parsed(render(picture)).all("main")[0]


def embedded(page: str) -> dict[str, object]:
    found: dict[str, object] = json.loads(parsed(page).all("script")[0].text)
    return found


def number(text: str) -> float:
    return float(text.replace("−", "-").replace("∞", "inf") or "nan")


def cells(table: Element) -> list[list[str]]:
    return [[cell.text for cell in row.all("td")] for row in table.all("tbody")[0].all("tr")]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("heat", [True, False])
def test_numbers_of_a_grid(way: str, heat: bool) -> None:
    picture = grid(3, 5, heat=heat, row_axis="query", column_axis="key")
    table = seen(picture, way).all("table")[0]
    np.testing.assert_allclose([[number(text) for text in row] for row in cells(table)], picture.values, atol=5e-4)
    assert [name.text for name in table.all("th")] == [*picture.column_names, *picture.row_names]
    assert [axis.text for axis in table.all("td", class_="axis") if axis.text] == ["key →", "query ↓"]


@pytest.mark.parametrize("way", WAYS)
def test_shades_of_a_grid(way: str) -> None:
    picture = Grid(values=np.array([[0.25, 1.0], [-np.inf, np.nan]]))
    first, second, hidden, blank = seen(picture, way).all("td")[:4] if way == "drawn" else seen(picture, way).all("td")
    shade = "style --v" if way == "drawn" else "style"
    assert [cell.attributes[shade].removeprefix("--v:") for cell in (first, second)] in (["0.25", "1"], ["0.25", "1.0"])
    assert [cell.attributes["class"] for cell in (hidden, blank)] == ["void", "void"]
    negative = seen(Grid(values=np.array([[-0.5]])), way).all("td")[0]
    assert negative.attributes["class"] == "negative"
    assert number(negative.attributes[shade].removeprefix("--v:")) == 1.0


@pytest.mark.parametrize("way", WAYS)
def test_numbers_of_links(way: str) -> None:
    picture = Links(
        top=("the", "cat", "the"), bottom=("le", "chat", "x"), links=((1, 1, 0.913), (2, 1, 0.05), (0, 0, 0.7))
    )
    rows = seen(picture, way).all("table", class_="pairs")[0].all("tr")
    assert [row.all("th")[0].text for row in rows] == ["le", "chat", "x"]
    assert [[item.text for item in row.all("li")] for row in rows] == [["the₁ 0.70"], ["cat 0.91", "the₂ 0.05"], []]


@pytest.mark.parametrize("way", WAYS)
def test_numbers_of_marks_and_tables(way: str) -> None:
    assert cells(seen(MARKS, way).all("table")[0]) == [
        ["1–5", "48.2 ±1.8", "47.1"],
        ["6–9", "41.0 ±1.1", "36.2"],
        ["15+", "33.1 ±2.3", "−2.9"],
    ]
    table = seen(TABLE, way).all("table")[0]
    assert cells(table) == [["en-fr", "412", "48.20"], ["退貨 <b>", "91", "−3.05"]]
    assert [cell.attributes.get("class", "") for cell in table.all("th")] == ["", "number", "number"]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("lang", ["en", "zh-Hant", "zh-Hans"])
def test_numbers_of_an_alignment(way: str, lang: str) -> None:
    picture = aligned(lang)
    matrix = picture.parts[1]
    assert isinstance(matrix, Grid)
    page = seen(picture, way)
    found = [[number(text) for text in row] for row in cells(page.all("table", class_="cells")[0])]
    np.testing.assert_allclose(found, matrix.values, atol=5e-3)
    assert page.all("p", class_="reading")[-1].text == picture.reading
    assert page.all("p", class_="check")[0].text == "checked: rows"


def outline(element: Element) -> list[str]:
    """The tables and the sentences of a page, in order."""
    found = []
    for child in element.children:
        if isinstance(child, Element):
            told = child.tag in ("h1", "h2", "p", "td", "th", "li") and child.attributes.get("class") not in (
                "plain",
                "top",
            )
            found += [f"{child.tag} {child.text}"] if told else outline(child)
    return found


@pytest.mark.parametrize("picture", [grid(3, 23), TABLE, Text(text="a\nb"), EVERYTHING.parts[3]])
def test_the_module_draws_what_is_written(picture: Picture) -> None:
    assert outline(seen(picture, "drawn")) == outline(seen(picture, "written"))


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("columns", [(3, "short", ""), (13, "short", "upright"), (7, "internationally", "upright")])
def test_many_or_long_names_stand_upright(way: str, columns: tuple[int, str, str]) -> None:
    count, name, expected = columns
    table = seen(Grid(values=np.zeros((2, count)), column_names=(name,) * count), way).all("table")[0]
    assert ("upright" in table.attributes["class"]) == bool(expected)


def test_the_data_is_exact_and_strict() -> None:
    values = np.array([[0.1 + 0.2, -np.inf], [np.nan, 1e-17]], dtype=float)
    shown = embedded(render(Grid(values=values)))
    assert shown["exact"] == [[0.1 + 0.2, None], [None, 1e-17]]
    assert shown["texts"] == [["0.30", "−∞"], ["", "0.00"]]
    json.dumps(data(EVERYTHING), allow_nan=False)


# Looking closer


def readout(page: Element) -> str:
    return page.all("output")[0].text


def test_arrows_walk_over_cells_and_tell_exact_numbers() -> None:
    picture = Grid(
        values=np.array([[0.125, 0.25], [-0.5, -np.inf], [np.nan, 1e-7]]),
        row_names=tuple("abc"),
        column_names=tuple("xy"),
    )
    keys = ["ArrowRight", "ArrowDown", "ArrowDown", "ArrowDown", "ArrowLeft", "Home", "End", "ArrowUp", "x"]
    steps = [('td[tabindex="0"]', 0, "focus"), *((None, 0, "keydown", key) for key in keys)]
    states = drawn(embedded(render(picture)), *steps)
    assert "arrow keys" in readout(states[0])
    told = ["a · x 0.125", "a · y 0.25", "b · y hidden", "c · y 1e−7", "c · y 1e−7"]
    told += ["c · x left blank", "c · x left blank", "c · y 1e−7", "b · y hidden", "b · y hidden"]
    assert [readout(state) for state in states[1:]] == told
    marked = [[each.text for tag in ("td", "th") for each in state.all(tag, class_="at")] for state in states]
    assert marked[0] == []
    assert marked[2] == ["0.25", "y", "a"]
    assert [sum(cell.attributes.get("tabindex") == "0" for cell in state.all("td")) for state in states] == [1] * 11


def test_pointing_at_a_word_shows_its_links_alone() -> None:
    picture = Links(top=("the", "cat", "the"), bottom=("le", "chat"), links=((1, 1, 0.91), (2, 1, 0.05), (0, 0, 0.7)))
    steps = [
        ("div.word", 4, "pointerenter"),  # chat
        ("button", 4, "click"),
        ("div.word", 4, "pointerleave"),  # held
        ("div.word", 0, "pointerenter"),  # the first the
        ("div.word", 0, "pointerleave"),
        ("button", 4, "keydown", "Escape"),
    ]
    states = drawn(embedded(render(picture)), *steps)
    chat = "chat ← cat 0.91 · the₂ 0.05"
    assert [readout(state) for state in states[1:6]] == [chat, chat, chat, "the₁ → le 0.70", chat]
    assert readout(states[6]) == readout(states[0])
    lit = [sorted(word.all("button")[0].text for word in state.all("div", class_="lit")) for state in states]
    assert lit == [[], *[["cat", "chat", "the"]] * 3, ["le", "the"], ["cat", "chat", "the"], []]
    assert [len(state.all("path", class_="lit")) for state in states] == [0, 2, 2, 2, 1, 2, 0]
    pressed = [state.all("button")[4].attributes["aria-pressed"] for state in states]
    assert pressed == ["false", "false", "true", "true", "true", "true", "false"]


def test_curves_are_as_thick_as_their_weights() -> None:
    page = drawn(embedded(render(aligned())))[0]
    links = aligned().parts[0]
    assert isinstance(links, Links)
    thick = [float(path.attributes["stroke-width"]) for path in page.all("path")]
    assert thick == pytest.approx([0.8 + 6 * weight for weight in sorted(weight for *_, weight in links.links)])


def test_a_chart_has_its_numbers_at_its_marks() -> None:
    chart = drawn(embedded(render(MARKS)))[0].all("svg")[0]
    values = [text.text for text in chart.all("text", class_="value")]
    assert values == ["48.2 ±1.8", "41.0 ±1.1", "33.1 ±2.3", "47.1", "36.2", "−2.9"]
    heights = [float(point.attributes["cy"]) for point in chart.all("circle")]
    ticks = {text.text: float(text.attributes["y"]) - 4 for text in chart.all("text", class_="muted")}
    tens = (ticks["0"] - ticks["40"]) / 40
    assert [round((ticks["0"] - height) / tens, 1) for height in heights] == [48.2, 41.0, 33.1]


def test_a_hint_is_given_once() -> None:
    outputs = drawn(embedded(render(EVERYTHING)))[0].all("output")
    assert [bool(each.text) for each in outputs] == [False, False, True, True]


# Safety


@pytest.mark.parametrize("lang", ["en", "zh-Hant"])
def test_nothing_comes_from_outside(lang: str) -> None:
    page = render(EVERYTHING, lang=lang)
    tree = parsed(page)
    policy = tree.all("meta")[1].attributes
    assert policy["http-equiv"] == "Content-Security-Policy"
    assert policy["content"].startswith("default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'")
    assert tree.all("html")[0].attributes["lang"] == lang
    assert tree.all("title")[0].text == "Everything"
    assert tree.all("link") == tree.all("img") == []
    assert not re.search(r"https?://(?!www\.w3\.org/)|@import|url\(|\bfetch\(|innerHTML|\beval\(", page)


@pytest.mark.parametrize("way", WAYS)
def test_titles_are_captions_in_a_text_with_headings(way: str) -> None:
    alone, within = (
        seen(Rows(parts=parts), way).all("section")[-1] for parts in ((MARKS,), (Text("", text="x", level=2), MARKS))
    )
    assert [title.text for title in alone.all("h2")] == [MARKS.title] == [title.text for title in within.all("p")]


def test_the_title_is_the_first_there_is() -> None:
    titles = {
        "x": Rows(parts=(Text(text="no heading"), Rows(parts=(Text(text="x", level=2),)), grid(title="y"))),
        "A picture by regard": Text(text="no heading"),
    }
    for title, picture in titles.items():
        assert parsed(render(picture)).all("title")[0].text == title


def hostile() -> Rows:
    names = (HOSTILE, "cat", ESCAPE)
    return Rows(
        title=HOSTILE,
        reading=HOSTILE,
        check=HOSTILE,
        parts=(
            Grid(
                title=HOSTILE,
                values=weights(3, 3),
                row_names=names,
                column_names=names,
                row_axis=HOSTILE,
                column_axis=HOSTILE,
            ),
            Links(top=names, bottom=names, links=((0, 0, 0.5), (1, 2, 0.7))),
            Table(head=names, rows=(names,)),
            Marks(series=(Series(HOSTILE, names, (1.0, 2.0, 3.0)),), x_axis=HOSTILE, y_axis=HOSTILE),
            Text(text=HOSTILE, level=1),
            Text(text=HOSTILE),
            Formula(latex=rf"\text{{{HOSTILE}}}", plain=HOSTILE),
            Columns(parts=(Text(text="a"), Text(text="b")), signs=(HOSTILE,)),
        ),
    )


@pytest.mark.parametrize("way", WAYS)
def test_hostile_tokens_are_text(way: str) -> None:
    page = seen(hostile(), way)
    assert page.all("img") == page.all("script") == []
    assert HOSTILE in [name.text for name in page.all("th")]
    assert "\\x1b[31mred\\x07" in [name.text for name in page.all("th")]
    assert len(parsed(render(hostile())).all("script")) == 2


@pytest.mark.parametrize("token", ["\ud800", "\x00", "\u202e", "<!--", "]]>", "&lt;", "{x}", "x" * 10_000])
def test_any_token_can_be_shown(token: str) -> None:
    page = render(Grid(values=np.eye(2), row_names=(token, "a"), column_names=("b", token)))
    page.encode("utf-8")
    assert len(parsed(page).all("th")) == 4


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("picture", EMPTY)
def test_nothing_can_be_shown(way: str, picture: Picture) -> None:
    assert seen(picture, way).all("section")


# Formulas


@pytest.mark.parametrize(
    ("latex", "expected"),
    [
        (r"\frac{a}{b}", "<mfrac><mrow><mi>a</mi></mrow><mrow><mi>b</mi></mrow></mfrac>"),
        (r"\operatorname{softmax}", "<mi>softmax</mi>"),
        (r"\mathrm{softmax}", '<mi mathvariant="normal">softmax</mi>'),
        (r"\text{<b>貨</b>}", "<mtext>&lt;b&gt;貨&lt;/b&gt;</mtext>"),
        (r"a<b", "<mo>&lt;</mo>"),
    ],
)
def test_mathml(latex: str, expected: str) -> None:
    assert expected in mathml(latex)
    assert mathml(latex).startswith('<math display="block">')


@pytest.mark.parametrize("latex", [r"\begin{bmatrix}1", r"\frac{", "", "\x1b", r"a_b_c"])
def test_what_is_no_formula_is_written_plainly(latex: str) -> None:
    page = parsed(render(Formula(latex=latex, plain="1 < 2")))
    assert page.all("math") == []
    assert page.all("p", class_="plain")[0].text == "1 < 2"


@pytest.mark.parametrize(
    "latex", [r"\href{javascript:alert(1)}{x}", r"\style{color:red}{x}", r"\class{at}{x}", r"\color{red}x"]
)
def test_formulas_carry_no_foreign_attributes(latex: str) -> None:
    assert not re.search("href|style=|class|color|alert", mathml(latex))


# In a browser, where there is one. What it shows beyond the tests above: layout, policy, the real document.


def test_in_a_browser(tmp_path: Path) -> None:
    page = render(Rows(parts=(EVERYTHING, hostile())), lang="zh-Hant")
    assert parsed(page).all("main")
    with opened(page, tmp_path) as browser:
        if browser is None:
            return
        view, heard = browser
        assert view.title() == "Everything"
        assert view.locator("img").count() == 0
        assert view.locator("math mfrac").evaluate("fraction => fraction.getBoundingClientRect().height") > 20
        assert [name for name in view.locator("table.cells th").all_inner_texts() if name in CHINESE] == list(CHINESE)
        view.locator('table.cells td[tabindex="0"]').nth(2).focus()
        view.keyboard.press("ArrowRight")
        assert view.evaluate("document.activeElement.classList.contains('at')")
        assert "流程" not in view.locator(".grid output").nth(2).inner_text()
        assert "退貨 · k1 −0.132" in view.locator(".grid output").nth(2).inner_text()
        assert heard == []


def test_curves_meet_their_words_in_a_browser(tmp_path: Path) -> None:
    links = aligned().parts[0]
    assert isinstance(links, Links)
    page = render(links)
    assert len(drawn(embedded(page))[0].all("path")) == len(links.links)
    with opened(page, tmp_path) as browser:
        if browser is None:
            return
        view, _ = browser
        ends = view.locator("path").evaluate_all(
            "paths => paths.map(path => { const at = path.getPointAtLength(0); return [at.x, at.y]; })"
        )
        middles = (
            view.locator(".words")
            .first.locator(".word")
            .evaluate_all("words => words.map(word => word.offsetLeft + word.offsetWidth / 2)")
        )
        ordered = sorted(links.links, key=lambda link: link[2])
        assert [x for x, _ in ends] == pytest.approx([middles[top] for top, *_ in ordered], abs=0.5)


# The ink and the ground of each cell, as the browser paints them.
TINTS = """cells => cells.map(cell => {
  const pen = document.createElement("canvas").getContext("2d");
  const { color, backgroundColor } = getComputedStyle(cell);
  return [color, backgroundColor].map(tint => {
    pen.fillStyle = tint;
    pen.fillRect(0, 0, 1, 1);
    const parts = [...pen.getImageData(0, 0, 1, 1).data].slice(0, 3);
    return "#" + parts.map(part => part.toString(16).padStart(2, "0")).join("");
  });
})"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_numbers_can_be_read_in_a_browser(scheme: str, tmp_path: Path) -> None:
    page = render(Grid(values=np.linspace(-1, 1, 21)[None]))
    assert len(parsed(page).all("td")) == 21
    with opened(page, tmp_path, color_scheme=scheme) as browser:
        if browser is None:
            return
        view, _ = browser
        tints = view.locator("table.heat td").evaluate_all(TINTS)
        assert len(tints) == 21
        assert min(contrast(one, other) for one, other in tints) >= 4.4
