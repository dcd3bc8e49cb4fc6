"""Word vectors from files: GloVe and word2vec as text, word2vec's binary form, safetensors.

| file | what stands in it |
|---|---|
| text | a word and its numbers a line, between spaces or tabs; with a first line `words width` (word2vec, fastText) or without (GloVe); gz too |
| binary | the line `words width`, then of each word its bytes, a space, and its numbers as float32 (word2vec `-binary 1`); gz too |
| safetensors | one tensor (words, width), and the words: a JSON list in the metadata `words`, or one a line in the file of the same name that ends in `.txt` |

Text and binary files of more than `LARGE` bytes are read once, and kept as a table that is mapped: see `vector_store`.
"""  # noqa: E501

import json
import os
import re
from collections.abc import Callable, Iterator
from itertools import chain, islice
from pathlib import Path
from typing import NamedTuple

import numpy as np
from safetensors import SafetensorError, safe_open

from regard.core.errors import BadInput, Failure
from regard.text import vector_store
from regard.text.lines import each_chunk, each_line, read_lines, shown_name
from regard.text.vector_binary import binary_blocks
from regard.text.vector_text import text_blocks
from regard.text.vectors import Vectors

LARGE = 2**24
SAFETENSORS = ".safetensors"
TYPES = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "BF16": "<u2"}
_HEAD = re.compile(rb"(?:\xef\xbb\xbf)?([0-9]{1,12}) ([0-9]{1,6}) ?\r?\n")
_CONTROL = re.compile(rb"[\x00-\x08\x0e-\x1f]")

Tell = Callable[[int], None]
"""Is told how many words were read so far."""


class Block(NamedTuple):
    """Some words and their vectors, (words, width), in float32."""

    words: list[str]
    values: np.ndarray


def read(path: Path | str, *, encoding: str = "utf-8", tell: Tell = lambda count: None) -> Vectors:
    """The words and vectors of a file; of words that come twice the first.

    Raises:
        BadInput: no such file; a line with more or fewer numbers, or something that is none; NaN or infinity; another
            count than the first line says; another encoding; a file cut off; safetensors without words.
    """
    name = shown_name(path)
    if not os.path.isfile(path):
        raise BadInput("file_is_folder" if os.path.isdir(path) else "file_missing", path=name)
    if name.lower().endswith(SAFETENSORS):
        return _safetensors(Path(path), name)
    if os.path.getsize(path) > LARGE:
        try:
            kept = vector_store.kept(Path(path), encoding, lambda: _blocks(path, encoding, tell))
            return Vectors(kept.words, kept.table, name=name, doubled=kept.doubled, stored=kept.lengths)
        except Failure:  # nowhere to keep it: then it is read into memory, as below
            pass
    grown = vector_store.Growing()
    parts = [grown.new(*block) for block in _blocks(path, encoding, tell)]
    return Vectors(grown.words, np.concatenate(parts), name=name, doubled=grown.doubled)


def _blocks(path: Path | str, encoding: str, tell: Tell) -> Iterator[Block]:
    """The words of a file with their vectors, some at a time."""
    name, count = shown_name(path), 0
    chunks = each_chunk(path)
    first = b"".join(islice(chunks, 2))
    if not first.strip():
        raise BadInput("vectors_empty", path=name)
    chunks, head = chain([first], chunks), _HEAD.match(first)
    try:
        if head and _CONTROL.search(first, head.end(), head.end() + 4096):
            found = binary_blocks(chunks, int(head[1]), int(head[2]), name)
        else:
            found = text_blocks(_plain(chunks, path, encoding), name)
        for raw, values in found:
            words = b"\n".join(raw).decode(_bytewise(encoding)).split("\n")
            yield Block(words, values)
            count += len(words)
            tell(count)
        if not count:
            raise BadInput("vectors_empty", path=name)
    except (UnicodeDecodeError, BadInput) as error:
        if not (head and _CONTROL.search(first, head.end())):
            for _ in each_line(path, encoding=encoding):  # it may be the encoding that is wrong: then that is said
                pass
        if isinstance(error, BadInput):
            raise
        raise BadInput("vectors_undecodable", path=name, encoding=encoding, word=count + 1) from None


def _bytewise(encoding: str) -> str:
    """The encoding in which the bytes of a word stand, once `_plain` gave them."""
    try:
        return encoding if " \n".encode(encoding) == b" \n" else "utf-8"
    except LookupError:
        return encoding  # each_line refuses it by name


def _plain(chunks: Iterator[bytes], path: Path | str, encoding: str) -> Iterator[bytes]:
    """The bytes, where spaces and line ends are single bytes; of UTF-16 and the like the same text as UTF-8."""
    try:
        if _bytewise(encoding) == encoding and "".encode(encoding) == b"":
            return chunks
    except LookupError:  # no such encoding: each_line says so
        pass
    return (f"{line.text}\n".encode() for line in each_line(path, encoding=encoding))


def _safetensors(path: Path, name: str) -> Vectors:
    """A table as it lies in its file, and the words that belong to it."""
    try:
        with safe_open(path, "np") as file:
            names, words = list(file.keys()), (file.metadata() or {}).get("words")
    except (SafetensorError, OSError, ValueError) as error:
        raise BadInput("weights_broken", path=name, reason=str(error)) from error
    if len(names) != 1:
        raise BadInput("vectors_tensors", path=name, count=len(names), known=", ".join(names[:8]))
    table = mapped(path, names[0])
    if table.ndim != 2:
        raise BadInput("vectors_shape", path=name, shape=table.shape)
    beside = path.with_suffix(".txt")
    if words is None and not beside.is_file():
        raise BadInput("vectors_wordless", path=name, beside=str(beside))
    told = _listed(words, name) if words is not None else read_lines(beside)
    if len(told) != len(table):
        raise BadInput("vectors_rows", path=name, words=len(told), rows=len(table))
    index = {word: at for at, word in reversed(list(enumerate(told)))}
    if len(index) == len(told):
        return Vectors(told, table, name=name)
    rows = np.array(sorted(index.values()), dtype=np.int64)
    twice = next(word for at, word in enumerate(told) if index[word] != at)
    return Vectors([told[at] for at in rows], table, rows, name, doubled=(len(told) - len(rows), twice))


def _listed(words: str, name: str) -> list[str]:
    """The words of the metadata."""
    try:
        told = json.loads(words)
    except (ValueError, RecursionError):
        told = None
    if not isinstance(told, list) or not all(isinstance(word, str) for word in told):
        raise BadInput("vectors_metadata", path=name)
    return told


def mapped(path: Path, tensor: str) -> np.ndarray:
    """One tensor of a safetensors file as it lies there, without reading it; bfloat16 as its bits, in uint16.

    Raises:
        BadInput: `weights_type`: numbers of a kind that is not read here.
    """
    with path.open("rb") as file:
        size = int.from_bytes(file.read(8), "little")
        entry = json.loads(file.read(size))[tensor]
    if entry["dtype"] not in TYPES:
        raise BadInput("weights_type", path=str(path), name=tensor, came=entry["dtype"], known=", ".join(TYPES))
    shape = tuple(entry["shape"])
    if 0 in shape:
        return np.zeros(shape, dtype=TYPES[entry["dtype"]])
    start = 8 + size + entry["data_offsets"][0]
    return np.memmap(path, TYPES[entry["dtype"]], "r", start, shape)
