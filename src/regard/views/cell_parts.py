"""What the page of one cell is made of: vectors, sums written out, rows of keys; long ones shortened, nothing lost."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from regard.language import say
from regard.views.picture import Formula, Table
from regard.views.signs import number

ENDS, WHOLE = 3, 8
"""Of a vector longer than `WHOLE` so many of the first and of the last numbers are shown."""

BLANK = float("nan")


@dataclass(frozen=True)
class Style:
    """In which language, and with how many digits after the point, a cell is written."""

    lang: str = "en"
    digits: int = 6

    def say(self, name: str, /, **facts: object) -> str:
        """A sentence of this topic in the reader's language."""
        return say(f"cell.{name}", self.lang, **facts)

    def number(self, value: float) -> str:
        """A number as it is printed."""
        return number(float(value), self.digits)

    def fine(self, value: float) -> str:
        """A number that much is divided by or multiplied with: as many digits that count, however small it is."""
        zeros = max(0, -math.floor(math.log10(abs(value))) - 1) if value and math.isfinite(value) else 0
        return number(float(value), min(15, self.digits + zeros))

    def sign(self, made: Callable[..., float], *of: float, result: float) -> str:
        """`=` where what is printed gives what is printed; `≈` where digits that are not printed are missed."""
        printed = (float(self.number(value)) for value in of)
        return "=" if self.number(made(*printed)) == self.number(result) else "≈"

    def total(self, parts: Sequence[float], result: float) -> str:
        """The label of a sum: Σ = or Σ ≈."""
        return "Σ " + self.sign(lambda *values: float(np.sum(values)), *parts, result=result)


def shown(count: int) -> tuple[list[int], list[int]]:
    """The numbers of the first entries that are shown, and of the last; together all of a short vector."""
    if count <= WHOLE:
        return list(range(count)), []
    return list(range(ENDS)), list(range(count - ENDS, count))


def vectors(style: Style, columns: Mapping[str, np.ndarray], label: str = "i", names: Sequence[str] = ()) -> Table:
    """Vectors of one length beside each other, an entry a line.

    Args:
        names: of the lines; their numbers from 1 where none are given.
    """
    count = len(next(iter(columns.values())))
    first, last = shown(count)
    named = names or [str(at + 1) for at in range(count)]
    rows: list[tuple[str | float, ...]] = [(named[at], *(float(each[at]) for each in columns.values())) for at in first]
    if last:
        rows.append((style.say("more", count=count - 2 * ENDS), *(BLANK for _ in columns)))
        rows += [(named[at], *(float(each[at]) for each in columns.values())) for at in last]
    return Table(head=(label, *columns), rows=tuple(rows), digits=style.digits)


def summed(style: Style, columns: Mapping[str, np.ndarray], terms: np.ndarray, term: str, label: str = "i") -> Table:
    """A sum written out, a term a line, and what its terms are made of before it; the middle of a long one summed."""
    first, last = shown(len(terms))
    blanks = [BLANK] * len(columns)

    def line(at: int) -> tuple[str | float, ...]:
        return (str(at + 1), *(float(each[at]) for each in columns.values()), float(terms[at]))

    rows, parts = [line(at) for at in first], [float(terms[at]) for at in first + last]
    if last:
        rest = float(terms[ENDS:-ENDS].sum())
        rows += [(style.say("more", count=len(terms) - 2 * ENDS), *blanks, rest), *map(line, last)]
        parts.append(rest)
    total = float(terms.sum())
    rows.append((style.total(parts, total), *blanks, total))
    return Table(head=(label, *columns, term), rows=tuple(rows), digits=style.digits)


def keyed(
    style: Style, names: Sequence[str], columns: Mapping[str, np.ndarray], totals: Sequence[str], chosen: Sequence[int]
) -> Table:
    """Some keys, a line each, what the others sum to, and the sums of all.

    Args:
        totals: of which columns there are sums.
        chosen: which keys have lines of their own, in this order.
    """
    rows: list[tuple[str | float, ...]] = [
        (names[at], *(float(each[at]) for each in columns.values())) for at in chosen
    ]
    left = np.setdiff1d(np.arange(len(names)), chosen)
    rest = {name: float(each[left].sum()) if name in totals else BLANK for name, each in columns.items()}
    if len(left):
        rows.append((style.say("others", count=len(left)), *rest.values()))
    sums = {name: float(each.sum()) if name in totals else BLANK for name, each in columns.items()}
    parts = [[float(columns[name][at]) for at in chosen] + ([rest[name]] if len(left) else []) for name in totals]
    exact = all(style.total(each, sums[name]) == "Σ =" for each, name in zip(parts, totals, strict=True))
    rows.append(("Σ =" if exact else "Σ ≈", *sums.values()))
    return Table(head=(style.say("key"), *columns), rows=tuple(rows), digits=style.digits)


def equation(style: Style, left: str, latex: str, sign: str, *, result: float) -> Formula:
    """A line `left = result`; `left` with its numbers already in it, in plain signs and in LaTeX."""
    value = style.number(result)
    in_latex = {"≈": r"\approx"}.get(sign, sign)
    return Formula(latex=f"{latex} {in_latex} {value}", plain=f"{left} {sign} {value}")
