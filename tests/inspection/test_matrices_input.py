"""Files of matrices: what is read, and what is refused with which rule."""

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from regard.core.errors import BadInput
from regard.inspection.matrices import check
from regard.inspection.matrix_file import LIMIT, parse, read_file
from regard.language import LANGUAGES, say

GOOD = """
tokens: [no, "on", 3]
x: [[1, 0], [0, 1], [√½, 1/3]]
w_query: [[1, 0], [0, 1]]
w_key: [[1, 0], [0, 1]]
w_value: [[1, 0, 0, 0, 2], [0, 1, 0, 0, 2]]
"""
READY = "tokens: [a, b]\nquery: [[1], [2]]\nkey: [[3], [4], [5]]\nvalue: [[6, 7], [8, 9], [10, 11]]\n"


def refusal(text: str | bytes, path: str = "file.yaml") -> BadInput:
    """The error that these contents raise; each language says it in one line."""
    with pytest.raises(BadInput) as caught:
        check(parse(text.encode() if isinstance(text, str) else text, path))
    for lang in LANGUAGES:
        said = say(f"errors.{caught.value.code}", lang=lang, **caught.value.facts)
        assert "\n" not in said
        assert "{" not in said.replace("{a, b}", "")
    return caught.value


def without(*keys: str) -> str:
    return "\n".join(line for line in GOOD.splitlines() if line.partition(":")[0] not in keys)


def test_what_is_good_is_read() -> None:
    matrices = check(parse(GOOD.encode(), "x.yaml"))
    assert matrices.tokens == ("no", "on", "3")  # words, not truths and numbers
    np.testing.assert_array_equal(matrices.given["x"][2], [0.5**0.5, 1 / 3])
    assert matrices.given["x"].dtype == np.float64
    assert (matrices.n_heads, matrices.causal, matrices.positions, matrices.scale) == (1, False, None, None)


def test_json_is_read_like_yaml() -> None:
    content = {"tokens": ["a"], "x": [[0.1, 2]], "w_query": [[1], [1]], "w_key": [["sqrt(2)"], [1]]}
    content |= {"w_value": [[1], [1]], "b_query": [3], "b_key": None, "causal": True, "n_heads": 1, "scale": 0.25}
    of_json, of_yaml = (check(parse(json.dumps(content).encode(), path)) for path in ("x.json", "x.yaml"))
    assert of_json.given.keys() == of_yaml.given.keys() == {"x", "w_query", "w_key", "w_value", "b_query"}
    assert all((of_json.given[name] == of_yaml.given[name]).all() for name in of_json.given)
    assert (of_json.causal, of_json.scale) == (of_yaml.causal, of_yaml.scale) == (True, 0.25)


def test_ready_matrices_may_have_other_keys_than_queries() -> None:
    matrices = check(parse((READY + "key_tokens: [c, d, e]").encode(), ""))
    assert matrices.key_tokens == ("c", "d", "e")
    assert not matrices.projected


@pytest.mark.parametrize("nothing", ["", "null", "~", "none"])
def test_an_optional_key_may_say_nothing(nothing: str) -> None:
    assert check(parse(f"{GOOD}positions: {nothing}\nb_key: {nothing}".encode(), "")).positions is None


