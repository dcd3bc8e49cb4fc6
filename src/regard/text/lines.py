"""Lines of text files, read strictly.

A line ends at `\\n` and nowhere else (U+2028, NEL, VT and FF are characters like others), a `\\r` before it belongs to
the end; so lines are those that `wc -l` counts, and two parallel files never shift. Bytes that are no text are refused
with file, line and byte. gzip is recognised by its first bytes; `-` is standard input.
"""

import codecs
import io
import sys
import zlib
from collections.abc import Iterable, Iterator
from contextlib import nullcontext
from itertools import chain
from pathlib import Path
from typing import BinaryIO, NamedTuple, NoReturn

from regard.core.errors import BadInput
from regard.text.encodings import decoder, proposed

STDIN = "-"
LONGEST = 2**24  # characters; nobody writes such a line, a damaged or hostile file has them
_CHUNK = 2**20
_GZIP = b"\x1f\x8b"
_SMALL = 2**26  # a gzip file may always give so many bytes …
_MOST = 50  # … and beyond, so many times what was read of it; text gives 3 to 10


class Line(NamedTuple):
    """One line without its end; `characters` is how many it had, more than `text` has where it was cut.

    `ended` is False where no line end stood behind it: only the last of a file has none.
    """

    text: str
    characters: int
    ended: bool = True

    @property
    def cut(self) -> bool:
        """Whether the line was too long and is given only in part."""
        return self.characters > len(self.text)


def each_line(path: Path | str, *, encoding: str = "utf-8", max_characters: int | None = None) -> Iterator[Line]:
    """The lines of a file, one by one as they come, in bounded memory.

    Args:
        path: a text file, plain or gzip; `-` is standard input.
        encoding: any name that Python knows; a byte order mark is accepted.
        max_characters: what is beyond is counted and left out. Without it a line of more than `LONGEST` is refused.

    Raises:
        BadInput: no such file, a folder, unreadable; damaged gzip or one that swells without end; bytes that are not in
            this encoding (with line, byte, and the encoding they may be in); a NUL; a line without end.
    """
    name = shown_name(path)
    texts = _decoded(_inflated(_bytes(path), name), encoding, name)
    for number, line in enumerate(_split(_without_returns(texts), max_characters or LONGEST), start=1):
        if max_characters is None and line.cut:
            raise BadInput("text_line_endless", path=name, line=number, limit=LONGEST)
        yield line


def read_lines(path: Path | str, *, encoding: str = "utf-8") -> list[str]:
    """All lines of a file, whole. Raises what `each_line` raises."""
    return [line.text for line in each_line(path, encoding=encoding)]


def each_chunk(path: Path | str) -> Iterator[bytes]:
    """The bytes of a file as they come, unpacked where they are gzip. Raises what `each_line` raises of files."""
    return _inflated(_bytes(path), shown_name(path))


def typed(text: str, *, max_characters: int | None = None) -> Line:
    """A text that came as an argument or inside JSON, held to the same rules as a line of a file.

    Raises:
        BadInput: no text at all; half a surrogate pair, which is no character (a mistyped escape, bytes in another
            encoding); a NUL.

    >>> typed("the black cat", max_characters=9)
    Line(text='the black', characters=13, ended=True)
    """
    if not isinstance(text, str):
        raise BadInput("one_text", name="text", came=repr(text)[:60])
    try:
        whole = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le")  # joins the pairs, refuses the halves
    except UnicodeDecodeError as error:
        at = len(error.object[: error.start].decode("utf-16-le"))
        raise BadInput("text_surrogate", text=_excerpt(text), half=_half(error), at=at) from None
    if "\0" in whole:
        raise BadInput("text_typed_nul", text=_excerpt(text), at=whole.index("\0"))
    return Line(whole[:max_characters], len(whole))


def _half(error: UnicodeDecodeError) -> str:
    return f"U+{int.from_bytes(error.object[error.start : error.start + 2], 'little'):04X}"


def _excerpt(text: str) -> str:
    """The beginning of a text, fit for any terminal."""
    shown = "".join(c if c.isprintable() else "\ufffd" for c in text[:40])
    return shown + "…" * (len(text) > 40)


def shown_name(path: Path | str) -> str:
    """A file as an error names it: bytes of its name that are no text as escapes, standard input as `stdin`."""
    return "stdin" if str(path) == STDIN else str(path).encode("utf-8", "backslashreplace").decode("utf-8")


