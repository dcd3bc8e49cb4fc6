"""Lines of text files: what ends a line, what is refused and where, and that memory stays bounded."""

import gzip
import io
import os
import sys
import threading
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from regard.core.errors import BadInput
from regard.language import LANGUAGES, say
from regard.text import lines
from regard.text.encodings import decoder, proposed
from regard.text.lines import Line, each_line, read_lines, typed

LINE = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\n\0")).filter(lambda s: s[-1:] != "\r")
CHUNK = st.integers(1, 13)


def sentence(error: BadInput, lang: str = "en") -> str:
    return say(f"errors.{error.code}", lang=lang, **error.facts)


@contextmanager
def refused(code: str) -> Iterator[pytest.ExceptionInfo[BadInput]]:
    """What happens within is refused as bad input, for this reason."""
    with pytest.raises(BadInput) as told:
        yield told
    assert told.value.code == code


def test_only_a_newline_ends_a_line(tmp_path: Path) -> None:
    file = tmp_path / "strange.txt"
    file.write_bytes("one\u2028one\u2029one\x85one\vone\fone\x1cone\rone\r\n\ntwo \r\r\n three".encode())
    assert read_lines(file) == ["one\u2028one\u2029one\x85one\vone\fone\x1cone\rone", "", "two \r", " three"]


@pytest.mark.parametrize(
    ("raw", "expected"),
    [(b"", []), (b"\n", [""]), (b"a", ["a"]), (b"a\n", ["a"]), (b"\xef\xbb\xbfa\n\xef\xbb\xbfb", ["a", "\ufeffb"])],
)  # fmt: skip
def test_ends_of_files(tmp_path: Path, raw: bytes, expected: list[str]) -> None:
    (tmp_path / "f").write_bytes(raw)
    assert read_lines(tmp_path / "f") == expected