@pytest.mark.parametrize(
    ("text", "code", "facts"),
    [
        ("", "matrices_empty", {}),
        ("# a comment\n", "matrices_empty", {}),
        ("[1, 2]", "matrices_no_mapping", {}),
        ("word", "matrices_no_mapping", {}),
        ("tokens: [a\nx: [[1]]", "matrices_syntax", {"form": "YAML"}),
        ("a: b: c", "matrices_syntax", {"line": 1}),
        ("a: 1\n\tb: 2", "matrices_syntax", {"line": 2}),
        ("a: 1\nb: \x07", "matrices_syntax", {"line": 2}),
        ("a: 1\n--- \nb: 2", "matrices_syntax", {}),
        ("? [a]\n: 1", "matrices_key_no_word", {"line": 1}),
        ("tokens: [a]\ntokens: [b]", "matrices_key_twice", {"key": "tokens"}),
        ("a: &x [1]\nb: *x", "matrices_alias", {"line": 2}),
        ("a: " + "[" * 5000, "matrices_too_deep", {}),
        (GOOD + "w_querry: [[1]]", "matrices_unknown_key", {"key": "w_querry", "nearest": "w_query"}),
        (GOOD + "query: [[1]]", "matrices_mixed", {"one": "x", "other": "query"}),
        (READY + "positions: index", "matrices_mixed", {"one": "positions", "other": "query"}),
        (without("tokens"), "matrices_missing_key", {"key": "tokens"}),
        (without("x"), "matrices_missing_key", {"key": "x"}),
        (without("w_key"), "matrices_missing_key", {"key": "w_key"}),
        ("tokens: [a]", "matrices_missing_key", {"key": "x"}),
        ("tokens: [a]\nquery: [[1]]\nkey: [[1]]", "matrices_missing_key", {"key": "value"}),
        (GOOD + "b_output: [1]", "matrices_missing_key", {"key": "w_output"}),
        (GOOD + "key_tokens: [a, b, c]", "matrices_missing_key", {"key": "query"}),
        (GOOD.replace('[no, "on", 3]', "no"), "matrices_tokens", {"key": "tokens"}),
        (GOOD.replace('[no, "on", 3]', "[]"), "matrices_tokens", {}),
        (GOOD.replace('[no, "on", 3]', "[[a], b, c]"), "matrices_tokens", {}),
        (GOOD.replace("[√½, 1/3]", "[1]"), "matrices_ragged", {"name": "x", "row": 3, "count": 1, "first": 2}),
        (GOOD.replace("√½", "NaN"), "matrices_not_finite", {"name": "x", "row": 3, "column": 1}),
        (GOOD.replace("1/3", "-.inf"), "matrices_not_finite", {"name": "x", "row": 3, "column": 2}),
        (GOOD.replace("√½", "one"), "matrices_no_number", {"name": "x", "row": 3, "column": 1, "value": "one"}),
        (GOOD.replace("√½", "yes"), "matrices_no_number", {"value": "yes"}),
        (GOOD.replace("√½", "[1]"), "matrices_no_number", {}),
        (GOOD + "b_key: 1", "matrices_no_matrix", {"name": "b_key"}),
        (GOOD + "b_key: []", "matrices_no_matrix", {}),
        (GOOD + "b_key: [[]]", "matrices_no_matrix", {}),
        (GOOD + "b_key: {a: 1}", "matrices_no_matrix", {}),
        (GOOD.replace("[1, 0], [0, 1], [√½, 1/3]", "1, 2, 3"), "matrices_no_matrix", {"name": "x"}),
        (GOOD.replace(", 3]", "]", 1), "matrices_rule_tokens", {"name": "x", "shape": "3×2", "wanted": 2}),
        (
            GOOD.replace("w_key: [[1, 0], [0, 1]]", "w_key: [[1, 0]]"),
            "matrices_rule_input",
            {"name": "w_key", "shape": "1×2", "wanted": 2},
        ),
        (GOOD + "positions: one_hot", "matrices_rule_one_hot", {"name": "w_query", "shape": "2×2", "wanted": 5}),
        (GOOD + "positions: index", "matrices_rule_index", {"name": "w_query", "wanted": 3}),
        (
            GOOD.replace("w_query: [[1, 0], [0, 1]]", "w_query: [[1, 0]]") + "positions: sinusoidal",
            "matrices_rule_sinusoidal",
            {"wanted": 2},
        ),
        (GOOD + "positions: onehot", "unknown_choice", {"nearest": "one_hot"}),
        (GOOD + "causal: maybe", "unknown_choice", {"what": "causal"}),
        (
            GOOD.replace("w_key: [[1, 0], [0, 1]]", "w_key: [[1], [0]]"),
            "matrices_rule_compared",
            {"query": "w_query", "key": "w_key", "d_query": 2, "d_key": 1},
        ),
        (GOOD + "b_query: [1, 2, 3]", "matrices_rule_bias", {"name": "b_query", "shape": "1×3", "wanted": "1×2"}),
        (GOOD + "b_query: [[1, 2], [1, 2]]", "matrices_rule_bias", {"shape": "2×2"}),
        (GOOD + "w_output: [[1], [1]]", "matrices_rule_output", {"name": "w_output", "shape": "2×1", "wanted": 5}),
        (GOOD + "w_output: [[1],[1],[1],[1],[1]]\nb_output: [1, 2]", "matrices_rule_bias", {"name": "b_output"}),
        (GOOD + "n_heads: 3", "matrices_heads", {"name": "query", "width": 2, "n_heads": 3}),
        (GOOD + "n_heads: 2", "matrices_heads", {"name": "value", "width": 5}),
        *[(GOOD + f"n_heads: {count}", "matrices_no_count", {"key": "n_heads"}) for count in ("0", "-1", "2.0", "[1]")],
        *[(GOOD + f"scale: {scale}", "matrices_no_scale", {}) for scale in ("inf", "big", "[1]")],
        (READY, "matrices_rule_key_tokens", {"name": "key", "shape": "3×1", "wanted": 2}),
        (READY + "key_tokens: [c, d]", "matrices_rule_key_tokens", {"wanted": 2}),
        (READY.replace("[[1], [2]]", "[[1]]"), "matrices_rule_tokens", {"name": "query"}),
        (
            READY.replace("[3], [4], [5]", "[3, 3], [4, 4], [5, 5]") + "key_tokens: [c, d, e]",
            "matrices_rule_compared",
            {"query": "query", "key": "key"},
        ),
    ],
)
def test_what_is_refused(text: str, code: str, facts: dict[str, Any]) -> None:
    error = refusal(text)
    assert error.code == code
    assert {name: error.facts.get(name) for name in facts} == facts


