"""Words in their sentences: found as whole words, read from tables, and refused with the line that is wrong."""

from pathlib import Path

import pytest

from regard.core.errors import BadInput
from regard.text.occurrences import Occurrence, found, of_word, parts, read


def table(tmp_path: Path, *rows: str) -> Path:
    path = tmp_path / "senses.tsv"
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("word", "text", "places"),
    [
        ("can", "I can can a can.", [(1, "can"), (2, "can"), (4, "can")]),
        ("can", "Can I? I cannot, toucan; can-can", [(0, "Can"), (5, "can"), (5, "can")]),
        ("CAN", "  can  ", [(0, "can")]),
        ("new york", "In New York they said so", [(1, "New York")]),
        ("?", "what? why?", [(0, "?"), (1, "?")]),
        ("春", "春眠不覺曉，春風又綠", [(0, "春"), (6, "春")]),
        ("", "I can", []),
        ("dog", "I can", []),
    ],
)
def test_every_place_of_a_word(word: str, text: str, places: list[tuple[int, str]]) -> None:
    assert [(each.index, each.sentence[slice(*each.span)]) for each in found(word, text)] == places


def test_a_table_with_and_without_names_of_columns(tmp_path: Path) -> None:
    rows = ["mole\t2\tanimal\tAmerican shrew mole", "", "mole\t1\t\tOne mole, or two", "春\t6\t季節\t春眠不覺曉，春風"]
    bare = read(table(tmp_path, *rows))
    assert bare == read(table(tmp_path, "Word\tindex\tLABEL\tsentence", *rows))
    assert bare[:2] == [
        Occurrence("mole", 2, "animal", "American shrew mole", (15, 19)),
        Occurrence("mole", 1, "", "One mole, or two", (4, 8)),
    ]
    assert bare[2].span == (6, 7)
    assert of_word(bare, "Mole") == bare[:2]


def test_a_form_of_the_word_will_do(tmp_path: Path) -> None:
    told = read(table(tmp_path, "carry\t1\tbear\tShe “carried” it", "go\t1\t\tHe goes"))
    assert [each.sentence[slice(*each.span)] for each in told] == ["carried", "goes"]


@pytest.mark.parametrize(
    ("row", "code", "facts"),
    [
        ("mole\t2\tAmerican shrew mole", "senses_row", {"count": 3, "line": 2}),
        ("mole\t2\tanimal\tAmerican\tshrew mole", "senses_row", {"count": 5, "line": 2}),
        ("mole\ttwo\tanimal\tAmerican shrew mole", "senses_index", {"came": "two", "line": 2}),
        ("mole\t-1\tanimal\tAmerican shrew mole", "senses_index", {"came": "-1", "line": 2}),
        ("mole\t3\tanimal\tAmerican shrew mole", "senses_outside", {"index": 3, "count": 3, "line": 2}),
        ("mole\t1\tanimal\tAmerican shrew mole", "senses_elsewhere", {"index": 1, "came": "shrew", "line": 2}),
        ("\t1\tanimal\tAmerican shrew mole", "senses_elsewhere", {"index": 1, "line": 2}),
        ("word\tindex\tlabel\tsentence", "senses_index", {"came": "index", "line": 2}),
    ],
)
def test_a_wrong_line_is_named(tmp_path: Path, row: str, code: str, facts: dict[str, object]) -> None:
    with pytest.raises(BadInput) as caught:
        read(table(tmp_path, "mole\t0\tskin\tmole", row))
    assert (caught.value.code, caught.value.facts | facts) == (code, caught.value.facts)
    assert str(caught.value)


@pytest.mark.parametrize("rows", [[], [""], ["word\tindex\tlabel\tsentence"]])
def test_a_table_without_rows_is_refused(tmp_path: Path, rows: list[str]) -> None:
    with pytest.raises(BadInput) as caught:
        read(table(tmp_path, *rows))
    assert caught.value.code == "senses_empty"


def test_words_and_signs_are_apart() -> None:
    text = "Server, may I have the well-known check?!"
    assert [text[slice(*span)] for span in parts(text)] == [
        "Server", ",", "may", "I", "have", "the", "well-known", "check", "?!",
    ]  # fmt: skip
