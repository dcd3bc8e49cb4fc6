"""How a number and a token are written: the same in every medium."""

import math
import re
import unicodedata
from collections import Counter
from collections.abc import Callable

HIDDEN = "−∞"

# Joiners that scripts and emoji need; every other format character could hide or reorder text.
_HARMLESS = "\u200c\u200d"


def number(value: float, digits: int) -> str:
    """`value` with `digits` digits after the point; hidden scores as −∞, blanks (NaN) as nothing, no −0.

    Ten million and more are written with an exponent: a hundred digits would be no number that anybody reads.

    >>> number(-0.001, 2), number(float("-inf"), 2), number(float("nan"), 2)
    ('0.00', '−∞', '')
    """
    if math.isnan(value):
        return ""
    if math.isinf(value):
        return HIDDEN if value < 0 else "∞"
    return f"{value:z.{digits}f}" if abs(value) < 1e7 else f"{value:.{digits}e}"


def cell(value: str | int | float, digits: int) -> str:
    """One cell of a table: floats rounded, whole numbers as they are, strings visible."""
    if isinstance(value, str):
        return visible(value)
    return str(value) if isinstance(value, int) else number(float(value), digits)


def minus(text: str) -> str:
    """A number with the typographic minus, for media that set type (a terminal keeps the one that programs read)."""
    return text.replace("-", "−")


def visible(text: str) -> str:
    r"""`text` with everything that would command a terminal, hide or reorder text written as an escape.

    Spaces at its edges are shown, as a border between tokens; a lone combining mark sits on a dotted circle.

    >>> visible("\x1b[31m"), visible(" chat"), visible("\ud800")
    ('\\x1b[31m', '␣chat', '\\ud800')
    """
    inner = text.strip(" ")
    left, right = len(text) - len(text.lstrip(" ")), len(text) - len(text.rstrip(" "))
    if not inner:
        return "␣" * len(text)
    written = "".join(_written(sign) for sign in inner)
    ground = "\u25cc" if unicodedata.category(written[0]).startswith("M") else ""
    return "␣" * left + ground + written + "␣" * right


def shortened(token: str, longest: int = 32) -> str:
    """A token made visible, cut with … after `longest` signs; one of a million signs costs no more than a short one."""
    shown = visible(token[: longest + 1])
    return shown if len(shown) <= longest else shown[: longest - 1] + "…"


def _written(sign: str) -> str:
    category = unicodedata.category(sign)
    if category in ("Cc", "Cs", "Zl", "Zp") or (category == "Cf" and sign not in _HARMLESS):
        return repr(sign)[1:-1] if sign != "\xad" else "\\xad"
    return sign


def prose(text: str) -> str:
    """A sentence or a title made `visible`, its line breaks kept."""
    return "\n".join("".join(_written(sign) for sign in line) for line in text.split("\n"))


def told_apart(tokens: tuple[str, ...]) -> list[str]:
    """Tokens shortened for a list of pairs; one that comes more than once carries its count, *the₁*, *the₂*.

    >>> told_apart(("the", "cat", "the"))
    ['the₁', 'cat', 'the₂']
    """
    total, seen = Counter(tokens), Counter[str]()
    shown = []
    for token in tokens:
        seen[token] += 1
        shown.append(shortened(token) + (_lowered(seen[token]) if total[token] > 1 else ""))
    return shown


def _lowered(count: int) -> str:
    return str(count).translate(str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉"))


# One piece of a line: a wide (CJK) sign with the punctuation that may not be parted from it, a word, or spaces.
_WIDE = (
    "\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6\U00020000-\U0003ffff"
)
_OPENS, _CLOSES = "「『（《〈【〔“‘", "」』）》〉】〕”’，。、；：？！…"
_ALL_WIDE = re.compile(f"[{_WIDE}]+")
_PIECE = re.compile(rf"[{_OPENS}]*(?:[{_WIDE}]|[^\s{_WIDE}{_OPENS}{_CLOSES}]+)?[{_CLOSES}]*\s*")


def is_wide(text: str) -> bool:
    """Whether all signs are CJK, which may stand under each other."""
    return _ALL_WIDE.fullmatch(text) is not None


def pieces(text: str) -> list[str]:
    """Where a line may break: after spaces and between CJK signs, never before 。 or after 「.

    >>> pieces("「貓」看 the cat。")
    ['「貓」', '看 ', 'the ', 'cat。']
    """
    return [piece for piece in _PIECE.findall(text) if piece]


def wrap(text: str, width: float, measure: Callable[[str], float]) -> list[str]:
    """Break a line of text into lines of at most `width`, as `measure` counts it (cells, points); at least one line.

    >>> wrap("the black cat", 9, len)
    ['the black', 'cat']
    """
    lines = [""]
    for piece in (part for whole in pieces(text) for part in _cut(whole, width, measure)):
        if lines[-1] and measure(lines[-1] + piece.rstrip()) > width:
            lines.append("")
        lines[-1] += piece
    return [line.rstrip() for line in lines]


def _cut(piece: str, width: float, measure: Callable[[str], float]) -> list[str]:
    """A piece wider than a whole line, cut between signs."""
    if measure(piece.rstrip()) <= width:
        return [piece]
    parts = [""]
    for sign in piece:
        if parts[-1] and measure(parts[-1] + sign) > width:
            parts.append("")
        parts[-1] += sign
    return parts
