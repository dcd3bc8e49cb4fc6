"""Numbers as people write them in a file of matrices."""

import contextlib
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from regard.inspection.number import to_number


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("0.5", 0.5),
        ("-3", -3.0),
        (" 1e-3 ", 0.001),
        (".5", 0.5),
        ("1/3", 1 / 3),
        ("sqrt(1/2)", math.sqrt(0.5)),
        ("√½", math.sqrt(0.5)),
        ("√2", math.sqrt(2)),
        ("√ 2", math.sqrt(2)),
        ("-√½", -math.sqrt(0.5)),
        ("−2", -2.0),
        ("2√2", 2 * math.sqrt(2)),
        ("√2/2", math.sqrt(2) / 2),
        ("√(2/3)", math.sqrt(2 / 3)),
        ("1/sqrt(2)", 1 / math.sqrt(2)),
        ("1½", 1.5),
        ("√2¼", 1.5),
        ("2×3", 6.0),
        ("2·3", 6.0),
        ("6÷4", 1.5),
        ("(1+2)*3", 9.0),
        (7, 7.0),
        (0.25, 0.25),
        ("007", 7.0),
    ],
)
def test_a_number(written: object, expected: float) -> None:
    assert to_number(written) == expected


@pytest.mark.parametrize("written", ["nan", ".nan", "NaN", "inf", "-.inf", "1e999", "1e308*10", 10**400])
def test_what_is_not_finite_is_still_a_number(written: object) -> None:
    assert not math.isfinite(to_number(written))


@pytest.mark.parametrize(
    "written",
    [
        "",
        "a",
        "1,5",
        "1 2",
        "1/0",
        "sqrt(-1)",
        "2**9",
        "2**999999999",
        "1j",
        "True",
        "3²",
        "①",
        "abs(1)",
        "sqrt(1, 2)",
        "sqrt(x=1)",
        "__import__('os').getcwd()",
        "(1).real",
        "[1]",
        "1 if 1 else 2",
        "9" * 65,
        "(" * 64,
        "\x00",
        None,
        True,
        [1],
    ],
)
def test_no_number(written: object) -> None:
    with pytest.raises(ValueError):  # noqa: PT011
        to_number(written)


@given(st.floats(allow_nan=False))
def test_every_float_is_read_as_it_is_written(number: float) -> None:
    assert to_number(repr(number)) == number


@given(st.text(max_size=70))
def test_nothing_else_comes_out(text: str) -> None:
    """A float or a refusal, whatever is written."""
    with contextlib.suppress(ValueError):
        assert type(to_number(text)) is float
