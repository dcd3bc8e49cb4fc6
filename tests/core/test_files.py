"""Files are whole or not there, and a folder that was touched is found out."""

import errno
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from refused import refused

from regard.core import files
from regard.core.errors import BadInput, Failure
from regard.core.files import MANIFEST, remove_leftovers, retried, seal, sha256, verify, whole_folder, write_whole


def fill(folder: Path, text: str = "one") -> None:
    (folder / "sub").mkdir()
    (folder / "sub" / "a.txt").write_text(text)
    (folder / "b.bin").write_bytes(bytes(range(7)))


def made(target: Path, text: str = "one", **facts: Any) -> Path:
    with whole_folder(target, **facts) as folder:
        fill(folder, text)
    return target


def listing(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Makes the nth call (from 0) of a function of `os` raise."""

    def fail(name: str, error: BaseException, nth: int = 0) -> None:
        real, calls = getattr(os, name), iter(range(1000))

        def call(*arguments: Any) -> Any:
            if next(calls) == nth:
                raise error
            return real(*arguments)

        monkeypatch.setattr(os, name, call)

    return fail


FULL = OSError(errno.ENOSPC, "No space left on device")


# One file


def test_a_file_is_written_and_replaced(tmp_path: Path) -> None:
    write_whole(tmp_path / "a.txt", b"old")
    write_whole(str(tmp_path / "a.txt"), b"new")
    assert (tmp_path / "a.txt").read_bytes() == b"new"
    assert listing(tmp_path) == ["a.txt"]


@pytest.mark.parametrize("call", ["fsync", "replace"])
@pytest.mark.parametrize("old", [None, b"old"])
def test_a_full_disk_leaves_the_old_file(tmp_path: Path, failing: Any, call: str, old: bytes | None) -> None:
    target = tmp_path / "a.txt"
    if old:
        target.write_bytes(old)
    failing(call, FULL)
    with refused("cannot_write", Failure, path=str(target), reason="No space left on device"):
        write_whole(target, b"new")
    assert [path.read_bytes() for path in tmp_path.iterdir()] == ([old] if old else [])


@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_an_interrupted_write_leaves_the_old_file(tmp_path: Path, failing: Any, call: str) -> None:
    (tmp_path / "a.txt").write_bytes(b"old")
    failing(call, KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        write_whole(tmp_path / "a.txt", b"new")
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"old"]


def test_places_where_nothing_can_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    for target in (tmp_path / "no folder" / "a", tmp_path / "file" / "a", tmp_path, tmp_path / ("x" * 300)):
        with refused("cannot_write", Failure, path=str(target)):
            write_whole(target, b"new")
    assert listing(tmp_path) == ["file"]


def test_a_link_is_followed(tmp_path: Path) -> None:
    (tmp_path / "real").write_bytes(b"old")
    (tmp_path / "link").symlink_to("real")
    write_whole(tmp_path / "link", b"new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real").read_bytes() == b"new"


def test_who_writes_by_itself_is_given_a_place_beside(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"old")
    write_whole(tmp_path / "a", lambda place: place.write_bytes(b"new"))
    assert (tmp_path / "a").read_bytes() == b"new"
    with pytest.raises(ZeroDivisionError):
        write_whole(tmp_path / "a", lambda place: place.write_bytes(b"half") / 0)
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"new"]


def test_a_pipe_stays_a_pipe(tmp_path: Path) -> None:
    """As `-o /dev/stdout` is one: never replaced by a file."""
    os.mkfifo(tmp_path / "pipe")
    reading = os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    write_whole(tmp_path / "pipe", b"through")
    assert os.read(reading, 99) == b"through"
    os.close(reading)
    assert (tmp_path / "pipe").is_fifo()


def test_two_threads_write_one_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both are in the middle of it at once, and neither sees the other's half."""
    meet, sync = threading.Barrier(2), os.fsync

    def slow(descriptor: int) -> None:
        if not os.path.isdir(f"/proc/self/fd/{descriptor}"):
            meet.wait(timeout=10)
        sync(descriptor)

    monkeypatch.setattr(os, "fsync", slow)
    contents = [b"one", b"another"]
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(write_whole, [tmp_path / "a"] * 2, contents))
    assert (tmp_path / "a").read_bytes() in contents
    assert listing(tmp_path) == ["a"]


