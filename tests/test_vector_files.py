"""Files of word vectors: every form gives what a slow reading gives, and what is wrong is named with its place."""

import gzip
import json
import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.numpy import save_file

from regard.core.errors import BadInput
from regard.text import vector_files, vector_store, vector_text
from regard.text.vector_files import read

WORDS = ["the", "well-known", "貓", "Ġx", "don't"]
TABLE = np.array([[0.5, -1.25, 3e-7], [1, 2, 3], [-0.0, 7.125, 1e10], [0.1, 0.2, 0.3], [4, 5, 6]], dtype=np.float32)


def lines(words: list[str] = WORDS, table: np.ndarray = TABLE) -> list[str]:
    return [f"{word} {' '.join(map(str, row))}" for word, row in zip(words, table.tolist(), strict=True)]


def same(path: Path, words: list[str] = WORDS, table: np.ndarray = TABLE, **how: str) -> None:
    found = read(path, **how)
    assert list(found.words) == words
    assert np.array_equal(found.take(range(len(words))), table.astype(np.float32))
    assert found.take([]).dtype == np.float32


def refused(path: Path, **how: str) -> BadInput:
    with pytest.raises(BadInput) as caught:
        read(path, **how)
    assert str(caught.value)
    return caught.value


def written(folder: Path, text: str, name: str = "vectors.txt", encoding: str = "utf-8") -> Path:
    (folder / name).write_bytes(text.encode(encoding))
    return folder / name


@pytest.mark.parametrize("head", ["", "5 3\n"])
@pytest.mark.parametrize("change", ["none", "tabs", "crlf", "trailing", "no end", "blank end", "mark", "gz"])
def test_text_in_all_its_forms(tmp_path: Path, head: str, change: str) -> None:
    text = head + "\n".join(lines()) + "\n"
    text = {
        "tabs": text.replace(" ", "\t") if not head else text,
        "crlf": text.replace("\n", "\r\n"),
        "trailing": text.replace("\n", " \n"),
        "no end": text.removesuffix("\n"),
        "blank end": text + "\n\n",
        "mark": "\ufeff" + text,
    }.get(change, text)
    path = written(tmp_path, text)
    if change == "gz":
        path.write_bytes(gzip.compress(path.read_bytes()))
    same(path)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    width=st.sampled_from([1, 2, 7]),
    seed=st.integers(0, 999),
    words=st.lists(st.text(st.characters(exclude_categories=["Z", "C"]), min_size=1, max_size=5), min_size=2,
                   max_size=13, unique=True),
)  # fmt: skip
def test_read_as_python_reads_numbers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, width: int, seed: int, words: list[str]
) -> None:
    """In blocks of a few lines; against `float`, word by word."""
    monkeypatch.setattr(vector_text, "_BLOCK", 40)
    table = np.random.default_rng(seed).normal(size=(len(words), width)) * 10.0 ** np.arange(-3, width - 3)
    path = written(tmp_path, f"{len(words)} {width}\n" + "\n".join(lines(words, table)) + "\n")
    told = [line.split(" ") for line in path.read_text().split("\n")[1:-1]]
    same(path, [line[0] for line in told], np.array([[float(x) for x in line[1:]] for line in told], dtype=np.float32))


def test_a_word_may_hold_spaces(tmp_path: Path) -> None:
    words = ["the", ". . .", "at name@domain.com", "2 pm"]
    same(written(tmp_path, "\n".join(lines(words, TABLE[:4]))), words, TABLE[:4])


def test_a_number_may_be_a_word(tmp_path: Path) -> None:
    words = ["2010", "3", "nan"]
    same(written(tmp_path, "\n".join(lines(words, TABLE[:3]))), words, TABLE[:3])


@pytest.mark.parametrize(
    ("line", "becomes", "code", "facts"),
    [
        (3, "cat 1 2", "vectors_ragged", {"line": 3, "came": 2, "width": 3}),
        (5, "cat 1 2 3 4", "vectors_ragged", {"line": 5, "came": 4, "width": 3}),
        (2, "", "vectors_ragged", {"line": 2, "came": 0, "width": 3}),
        (4, "cat 1 2,5 3", "vectors_number", {"line": 4, "place": 2, "came": "2,5"}),
        (3, "cat 1_0 2 3", "vectors_number", {"line": 3, "place": 1, "came": "1_0"}),
        (4, "cat 1 nan 3", "vectors_not_finite", {"line": 4, "place": 2, "came": "nan"}),
        (1, "cat 1 2 -inf", "vectors_not_finite", {"line": 1, "place": 3, "came": "-inf"}),
        (1, "cat 1 2 1e39", "vectors_not_finite", {"line": 1, "place": 3, "came": "1e39"}),
        (5, " 1 2 3", "vectors_ragged", {"line": 5, "came": 2, "width": 3}),
    ],
)
def test_a_bad_line_is_named(tmp_path: Path, line: int, becomes: str, code: str, facts: dict) -> None:
    text = lines()
    text[line - 1] = becomes
    error = refused(written(tmp_path, "\n".join(text) + "\n"))
    assert (error.code, {name: error.facts[name] for name in facts}) == (code, facts)


