"""Vectors that were read once, kept as a table that is mapped: the next time nothing is read.

They lie in `$XDG_CACHE_HOME/regard/vectors` (without it `~/.cache/regard/vectors`), a folder a file, known by the
file's place, size, time, encoding and samples of its bytes; a file that changed replaces what was kept of it, and what
is kept of a file that is gone goes when the next is read. The folder may be removed at any time.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from regard.core.files import MANIFEST, remove_leftovers, whole_folder
from regard.text.vectors import lengths

_FORMAT = "regard-vectors-1"
_SAMPLES, _SAMPLE = 16, 2**14
_TABLE, _WORDS, _LENGTHS, _DOUBLED = "table.f32", "words.txt", "lengths.f32", "doubled.json"


class Kept(NamedTuple):
    """What lies there: the words, their table, mapped, the length of each vector, and what came twice."""

    words: list[str]
    table: np.ndarray
    lengths: np.ndarray
    doubled: tuple[int, str]


class Growing:
    """Words as they come, each once; the first of several counts."""

    def __init__(self) -> None:
        self.words: list[str] = []
        self.doubled: tuple[int, str] = (0, "")
        self._known: set[str] = set()

    def new(self, words: list[str], values: np.ndarray) -> np.ndarray:
        """The vectors of those words that were not there."""
        fresh = {word: at for at, word in reversed(list(enumerate(words)))}
        if len(fresh) < len(words) or not self._known.isdisjoint(fresh):
            kept = sorted(at for word, at in fresh.items() if word not in self._known)
            twice = next(word for at, word in enumerate(words) if word in self._known or fresh[word] != at)
            self.doubled = (self.doubled[0] + len(words) - len(kept), self.doubled[1] or twice)
            words, values = [words[at] for at in kept], values[kept]
        self._known.update(words)
        self.words += words
        return values


def kept(path: Path, encoding: str, read: Callable[[], Iterable[tuple[list[str], np.ndarray]]]) -> Kept:
    """What is kept of a file, where it lies there; else it is read and kept.

    Raises:
        Failure: `cannot_write`: there is no room, or no place. What `read` raises; then nothing is kept.
    """
    real = Path(os.path.realpath(path))
    folder, key = _place() / hashlib.sha256(os.fsencode(real)).hexdigest()[:32], _key(real, encoding)
    if not _there(folder, key):
        _tidied(folder.parent)
        with whole_folder(folder, format=_FORMAT, key=key, path=os.fsdecode(real)) as temporary:
            _write(temporary, read())
    words = (folder / _WORDS).read_bytes().decode("utf-8", "surrogatepass").split("\n")
    doubled, lengths_ = json.loads((folder / _DOUBLED).read_text()), np.fromfile(folder / _LENGTHS, np.float32)
    table = np.memmap(folder / _TABLE, np.float32, "r").reshape(len(words), -1)
    return Kept(words, table, lengths_, (doubled[0], doubled[1]))


def _tidied(place: Path) -> None:
    """What died while it was written goes, and what is kept of files that are gone."""
    if place.is_dir():
        remove_leftovers(place)
    for folder in place.glob("*"):
        source = _manifest(folder).get("path")
        if isinstance(source, str) and not os.path.exists(source):
            shutil.rmtree(folder, ignore_errors=True)


def _manifest(folder: Path) -> dict[str, Any]:
    """The manifest of a folder; empty where it cannot be read."""
    try:
        found = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _write(folder: Path, blocks: Iterable[tuple[list[str], np.ndarray]]) -> None:
    """Words, table and lengths into an open folder, as they come."""
    grown = Growing()
    with (folder / _TABLE).open("wb") as table, (folder / _LENGTHS).open("wb") as measured:
        for words, values in blocks:
            new = np.ascontiguousarray(grown.new(words, values), dtype=np.float32)
            new.tofile(table)
            lengths(new).astype(np.float32).tofile(measured)
    (folder / _WORDS).write_bytes("\n".join(grown.words).encode("utf-8", "surrogatepass"))
    (folder / _DOUBLED).write_text(json.dumps(grown.doubled))


def _there(folder: Path, key: str) -> bool:
    """Whether the folder is whole and of this file. (Its numbers are not read again to see that.)"""
    manifest = _manifest(folder)
    try:
        sizes = {name: entry["bytes"] for name, entry in manifest["files"].items()}
        return manifest["key"] == key and all((folder / name).stat().st_size == size for name, size in sizes.items())
    except (OSError, KeyError, TypeError, AttributeError):
        return False


def _key(path: Path, encoding: str) -> str:
    """What a file is known by."""
    state = path.stat()
    digest = hashlib.sha256(json.dumps([_FORMAT, encoding, state.st_size, state.st_mtime_ns]).encode())
    with path.open("rb") as file:
        for at in np.linspace(0, max(0, state.st_size - _SAMPLE), _SAMPLES).astype(int).tolist():
            file.seek(at)
            digest.update(file.read(_SAMPLE))
    return digest.hexdigest()


def _place() -> Path:
    """Where programs keep what they can make again (XDG Base Directory Specification)."""
    named = os.environ.get("XDG_CACHE_HOME", "")
    return (Path(named) if os.path.isabs(named) else Path(os.path.expanduser("~")) / ".cache") / "regard" / "vectors"
