"""Sums of words: `king - man + woman`, with weights and brackets.

    sum    = [sign] term { sign term }            sign = + or -
    term   = [number ["*"]] factor ["/" number]
    factor = word | "several words" | ( sum )

A sign stands at the beginning of a word or by itself: the hyphen in `well-known` belongs to the word, and so does every
other sign within one. A number before a word or a bracket is its weight; alone it is a word. Words side by side are one
name (`new york`). Quotes take everything as it is. Signs of Chinese typing mean the same: ＋ － × （ ） “ ” 「 」.
"""

import re
from collections.abc import Iterable

from regard.core.errors import BadInput

Sum = dict[str, float]
"""Of each word its weight; words that fall away (`a - a`) are left in with weight 0."""

_SIGNS = {"＋": "+", "－": "-", "−": "-", "–": "-", "×": "*", "·": "*", "（": "(", "）": ")", "／": "/"}
_QUOTED = r'"[^"]*"|“[^”]*”|「[^」]*」|『[^』]*』'
_TOKEN = re.compile(
    rf"\s*(?:(?P<quoted>{_QUOTED})"
    r"|(?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?(?=[\s()（）*×·/／\"“「『]|$))"
    r"|(?P<sign>[-+*/()＋－−–×·（）／])"
    r"|(?P<word>[^\s()（）\"“「『＋－−×]+))"
)
_DEEPEST = 100
_HEAVIEST = 1e50
"""A weight is at most this large: squares of larger ones are no numbers any more."""


def parse(text: str) -> Sum:
    """The words of a sum with their weights, in order.

    Raises:
        BadInput: `words_expression`, with the place where it stops to be one; `words_quote`, one that is not closed;
            `words_weight`, one too large to be added.

    >>> parse("king - man + woman")
    {'king': 1.0, 'man': -1.0, 'woman': 1.0}
    >>> parse('0.5*(well-known + 2 "new york") - 7')
    {'well-known': 0.5, 'new york': 1.0, '7': -1.0}
    """
    return _Reader(text).whole()


class _Reader:
    """Reads a sum from left to right; `at` is the next token."""

    def __init__(self, text: str) -> None:
        self.text, self.at, self.depth = text, 0, 0
        self.tokens = list(_tokens(text))

    def whole(self) -> Sum:
        found = self.sum(1.0)
        if self.at < len(self.tokens):
            raise self.wrong()
        for word, weight in found.items():
            if not abs(weight) <= _HEAVIEST:
                raise BadInput("words_weight", text=self.text[:200], word=word[:40], most=f"{_HEAVIEST:g}")
        return found

    def sum(self, weight: float) -> Sum:
        sign = self.sign() or 1.0
        found = self.term(weight * sign)
        while sign := self.sign():
            for word, more in self.term(weight * sign).items():
                found[word] = found.get(word, 0.0) + more
        return found

    def sign(self) -> float:
        """1 or −1; 0 where none stands here."""
        return {"+": 1.0, "-": -1.0}[self.step()] if self.kind() in ("+", "-") else 0.0

    def term(self, weight: float) -> Sum:
        if self.kind() == "number" and self.kind(1) in ("*", "(", "word", "quoted", "number"):
            weight *= float(self.step())
            if self.kind() == "*":
                self.step()
        found = self.factor(weight)
        if self.kind() == "/":
            self.step()
            if self.kind() != "number" or float(self.tokens[self.at][1]) == 0:
                raise self.wrong()
            by = float(self.step())
            found = {word: each / by for word, each in found.items()}
        return found

    def factor(self, weight: float) -> Sum:
        if self.kind() == "(" and self.depth < _DEEPEST:
            self.step()
            self.depth += 1
            found = self.sum(weight)
            self.depth -= 1
            if self.kind() != ")":
                raise self.wrong()
            self.step()
            return found
        name = []
        while self.kind() in ("word", "quoted", "number"):
            name.append(self.step())
        if not any(name):
            raise self.wrong()
        return {" ".join(name): weight}

    def kind(self, ahead: int = 0) -> str:
        """What the next token is: `word`, `quoted`, `number` or a sign; empty at the end."""
        return self.tokens[self.at + ahead][0] if self.at + ahead < len(self.tokens) else ""

    def step(self) -> str:
        self.at += 1
        return self.tokens[self.at - 1][1]

    def wrong(self) -> BadInput:
        place = self.tokens[self.at][2] if self.at < len(self.tokens) else len(self.text)
        return BadInput("words_expression", text=self.text[:200], place=place + 1, rest=self.text[place:][:40] or "…")


def _tokens(text: str) -> Iterable[tuple[str, str, int]]:
    """Kind, text and place of each token."""
    at, end = 0, len(text.rstrip())
    while at < end:
        match = _TOKEN.match(text, at)
        if match is None:  # a quote that is never closed
            raise BadInput("words_quote", text=text[:200], place=end - len(text[at:end].lstrip()) + 1)
        kind, came = str(match.lastgroup), match[str(match.lastgroup)]
        start, at = match.start(kind), match.end()
        if kind == "sign":
            yield _SIGNS.get(came, came), _SIGNS.get(came, came), start
        else:
            yield kind, came[1:-1] if kind == "quoted" else came, start
