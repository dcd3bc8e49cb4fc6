"""Tokens as people read them: characters with their borders kept, whatever a tokenizer made of them.

| a token is | it is shown as |
|---|---|
| text, with the space before it | that text: ` chat`, `on` (media draw the space, `␣chat`) |
| a part of a character's bytes | the character and which part: `飛·1/3`, `飛·2/3`, `飛·3/3` |
| text that the model does not know | the text, marked: `貓⟨?⟩` |
| no text (begin, end, padding) | what the model calls it: `</s>`, `[CLS]` |

Spaces that a tokenizer drops are given to the token after them, so a border looks the same in every model.
"""

import unicodedata
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

UNKNOWN = "⟨?⟩"
SPACES = "▁Ġ"
"""How SentencePiece and byte-level tokenizers write a space."""

_NO_TEXT = ("special", "padding")


@dataclass(frozen=True)
class Piece:
    """One token as people read it.

    Attributes:
        text: what it adds to the text: all pieces, joined, are the text. Of a character in parts the first adds it.
        shown: how it is shown; spaces and signs that command a terminal stand in it as they are.
    """

    text: str
    shown: str


@dataclass(frozen=True)
class Lacking:
    """What of a text a model does not know.

    Attributes:
        count: how many tokens stand for it.
        signs: what it is, each once, in order: characters, or words where a tokenizer gives up whole words.
    """

    count: int
    signs: tuple[str, ...]


def pieces(
    text: str, tokens: Sequence[str], spans: Sequence[tuple[int, int]], kinds: Sequence[str] = ()
) -> tuple[Piece, ...]:
    """Each token as people read it.

    Args:
        spans: the characters of `text` that each token covers, from … to; of one that is no text, none.
        kinds: of each token `text`, `special`, `unknown` or `padding`; empty where it was not told.

    >>> [piece.shown for piece in pieces("un 飛", ["un", "Ġ", "é", "£", "Ľ"], [(0, 2), (2, 3), *[(3, 4)] * 3])]
    ['un', ' ', '飛·1/3', '飛·2/3', '飛·3/3']
    """
    kinds = kinds or ["text"] * len(tokens)
    covered = [_covered(text, *each) for each in zip(tokens, spans, kinds, strict=True)]
    parts = Counter(at for place in covered for at in place)
    met, read, last = Counter[int](), 0, max((i for i, place in enumerate(covered) if place), default=-1)
    found = []
    for i, (token, place, kind) in enumerate(zip(tokens, covered, kinds, strict=True)):
        before = text[read : place.start] if place else ""
        met.update(place)
        own = "".join(text[at] for at in place if met[at] == 1)
        signs = "".join(_part(text[at], met[at], parts[at]) for at in place)
        read = max(read, place.stop) if place else read
        after = text[read:] if i == last else ""
        found.append(Piece(before + own + after, before + _labelled(token, signs, kind) + after))
    return tuple(found)


def alone(token: str, text: str) -> str:
    """A token that covers no text yet (one that may be written next), as people read it.

    Args:
        text: what it decodes to by itself; half a character is U+FFFD there, and shown as its bytes.

    >>> alone("Ġcan", " can"), alone("▁chat", "chat"), alone("é£", chr(0xFFFD)), alone("</s>", "")
    (' can', ' chat', '⟨E9 A3⟩', '</s>')
    """
    if "\ufffd" in text and token != text:
        return f"⟨{_bytes(token).hex(' ').upper()}⟩"
    border = token[:1] in tuple(SPACES) and not text.startswith(" ")
    return " " * border + text if text or border else token


def _bytes(token: str) -> bytes:
    """The bytes that a byte-level token is: GPT-2's letters for them, or `<0xE9>`."""
    if token.startswith("<0x"):
        return bytes.fromhex(token[3:-1])
    return bytes(_LETTERS[sign] for sign in token if sign in _LETTERS)


def _letters() -> dict[str, int]:
    """GPT-2's letter for each byte: printable ones stand for themselves, others are moved beyond 255, in order."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    moved = [byte for byte in range(256) if byte not in printable]
    return {chr(byte): byte for byte in printable} | {chr(256 + at): byte for at, byte in enumerate(moved)}


_LETTERS = _letters()


def lacking(text: str, spans: Sequence[tuple[int, int]], kinds: Sequence[str]) -> Lacking:
    """What of a text the model does not know.

    >>> lacking("le 貓", [(0, 2), (2, 3), (3, 4)], ["text", "text", "unknown"])
    Lacking(count=1, signs=('貓',))
    """
    places = [place for place, kind in zip(spans, kinds, strict=False) if kind == "unknown"]
    signs = (text[start:end].strip() or text[start:end] for start, end in places)
    return Lacking(len(places), tuple(dict.fromkeys(sign for sign in signs if sign)))


def _covered(text: str, token: str, span: tuple[int, int], kind: str) -> range:
    """The characters that a token stands for: none for no text, and for a space that a tokenizer put there itself."""
    start, end = span
    under = text[start:end]
    border = not token.strip(SPACES) and under.strip() and under != token
    return range(0) if kind in _NO_TEXT or border else range(start, min(end, len(text)))


def _part(sign: str, number: int, count: int) -> str:
    """A character, or one of its parts; a space has none, though a tokenizer may count one twice."""
    return sign if count == 1 or sign == " " else f"{_seen(sign)}·{number}/{count}"


def _labelled(token: str, signs: str, kind: str) -> str:
    signs = "".join(map(_seen, signs)) if all(map(_invisible, signs)) else signs
    if kind == "unknown" and signs:
        return signs + UNKNOWN
    border = kind == "text" and not token.strip(SPACES)
    return signs or (" " * len(token) if border else token)


def _seen(sign: str) -> str:
    """A joiner or another sign that nobody sees, by its number."""
    return f"U+{ord(sign):04X}" if _invisible(sign) else sign


def _invisible(sign: str) -> bool:
    return unicodedata.category(sign) == "Cf" or "VARIATION SELECTOR" in unicodedata.name(sign, "")