def test_one_line_too_long_and_one_too_short_are_seen(tmp_path: Path) -> None:
    """Together they have the right number of numbers."""
    text = lines()
    text[1], text[2] = "cat 1 2", "dog 1 2 3 4"
    assert refused(written(tmp_path, "\n".join(text))).facts["line"] == 2


def test_the_last_line_of_many(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vector_text, "_BLOCK", 10_000)
    good = [f"w{at} {at} {at}.5 -{at}" for at in range(20_011)]
    path = written(tmp_path, "\n".join([*good, "end 1 2"]))
    error = refused(path)
    assert (error.code, error.facts["line"]) == ("vectors_ragged", 20_012)


@pytest.mark.parametrize("said", [4, 6])
def test_a_head_that_counts_wrong(tmp_path: Path, said: int) -> None:
    error = refused(written(tmp_path, f"{said} 3\n" + "\n".join(lines())))
    assert (error.code, error.facts["said"], error.facts["came"]) == ("vectors_count", said, 5)


def test_a_head_that_says_another_width(tmp_path: Path) -> None:
    error = refused(written(tmp_path, "5 4\n" + "\n".join(lines())))
    assert (error.code, error.facts["line"], error.facts["width"]) == ("vectors_ragged", 2, 4)


def test_words_that_come_twice_count_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vector_text, "_BLOCK", 60)
    words = ["a", "b", "a", "c", "b", "b", "d"]
    table = np.arange(21, dtype=np.float32).reshape(7, 3)
    found = read(written(tmp_path, "\n".join(lines(words, table))))
    assert (list(found.words), found.doubled) == (["a", "b", "c", "d"], (3, "a"))
    assert np.array_equal(found.take(range(4)), table[[0, 1, 3, 6]])


@pytest.mark.parametrize("encoding", ["big5", "gb18030", "utf-16", "latin-1"])
def test_another_encoding(tmp_path: Path, encoding: str) -> None:
    words = ["été", "garçon", "crème"] if encoding == "latin-1" else ["貓", "狗", "退貨"]
    text = "\n".join(lines(words * 1, TABLE[:3])) + "\n"
    path = written(tmp_path, text, encoding=encoding)
    same(path, words, TABLE[:3], encoding=encoding)
    assert refused(path).code.startswith(("text_undecodable", "text_nul"))
    assert refused(path, encoding="utf8x").code == "encoding_unknown"


@pytest.mark.parametrize("text", ["", "\n\n", "0 3\n", "0 3\n\n"])
def test_nothing(tmp_path: Path, text: str) -> None:
    assert refused(written(tmp_path, text)).code == "vectors_empty"


def test_no_file(tmp_path: Path) -> None:
    assert refused(tmp_path / "none.txt").code == "file_missing"
    assert refused(tmp_path).code == "file_is_folder"


# The binary form


def binary(end: bytes = b"\n", words: list[str] = WORDS, table: np.ndarray = TABLE, said: int | None = None) -> bytes:
    rows = [f"{word} ".encode() + row.astype("<f4").tobytes() + end for word, row in zip(words, table, strict=True)]
    return f"{said or len(words)} {table.shape[1]}\n".encode() + b"".join(rows)


@pytest.mark.parametrize("end", [b"", b"\n"])
@pytest.mark.parametrize("packed", [False, True])
def test_the_binary_form(tmp_path: Path, end: bytes, packed: bool) -> None:
    (tmp_path / "vectors.bin").write_bytes(gzip.compress(binary(end)) if packed else binary(end))
    same(tmp_path / "vectors.bin")


def test_binary_in_small_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("regard.text.lines._CHUNK", 17)
    monkeypatch.setattr("regard.text.vector_binary._BLOCK", 19)
    table = np.random.default_rng(3).normal(size=(101, 7)).astype(np.float32)
    words = [f"wörd{at}" for at in range(101)]
    (tmp_path / "vectors.bin").write_bytes(binary(b"\n", words, table))
    same(tmp_path / "vectors.bin", words, table)


def test_binary_that_is_broken(tmp_path: Path) -> None:
    infinite = TABLE.copy()
    infinite[3, 1] = np.nan
    path, whole = tmp_path / "vectors.bin", binary()
    for data, code, facts in (
        (whole[:-9], "vectors_cut", {"said": 5, "came": 4}),
        (whole + b"more", "vectors_longer", {"said": 5}),
        (binary(table=infinite), "vectors_infinite", {"number": 4, "word": "Ġx"}),
        (binary(said=6), "vectors_cut", {"said": 6, "came": 5}),
        (whole.replace(b"5 3\n", b"5 2\n"), "vectors_binary", {"word": 2}),
    ):
        path.write_bytes(data)
        error = refused(path)
        assert (error.code, {name: error.facts[name] for name in facts}) == (code, facts)


# safetensors