@pytest.mark.parametrize(
    ("data", "code", "facts"),
    [
        (b'{"tokens": ["a"], "x": [[1]],}', "matrices_syntax", {"line": 1, "form": "JSON"}),
        (b'{"a": 1, "a": 2}', "matrices_key_twice", {"key": "a"}),
        (b"[" * 100_000, "matrices_too_deep", {}),
        (b" \n", "matrices_empty", {}),
        (b"[1]", "matrices_no_mapping", {}),
        (b'{"tokens": [1], "x": [[true]], "w_query": [], "w_key": [], "w_value": []}', "matrices_no_number", {}),
        (b'{"tokens": ["\xff"]}', "matrices_not_utf8", {"line": 1, "byte": 14}),
    ],
)
def test_what_is_refused_in_json(data: bytes, code: str, facts: dict[str, Any]) -> None:
    error = refusal(data, "file.json")
    assert error.code == code
    assert {name: error.facts.get(name) for name in facts} == facts


def test_bytes_that_are_no_utf_8_are_pointed_at() -> None:
    error = refusal(b"tokens: [a]\nx: \xe9")
    assert (error.code, error.facts["line"], error.facts["byte"]) == ("matrices_not_utf8", 2, 16)


def test_a_byte_order_mark_is_no_sign() -> None:
    assert "tokens" in parse(b"\xef\xbb\xbftokens: [a]", "x.yaml")


def test_a_bomb_does_not_go_off() -> None:
    """Nine aliases deep: a billion words if it were written out."""
    lines = ["a0: &a0 [lol]"] + [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 10)]
    assert refusal("\n".join(lines)).code == "matrices_alias"


def test_tags_make_no_objects() -> None:
    assert refusal(GOOD + "scale: !!python/object/apply:os.getcwd []").code == "matrices_no_scale"


def test_too_large_files_are_not_read_on(tmp_path: Path) -> None:
    file = tmp_path / "large.yaml"
    with file.open("wb") as opened:
        opened.truncate(1 << 40)  # a hole: reading it all would never end
    with pytest.raises(BadInput) as caught:
        read_file(str(file))
    assert caught.value.code == "matrices_too_big"


def test_attention_of_too_many_scores_is_not_written_out() -> None:
    count = 1100
    rows = f"[{', '.join(['[1]'] * count)}]"
    text = f"tokens: [{', '.join(['a'] * count)}]\nquery: {rows}\nkey: {rows}\nvalue: {rows}"
    assert len(text) < LIMIT
    assert refusal(text).code == "matrices_too_many"


@pytest.mark.parametrize(("name", "code"), [(".", "file_is_folder"), ("none.yaml", "file_missing")])
def test_no_file_to_read(tmp_path: Path, name: str, code: str) -> None:
    with pytest.raises(BadInput) as caught:
        read_file(str(tmp_path / name))
    assert caught.value.code == code


def test_a_name_that_no_system_takes() -> None:
    for name in ("a" * 5000, "nul\0"):
        with pytest.raises(BadInput):
            read_file(name)


def test_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(GOOD.encode())))
    assert read_file("-")["tokens"] == ["no", "on", "3"]
