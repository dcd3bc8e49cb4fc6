"""Text for a language model: files, folders and JSON lines as documents, and their tokens as files of numbers.

A file of text is one document; a line of a JSON lines file is one. The last part of *each* file is held out, so that
what judges the model is of the same kinds as what it learns from.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np

from regard.core.errors import BadInput
from regard.core.files import MANIFEST, sha256, verify, whole_folder
from regard.text.lines import each_line, shown_name, typed

TEXT, JSON_LINES = (".txt", ".text", ".md"), (".jsonl", ".ndjson")
SIDES = ("training", "validation")
_FORMAT = "regard-tokens-2"
_PIECE, _MOST = 2**18, 2**20  # characters that are cut into tokens at once


class Cutter(Protocol):
    """What is asked of a tokenizer here: `start` and `end` are the ids around a document, None where there is none."""

    @property
    def vocab_size(self) -> int: ...

    start: int | None
    end: int | None

    def encode_batch(self, texts: Sequence[str]) -> Sequence[Any]: ...
    def decode(self, ids: Iterable[int]) -> str: ...
    def json(self) -> str: ...


class Piece(NamedTuple):
    """A part of a document; `last` where the document ends with it."""

    text: str
    last: bool


@dataclass(frozen=True)
class Corpus:
    """Which texts a model learns from, and which judge it (none: a share of each file is held out)."""

    training: Sequence[Path]
    validation: Sequence[Path] = ()
    field: str | None = None
    encoding: str = "utf-8"
    held_out: float = 0.1

    def pieces(self) -> Iterator[str]:
        """All of the text to learn from, part by part."""
        return (piece.text for path in self.training for piece in self.read(path))

    def has(self, documents: int) -> bool:
        """Whether there are at least so many documents to learn from."""
        ends = (piece for path in self.training for piece in self.read(path) if piece.last)
        return next(islice(ends, documents - 1, None), None) is not None

    def read(self, path: Path) -> Iterator[Piece]:
        """One file, part by part, in bounded memory."""
        name = path.name.removesuffix(".gz")
        lines = each_line(path, encoding=self.encoding)
        if self.field is None and not name.endswith(JSON_LINES):
            return _prose(line.text + "\n" * line.ended for line in lines)
        texts = (line.text for line in lines)
        return (Piece(text, True) for text in _fields(texts, self.field or "text", shown_name(path)))


def files(paths: Iterable[Path]) -> list[Path]:
    """These files; of a folder, all files of text in it and below, by name.

    Raises:
        BadInput: `folder_without_text`.
    """
    found: list[Path] = []
    for path in paths:
        inside = sorted(each for each in path.rglob("*") if _is_text(each)) if path.is_dir() else [path]
        if not inside:
            raise BadInput("folder_without_text", path=shown_name(path), known=", ".join(TEXT + JSON_LINES))
        found += inside
    return found


def _is_text(path: Path) -> bool:
    return path.is_file() and path.name.removesuffix(".gz").endswith(TEXT + JSON_LINES)


def _prose(lines: Iterable[str]) -> Iterator[Piece]:
    """One document from its lines and their ends, cut where one end alone stands between words: there byte-level
    tokenizers cut anyway. (Only where a text has no such place for very long is it cut before any line.)
    """
    held: list[str] = []
    size, before = 0, " "
    for line in lines:
        between = before[-2:-1].strip() and line[:1].strip()
        if size > (_PIECE if between else _MOST):
            yield Piece("".join(held), False)
            held, size = [], 0
        held.append(line)
        size, before = size + len(line), line
    yield Piece("".join(held), True)


def _fields(lines: Iterable[str], field: str, name: str) -> Iterator[str]:
    """The text of each JSON object, a line each; blank lines say nothing."""
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            reason = str(error).splitlines()[0]
            raise BadInput("json_line_broken", path=name, line=number, reason=reason) from None
        if not isinstance(row, dict) or not isinstance(row.get(field), str):
            known = ", ".join(row) if isinstance(row, dict) else type(row).__name__
            raise BadInput("json_line_field", path=name, line=number, field=field, known=known[:200])
        yield typed(row[field]).text


@dataclass(frozen=True)
class Tokens:
    """Ids of both sides, mapped from their files, and how many bytes of text they stand for."""

    training: np.ndarray
    validation: np.ndarray
    documents: int
    bytes: dict[str, int]


def tokens(corpus: Corpus, tokenizer: Cutter, folder: Path) -> Tokens:
    """The corpus as ids: taken from `folder` where they lie there, else cut and written there, whole.

    They are known by the sha256 of every file, of the tokenizer, and of how the text is read: what belongs to anything
    else, or was altered, is made anew.
    """
    key = _key(corpus, tokenizer)
    if (facts := _valid(folder, key)) is None:
        sides, documents = _cut(corpus, tokenizer)
        sizes = {side: int(row.bytes.sum(dtype=np.int64)) for side, row in sides.items()}
        held: dict[str, Any] = {"bytes": sizes, "documents": documents}
        with whole_folder(folder, format=_FORMAT, key=key, **held) as temporary:
            for side, row in sides.items():
                np.save(temporary / f"{side}.npy", row.ids)
        facts = held
    mapped = [np.load(folder / f"{side}.npy", mmap_mode="r") for side in SIDES]
    return Tokens(mapped[0], mapped[1], facts["documents"], facts["bytes"])


def _key(corpus: Corpus, tokenizer: Cutter) -> str:
    said = [_FORMAT, corpus.field, corpus.encoding, corpus.held_out, tokenizer.json()]
    read = [[path.suffixes, sha256(path)] for side in (corpus.training, corpus.validation) for path in side]
    return hashlib.sha256(json.dumps([said, read, len(corpus.training)]).encode()).hexdigest()


def _valid(folder: Path, key: str) -> dict[str, Any] | None:
    """The manifest of these tokens, where they lie there unaltered."""
    if not (folder / MANIFEST).is_file():
        return None
    try:
        facts = verify(folder)
    except BadInput:
        return None
    return facts if facts.get("key") == key else None


class _Row(NamedTuple):
    """Ids, and of each how many bytes of UTF-8 it stands for; starts and ends are none."""

    ids: np.ndarray
    bytes: np.ndarray

    def part(self, start: int, end: int) -> "_Row":
        return _Row(self.ids[start:end], self.bytes[start:end])


def _cut(corpus: Corpus, tokenizer: Cutter) -> tuple[dict[str, _Row], int]:
    """Both sides as ids, and how many documents there were."""
    read = [_row(corpus, path, tokenizer) for path in corpus.training]
    judging = [_row(corpus, path, tokenizer)[0] for path in corpus.validation]
    learning = [row for row, _ in read]
    if not judging:
        ends = [(len(row.ids), len(row.ids) - int(len(row.ids) * corpus.held_out)) for row in learning]
        judging = [row.part(cut, end) for row, (end, cut) in zip(learning, ends, strict=True)]
        learning = [row.part(0, cut) for row, (_, cut) in zip(learning, ends, strict=True)]
    return {"training": _joined(learning), "validation": _joined(judging)}, sum(count for _, count in read)


def _row(corpus: Corpus, path: Path, tokenizer: Cutter) -> tuple[_Row, int]:
    """A file, each document with its start and end, and how many documents it has.

    Where one token is both, it stands once between two documents.
    """
    kind = np.uint16 if tokenizer.vocab_size <= 2**16 else np.uint32
    parts, documents = [_Row(np.zeros(0, kind), np.zeros(0, np.uint32))], 0
    begin, end = ([] if id_ is None else [id_] for id_ in (tokenizer.start, tokenizer.end))
    begin = [] if begin == end else begin
    before = begin
    for group in _groups(corpus.read(path)):
        for piece, encoded in zip(group, tokenizer.encode_batch([piece.text for piece in group]), strict=True):
            after = end if piece.last else []
            ids = np.asarray([*before, *encoded.ids, *after], dtype=kind)
            parts.append(_Row(ids, np.pad(bytes_of(piece.text, encoded.offsets), (len(before), len(after)))))
            before = begin if piece.last else []
            documents += piece.last
    return _joined(parts), documents


def _joined(rows: Sequence[_Row]) -> _Row:
    ids, sizes = zip(*rows, strict=True)
    return _Row(np.concatenate(ids), np.concatenate(sizes))


def bytes_of(text: str, offsets: Sequence[tuple[int, int]]) -> np.ndarray:
    """How many bytes of a text each of its tokens takes on; the first token of a character has all of it.

    Not by decoding: what a tokenizer lacks, or parts of a character, would count as the sign that stands for them.
    """
    signs = np.frombuffer(text.encode("utf-32-le"), np.uint32)
    sizes = 1 + (signs > 0x7F) + (signs > 0x7FF) + (signs > 0xFFFF)
    until = np.concatenate([[0], np.cumsum(sizes)])[[0, *(end for _, end in offsets)]]
    return np.diff(np.maximum.accumulate(until)).astype(np.uint32)


def _groups(pieces: Iterable[Piece]) -> Iterator[list[Piece]]:
    """Pieces in groups for the tokenizer's threads."""
    group: list[Piece] = []
    size = 0
    for piece in pieces:
        group.append(piece)
        size += len(piece.text)
        if size > 8 * _PIECE:
            yield group
            group, size = [], 0
    if group:
        yield group