# A folder


def test_a_folder_is_written_with_its_manifest(tmp_path: Path) -> None:
    folder = made(tmp_path / "deep" / "model", step=3, version="1", rate=0.1)
    manifest = verify(folder)
    assert (manifest["step"], manifest["version"], manifest["rate"]) == (3, "1", 0.1)
    assert manifest["files"] == {
        "b.bin": {"bytes": 7, "sha256": sha256(folder / "b.bin")},
        "sub/a.txt": {"bytes": 3, "sha256": "7692c3ad3540bb803c020b3aee66cd8887123234ea0c6e7143c0add73ff431ed"},
    }
    assert listing(folder.parent) == ["model"]


def test_a_folder_is_replaced_whole(tmp_path: Path) -> None:
    made(tmp_path / "model", "one", step=1)
    with whole_folder(tmp_path / "model", step=2) as folder:
        (folder / "only").write_text("this")
        assert verify(tmp_path / "model")["step"] == 1
    assert verify(tmp_path / "model")["step"] == 2
    assert listing(tmp_path / "model") == ["manifest.json", "only"]
    assert listing(tmp_path) == ["model"]


def test_the_order_on_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a power cut only what was synced is sure: the manifest after its files, the old folder gone last."""
    made(tmp_path / "model")
    log: list[tuple[str, str]] = []

    def logged(module: Any, name: str) -> None:
        real = getattr(module, name)

        def call(path: Path, *rest: Any) -> Any:
            kind = path.name.split("-")[0]  # .tmp and .old without whose they are
            log.append((name, kind if path != tmp_path else "parent"))
            return real(path, *rest)

        monkeypatch.setattr(module, name, call)

    for name in ("_sync", "_sync_folder", "_discard"):
        logged(files, name)
    logged(os, "rename")
    made(tmp_path / "model")
    assert log == [
        *(("_sync", "b.bin"), ("_sync", "a.txt"), ("_sync", MANIFEST)),
        *(("_sync_folder", "sub"), ("_sync_folder", ".tmp")),
        *(("rename", "model"), ("rename", ".tmp"), ("_sync_folder", "parent"), ("_discard", ".old")),
    ]


def test_a_link_to_a_folder_is_followed(tmp_path: Path) -> None:
    made(tmp_path / "real")
    (tmp_path / "link").symlink_to("real")
    made(tmp_path / "link", "two")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real" / "sub" / "a.txt").read_text() == "two"
    assert listing(tmp_path) == ["link", "real"]


@pytest.mark.parametrize("umask", [0o000, 0o002, 0o022, 0o027, 0o077])
def test_modes_are_what_the_umask_allows(tmp_path: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        with whole_folder(tmp_path / "model") as folder:
            fill(folder)
            (folder / "b.bin").chmod(0o600)  # as some writers leave it
        write_whole(tmp_path / "file", b"")
    finally:
        assert os.umask(before) == umask
    modes = {path: path.stat().st_mode & 0o7777 for path in tmp_path.rglob("*")}
    assert modes == {path: (0o777 if path.is_dir() else 0o666) & ~umask for path in modes}
    assert len(modes) == 6


@pytest.mark.parametrize("old", [False, True])
@pytest.mark.parametrize("error", [FULL, KeyboardInterrupt()])
@pytest.mark.parametrize(("call", "nth"), [("fsync", n) for n in range(5)] + [("rename", 0), ("rename", 1)])
def test_a_failure_at_any_call_leaves_the_old_folder(
    tmp_path: Path, failing: Any, call: str, nth: int, error: BaseException, old: bool
) -> None:
    """At once, without anybody clearing up."""
    if old:
        made(tmp_path / "model", "old")
    elif (call, nth) == ("rename", 1):
        return  # there is only one
    failing(call, error, nth)
    with pytest.raises(Failure if error is FULL else KeyboardInterrupt):
        made(tmp_path / "model", "new")
    assert listing(tmp_path) == (["model"] if old else [])
    if old:
        verify(tmp_path / "model")
        assert (tmp_path / "model" / "sub" / "a.txt").read_text() == "old"


def test_what_breaks_within_leaves_the_old_folder(tmp_path: Path) -> None:
    made(tmp_path / "model")
    with pytest.raises(ZeroDivisionError), whole_folder(tmp_path / "model") as folder:
        (folder / "half").write_text(str(1 // 0))
    with refused("window_size", BadInput, size=0), whole_folder(tmp_path / "model"):
        raise BadInput("window_size", size=0)
    assert listing(tmp_path) == ["model"]
    verify(tmp_path / "model")


def test_a_folder_never_replaces_a_file(tmp_path: Path) -> None:
    (tmp_path / "model").write_text("mine")
    with refused("cannot_write", Failure, path=str(tmp_path / "model")):
        made(tmp_path / "model")
    assert (tmp_path / "model").read_text() == "mine"
    assert listing(tmp_path) == ["model"]


def child(code: str, *arguments: Any) -> str:
    """What a Python process of its own prints."""
    program = [sys.executable, "-c", code, *map(str, arguments)]
    environment = {**os.environ, "PYTHONPATH": str(Path(files.__file__).parents[2])}
    return subprocess.run(program, env=environment, check=True, capture_output=True, text=True).stdout


def test_a_disk_that_fills_up(tmp_path: Path) -> None:
    """The system itself refuses to write on, to us and to safetensors."""
    made(tmp_path / "model")
    code = """if True:
        import resource, sys, pathlib, numpy
        from safetensors.numpy import save_file
        from regard.core.errors import Failure
        from regard.core.files import whole_folder, write_whole
        folder = pathlib.Path(sys.argv[1])
        resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000))
        def plain(): write_whole(folder / "file", bytes(20_000))
        def within():
            with whole_folder(folder / "model") as new: (new / "x").write_bytes(bytes(20_000))
        def tensors():
            with whole_folder(folder / "model") as new: save_file({"x": numpy.zeros(20_000)}, new / "x.safetensors")
        for write in (plain, within, tensors):
            try: write()
            except Failure as failure: print(failure.code, "too large" in failure.facts["reason"])
    """
    assert child(code, tmp_path).split() == ["cannot_write", "True"] * 3
    assert listing(tmp_path) == ["model"]
    verify(tmp_path / "model")


def test_killed_at_any_call(tmp_path: Path) -> None:
    """SIGKILL just before each call that reaches the disk: after clearing up, the old or the new folder stands."""
    made(tmp_path / "model", "old")
    code = """if True:
        import os, signal, sys, pathlib
        from regard.core.files import remove_leftovers, verify, whole_folder
        folder = pathlib.Path(sys.argv[1])
        def write(nth):
            def dying(real):
                def call(*arguments, **named):
                    nonlocal nth
                    nth -= 1
                    if nth < 0: os.kill(os.getpid(), signal.SIGKILL)
                    return real(*arguments, **named)
                return call
            for name in ("fsync", "rename", "rmdir", "unlink", "chmod"): setattr(os, name, dying(getattr(os, name)))
            with whole_folder(folder / "model") as new:
                (new / "sub").mkdir()
                (new / "sub" / "a.txt").write_text("new")
                (new / "b.bin").write_bytes(b"1234567")
        for nth in range(100):
            process = os.fork()
            if not process:
                write(nth)
                os._exit(0)
            died = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
            left = len(list(folder.iterdir())) - (folder / "model").is_dir()
            remove_leftovers(folder)
            verify(folder / "model")
            print(died, left, (folder / "model" / "sub" / "a.txt").read_text(), *os.listdir(folder))
            if not died: break
    """
    lines = [line.split() for line in child(code, tmp_path).splitlines()]
    died, left, texts, listed = (list(column) for column in zip(*lines, strict=True))
    assert died == ["-9"] * (len(lines) - 1) + ["0"]
    assert len(lines) > 10
    assert set(listed) == {"model"}
    assert texts == sorted(texts, reverse=True)  # "old" until the rename, "new" from then on
    assert set(texts) == {"old", "new"}
    assert "2" in left, "the instant between the two renames was met"


# What was altered


@pytest.fixture
def sealed(tmp_path: Path) -> Path:
    return made(tmp_path / "model", step=3)


def caught(folder: Path) -> str | None:
    """The code of what is wrong with a folder."""
    try:
        verify(folder)
    except BadInput as error:
        return error.code
    return None


def content(folder: Path) -> Iterator[tuple[Path, bytes]]:
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        yield path, path.read_bytes()


def code_of(path: Path) -> str:
    return "manifest_broken" if path.name == MANIFEST else "file_altered"


def test_a_flipped_bit_in_any_byte_is_found(sealed: Path) -> None:
    """Of every file, the manifest's own bytes (its facts, its spaces) included."""
    for path, data in content(sealed):
        for index in range(len(data)):
            path.write_bytes(data[:index] + bytes([data[index] ^ 1 << index % 8]) + data[index + 1 :])
            assert caught(sealed) == code_of(path), index
        path.write_bytes(data)
    assert caught(sealed) is None