def read_in(raw: bytes, chunk: int, **options: object) -> list[Line]:
    """The lines of these bytes, when they come in chunks of this size."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lines, "_CHUNK", chunk)
        patch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(raw)))
        return list(each_line("-", **options))  # type: ignore[arg-type]


@given(st.lists(LINE), CHUNK, st.sampled_from([b"\n", b"\r\n"]), st.booleans())
def test_what_is_written_is_read(texts: list[str], chunk: int, end: bytes, packed: bool) -> None:
    raw = b"".join(text.encode() + end for text in texts)
    read = read_in(gzip.compress(raw) if packed else raw, chunk)
    marked = bool(texts) and texts[0].startswith("\ufeff")  # at the head of a file it is a byte order mark
    assert [line.text for line in read] == ([texts[0][1:], *texts[1:]] if marked else texts)
    assert len(read) == raw.count(b"\n")


@given(st.lists(LINE), CHUNK, st.integers(1, 11), st.sampled_from([b"\n", b"\r\n"]))
def test_a_cut_line_is_the_head_of_the_line(texts: list[str], chunk: int, most: int, end: bytes) -> None:
    raw = b"\xef\xbb\xbf" * bool(texts) + b"".join(text.encode() + end for text in texts)
    read = read_in(raw, chunk, max_characters=most)
    assert read == [Line(text[:most], len(text)) for text in texts]
    assert [line.cut for line in read] == [len(text) > most for text in texts]


def test_the_last_line_may_have_no_end() -> None:
    assert read_in(b"a\nb", 3) == [Line("a", 1), Line("b", 1, ended=False)]


@pytest.mark.parametrize(
    "encoding", ["big5", "cp950", "gb18030", "utf-16", "utf-16-be", "utf-32", "shift_jis", "utf_8"]
)
@given(chunk=CHUNK)
def test_other_encodings(encoding: str, chunk: int) -> None:
    texts = ["一。", "", "中文 abc"]
    assert [line.text for line in read_in("\r\n".join(texts).encode(encoding), chunk, encoding=encoding)] == texts


@given(st.lists(LINE, max_size=5), LINE.filter(str.isascii), CHUNK)
def test_the_place_of_a_bad_byte(before: list[str], after: str, chunk: int) -> None:
    head = "\n".join(before).encode()
    with pytest.raises(BadInput) as told:
        read_in(head + b"\xff" + after.encode(), chunk)
    assert (told.value.facts["line"], told.value.facts["byte"]) == (head.count(b"\n") + 1, len(head))


def test_the_place_of_a_bad_byte_where_letters_switch_their_meaning() -> None:
    with pytest.raises(BadInput) as told:
        read_in(b"a \nb\n~{<:Ky\xff", 997, encoding="hz")
    assert told.value.facts["line"] == 3


@given(st.lists(LINE, max_size=5), CHUNK)
def test_the_line_of_a_nul(before: list[str], chunk: int) -> None:
    with pytest.raises(BadInput) as told:
        read_in("\n".join([*before, "x\0y\nz"]).encode(), chunk)
    assert (told.value.code[:8], told.value.facts["line"]) == ("text_nul", len(before) + 1)


CHINESE = "退貨的期限是七天\t七日以內\n"
SIMPLIFIED = "退货的期限是七天\t请在七天内办理\n"
FRENCH = "I love coffee in the morning.\tJ'aime le café le matin, à huit heures.\n"
BAD_FILES = {
    "utf-8 cut": ("chat noir é".encode()[:-1], "text_undecodable", {"line": 1, "byte": 10, "encoding": "utf-8"}),
    "utf-8 damaged": (b"\xc3\xa9\xc3\xa8\n\xc3\xa9\xe9 \n", "text_undecodable", {"line": 2, "byte": 7}),
    "big5": (("ok\n" + CHINESE).encode("big5"), "text_undecodable_proposed", {"line": 2, "byte": 3}),
    "cp950": ((CHINESE + "5 €\n").encode("cp950"), "text_undecodable_proposed", {"line": 1, "proposed": "cp950"}),
    "gb18030": (SIMPLIFIED.encode("gb18030"), "text_undecodable_proposed", {"byte": 0, "proposed": "gb18030"}),
    "latin-1": (FRENCH.encode("latin-1"), "text_undecodable_proposed", {"byte": 43, "proposed": "latin-1"}),
    "cp1252": (FRENCH.replace("'", "’").encode("cp1252"), "text_undecodable_proposed", {"proposed": "cp1252"}),
    "utf-16": (CHINESE.encode("utf-16"), "text_undecodable_proposed", {"line": 1, "byte": 0, "proposed": "utf-16"}),
    "utf-16-le": ("black cat\nmouse\n".encode("utf-16-le"), "text_nul_proposed", {"line": 1, "proposed": "utf-16-le"}),
    "utf-16-be": ("一隻 cat\n".encode("utf-16-be"), "text_undecodable_proposed", {"byte": 2, "proposed": "utf-16-be"}),
    "nul": (b"a\nb\nc\0d\n", "text_nul", {"line": 3}),
    "random": (bytes(range(128, 256)) * 3, "text_undecodable", {"line": 1, "byte": 0}),
    "gzip cut": (gzip.compress(b"a\nb\n" * 999)[:-5], "gzip_damaged", {}),
    "gzip altered": (gzip.compress(b"a\nb\n")[:-8] + b"12345678", "gzip_damaged", {}),
    "gzip of big5": (gzip.compress(CHINESE.encode("big5")), "text_undecodable_proposed", {"proposed": "big5"}),
}  # fmt: skip


@pytest.mark.parametrize(("raw", "code", "facts"), BAD_FILES.values(), ids=BAD_FILES)
def test_bad_files(tmp_path: Path, raw: bytes, code: str, facts: dict[str, object]) -> None:
    file = tmp_path / "bad.txt"
    file.write_bytes(raw)
    with pytest.raises(BadInput) as told:
        read_lines(file)
    assert (told.value.code, told.value.exit_code, told.value.facts["path"]) == (code, 2, str(file))
    assert told.value.facts | facts == told.value.facts
    for lang in LANGUAGES:
        said = sentence(told.value, lang)
        assert "{" not in said
        assert all(str(fact) in said for fact in (*facts.values(), file) if fact != "utf-8" or "encoding" in said)
    if "proposed" in facts:
        assert "\ufffd" not in "".join(read_lines(file, encoding=str(told.value.facts["proposed"])))


SENTENCES = {
    "missing": ("nowhere.txt", {}, "No file {path}: give the path of a file that exists."),
    "folder": ("", {}, "{path} is a folder, and a file of text was asked for: give the path of a file in it."),
    "name": ("x" * 300, {}, "Cannot read {path} (File name too long): check the path, and that you may read it."),
    "nul in name": ("a\0b", {}, "Cannot read {path} (embedded null byte): check the path, and that you may read it."),
    "encoding": ("gb.txt", {"encoding": "gb18003"}, "No text encoding is called gb18003; the nearest is gb18030: give "
                 "--encoding the name of one, such as utf-8, big5 or gb18030."),
    "gb18030": ("gb.txt", {}, "{path}, line 1, byte 0 (counted from 0 in the file): this is not utf-8, but it reads "
                "well as gb18030: try --encoding gb18030."),
    "wrong wish": ("utf8.txt", {"encoding": "ascii"}, "{path}, line 1, byte 0 (counted from 0 in the file): this is "
                   "not ascii, but it reads well as utf-8: try --encoding utf-8."),
    "cut": ("cut.txt", {}, "{path}, line 1, byte 25 (counted from 0 in the file): this is not utf-8: mend the line, or "
            "name the file's encoding with --encoding."),
}  # fmt: skip


@pytest.mark.parametrize(("name", "options", "expected"), SENTENCES.values(), ids=SENTENCES)
def test_exact_sentences(tmp_path: Path, name: str, options: dict[str, str], expected: str) -> None:
    (tmp_path / "gb.txt").write_bytes(SIMPLIFIED.encode("gb18030"))
    (tmp_path / "utf8.txt").write_text(CHINESE, encoding="utf-8")
    (tmp_path / "cut.txt").write_bytes(CHINESE.encode()[:-12])
    path = f"{tmp_path}/{name}"
    with pytest.raises(BadInput) as told:
        read_lines(path, **options)
    assert sentence(told.value) == expected.format(path=path)


@pytest.mark.parametrize(
    "encoding", ["", "nosuch", "base64", "rot13", "utf-7", "unicode_escape", "idna", "a\0b", "é", "\ud800"]
)
def test_what_is_no_encoding(encoding: str) -> None:
    with refused("encoding_unknown"):
        decoder(encoding)


def test_a_file_name_that_is_no_text() -> None:
    with pytest.raises(BadInput) as told:
        read_lines("no\udce9where")
    assert told.value.facts["path"] == r"no\udce9where"
    sentence(told.value).encode()


def test_proposals_for_a_few_words() -> None:
    texts = {"big5": "今天天氣很好", "gb18030": "今天天气很好", "latin-1": "Ça va. Écoutez !"}
    assert {encoding: proposed(text.encode(encoding)) for encoding, text in texts.items()} == {e: e for e in texts}
    assert proposed("浒啊，你在做什么呢？".encode("gb18030"), 3) == "gb18030"  # its first three bytes are UTF-8
    assert proposed("Где вы были вчера вечером".encode("cp1251")) is None


def test_standard_input_answers_line_by_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """A line is given out when it is there, not when the pipe closes."""
    outlet, inlet = os.pipe()
    with os.fdopen(outlet) as stream:
        monkeypatch.setattr(sys, "stdin", stream)
        writer = os.fdopen(inlet, "wb", buffering=0)
        too_late = threading.Timer(5, writer.close)  # whoever waits for the end gets it, and fails below
        too_late.start()
        writer.write(b"first\nsec")
        read = each_line("-")
        assert next(read) == Line("first", 5)
        writer.write(b"ond\n")
        too_late.cancel()
        writer.close()
        assert list(read) == [Line("second", 6)]


def test_a_closed_standard_input_is_empty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", None)
    assert read_lines("-") == []


def test_utf_16_without_a_byte_order_mark_is_no_accident(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(BadInput) as told:
        read_in(b"plain text\n", 2**20, encoding="utf-16")
    assert told.value.code.startswith("text_undecodable")


def test_errors_of_standard_input_say_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"\xff")))
    with pytest.raises(BadInput) as told:
        read_lines(Path("-"))
    assert told.value.facts["path"] == "stdin"


def test_gzip_of_several_members(tmp_path: Path) -> None:
    file = tmp_path / "f"
    file.write_bytes(gzip.compress(b"a\nb") + gzip.compress(b"") + gzip.compress(b"c\n") + bytes(512))
    assert read_lines(file) == ["a", "bc"]


def test_a_gzip_bomb_is_refused_early(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lines, "_SMALL", 2**18)
    file = tmp_path / "bomb.gz"
    file.write_bytes(gzip.compress((b"a\tb" + b"c" * 60 + b"\n") * 2**16))  # 4 MiB from 8 KiB
    tracemalloc.start()
    with pytest.raises(BadInput) as told:
        sum(1 for _ in each_line(file))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert told.value.code == "gzip_swells"
    assert peak < 2**22
    monkeypatch.setattr(lines, "_SMALL", 2**22)
    assert sum(1 for _ in each_line(file)) == 2**16  # as much as a small file may always give


def test_a_line_without_end_takes_bounded_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "long.txt"
    with file.open("wb") as stream:
        for _ in range(23):
            stream.write(b"word " * 2**18)
        stream.write(b"\nnext\n")
    monkeypatch.setattr(lines, "_CHUNK", 4099)
    tracemalloc.start()
    read = list(each_line(file, max_characters=1009))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert read == [Line(("word " * 202)[:1009], 23 * 5 * 2**18), Line("next", 4)]
    assert peak < 2**20
    with pytest.raises(BadInput) as told:
        read_lines(file)
    assert (told.value.code, told.value.facts["line"], told.value.facts["limit"]) == ("text_line_endless", 1, 2**24)


def test_typed_text() -> None:
    assert typed("chat 🐈") == Line("chat 🐈", 6)
    assert typed("chat \ud83d\udc08", max_characters=5) == Line("chat ", 6)
    with pytest.raises(BadInput) as told:
        typed("🐈 caf\udce9")
    assert sentence(told.value) == (
        "The text “🐈 caf\ufffd” has U+DCE9 at character 5 (counted from 0), half of a surrogate pair and no character "
        "by itself: give text in UTF-8, and in JSON both halves of a pair."
    )
    with refused("text_typed_nul"):
        typed("a\0b")


@given(st.text(st.characters()))
def test_typed_text_is_text_or_refused(text: str) -> None:
    halves = any(0xD800 <= ord(c) < 0xE000 for c in text)
    paired = any("\ud800" <= a <= "\udbff" and "\udc00" <= b <= "\udfff" for a, b in pairwise(text))
    try:
        assert typed(text).text.encode().decode() == (text if not paired else typed(text).text)
        assert not halves or paired
    except BadInput as told:
        assert halves or "\0" in text
        sentence(told).encode()
