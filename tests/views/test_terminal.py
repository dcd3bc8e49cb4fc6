"""Pictures in a terminal: the numbers, their columns, colours, and tokens that would command it."""

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len
from samples import CHINESE, EMPTY, ESCAPE, EVERYTHING, MARKS, TABLE, aligned, grid, weights

from regard.views.picture import Columns, Grid, Links, Marks, Picture, Rows, Series, Table, Text
from regard.views.terminal import render

COLOUR = re.compile(r"\x1b\[[0-9;]*m")
NUMBER = re.compile(r"-?\d+\.\d+(?:e[+-]\d+)?|−∞")


def plain(picture: Picture, width: int = 80) -> str:
    return render(picture, width=width, colour=False)


def numbers(line: str) -> list[float]:
    return [-np.inf if found == "−∞" else float(found) for found in NUMBER.findall(line)]


def rows_of(text: str, names: tuple[str, ...]) -> dict[str, list[float]]:
    """Numbers by row name, over all panels."""
    found: dict[str, list[float]] = {name: [] for name in names}
    for line in text.split("\n"):
        name = line.split(" ")[0]
        if name in found:
            found[name] += numbers(line.removeprefix(name))
    return found


@pytest.mark.parametrize(("columns", "width"), [(5, 80), (5, 20), (23, 80), (97, 50)])
@pytest.mark.parametrize("colour", [False, True])
def test_numbers_are_read_back(columns: int, width: int, colour: bool) -> None:
    picture = grid(3, columns)
    text = COLOUR.sub("", render(picture, width=width, colour=colour))
    for row, values in zip(rows_of(text, picture.row_names).values(), picture.values, strict=True):
        np.testing.assert_allclose(row, values[~np.isnan(values)], atol=5e-4)
    assert max(map(cell_len, text.split("\n"))) <= width


@given(st.lists(st.text("ab貓ｘe\u0301", min_size=1, max_size=9), min_size=2, max_size=7))
@settings(max_examples=30)
def test_columns_stand_under_each_other_in_cells(names: list[str]) -> None:
    values = np.arange(1, 1 + 3 * len(names)).reshape(3, len(names)) / 10
    picture = Grid(values=values, row_names=CHINESE, column_names=tuple(names), heat=False)
    lines = [line for line in plain(picture, 200).split("\n") if numbers(line)]
    ends = [[cell_len(line[: found.end()]) for found in NUMBER.finditer(line)] for line in lines]
    assert len(ends) == 3
    assert ends[0] == ends[1] == ends[2]


def test_wide_names_end_over_their_numbers() -> None:
    head, first, *_ = plain(Grid(values=np.eye(3), row_names=CHINESE, column_names=CHINESE, heat=False)).split("\n")
    for name, found in zip(CHINESE, NUMBER.finditer(first), strict=True):
        assert cell_len(head[: head.index(name) + 2]) == cell_len(first[: found.end()])


def test_hidden_and_blank() -> None:
    text = plain(Grid(values=np.array([[-np.inf, np.nan, 0.5]]), row_names=("q",)))
    assert text.split() == ["q", "−∞", "0.50▒"]


def test_without_colour_shades_are_signs() -> None:
    text = plain(Grid(values=np.array([[0.0, 0.25, 0.5, 0.75, 1.0]])))
    assert text.split() == ["0.00", "0.25░", "0.50▒", "0.75▓", "1.00█"]
    assert "█" not in plain(Grid(values=np.eye(2), heat=False))


def test_names_stand_upright_where_that_saves_a_panel() -> None:
    names = tuple(f"translation{at}" for at in range(7))
    text = plain(Grid(values=np.eye(7), row_names=names, column_names=names), 70)
    assert "translation0" in text.split("\n")[-7]
    assert text.count("translation3") == 1  # as a row; as a column it is one sign a line
    assert [len(numbers(line)) for line in text.split("\n")[-7:]] == [7] * 7


def test_links_are_read_back() -> None:
    picture = Links(top=("the", "cat", "the"), bottom=("le", "chat"), links=((1, 1, 0.91), (2, 1, 0.05), (0, 0, 0.7)))
    assert plain(picture).split("\n") == ["the₁ cat the₂", "le   ← the₁ 0.70 ▓", "chat ← cat 0.91 █  the₂ 0.05"]


def test_links_without_an_end_and_too_many_for_a_line() -> None:
    many = tuple((at, 0, 0.05) for at in range(20))
    lines = plain(Links(top=tuple("abcdefghijklmnopqrst"), bottom=("x", "y"), links=many), 40).split("\n")
    assert lines[-1] == "y"
    assert len(lines) > 4
    assert all(cell_len(line) <= 40 for line in lines)