def test_every_truncation_is_found(sealed: Path) -> None:
    for path, data in content(sealed):
        for length in range(len(data)):
            path.write_bytes(data[:length])
            assert caught(sealed) == code_of(path)
        path.write_bytes(data + b"\n")
        assert caught(sealed) == code_of(path)
        path.write_bytes(data)


def test_missing_swapped_and_replaced_files_are_found(sealed: Path) -> None:
    (sealed / "b.bin").rename(sealed / "x")
    with refused("file_altered", BadInput, path=str(sealed / "b.bin")):
        verify(sealed)
    (sealed / "sub" / "a.txt").rename(sealed / "b.bin")
    (sealed / "x").rename(sealed / "sub" / "a.txt")
    assert caught(sealed) == "file_altered"
    (sealed / "b.bin").unlink()
    (sealed / "b.bin").mkdir()
    assert caught(sealed) == "file_altered"
    (sealed / MANIFEST).unlink()
    with refused("manifest_missing", BadInput, path=str(sealed)):
        verify(sealed)
    with refused("manifest_missing", BadInput, path=str(sealed / "nowhere")):
        verify(sealed / "nowhere")


def test_a_folder_that_was_changed_on_purpose_is_sealed_again(sealed: Path) -> None:
    (sealed / "b.bin").write_bytes(b"other")
    assert caught(sealed) == "file_altered"
    seal(sealed, step=4)
    assert verify(sealed)["step"] == 4
    assert set(verify(sealed)["files"]) == {"b.bin", "sub/a.txt"}


