"""How numbers and tokens are written."""

import math
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from regard.views.signs import cell, minus, number, pieces, prose, told_apart, visible, wrap

ANY_TEXT = st.text(st.characters())  # lone surrogates too


@pytest.mark.parametrize(
    ("value", "digits", "written"),
    [
        (0.914, 2, "0.91"),
        (-0.004, 2, "0.00"),
        (-0.707107, 6, "-0.707107"),
        (2.0, 0, "2"),
        (-math.inf, 2, "−∞"),
        (math.inf, 2, "∞"),
        (math.nan, 2, ""),
        (9999999.0, 1, "9999999.0"),
        (12345678.0, 2, "1.23e+07"),
    ],
)
def test_number(value: float, digits: int, written: str) -> None:
    assert number(value, digits) == written


@given(st.floats(-1e300, 1e300), st.integers(0, 9))
def test_a_number_is_read_back_to_its_digits(value: float, digits: int) -> None:
    read = float(number(value, digits))
    assert abs(read - value) <= max(0.5 * 10.0**-digits, abs(value) * 10.0**-digits) * (1 + 1e-9)


def test_cells_of_tables() -> None:
    assert [cell(value, 2) for value in ("a\x1b", 7, 7.0, True)] == ["a\\x1b", "7", "7.00", "True"]
    assert minus("-3e-05") == "−3e−05"


@given(ANY_TEXT)
def test_what_is_visible_commands_nothing(text: str) -> None:
    for written in (visible(text), prose(text).replace("\n", "")):
        assert not any(unicodedata.category(sign) in ("Cc", "Cs", "Zl", "Zp") for sign in written)
        assert not set(written) & set("\u202a\u202b\u202d\u202e\u2066\u2067\u2068\u200e\u200f\u200b\ufeff\xad")
        written.encode("utf-8")


@given(st.text(st.characters(categories=["L", "N", "P"]), min_size=1))
def test_plain_tokens_stay_as_they_are(text: str) -> None:
    assert visible(text) == text


def test_what_cannot_be_seen_is_shown() -> None:
    assert visible("  ") == "␣␣"
    assert visible("\u0301") == "\u25cc\u0301"
    assert visible("👩\u200d👧") == "👩\u200d👧"
    assert visible("") == ""
    assert prose("a\x1b\nb") == "a\\x1b\nb"


def test_repeated_tokens_are_told_apart() -> None:
    assert told_apart(("the", "cat", "the", "the")) == ["the₁", "cat", "the₂", "the₃"]
    assert told_apart(("a",) * 11)[10] == "a₁₁"


@given(st.text("ab 貓看。「」,.", max_size=40), st.integers(3, 20))
def test_wrapped_lines_fit_and_lose_nothing(text: str, width: int) -> None:
    lines = wrap(text, width, cell_len)
    assert max(map(cell_len, lines)) <= width
    assert "".join("".join(lines).split()) == "".join(text.split())
    assert "".join(pieces(text)) == text


def test_no_line_begins_with_a_full_stop() -> None:
    assert wrap("「貓」看「鼠」。", 7, cell_len) == ["「貓」", "看", "「鼠」。"] or wrap("貓看鼠。", 6, cell_len) == [
        "貓看",
        "鼠。",
    ]
    assert wrap("貓看鼠。", 6, cell_len) == ["貓看", "鼠。"]
    assert wrap("a 「貓」", 5, cell_len) == ["a", "「貓", "」"]  # wider than the line: cut all the same
    assert wrap("", 5, cell_len) == [""]
