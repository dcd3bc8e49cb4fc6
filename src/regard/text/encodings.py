"""Encodings of text files: the decoder of a named one, and a guess at the one that was meant.

The guess is for an error message ("add --encoding gb18030"): nothing is ever decoded by it.
"""

import codecs
import io
import unicodedata

from regard.core.errors import BadInput
from regard.core.nearest import nearest

ENCODINGS = ("utf-8", "utf-16", "gb18030", "gbk", "big5", "cp950", "latin-1", "cp1252", "shift_jis", "euc-kr")

_NO_TEXT = {"unicode-escape", "raw-unicode-escape", "utf-7", "punycode", "idna", "undefined"}  # they can give no text
_CHINESE = ("big5", "cp950", "gb18030")
_WESTERN = ("latin-1", "cp1252")
_SAMPLE = 2**16
_LIKELY = 0.5
_RARE_ACCENTS = 0.3


def decoder(encoding: str) -> codecs.IncrementalDecoder:
    """A strict decoder that takes bytes in pieces; a byte order mark is no part of the text.

    Raises:
        BadInput: `encoding_unknown`.
    """
    try:
        io.TextIOWrapper(io.BytesIO(), encoding=encoding)  # refuses base64 and its like
        known = codecs.lookup(encoding)
    except (LookupError, ValueError):
        raise _unknown(encoding) from None
    if known.incrementaldecoder is None or known.name in _NO_TEXT:
        raise _unknown(encoding)
    return codecs.getincrementaldecoder("utf-8-sig" if known.name == "utf-8" else encoding)("strict")


def _unknown(encoding: str) -> BadInput:
    return BadInput("encoding_unknown", encoding=encoding, nearest=nearest(encoding, ENCODINGS))


def proposed(raw: bytes, at: int = 0) -> str | None:
    """The encoding in which `raw` is plausible text; None where none is.

    Args:
        raw: bytes from the beginning of a character on.
        at: where the reading stumbled.

    >>> proposed("退貨的期限是七天".encode("big5"))
    'big5'
    """
    if raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    if b"\0" in raw:
        return _wide(raw[:_SAMPLE])
    right, wrong = _as_utf8(raw[:_SAMPLE])
    if right > wrong:
        return None if wrong else "utf-8"  # UTF-8 with a broken place: no other encoding mends it
    start = raw.rfind(b"\n", 0, at) + 1
    sample = raw[start : start + _SAMPLE]
    marks = {name: _likelihood(sample, name) for name in (*_CHINESE, *_WESTERN)}
    best = max(marks, key=lambda name: marks[name])
    return best if marks[best] > _LIKELY else None


def _as_utf8(raw: bytes) -> tuple[int, int]:
    """How many characters beyond ASCII are right, and how many places are wrong, where `raw` is read as UTF-8."""
    text = codecs.getincrementaldecoder("utf-8")("replace").decode(raw)
    wrong = text.count("\ufffd")
    return sum(not c.isascii() for c in text) - wrong, wrong


def _wide(raw: bytes) -> str | None:
    """UTF-16 without a byte order mark: read so, it has line ends and no character that nobody writes."""
    for name in ("utf-16-le", "utf-16-be"):
        text = codecs.getincrementaldecoder(name)("replace").decode(raw)
        if "\n" in text and not any(unicodedata.category(c) in ("Cn", "Co", "Cs") or c in "\0\ufffd" for c in text):
            return name
    return None


def _likelihood(raw: bytes, name: str) -> float:
    """The share of the characters beyond ASCII that are everyday ones, if all can be read: 0 … 1."""
    try:
        text = codecs.getincrementaldecoder(name)("strict").decode(raw)  # the end may cut a character in two
    except UnicodeDecodeError:
        return 0.0
    beyond = [c for c in text if not c.isascii()]
    if name in _WESTERN and len(beyond) > _RARE_ACCENTS * sum(not c.isspace() for c in text):
        return 0.0
    return sum(_everyday(c, name) for c in beyond) / max(1, len(beyond))


def _everyday(character: str, name: str) -> bool:
    """Big5 and GB 2312 hold the frequent characters in a zone of their own, before the rare ones."""
    if name in _WESTERN:
        return unicodedata.category(character) in ("Ll", "Lu", "Pi", "Pf", "Pd", "Ps", "Po", "Zs")
    lead, *trail = character.encode(name)
    if name == "gb18030":
        return (0xA1 <= lead <= 0xA3 or 0xB0 <= lead <= 0xD7) and len(trail) == 1 and trail[0] >= 0xA1
    return 0xA1 <= lead <= 0xC6
