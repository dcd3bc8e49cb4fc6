"""`regard translate`: line for line, where the model looked, pictures; and all that may be wrong with a request."""

import gzip
import json
import os
import pty
import re
import select
import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from asking import PATIENCE, PROGRAM, ask, refused, start

from regard.models import folder
from regard.tasks.translation import load
from regard.text.words import parse_pharaoh
from toy import WORDS, tokenizer, translator

LINES = ["ant bee", "", "cat", "   ", "dog eel fox", ""]
BACK = ["bee ant", "", "cat", "", "fox eel dog", ""]
TEXT = "".join(f"{line}\n" for line in LINES)
KEYS = ["source", "translation", "score", "source_tokens", "target_tokens", "attention", "alignment"]


@pytest.fixture(scope="module")
def fixed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model without attention."""
    path = tmp_path_factory.mktemp("models") / "fixed"
    folder.save(path, translator(vocab_size=tokenizer().vocab_size, attention="none"), tokenizer(), "# card\n")
    return path


# Line for line


def test_lines_of_stdin_are_answered_line_for_line(reverser: Path) -> None:
    answer = ask("translate", "--model", reverser, stdin=TEXT)
    assert (answer.code, answer.err) == (0, "")
    assert answer.out == "".join(f"{line}\n" for line in BACK)


@pytest.mark.parametrize("ending", ["\n", "\r\n", None])
def test_files_plain_and_gzipped_give_the_same(reverser: Path, tmp_path: Path, ending: str | None) -> None:
    data = "\n".join(LINES[:-1]).encode() if ending is None else ending.join([*LINES, ""]).encode()
    wanted = BACK[:-1] if ending is None else BACK
    (tmp_path / "plain").write_bytes(data)
    (tmp_path / "packed").write_bytes(gzip.compress(data))
    for name in ("plain", "packed"):
        for how in (["--input", tmp_path / name], [tmp_path / name]):
            answer = ask("translate", "--model", reverser, *how)
            assert answer.out.split("\n") == [*wanted, ""]


def test_arguments_are_sentences_and_keep_their_order(reverser: Path, tmp_path: Path, monkeypatch: Any) -> None:
    answer = ask("translate", "--model", reverser, "ant bee", "", "cat\ndog eel")
    assert answer.out == "bee ant\n\ncat\neel dog\n"
    monkeypatch.chdir(tmp_path)
    Path("ant").write_text("bee cat\n")
    assert ask("translate", "--model", reverser, "ant").out == "cat bee\n"
    assert ask("translate", "--model", reverser, "ant", "--text").out == "ant\n"


def test_more_lines_than_are_translated_at_once(reverser: Path) -> None:
    lines = [f"{WORDS[i % 12]} {WORDS[i % 7]}" for i in range(600)]
    answer = ask("translate", "--model", reverser, "--beam", "1", stdin="".join(f"{line}\n" for line in lines))
    got = answer.out.split("\n")
    assert len(got) == 601
    right = sum(line.split() == source.split()[::-1] for line, source in zip(got, lines, strict=False))
    assert right > 550


def test_json_is_an_object_a_line_alone_on_stdout(reverser: Path) -> None:
    answer = ask("translate", "--model", reverser, "--format", "json", stdin=TEXT)
    told = [json.loads(line, parse_constant=pytest.fail) for line in answer.out.splitlines()]
    assert [list(each) for each in told] == [KEYS] * len(LINES)
    assert [each["source"] for each in told] == LINES
    assert [each["translation"] for each in told] == BACK
    for each, made in zip(told, load(reverser).translate(LINES), strict=True):
        assert each["alignment"] == made.alignment
        if made.weights is not None:
            assert np.array(each["attention"]).shape == (len(each["target_tokens"]), len(each["source_tokens"]))
            np.testing.assert_allclose(np.array(each["attention"]), made.weights, atol=1e-6)
            assert (each["source_tokens"][-1], each["target_tokens"][-1]) == ("</s>", "</s>")


def test_the_alignment_file_has_a_line_a_sentence(reverser: Path, tmp_path: Path) -> None:
    answer = ask("translate", "--model", reverser, "--alignment", tmp_path / "a", stdin=TEXT)
    assert answer.out == "".join(f"{line}\n" for line in BACK)
    assert str(tmp_path / "a") in answer.err
    lines = (tmp_path / "a").read_text().split("\n")
    assert lines == ["0-1 1-0", "", "0-0", "", "0-2 1-1 2-0", "", ""]
    assert parse_pharaoh(lines[0])[0] == {(0, 1), (1, 0)}


def test_a_wider_beam_and_a_longer_taste_reach_the_search(reverser: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from regard.tasks import translation

    seen = []
    real = translation.translate
    monkeypatch.setattr(translation, "translate", lambda *a, **k: seen.append(a[3]) or real(*a, **k))
    ask("translate", "--model", reverser, "ant", "--beam", "3", "--length-penalty", "0.5")
    ask("translate", "--model", reverser, "ant")
    assert [(rules.beam, rules.length_penalty) for rules in seen] == [(3, 0.5), (5, 1.0)]


def test_a_model_without_attention_translates_but_draws_nothing(fixed: Path, tmp_path: Path) -> None:
    answer = ask("translate", "--model", fixed, "ant bee", "--format", "json")
    told = json.loads(answer.out)
    assert (told["attention"], told["alignment"]) == (None, "")
    for option in ("--alignment", "--picture"):
        assert "no attention" in refused("translate", "--model", fixed, "ant", option, tmp_path / "x.png")


# Pictures


@pytest.mark.parametrize(
    ("suffix", "head"), [("html", b"<!doctype html>"), ("png", b"\x89PNG"), ("svg", b"<?xml"), ("PDF", b"%PDF")]
)
def test_a_picture_in_each_form(reverser: Path, tmp_path: Path, suffix: str, head: bytes) -> None:
    path = tmp_path / f"x.{suffix}"
    answer = ask("translate", "--model", reverser, "ant bee", "cat dog", "--picture", path)
    assert (answer.code, answer.out) == (0, "bee ant\ndog cat\n")
    assert answer.err.startswith(f"Wrote {path}.")
    assert path.read_bytes().startswith(head)
    if suffix == "html":
        assert all(word in path.read_text() for word in ("ant", "bee", "cat", "dog"))


def test_the_terminals_picture_stands_under_its_sentence(reverser: Path) -> None:
    answer = ask("translate", "--model", reverser, "ant bee", "", "cat dog", "--picture", "-")
    first, second = answer.out.split("\n\ndog cat\n")
    assert first.startswith("bee ant\n\n")
    assert ("bee" in first, "cat" in first) == (True, False)
    assert ("bee" in second, "cat" in second) == (False, True)
    weights = load(reverser).translate("ant bee").weights
    assert f"{weights[0, 1]:.2f}" in first
    assert "Checked in full" in first


def test_many_sentences_are_drawn_in_part_and_it_is_said(reverser: Path, tmp_path: Path) -> None:
    twenty = ask("translate", "--model", reverser, *["ant"] * 20, "", "--picture", tmp_path / "x.html")
    more = ask("translate", "--model", reverser, *["ant"] * 21, "--picture", tmp_path / "y.html")
    assert twenty.err == f"Wrote {tmp_path / 'x.html'}.\n"
    assert more.err.startswith("The picture shows the first 20 sentences.\n")


def test_nothing_to_draw_is_said(reverser: Path, tmp_path: Path) -> None:
    answer = ask("translate", "--model", reverser, "", "--picture", tmp_path / "x.html")
    assert (answer.code, answer.out, answer.err) == (0, "\n", "There was no sentence to draw.\n")
    assert not (tmp_path / "x.html").exists()


# Long lines


def test_a_line_of_a_hundred_thousand_words_is_cut_and_it_is_said(reverser: Path, tmp_path: Path) -> None:
    text = " ".join(WORDS * 8334)
    assert len(text.split()) > 100_000
    began = time.process_time()
    answer = ask("translate", "--model", reverser, "--picture", tmp_path / "x.html", stdin=f"ant\n{text}\nbee\n")
    assert time.process_time() - began < 20
    assert answer.code == 0
    assert (answer.out.split("\n")[0], *answer.out.split("\n")[2:]) == ("ant", "bee", "")
    cut, drawn, wrote = answer.err.splitlines()
    assert cut == "Line 2 is too long for the model: it read the first 500 tokens, and nothing after them."
    assert "Line 2 is not drawn" in drawn
    assert wrote.startswith("Wrote")


def test_a_line_without_spaces_is_cut_by_its_characters(reverser: Path) -> None:
    answer = ask("translate", "--model", reverser, "--beam", "1", stdin="a" * 50_000)
    cut, unknown = answer.err.splitlines()
    assert cut == "Line 1 has 50000 characters; the first 20000 were read."
    assert unknown.endswith(f"their place: {31 * 'a'}…")  # a word, to this tokenizer
    assert answer.code == 0
    later = ask("translate", "--model", reverser, "--beam", "1", stdin="\n" * 300 + "a" * 50_000)
    assert later.err.startswith("Line 301 has")


# Bad input


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--beam", "0", "a"], "0 .* 1 to 100"),
        (["--beam", "-1", "a"], "-1 .* 1 to 100"),
        (["--beam", "0"], "0 .* 1 to 100"),  # though there is nothing to translate
        (["--beam", "1000000", "a"], "1000000 .* 1 to 100"),
        (["--beam", "two", "a"], "--beam takes a whole number, and “two” came"),
        (["--length-penalty", "nan", "a"], "nan"),
        (["--length-penalty", "inf", "a"], "inf"),
        (["--length-penalty", "x", "a"], "--length-penalty takes a number, and “x” came"),
        (["--format", "xml", "a"], "xml .*text"),
        (["--format", "jason", "a"], "jason .*nearest is json"),
        (["--picture", "x.bmp", "a"], r"x\.bmp.*\.html, \.png, \.svg, \.pdf"),
        (["--picture", "x", "a"], r"\.png"),
        (["--picture", "none/x.png", "a"], "no folder none"),
        (["--picture", "folder.png", "a"], "folder.png is a folder"),
        (["--picture", "-", "--format", "json", "a"], "json must stand alone"),
        (["--alignment", "folder.png", "a"], "folder.png is a folder"),
        (["--alignment", "none/x", "a"], "no folder none"),
        (["--input", "none.txt"], "No file none.txt"),
        (["--input", "folder.png"], "folder.png is a folder"),
        (["folder.png"], "folder.png is a folder"),
        (["--input", "latin1.txt"], "latin1.txt, line 2, byte 6 .*--encoding"),
        (["--input", "nul.txt"], "nul.txt, line 1.*NUL"),
        (["--input", "cut.gz"], "cut.gz is a gzip file that is damaged"),
        (["--input", "latin1.txt", "--encoding", "utf-9"], "utf-9.*nearest is utf"),
        (["--input", "good.txt", "sentence"], "good.txt by --input"),
        (["half a \ud800 pair"], "U\\+D800 at character 7"),
        (["--modle", "x", "a"], "--modle.*nearest is --model"),
        (["--lang", "fr", "a"], "fr.*zh-Hant"),
        (["--input", "x" * 5000], "Cannot read|No file"),
    ],
    ids=str,
)
def test_what_is_wrong_is_said_in_one_line(
    reverser: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], told: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("folder.png").mkdir()
    Path("good.txt").write_text("ant\n")
    Path("latin1.txt").write_bytes(b"ant\nbe\xe9 cat\n")
    Path("nul.txt").write_bytes(b"an\0t\n")
    Path("cut.gz").write_bytes(gzip.compress(b"ant bee\n" * 99)[:-9])
    said = refused("translate", "--model", reverser, *arguments)
    assert re.search(told, said), said
    assert not list(tmp_path.glob("x*"))


@pytest.mark.parametrize("name", ["en-rf", "x" * 5000, "a\ud800b", "nul\0nul", ""])
def test_an_unknown_model_is_answered_with_the_nearest(name: str) -> None:
    said = refused("translate", "--model", name, "ant")
    assert "No model is called" in said or "no model folder" in said


@pytest.mark.parametrize("part", ["model.safetensors", "config.json", "tokenizer.json", "manifest.json"])
@pytest.mark.parametrize("fault", ["cut", "flipped", "gone"])
def test_a_model_folder_that_was_altered_is_refused(fixed: Path, tmp_path: Path, part: str, fault: str) -> None:
    path = shutil.copytree(fixed, tmp_path / "model") / part
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data[:-7] if fault == "cut" else data)
    if fault == "gone":
        path.unlink()
    said = refused("translate", "--model", tmp_path / "model", "ant")
    assert str(tmp_path / "model") in said
    assert ("get its folder again" in said) or ("manifest" in said) or ("no model folder" in said)


def test_a_model_that_is_no_model(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for path in (tmp_path, tmp_path / "file"):
        assert "is no model folder" in refused("translate", "--model", path, "ant")


def test_a_full_disk_is_a_failure_not_bad_input(reverser: Path, tmp_path: Path, monkeypatch: Any) -> None:
    from regard.core import files

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files.os, "fsync", full)
    answer = ask("translate", "--model", reverser, "ant", "--alignment", tmp_path / "a")
    assert answer.code == 1
    assert answer.err.startswith(f"Cannot write {tmp_path / 'a'}: No space left on device.")
    assert answer.err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_a_trace_that_is_wrong_is_no_picture(reverser: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from regard.inspection import record

    monkeypatch.setattr(record, "_logits_deviation", lambda *runs: float("nan"))
    answer = ask("translate", "--model", reverser, "ant", "--format", "json")
    assert (answer.code, answer.out) == (1, "")
    assert "wrong picture is worse than none" in answer.err


# Languages


@pytest.mark.parametrize(("lang", "told"), [("zh-Hant", "集束大小是 0"), ("zh-Hans", "束宽是 0")])
def test_it_speaks_chinese(reverser: Path, lang: str, told: str) -> None:
    assert told in refused("translate", "--model", reverser, "a", "--beam", "0", "--lang", lang)
    shown = ask("translate", "--model", reverser, "ant bee", "--picture", "-", "--lang", lang).out
    assert ("最" in shown, "looks" in shown) == (True, False)


# The real program: pipes, terminals


def test_a_reader_who_leaves_ends_it_quietly(reverser: Path, tmp_path: Path) -> None:
    (tmp_path / "lines").write_text("ant bee\n" * 20_000)
    lines = ("--beam", "1", "--input", tmp_path / "lines")
    process = start("translate", "--model", reverser, *lines, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout
    assert process.stderr
    assert process.stdout.readline() == b"bee ant\n"
    process.stdout.close()
    said = process.stderr.read()
    process.stderr.close()
    assert (process.wait(60), said) == (141, b"")


def test_what_is_typed_is_answered_at_once(reverser: Path) -> None:
    """On a terminal each line has its answer before the next is typed; Ctrl-C ends it with 130."""
    ours, theirs = pty.openpty()
    process = start("translate", "--model", reverser, "--beam", "1", stdin=theirs, stdout=theirs, stderr=theirs)
    os.close(theirs)

    def until(wanted: bytes) -> bytes:
        seen = b""
        while wanted not in seen:
            assert select.select([ours], [], [], PATIENCE)[0], seen
            seen += os.read(ours, 4096)
        return seen

    try:
        until(b"Ctrl-D ends.")
        for line, back in (("ant bee", b"bee ant"), ("cat dog eel", b"eel dog cat")):
            os.write(ours, f"{line}\n".encode())
            until(back)
        process.send_signal(signal.SIGINT)
        assert process.wait(PATIENCE) == 130
    finally:
        process.kill()
        process.wait()
        os.close(ours)


def test_closed_streams_are_no_error(reverser: Path) -> None:
    """Started with `<&- >&-`: nothing to read, nowhere to write."""
    closed = ["sh", "-c", 'exec "$@" <&- >&-', "sh"]
    done = subprocess.run([*closed, *PROGRAM, "translate", "--model", str(reverser)], stderr=subprocess.PIPE)
    assert (done.returncode, done.stderr) == (0, b"")


def test_thread_count_of_torch_is_left_alone(reverser: Path) -> None:
    before = torch.get_num_threads()
    ask("translate", "--model", reverser, "ant")
    assert torch.get_num_threads() == before
