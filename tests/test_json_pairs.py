"""Pairs in JSON lines: fields by name or by sight, and every broken line named with what to do."""

import gzip
import io
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from regard.core.errors import BadInput
from regard.language import LANGUAGES, say
from regard.text.pairs import parse_columns, read_pairs

PAIRS = [("the black cat", "le chat noir"), ('"quoted"\ttab', "ligne\u2028séparée"), ("", "貓")]


def write(path: Path, *rows: Any) -> Path:
    path.write_text("".join(f"{row if isinstance(row, str) else json.dumps(row)}\n" for row in rows), encoding="utf-8")
    return path


def of(path: Path | str, columns: tuple[str, str] | None = None) -> list[tuple[str, str]]:
    pairs = read_pairs([path], columns=columns)
    return list(zip(pairs.source, pairs.target, strict=True))


def refused(path: Path, columns: Any = None) -> BadInput:
    with pytest.raises(BadInput) as caught:
        read_pairs([path], columns=columns)
    for lang in LANGUAGES:
        assert say(f"errors.{caught.value.code}", lang, **caught.value.facts)
    return caught.value


@pytest.mark.parametrize("name", ["pairs.jsonl", "pairs.ndjson", "pairs", "pairs.txt"])
@pytest.mark.parametrize(
    "shape",
    [
        lambda s, t: {"source": s, "target": t},
        lambda s, t: {"id": "7", "target": t, "source": s},
        lambda s, t: {"n": 3, "en": s, "fr": t},
        lambda s, t: {"id": 5, "translation": {"en": s, "fr": t}},
    ],
)
def test_the_sides_are_seen_where_there_is_no_doubt(tmp_path: Path, name: str, shape: Any) -> None:
    assert of(write(tmp_path / name, *(shape(s, t) for s, t in PAIRS))) == PAIRS


def test_the_first_object_decides_for_all(tmp_path: Path) -> None:
    """Another order in a later line turns no pair round."""
    path = write(tmp_path / "p.jsonl", {"en": "cat", "fr": "chat"}, "", {"fr": "chien", "en": "dog"})
    assert of(path) == [("cat", "chat"), ("", ""), ("dog", "chien")]
    assert read_pairs([path]).line == [1, 2, 3]


def test_fields_by_name_packed_and_from_a_pipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [{"de": "Katze", "en": "cat", "fr": "chat"}, {"fr": "chien", "en": "dog", "de": "Hund"}]
    raw = gzip.compress(write(tmp_path / "p", *rows).read_bytes())
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(raw)))
    assert of("-", ("fr", "en")) == [("chat", "cat"), ("chien", "dog")]
    (tmp_path / "p.jsonl.gz").write_bytes(raw)
    assert of(tmp_path / "p.jsonl.gz", ("en", "de")) == [("cat", "Katze"), ("dog", "Hund")]


def test_a_table_that_begins_with_a_brace_stays_a_table(tmp_path: Path) -> None:
    (tmp_path / "p.tsv").write_text('{"a": 1}\t{"b": 2}\n')
    assert of(tmp_path / "p.tsv") == [('{"a": 1}', '{"b": 2}')]


GOOD = {"en": "cat", "fr": "chat"}


@pytest.mark.parametrize(
    ("rows", "code", "line"),
    [
        ([GOOD, '{"en": "dog", '], "json_line_broken", 2),
        (["[" * 100_000], "json_line_broken", 1),
        ([GOOD, "", ["dog", "chien"]], "pairs_json_object", 3),
        ([GOOD, "null"], "pairs_json_object", 2),
        ([GOOD, {"en": "dog"}], "pairs_json_missing", 2),
        ([GOOD, {"en": "dog", "fr": 5}], "pairs_json_text", 2),
        ([GOOD, {"en": "dog", "fr": None}], "pairs_json_text", 2),
        ([GOOD, '{"en": "dog", "fr": "\\ud800"}'], "pairs_json_character", 2),
        ([GOOD, '{"en": "dog", "fr": "a\\u0000"}'], "pairs_json_character", 2),
        ([{"en": "cat", "fr": "chat", "de": "Katze"}], "pairs_json_fields", 1),
        ([{"en": "cat"}], "pairs_json_fields", 1),
    ],
)
def test_a_broken_line_is_named(tmp_path: Path, rows: list[Any], code: str, line: int) -> None:
    error = refused(write(tmp_path / "p.jsonl", *rows))
    assert (error.code, error.facts["line"], error.facts["path"]) == (code, line, str(tmp_path / "p.jsonl"))


def test_numbers_are_for_tables_and_names_for_json(tmp_path: Path) -> None:
    (tmp_path / "p.tsv").write_text("cat\tchat\n")
    assert refused(tmp_path / "p.tsv", ("en", "fr")).code == "pairs_columns_named"
    assert refused(write(tmp_path / "p.jsonl", GOOD), (1, 2)).code == "pairs_columns_numbered"
    assert refused(write(tmp_path / "p.jsonl", GOOD), ("en", "de")).facts["field"] == "de"


@pytest.mark.parametrize("text", ["en", "en,", "en,en", "en,fr,de", "1,fr", "0,1", "-1,2", "1.5,2", "1,12345"])
def test_columns_that_are_none(text: str) -> None:
    with pytest.raises(BadInput) as caught:
        parse_columns(text)
    assert caught.value.code == "pairs_columns"
