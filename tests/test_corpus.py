"""Text for language models: what is read as a document, what is held out, and tokens that can never be stale."""

import gzip
import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from regard.core.errors import BadInput
from regard.text import corpus, prose_tokenizers
from regard.text.corpus import Corpus, Piece

LINE = "the cat sat on the mat, and the dog\n"


def texts(path: Path, **how: object) -> list[str]:
    """The documents of a file."""
    found, held = [], ""
    for piece in Corpus([path], **how).read(path):  # type: ignore[arg-type]
        held += piece.text
        if piece.last:
            found, held = [*found, held], ""
    assert held == ""
    return found


def byte_level(text: str = LINE * 7, size: int = 277) -> prose_tokenizers.ProseTokenizer:
    return prose_tokenizers.train([text], vocab_size=size)


def test_a_file_is_a_document_and_a_json_line_is_one(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("one\n\ntwo\r\n")
    (tmp_path / "b.txt.gz").write_bytes(gzip.compress("退貨\n".encode()))
    (tmp_path / "c.jsonl").write_text('{"text": "x\\ny"}\n\n{"text": "z", "more": 3}\n')
    assert texts(tmp_path / "a.txt") == ["one\n\ntwo\n"]
    assert texts(tmp_path / "b.txt.gz") == ["退貨\n"]
    assert texts(tmp_path / "c.jsonl") == ["x\ny", "z"]
    (tmp_path / "d.txt").write_text('{"body": "x"}\n')
    assert texts(tmp_path / "d.txt", field="body") == ["x"]


def test_a_folder_is_its_texts_by_name(tmp_path: Path) -> None:
    for name in ("b.txt", "a.jsonl.gz", "picture.png", "inner/c.md"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("x")
    found = corpus.files([tmp_path, tmp_path / "b.txt"])
    assert [path.name for path in found] == ["a.jsonl.gz", "b.txt", "c.md", "b.txt"]
    (tmp_path / "empty").mkdir()
    with pytest.raises(BadInput) as caught:
        corpus.files([tmp_path / "empty"])
    assert caught.value.code == "folder_without_text"


@pytest.mark.parametrize(
    ("line", "code"),
    [("{", "json_line_broken"), ("[3]", "json_line_field"), ('{"x": 1}', "json_line_field"),
     ('{"text": 3}', "json_line_field"), ('{"text": "\\ud800"}', "text_surrogate"), ("[" * 9999, "json_line_broken")],
)  # fmt: skip
def test_a_json_line_without_text_is_refused_by_its_number(tmp_path: Path, line: str, code: str) -> None:
    (tmp_path / "a.jsonl").write_text('{"text": "good"}\n' + line + "\n")
    with pytest.raises(BadInput) as caught:
        texts(tmp_path / "a.jsonl")
    assert caught.value.code == code
    assert caught.value.facts.get("line", 2) == 2


@given(st.lists(st.text("ab \t,é", max_size=23), max_size=31))
@settings(max_examples=60, deadline=None)
def test_pieces_are_cut_where_the_tokenizer_cuts_anyway(lines: list[str]) -> None:
    whole = "".join(line + "\n" for line in lines)
    tokenizer = byte_level("ab ba, é\n\n  a\tb\n" * 7, 269)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(corpus, "_PIECE", 7)
        patch.setattr(corpus, "_MOST", 10**6)
        pieces = list(corpus._prose(line + "\n" for line in lines))
    assert "".join(piece.text for piece in pieces) == whole
    assert [piece.last for piece in pieces] == [False] * (len(pieces) - 1) + [True]
    assert [i for e in tokenizer.encode_batch([p.text for p in pieces]) for i in e.ids] == tokenizer.encode(whole).ids


def test_a_text_without_a_good_place_to_cut_is_cut_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(corpus, "_PIECE", 7)
    monkeypatch.setattr(corpus, "_MOST", 29)
    lines = [word + "\n" for word in ("a" * 10, "") * 5]
    pieces = list(corpus._prose(lines))
    assert [piece.text for piece in pieces] == ["".join(lines[:5]), "".join(lines[5:])]


def test_a_text_is_read_as_it_is_with_a_line_end_or_without(tmp_path: Path) -> None:
    for text in ("a\nb", "a\nb\n", "a", "\n"):
        (tmp_path / "a.txt").write_text(text)
        assert texts(tmp_path / "a.txt") == [text]


def test_the_last_part_of_each_file_is_held_out(tmp_path: Path) -> None:
    for name, sign in (("a.txt", "a"), ("b.txt", "b")):
        (tmp_path / name).write_text(sign * 99 + "\n")
    tokenizer = prose_tokenizers.train(["a b\n"], kind="characters", vocab_size=11)
    found = corpus.tokens(Corpus([tmp_path / "a.txt", tmp_path / "b.txt"]), tokenizer, tmp_path / "tokens")
    assert found.documents == 2
    assert tokenizer.decode(found.training) == "a" * 91 + "b" * 91  # of 101 with the end of the text, 10 are held out
    assert tokenizer.decode(found.validation) == "a" * 8 + "\n" + "b" * 8 + "\n"
    assert list(found.validation).count(tokenizer.end) == 2
    assert found.bytes == {"training": 182, "validation": 18}


def test_a_validation_file_leaves_the_rest_whole(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("abab")
    (tmp_path / "b.txt").write_text("baé")
    tokenizer = prose_tokenizers.train(["abé\n"], kind="characters", vocab_size=11)
    found = corpus.tokens(Corpus([tmp_path / "a.txt"], [tmp_path / "b.txt"]), tokenizer, tmp_path / "tokens")
    assert (tokenizer.decode(found.training), tokenizer.decode(found.validation)) == ("abab", "baé")
    assert found.bytes == {"training": 4, "validation": 4}


@pytest.mark.parametrize("start", [None, 5])
def test_each_document_stands_between_its_start_and_its_end(tmp_path: Path, start: int | None) -> None:
    """As the tokenizers of other models have them; ours have no start."""
    (tmp_path / "a.jsonl").write_text('{"text": "ab"}\n{"text": ""}\n{"text": "c"}\n')
    tokenizer = prose_tokenizers.train(["abc"], kind="characters", vocab_size=11)
    tokenizer.start = start
    found = corpus.tokens(Corpus([tmp_path / "a.jsonl"], held_out=0.01), tokenizer, tmp_path / "tokens")
    a, b, c = (tokenizer.encode(sign).ids[0] for sign in "abc")
    first, end = [] if start is None else [start], tokenizer.end
    assert found.training.tolist() == [*first, a, b, end, *first, end, *first, c, end]


def test_a_token_that_starts_and_ends_stands_once_between_documents(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"text": "the cat"}\n{"text": "sat"}\n')
    tokenizer = prose_tokenizers.opening(byte_level())
    assert tokenizer.start == tokenizer.end == 0
    found = corpus.tokens(Corpus([tmp_path / "a.jsonl"], [tmp_path / "a.jsonl"]), tokenizer, tmp_path / "tokens")
    words = [tokenizer.encode(text).ids for text in ("the cat", "sat")]
    assert found.training.tolist() == [*words[0], 0, *words[1], 0]


@pytest.mark.parametrize("documents", [1, 2, 3, 4, 5, 6])
def test_documents_are_counted_as_far_as_it_takes(tmp_path: Path, documents: int) -> None:
    (tmp_path / "a.txt").write_text(LINE * 17)
    (tmp_path / "b.jsonl").write_text('{"text": "x"}\n' * 3)
    (tmp_path / "c.txt").write_text("")
    read = Corpus(corpus.files([tmp_path]), [tmp_path / "b.jsonl"])
    assert read.has(documents) == (documents <= 5)


def test_ids_take_as_many_bytes_as_they_need(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("a" * 40)
    small = corpus.tokens(Corpus([tmp_path / "a.txt"]), byte_level(), tmp_path / "small")
    assert (small.training.dtype, isinstance(small.training, np.memmap)) == (np.uint16, True)
    tokenizer = prose_tokenizers.train(map(chr, range(0x10000, 0x20003)), kind="characters", vocab_size=70_000)
    assert tokenizer.vocab_size > 2**16
    (tmp_path / "a.txt").write_text(chr(0x10000) * 40)
    large = corpus.tokens(Corpus([tmp_path / "a.txt"]), tokenizer, tmp_path / "large")
    assert large.training.dtype == np.uint32


def test_tokens_are_made_once_and_never_taken_for_another_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = []
    real = corpus._cut
    monkeypatch.setattr(corpus, "_cut", lambda *given: made.append(1) or real(*given))
    text, folder = tmp_path / "a.txt", tmp_path / "tokens"
    text.write_text(LINE * 11)

    def times(tokenizer: prose_tokenizers.ProseTokenizer | None = None, **how: object) -> int:
        before = len(made)
        found = corpus.tokens(Corpus([text], **how), tokenizer or byte_level(), folder)  # type: ignore[arg-type]
        assert len(found.training) + len(found.validation) > 1
        return len(made) - before

    assert (times(), times()) == (1, 0)
    text.write_text(LINE.replace("cat", "cut") * 11)  # as many bytes as before
    assert (times(), times()) == (1, 0)
    assert times(byte_level(size=271)) == 1
    assert times(byte_level(size=271), held_out=0.2) == 1
    path = folder / "training.npy"
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    assert times(byte_level(size=271), held_out=0.2) == 1
    (folder / "validation.npy").unlink()
    assert times(byte_level(size=271), held_out=0.2) == 1
    facts = json.loads((folder / "manifest.json").read_text())
    assert facts["format"] == "regard-tokens-2"


def test_a_piece_says_whether_its_document_ends() -> None:
    assert list(corpus._prose([])) == [Piece("", True)]


def test_bytes_are_those_of_the_text_whatever_the_tokenizer_lacks(tmp_path: Path) -> None:
    """A character that is not known has its own size, and one of several tokens has it once."""
    learnt, judging = tmp_path / "learnt.txt", tmp_path / "judging.txt"
    learnt.write_text("abc 飛\n" * 7, encoding="utf-8")
    judging.write_text("a 龍 é 𝄞\n" * 5, encoding="utf-8")
    for kind in ("characters", "bpe"):
        tokenizer = prose_tokenizers.train([learnt.read_text(encoding="utf-8")], kind=kind, vocab_size=263)
        cut = corpus.tokens(Corpus([learnt], [judging]), tokenizer, tmp_path / kind)
        assert cut.bytes == {"training": 56, "validation": 70}