def test_files_beside_are_no_concern(sealed: Path) -> None:
    (sealed / ".DS_Store").write_bytes(b"x")
    assert caught(sealed) is None


def forge(folder: Path, manifest: Any) -> None:
    """A manifest with a right seal of its own: nobody but us could tell."""
    (folder / MANIFEST).write_text(files._sealed(manifest))


def test_names_that_lead_out_of_the_folder_are_refused(sealed: Path) -> None:
    """Even where the file is there and its sha256 is right."""
    secret = sealed.parent / "secret"
    secret.write_bytes(b"secret")
    (sealed / "link").symlink_to(secret)
    (sealed / "way").symlink_to(sealed.parent)
    (sealed / "inner").write_bytes(b"secret")
    entry = {"bytes": 6, "sha256": sha256(secret)}
    forge(sealed, {"files": {"inner": entry}})
    assert caught(sealed) is None
    inside = str((sealed / "inner").resolve())
    for name in (
        "../secret",
        str(secret),
        "sub/../inner",
        "link",
        "way/secret",
        "way/model/../secret",
        inside,
        f"/{inside}",
    ):
        forge(sealed, {"files": {name: entry}})
        with refused("file_altered", BadInput, path=str(Path(sealed, name))):
            verify(sealed)


@pytest.mark.parametrize("name", ["", ".", "sub", "no\0thing", "\ud800", "x" * 5000, "way/" * 2000])
def test_names_that_name_no_file_are_refused(sealed: Path, name: str) -> None:
    forge(sealed, {"files": {name: {"bytes": 3, "sha256": sha256(sealed / "sub" / "a.txt")}}})
    assert caught(sealed) == "file_altered"


@pytest.mark.parametrize(
    "text",
    [
        *("", "{", "[]", "3", "null", '{"files": {}}', '"' + "x" * 99, "[" * 100_000, "9" * 9999),
        *(files._sealed(m) for m in ({}, {"files": []}, {"files": None}, {"files": {"a": 1}}, {"files": {"a": {}}})),
        *(files._sealed({"files": {}}).replace("\n", end) for end in ("\r\n", "")),
        files._sealed({"files": {}}) + " ",
    ],
)
def test_what_is_no_manifest_of_ours_is_refused(sealed: Path, text: str) -> None:
    (sealed / MANIFEST).write_text(text, newline="")
    with refused("manifest_broken", BadInput, path=str(sealed / MANIFEST)):
        verify(sealed)


