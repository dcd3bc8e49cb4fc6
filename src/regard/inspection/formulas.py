"""The signs and formulas of a derivation: each in LaTeX and in plain signs, the same in every language."""

import re

from regard.inspection.derivation import Sign, Step
from regard.inspection.matrices import Matrices

LETTER = {"query": "Q", "key": "K", "value": "V", "output": "O"}
RESULT = {**LETTER, "output": "Y"}


def sign(letter: str, *under: str) -> Sign:
    """A letter and what stands under it: `sign("S", "raw", "h")` is S_{raw,h}; empty marks are left out."""
    marks = [mark for mark in under if mark]
    if not marks:
        return Sign(letter, letter)
    in_latex = ",".join(mark if len(mark) == 1 else rf"\mathrm{{{mark}}}" for mark in marks)
    return Sign(f"{letter}_{{{in_latex}}}", f"{letter}_{','.join(marks)}")


def turned(symbol: Sign) -> Sign:
    """The sign of the transposed matrix; transposed twice it is the first again.

    >>> turned(Sign("K", "K")), turned(turned(Sign("K", "K")))
    (Sign(latex='K^{T}', plain='Kᵀ'), Sign(latex='K', plain='K'))
    """
    if symbol.plain.endswith("ᵀ"):
        return Sign(symbol.latex.removesuffix("^{T}"), symbol.plain.removesuffix("ᵀ"))
    return Sign(symbol.latex + "^{T}", symbol.plain + "ᵀ")


def of_head(symbol: Sign, head: int) -> Sign:
    """The sign of one head, counted from 1: Q_h becomes Q_2.

    >>> of_head(sign("S", "raw", "h"), 2).plain, of_head(turned(sign("K", "h")), 1).latex
    ('S_raw,2', 'K_{1}^{T}')
    """
    mark = re.compile(r"(?<=[_{,])h(?=[}ᵀ]|$)")
    return Sign(mark.sub(str(head), symbol.latex), mark.sub(str(head), symbol.plain))


def formula(latex: str, plain: str, **signs: Sign) -> Sign:
    """Both ways of writing a formula; `<name>` in them is replaced by that sign."""
    for name, each in signs.items():
        latex, plain = latex.replace(f"<{name}>", each.latex), plain.replace(f"<{name}>", each.plain)
    return Sign(latex, plain)


def product(it: Sign, left: Sign, right: Sign) -> Sign:
    """it = left · right."""
    return formula(r"<it> = <left> \cdot <right>", "<it> = <left> · <right>", it=it, left=left, right=right)


def total(it: Sign, left: Sign, right: Sign) -> Sign:
    """it = left + right."""
    return formula("<it> = <left> + <right>", "<it> = <left> + <right>", it=it, left=left, right=right)


def quotient(it: Sign, left: Sign, right: Sign) -> Sign:
    """it = left / right."""
    return formula(r"<it> = \dfrac{<left>}{<right>}", "<it> = <left> / <right>", it=it, left=left, right=right)


def beside(it: Sign, left: Sign, right: Sign) -> Sign:
    """it = [left right]: two matrices with the same rows, joined."""
    return formula(r"<it> = [\,<left> \;\; <right>\,]", "<it> = [<left> <right>]", it=it, left=left, right=right)


def joined(it: Sign, letter: str, count: int) -> Sign:
    """it = [letter_1 … letter_count]: the heads side by side."""
    first, last = sign(letter, "1"), sign(letter, str(count))
    between = (r" \;\; ", " ") if count == 2 else (r" \;\dots\; ", " … ")
    in_latex, in_plain = rf"<it> = [\,<first>{between[0]}<last>\,]", f"<it> = [<first>{between[1]}<last>]"
    return formula(in_latex, in_plain, it=it, first=first, last=last)


def spread(it: Sign, bias: Sign) -> Sign:
    """A bias repeated in every row."""
    in_latex = r"<it> = \begin{bmatrix} <b> \\ \vdots \\ <b> \end{bmatrix}"
    return formula(in_latex, "<it> = [<b>; …; <b>]", it=it, b=bias)


def masking(it: Sign, scaled: Sign, matrices: Matrices) -> Sign:
    """Queries stand at the end of the keys; each looks no further than its own place."""
    ahead = len(matrices.key_tokens) - len(matrices.tokens)
    last = f"i{ahead:+d}" if ahead else "i"
    in_latex = r"<it>[i,j] = \begin{cases} <s>[i,j] & j \le LAST \\ -\infty & j > LAST \end{cases}"
    in_plain = "<it>[i,j] = <s>[i,j] (j ≤ LAST), −∞ (j > LAST)"
    return formula(in_latex.replace("LAST", last), in_plain.replace("LAST", last), it=it, s=scaled)


def softmax(it: Sign, of: Sign) -> Sign:
    """it = softmax(of), and what that is."""
    in_latex = r"<it> = \mathrm{softmax}(<s>), \quad <it>[i,j] = \dfrac{e^{<s>[i,j]}}{\sum_{j'} e^{<s>[i,j']}}"
    in_plain = "<it> = softmax(<s>), <it>[i,j] = exp(<s>[i,j]) / Σⱼ exp(<s>[i,j])"
    return formula(in_latex, in_plain, it=it, s=of)


def whole(matrices: Matrices) -> Sign:
    """All of attention in one line."""
    h = "h" if matrices.n_heads > 1 else ""
    signs = {"o": sign("O", h), "q": sign("Q", h), "k": turned(sign("K", h)), "v": sign("V", h)}
    if matrices.scale is None:
        scores = Sign(r"\dfrac{<q> <k>}{\sqrt{d_k}}", "<q>·<k> / √d_k")
    else:
        scores = Sign(r"c\,<q> <k>", "c·<q>·<k>")
    if matrices.causal:
        scores = Sign(rf"\mathrm{{mask}}\left({scores.latex}\right)", f"mask({scores.plain})")
    in_latex = rf"<o> = \mathrm{{softmax}}\left({scores.latex}\right) <v>"
    return formula(in_latex, f"<o> = softmax({scores.plain}) · <v>", **signs)


def shapes(step: Step, matrices: list[Step], flip: bool) -> Sign:
    """The shapes that meet in a product or a sum: Q (8×3) = X (8×7) · W_Q (7×3)."""
    shown = [_shaped(each, flip) for each in (step, *matrices)]
    in_latex = {"·": r" \cdot ", "/": " / "}.get(step.operator, step.operator)
    it, others = shown[0], shown[1:]
    return Sign(
        f"{it.latex} = {in_latex.join(each.latex for each in others)}",
        f"{it.plain} = {f' {step.operator} '.join(each.plain for each in others)}",
    )


def _shaped(step: Step, flip: bool) -> Sign:
    symbol = turned(step.symbol) if flip else step.symbol
    rows, columns = reversed(step.shape) if flip else step.shape
    return Sign(rf"\underset{{({rows} \times {columns})}}{{{symbol.latex}}}", f"{symbol.plain} ({rows}×{columns})")