def _bytes(path: Path | str) -> Iterator[bytes]:
    """A file's bytes as they come: what a person types into a pipe is not kept waiting for a full chunk."""
    name = shown_name(path)
    try:
        with _stream(path) as stream:
            while chunk := stream.read1(_CHUNK):  # type: ignore[attr-defined]
                yield chunk
    except FileNotFoundError:
        raise BadInput("file_missing", path=name) from None
    except IsADirectoryError:
        raise BadInput("file_is_folder", path=name) from None
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        raise BadInput("file_unreadable", path=name, reason=getattr(error, "strerror", None) or str(error)) from None


def _stream(path: Path | str) -> "nullcontext[BinaryIO] | BinaryIO":
    if str(path) != STDIN:
        return open(path, "rb")
    return nullcontext(sys.stdin.buffer if sys.stdin else io.BytesIO())  # None: started with a closed stdin


def _inflated(chunks: Iterator[bytes], name: str) -> Iterator[bytes]:
    """The bytes inside, where they are gzip (RFC 1952; one member or several), else the bytes themselves."""
    first = next(chunks, b"")
    if first == _GZIP[:1]:  # a slow pipe
        first += next(chunks, b"")
    chunks = chain([first], chunks) if first else chunks
    if not first.startswith(_GZIP):
        yield from chunks
        return
    try:
        yield from _members(chunks, name)
    except (zlib.error, EOFError):
        raise BadInput("gzip_damaged", path=name) from None


def _members(chunks: Iterable[bytes], name: str) -> Iterator[bytes]:
    taken = given = 0
    member, ended = zlib.decompressobj(wbits=31), True
    for chunk in chunks:
        taken += len(chunk)
        while chunk := chunk.lstrip(b"\0") if ended else chunk:  # zeros may fill up the last block of a tape
            out = member.decompress(chunk, _CHUNK)
            given += len(out)
            if given > max(_SMALL, _MOST * taken):
                raise BadInput("gzip_swells", path=name, limit=_MOST)
            if out:
                yield out
            chunk, ended = member.unconsumed_tail, member.eof
            if ended:
                chunk, member = member.unused_data, zlib.decompressobj(wbits=31)
    if not ended:
        raise EOFError


def _decoded(chunks: Iterable[bytes], encoding: str, name: str) -> Iterator[str]:
    """The text of the bytes, chunk by chunk."""
    reader, read, line = decoder(encoding), 0, 1
    for chunk in chain(chunks, [b""]):
        state = reader.getstate()
        try:
            text = reader.decode(chunk, not chunk)
        except UnicodeDecodeError as error:
            before = len(error.object) - len(chunk)  # bytes of a character begun in the chunk before
            reader.setstate(state)
            line += reader.decode(chunk[: max(0, error.start - before)]).count("\n")
            _refuse("text_undecodable", error.object, error.start, encoding, path=name, line=line,
                    byte=read - before + error.start)  # fmt: skip
        except UnicodeError:  # UTF-16 without a byte order mark: said of the whole
            _refuse("text_undecodable", chunk, 0, encoding, path=name, line=1, byte=0)
        if "\0" in text:
            line += text.count("\n", 0, text.index("\0"))
            _refuse("text_nul", chunk, 0, encoding, path=name, line=line)
        yield text
        read, line = read + len(chunk), line + text.count("\n")


def _refuse(code: str, raw: bytes, at: int, encoding: str, **facts: str | int) -> NoReturn:
    """Refuse these bytes, naming the encoding that they may be in, if there is one."""
    better = proposed(raw, at)
    if better is None or codecs.lookup(better) == codecs.lookup(encoding):
        raise BadInput(code, encoding=encoding, **facts) from None
    raise BadInput(f"{code}_proposed", encoding=encoding, proposed=better, **facts) from None


def _without_returns(texts: Iterable[str]) -> Iterator[str]:
    """The text with `\\r\\n` as `\\n`; one at the end of the file counts too."""
    held = ""
    for text in texts:
        text = held + text
        held = "\r" if text.endswith("\r") else ""
        yield text.removesuffix("\r").replace("\r\n", "\n")


def _split(texts: Iterable[str], most: int) -> Iterator[Line]:
    """Lines of at most `most` characters; of a longer one no more than that is ever held."""
    parts: list[str] = []
    size = 0
    for text in texts:
        head, *rest = text.split("\n")
        parts.append(head[: max(0, most - size)])
        size += len(head)
        for part in rest:
            yield Line("".join(parts), size)
            parts, size = [part[:most]], len(part)
    if size:
        yield Line("".join(parts), size, ended=False)