def test_entries_of_other_kinds_are_refused(sealed: Path) -> None:
    for size in (None, "3", [3], 3.5, float("nan"), 10**400):
        forge(sealed, {"files": {"sub/a.txt": {"bytes": size, "sha256": sha256(sealed / "sub" / "a.txt")}}})
        assert caught(sealed) == "file_altered"


def test_bytes_that_are_no_text_are_refused(sealed: Path) -> None:
    (sealed / MANIFEST).write_bytes(b"\xff\xfe{}")
    assert caught(sealed) == "manifest_broken"


# Leftovers


@pytest.fixture(scope="module")
def dead() -> int:
    """The id of a process that is no more."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def test_leftovers_of_the_dead_go_and_those_of_the_living_stay(tmp_path: Path, dead: int) -> None:
    ours, earlier = f"{files._LIFE}.1f-{os.getpid()}", f"00000000.1f-{os.getpid()}"
    keep = {
        f".tmp-a-0.1-{os.getppid()}",
        f".tmp-b-{ours}",
        f".old-c-{ours}",
        ".tmp-a-b-c",
        ".tmp-x",
        "model",
        ".tmp-a-1-²",
    }
    go = {f".tmp-a-0.1-{dead}", f".old-model-0.1-{dead}", f".tmp-a-{earlier}", ".tmp-a-0.1-" + "9" * 30}
    for number, name in enumerate(sorted(keep | go)):
        if number % 2:
            (tmp_path / name).write_text("x")
        else:
            (tmp_path / name).mkdir()
            (tmp_path / name / "inner").write_text("x")
    remove_leftovers(tmp_path)
    assert listing(tmp_path) == sorted(keep)


def test_a_folder_left_aside_gets_its_name_back(tmp_path: Path, dead: int) -> None:
    made(tmp_path / "step-3", "old")
    (tmp_path / "step-3").rename(tmp_path / f".old-step-3-0a.1f-{dead}")
    (tmp_path / f".tmp-step-3-0a.1f-{dead}").mkdir()
    remove_leftovers(tmp_path)
    assert listing(tmp_path) == ["step-3"]
    verify(tmp_path / "step-3")


def test_a_folder_left_aside_never_takes_anothers_place(tmp_path: Path, dead: int) -> None:
    made(tmp_path / "model", "new")
    made(tmp_path / f".old-model-0a.1f-{dead}", "old")
    remove_leftovers(tmp_path)
    assert listing(tmp_path) == ["model"]
    assert (tmp_path / "model" / "sub" / "a.txt").read_text() == "new"


def test_a_link_left_over_goes_and_what_it_leads_to_stays(tmp_path: Path, dead: int) -> None:
    made(tmp_path / "model")
    (tmp_path / f".tmp-x-0a.1f-{dead}").symlink_to(tmp_path / "model")
    remove_leftovers(tmp_path)
    assert listing(tmp_path) == ["model"]
    verify(tmp_path / "model")


def test_nothing_to_clear(tmp_path: Path) -> None:
    remove_leftovers(tmp_path / "nowhere")


# Again


@pytest.mark.parametrize("failures", range(5))
def test_a_failed_write_is_tried_again(monkeypatch: pytest.MonkeyPatch, failures: int) -> None:
    waits: list[float] = []
    monkeypatch.setattr(files.time, "sleep", waits.append)
    calls = iter(range(9))

    def write() -> None:
        if next(calls) < failures:
            raise Failure("cannot_write", path="a", reason="b")

    if failures < 3:
        retried(write)
    else:
        with refused("cannot_write", Failure, path="a", reason="b"):
            retried(write)
    assert waits == [0.5, 1.0][:failures]
    assert next(calls) == min(failures + 1, 3)


def test_bad_input_is_not_tried_again() -> None:
    calls = iter(range(9))

    def write() -> None:
        raise BadInput("window_size", size=next(calls))

    with refused("window_size", BadInput, size=0):
        retried(write)


def test_the_manifest_is_plain_json(sealed: Path) -> None:
    assert json.loads((sealed / MANIFEST).read_text(encoding="utf-8"))["step"] == 3
