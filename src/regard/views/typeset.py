"""Words and names in TeX: every sign that TeX reads as a command written as the sign it is."""

import re

from regard.views.signs import prose, visible

# A symbol as sentences and titles write it: S_raw, W_Q, S_raw,h, √d_k, Kᵀ.
_SYMBOL = re.compile(r"(?<![A-Za-z0-9_.])(√?)([A-Za-z])(?:_([A-Za-z0-9]+(?:,[a-z0-9]+)?))?(ᵀ?)(?![A-Za-z0-9_])")

_IN_TEXT = {
    **{sign: f"\\{sign}" for sign in "&%$#_{}"},
    "\\": r"\textbackslash{}",
    "^": r"\textasciicircum{}",
    "~": r"\textasciitilde{}",
    "<": "{<}",
    ">": "{>}",
    **{
        sign: f"${command}$"
        for sign, command in {
            "√": r"\surd",
            "ᵀ": "^{T}",
            "−": "-",
            "∞": r"\infty",
            "×": r"\times",
            "·": r"\cdot",
            "↓": r"\downarrow",
            "→": r"\rightarrow",
            "←": r"\leftarrow",
            "≤": r"\le",
            "␣": r"\sqcup",
            "α": r"\alpha",
            "Σ": r"\Sigma",
            "≈": r"\approx",
        }.items()
    },
    **{chr(0x2080 + digit): f"$_{{{digit}}}$" for digit in range(10)},
}
# In mathematics \text{…} holds words; these signs leave it, so that TeX and the web's renderers read the same.
_LEAVE_TEXT = {
    "\\": r"\backslash ",
    "^": r"\hat{\ }",
    "~": r"\sim ",
    "<": "{<}",
    ">": "{>}",
    **{sign: written.strip("$") + " " for sign, written in _IN_TEXT.items() if written.startswith("$")},
}


def words(text: str) -> str:
    """A sentence or a title for the text of a document; symbols in it are set as mathematics.

    >>> words("50% of S_raw")
    '50\\\\% of $S_{\\\\mathrm{raw}}$'
    """
    text, out, at = prose(text), [], 0
    for found in _SYMBOL.finditer(text):
        if found[1] or found[3] or found[4]:
            out += [_escaped(text[at : found.start()]), f"${_symbol(found)}$"]
            at = found.end()
    return "".join([*out, _escaped(text[at:])])


def in_mathematics(name: str) -> str:
    """A name for mathematics: a symbol or a title such as `S_raw (3×3)` as it is read, anything else as text.

    >>> in_mathematics("S_raw (3×3)"), in_mathematics("a_b")
    ('S_{\\\\mathrm{raw}}\\\\,(3 \\\\times 3)', '\\\\text{a\\\\_b}')
    """
    title = re.fullmatch(r"(\S+) \((\d+)×(\d+)\)", name)
    found = _SYMBOL.fullmatch(title[1]) if title else None
    if title and found:
        return rf"{_symbol(found)}\,({title[2]} \times {title[3]})"
    return _mathematics(visible(name))


def sign_in_mathematics(sign: str) -> str:
    """What stands between two matrices: `·`, `+`, `=`, `/ √d_k =`."""
    return " ".join(
        _symbol(found) if (found := _SYMBOL.fullmatch(part)) else _OPERATOR.get(part, part) for part in sign.split()
    )


_OPERATOR = {"·": r"\cdot"}


def _symbol(found: re.Match[str]) -> str:
    root, letter, under, turned = found.groups(default="")
    marks = [mark if len(mark) == 1 else rf"\mathrm{{{mark}}}" for mark in under.split(",") if mark]
    symbol = letter + (f"_{{{','.join(marks)}}}" if marks else "")
    return (rf"\sqrt{{{symbol}}}" if root else symbol) + ("^{T}" if turned else "")


def _escaped(text: str) -> str:
    return "".join(_IN_TEXT.get(sign, sign) for sign in text)


def _mathematics(name: str) -> str:
    """Runs of ordinary signs in \\text{…}, the others between them."""
    out = []
    for run in re.findall(f"[{re.escape(''.join(_LEAVE_TEXT))}]|[^{re.escape(''.join(_LEAVE_TEXT))}]+", name):
        out.append(_LEAVE_TEXT[run] if run in _LEAVE_TEXT else rf"\text{{{_escaped(run)}}}")
    return "".join(out)
