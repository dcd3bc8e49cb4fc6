"""Sums of words: what is written is what is meant, and what is no sum is refused with its place."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from regard.core.errors import BadInput
from regard.text.expressions import parse


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("king", {"king": 1}),
        ("king - man + woman", {"king": 1, "man": -1, "woman": 1}),
        ("-man + king", {"man": -1, "king": 1}),
        ("0.5*king + 2 queen", {"king": 0.5, "queen": 2}),
        ("0.5 * king", {"king": 0.5}),
        ("2(king - 3*(man - woman))", {"king": 2, "man": -6, "woman": 6}),
        ("-(a - b) / 4", {"a": -0.25, "b": 0.25}),
        ("(paris + rome)/2", {"paris": 0.5, "rome": 0.5}),
        ("king + king - man", {"king": 2, "man": -1}),
        ("king - king", {"king": 0}),
        ("well-known - mother-in-law", {"well-known": 1, "mother-in-law": -1}),
        ("king-man", {"king-man": 1}),
        ("c++ - c", {"c++": 1, "c": -1}),
        ("new york - usa", {"new york": 1, "usa": -1}),
        ('"new york" - "rock - and - roll"', {"new york": 1, "rock - and - roll": -1}),
        ("don't", {"don't": 1}),
        ("2", {"2": 1}),
        ("1990 - 2 + 3", {"1990": 1, "2": -1, "3": 1}),
        ("2 * 3", {"3": 2}),
        ('"2" + 2 "3"', {"2": 1, "3": 2}),
        ("3d - 1/2", {"3d": 1, "1": -0.5}),
        ("國王 - 男人 + 女人", {"國王": 1, "男人": -1, "女人": 1}),
        ("國王－男人＋２", {"國王": 1, "男人": -1, "２": 1}),
        ("國王 − 0.5×（男人＋「女人」）", {"國王": 1, "男人": -0.5, "女人": -0.5}),
        ("“new york” / 2", {"new york": 0.5}),
    ],
)
def test_what_is_meant(text: str, expected: dict[str, float]) -> None:
    found = parse(text)
    assert found == expected
    assert list(found) == list(expected)


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("", 1), ("king -", 7), ("king + - man", 8), ("(king", 6), ("king)", 5), ("king / 0", 8), ("king / man", 8),
        ("king * 2", 6), ("()", 2), ("+", 2), ('""', 3), ("2 *", 4), ("(" * 5000, 101),
    ],
)  # fmt: skip
def test_what_is_no_sum(text: str, place: int) -> None:
    with pytest.raises(BadInput) as caught:
        parse(text)
    assert (caught.value.code, caught.value.facts["place"]) == ("words_expression", place)


@pytest.mark.parametrize(
    "text", ["1e400*king", "king - 1e308*man", "1e99*(1e99 king) + man", "1e308*(1e308*a) - a", "a / 1e-99"]
)
def test_a_weight_that_no_sum_can_carry(text: str) -> None:
    with pytest.raises(BadInput) as caught:
        parse(text)
    assert caught.value.code == "words_weight"
    assert parse("1e50*king") == {"king": 1e50}


def test_a_quote_that_is_not_closed() -> None:
    with pytest.raises(BadInput, match="character 8"):
        parse('king - "man')


@given(st.text(st.characters(exclude_characters='"', exclude_categories=["C"]), min_size=1).filter(str.strip))
def test_any_word_can_be_written(word: str) -> None:
    assert parse(f"“{word}”" if "”" not in word else f'"{word}"') == {word: 1.0}
    assert parse(f'a1 - 3*("{word}")') == {"a1": 1.0, word: -3.0}


@given(st.text(alphabet='ab 2.*-+/()"「」'))
def test_whatever_is_typed_is_a_sum_or_refused(text: str) -> None:
    with suppress(BadInput):
        assert parse(text)