@pytest.mark.parametrize("kind", [np.float32, np.float16, np.float64])
def test_safetensors_with_words_in_its_metadata(tmp_path: Path, kind: type) -> None:
    table = np.random.default_rng(0).normal(size=(5, 3)).astype(kind)
    path = tmp_path / "vectors.safetensors"
    save_file({"vectors": table}, path, metadata={"words": json.dumps(WORDS)})
    found = read(path)
    assert isinstance(found.table, np.memmap)
    same(path, WORDS, table)


def test_safetensors_with_words_beside_it(tmp_path: Path) -> None:
    save_file({"vectors": TABLE}, tmp_path / "vectors.safetensors")
    assert refused(tmp_path / "vectors.safetensors").code == "vectors_wordless"
    (tmp_path / "vectors.txt").write_text("\n".join(WORDS) + "\n", encoding="utf-8")
    same(tmp_path / "vectors.safetensors")


def test_safetensors_of_bfloat16(tmp_path: Path) -> None:
    import torch
    from safetensors.torch import save_file as save

    table = torch.from_numpy(TABLE).to(torch.bfloat16)
    save({"vectors": table}, tmp_path / "vectors.safetensors", metadata={"words": json.dumps(WORDS)})
    same(tmp_path / "vectors.safetensors", WORDS, table.float().numpy())


def test_safetensors_that_are_no_vectors(tmp_path: Path) -> None:
    path, words = tmp_path / "vectors.safetensors", {"words": json.dumps(WORDS)}
    for tensors, metadata, code in (
        ({"a": TABLE, "b": TABLE}, words, "vectors_tensors"),
        ({"a": TABLE[0]}, words, "vectors_shape"),
        ({"a": TABLE[:4].copy()}, words, "vectors_rows"),
        ({"a": TABLE}, {"words": '{"the": 0}'}, "vectors_metadata"),
        ({"a": np.zeros((5, 3), dtype=np.int32)}, words, "weights_type"),
    ):
        save_file(tensors, path, metadata=metadata)
        assert refused(path).code == code
    path.write_bytes(b"no such thing")
    assert refused(path).code == "weights_broken"


def test_safetensors_with_a_word_twice(tmp_path: Path) -> None:
    path = tmp_path / "vectors.safetensors"
    save_file({"a": TABLE}, path, metadata={"words": json.dumps(["a", "b", "a", "c", "b"])})
    assert read(path).doubled == (2, "a")
    same(path, ["a", "b", "c"], TABLE[[0, 1, 3]])


# What is kept


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Every file counts as large, and what is kept lies here."""
    monkeypatch.setattr(vector_files, "LARGE", 0)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "regard" / "vectors"


def test_a_large_file_is_read_once(tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = written(tmp_path, "\n".join([*lines(), "the 9 9 9"]))
    same(path)
    monkeypatch.setattr(vector_files, "text_blocks", None)
    again = read(path)
    assert isinstance(again.table, np.memmap)
    assert again.doubled == (1, "the")
    assert np.allclose(again.lengths, np.linalg.norm(TABLE, axis=1))
    same(path)


def test_a_changed_file_is_read_again(tmp_path: Path, cache: Path) -> None:
    path = written(tmp_path, "\n".join(lines()))
    same(path)
    written(tmp_path, "\n".join(lines(WORDS, TABLE + 1)))
    same(path, WORDS, TABLE + 1)
    assert len(list(cache.iterdir())) == 1


def test_a_change_that_no_sample_meets_is_seen_by_its_time(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vector_store, "_SAMPLE", 0)
    for time, last in ((1, 4.0), (2, 5.0)):
        path = written(tmp_path, f"king 1 2\nqueen 3 {last}")
        os.utime(path, ns=(time, time))
        assert read(path).table[1, 1] == last


def test_nothing_is_kept_of_a_file_that_is_gone(tmp_path: Path, cache: Path) -> None:
    one, other = (written(tmp_path, "\n".join(lines()), name) for name in ("one.txt", "other.txt"))
    same(one)
    one.unlink()
    same(other)
    assert len(list(cache.iterdir())) == 1


def test_what_was_altered_is_made_again(tmp_path: Path, cache: Path) -> None:
    path = written(tmp_path, "\n".join(lines()))
    same(path)
    for name in ("table.f32", "manifest.json"):
        (kept,) = cache.iterdir()
        (kept / name).write_bytes((kept / name).read_bytes()[:-4])
        same(path)


def test_nothing_is_kept_of_a_bad_file(tmp_path: Path, cache: Path) -> None:
    refused(written(tmp_path, "\n".join([*lines(), "cat 1 2"])))
    assert not cache.exists() or list(cache.iterdir()) == []


def test_where_nothing_can_be_kept_it_is_read(tmp_path: Path, cache: Path) -> None:
    (tmp_path / "cache").write_text("a file stands where a folder should be")
    same(written(tmp_path, "\n".join(lines())))


def test_a_place_that_is_no_path_is_not_obeyed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    assert vector_store._place() == Path.home() / ".cache" / "regard" / "vectors"