def test_the_alignment_is_read_back() -> None:
    picture = aligned()
    links, matrix = picture.parts
    assert isinstance(links, Links)
    assert isinstance(matrix, Grid)
    text = plain(picture, 200)
    first, second = text.split("\n\n")[:2]
    for top, bottom, weight in links.links:
        line = next(line for line in first.split("\n") if line.startswith(f"{links.bottom[bottom]} "))
        assert f"{weight:.2f}" in line, (top, bottom)
    found = rows_of(second, matrix.row_names)
    np.testing.assert_allclose([found[name] for name in matrix.row_names], matrix.values, atol=5e-3)
    assert picture.reading.split("”")[0] in text
    assert text.endswith("checked: rows")


def test_columns_stand_beside_each_other_where_they_fit() -> None:
    picture = Columns(parts=(grid(3, 2, title="Q"), grid(2, 3, title="K"), grid(3, 5, title="S")), signs=("·", "="))
    wide, narrow = plain(picture, 100), plain(picture, 40)
    assert any("Q" in line and "K" in line and "S" in line for line in wide.split("\n"))
    assert any("·" in line and "=" in line for line in wide.split("\n"))
    assert [line for line in narrow.split("\n") if line in ("·", "=")] == ["·", "="]
    assert sorted(numbers(wide)) == sorted(numbers(narrow))


def test_marks_are_read_back() -> None:
    text = plain(MARKS)
    for series in MARKS.series:
        mine = [numbers(line) for line in text.split("\n") if f" {series.name} " in line]
        assert [line[0] for line in mine] == list(series.y)
        assert not series.errors or [line[1] for line in mine] == list(series.errors)


def test_many_marks_are_curves() -> None:
    series = Series("loss", tuple(range(101)), tuple(float(100 - at) for at in range(101)))
    text = plain(Marks(series=(series,)), 60)
    assert numbers(text) == [100.0, 0.0]
    assert re.search("█+▇+▆+▅+▄+▃+▂+▁+", text)


def test_tables_are_read_back() -> None:
    lines = plain(TABLE).split("\n")
    assert [line.split() for line in lines[2:]] == [["en-fr", "412", "48.20"], ["退貨", "<b>", "91", "-3.05"]]
    assert len({cell_len(line) for line in lines[2:]}) == 1


@pytest.mark.parametrize("width", [40, 48, 60])
def test_no_number_is_broken_where_words_can_be(width: int) -> None:
    head = ("model", "tokens of text", "nats a token", "perplexity")
    rows = (("a/very/long/path/of/a/folder", 3000, 19.6754, 3.507e8), ("tang", 17, 2.5, 12.25))
    lines = plain(Table(head=head, rows=rows, digits=4), width).split("\n")
    assert max(map(cell_len, lines)) <= width
    assert {"3000", "19.6754", "3.5070e+08", "17", "2.5000", "12.2500"} <= {w for line in lines for w in line.split()}


def test_colour_is_used_where_there_is_some(monkeypatch: pytest.MonkeyPatch) -> None:
    picture = grid()
    for name in ("NO_COLOR", "TERM", "COLORTERM"):
        monkeypatch.delenv(name, raising=False)
    assert not COLOUR.search(render(picture))  # not a terminal: the tests' output is caught
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    assert COLOUR.search(render(picture))
    assert "48;5;" in render(picture)
    monkeypatch.setenv("COLORTERM", "truecolor")
    picture = grid(seed=1)  # rich remembers a style's codes
    assert "48;2;" in render(picture)
    monkeypatch.setenv("NO_COLOR", "1")
    assert not COLOUR.search(render(picture))
    assert COLOUR.search(render(picture, colour=True))
    monkeypatch.setenv("NO_COLOR", "")
    monkeypatch.setenv("TERM", "dumb")
    assert not COLOUR.search(render(picture))


def test_the_width_is_the_terminals(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "31")
    assert max(map(cell_len, render(Text(text="word " * 30)).split("\n"))) == 29


@pytest.mark.parametrize("token", [ESCAPE, "\ud800", "\u202eabc", "a\nb\rc", "\x00", "x" * 100_000])
def test_no_token_commands_the_terminal(token: str) -> None:
    names = (token, "cat")
    picture = Rows(
        title=token,
        reading=token[:99],
        parts=(
            Grid(values=weights(2, 2), row_names=names, column_names=names, row_axis=token[:9], column_axis=token[:9]),
            Links(top=names, bottom=names, links=((0, 1, 0.5),)),
            Table(head=names, rows=(names,)),
            Marks(series=(Series(token[:9], names, (1.0, 2.0)),), x_axis=token[:9]),
        ),
    )
    text = plain(picture)
    text.encode("utf-8")
    assert not re.search(r"[\x00-\x09\x0b-\x1f\u202e]", text)


@pytest.mark.parametrize("picture", [*EMPTY, EVERYTHING, aligned("zh-Hant"), aligned("zh-Hans")])
@pytest.mark.parametrize("width", [1, 20, 80])
def test_everything_can_be_drawn(picture: Picture, width: int) -> None:
    render(picture, width=width, colour=True)
