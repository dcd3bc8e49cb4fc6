"""What becomes of a vector, step by step: each a column of formulas beside those that it is made from."""

import numpy as np

from regard.inspection.cell.cell import Cell
from regard.views.xlsx.vectors import Column, Line, Vectors


class Steps:
    """Columns in the order of computation. Final.

    Args:
        first: the vector that the first step is made from, where nothing else is.
    """

    def __init__(self, vectors: Vectors, home: str, first: str) -> None:
        self.vectors, self.home, self.last = vectors, home, first
        self.columns: list[Column] = []

    def given(self, column: Column) -> None:
        """A vector beside the steps."""
        self.columns.append(column)

    def add(self, name: str, sign: str, made: Line) -> None:
        """The next step."""
        self.columns.append(Column(name, sign, made))
        self.last = name

    def plus(self, name: str, sign: str, *others: Column) -> None:
        """The last one and others, added up."""
        self.columns += others
        self.add(name, sign, self.vectors.total([self.last, *(other.name for other in others)], self.home))

    def times(self, name: str, sign: str, factor: float) -> None:
        """The last one by a number of the model's own."""
        last, more = self.last, "" if factor == 1 else f"*{factor!r}"
        self.add(name, sign, lambda i: f"{self.vectors.at(last, i, self.home)}{more}")


def normed(steps: Steps, cell: Cell, part: str, sign: str) -> None:
    """Minus the mean, where the norm takes it off; by √(mean square + ε); times g, plus b."""
    vectors, home, before = steps.vectors, steps.home, steps.last
    centred, shifted, n = f"{part}_mean" in cell, f"{part}_shift" in cell, len(cell[f"{part}_gain"])

    def size(i: int) -> str:
        square = f"{'DEVSQ' if centred else 'SUMSQ'}({vectors.places[before].span(home)})"
        return f"SQRT({square}/{n}+{vectors.one(f'{part}_epsilon', home)})"

    if centred:
        vectors.alone(home, f"{part}_mean", "mean", lambda i: f"AVERAGE({vectors.places[before].span(home)})")
    vectors.alone(home, f"{part}_epsilon", "ε", _epsilon(cell, part, before, centred))
    vectors.alone(home, f"{part}_size", "size", size)
    for name, letter in (("gain", "g"), ("shift", "b")) if shifted else (("gain", "g"),):
        steps.given(Column(f"{part}_{name}", letter, cell[f"{part}_{name}"]))

    def made(i: int) -> str:
        mean = f"-{vectors.one(f'{part}_mean', home)}" if centred else ""
        shift = f"+{vectors.at(f'{part}_shift', i, home)}" if shifted else ""
        one = f"({vectors.at(before, i, home)}{mean})/{vectors.one(f'{part}_size', home)}"
        return f"{one}*{vectors.at(f'{part}_gain', i, home)}{shift}"

    steps.add(f"{part}_normed", sign, made)


def _epsilon(cell: Cell, part: str, before: str, centred: bool) -> float:
    """What is added to the mean square under the root."""
    values = cell[before]
    return float(cell.scalar(f"{part}_size") ** 2 - (np.var(values) if centred else np.mean(values**2)))


def turned(steps: Steps, cell: Cell, part: str, sign: str) -> None:
    """Rotary positions: two numbers turn together; what has no pair stays."""
    vectors, home, before = steps.vectors, steps.home, steps.last
    pairs = [(int(a), int(b)) for a, b in cell[f"{part}_pairs"]]
    pair_of = {each: at for at, pair in enumerate(pairs) for each in pair}
    for wave, still in (("cos", 1.0), ("sin", 0.0)):
        values = [cell[f"{part}_{wave}"][pair_of[i]] if i in pair_of else still for i in range(len(cell[part]))]
        steps.given(Column(f"{part}_{wave}_of", wave, np.array(values)))

    def made(i: int) -> str:
        a, b = pairs[pair_of[i]] if i in pair_of else (i, i)
        cos, sin = (vectors.at(f"{part}_{wave}_of", i, home) for wave in ("cos", "sin"))
        one, other = vectors.at(before, a, home), vectors.at(before, b, home)
        return f"{one}*{cos}-{other}*{sin}" if i == a else f"{one}*{sin}+{other}*{cos}"

    steps.add(f"{part}_turned", sign, made)
