"""A derivation as a picture: every step with name, shape, formula, numbers and why it is there, then the reading."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from regard.inspection import formulas
from regard.inspection.derivation import Derivation, Sign, Step
from regard.language import catalogue, say
from regard.views.picture import Columns, Formula, Grid, Layout, Picture, Rows, Text
from regard.views.reading import readings
from regard.views.signs import number, told_apart, visible

_WIDEST = 12
"""Columns of numbers that still stand beside each other: X · W = Q."""

_LISTED, _LONGEST = 12, 24  # words in the title, signs of each

_PARTS = ("query", "key", "value")
_TURNED = ("scores", "scaled", "masked", "weights", "context")
_PARAMETERS = tuple(f"{kind}_{part}" for part in _PARTS for kind in ("w", "b"))

_SECTIONS: dict[str, dict[str, tuple[str, ...]]] = {
    "input": {name: (name,) for name in ("x", "positions", "x_positioned")},
    "projections": {
        "parameters": _PARAMETERS,
        **{part: (f"{part}_raw", f"b_{part}_spread", f"{part}_joined", part) for part in _PARTS},
        "heads": _PARTS,
    },
    "scores": {
        "key_transposed": ("key_transposed",),
        "scores": ("scores",),
        "scaled": ("sqrt_d_key", "scale", "scaled"),
        "masked": ("masked",),
    },
    "weights": {"weights": ("weights",)},
    "context": {
        "context": ("context",),
        "context_joined": ("context_joined",),
        "output": ("w_output", "b_output", "output_raw", "b_output_spread", "output"),
    },
}


@dataclass(frozen=True)
class Wish:
    """How a derivation is to be shown.

    Attributes:
        lang: the reader's language.
        layout: queries or keys from top to bottom.
        digits: digits after the point at most; a matrix that needs fewer shows fewer.
        blank: names of the steps whose numbers are left out, for the reader to fill in.
    """

    lang: str = "en"
    layout: Layout = "query-rows"
    digits: int = 6
    blank: frozenset[str] = frozenset()

    def say(self, name: str, /, **facts: object) -> str:
        """A sentence of this topic in the reader's language."""
        return say(f"explain.{name}", self.lang, **facts)


def picture(derivation: Derivation, wish: Wish, *, answers: bool = False) -> Rows:
    """The whole derivation, from top to bottom.

    Args:
        answers: what was left blank follows at the end.
    """
    parts = [*_opening(derivation, wish)]
    sections = {section: found for section in _SECTIONS if (found := _groups(derivation, section))}
    for at, (section, groups) in enumerate(sections.items(), start=1):
        parts.append(Text(text=f"{at} {wish.say(f'section_{section}')}", level=2))
        for to, (name, steps) in enumerate(groups, start=1):
            parts += _group(derivation, wish, f"{at}.{to}", name, steps)
    parts += _closing(derivation, wish, len(sections) + 1)
    return Rows(parts=tuple(parts + (_answers(derivation, wish) if answers else [])))


def told(derivation: Derivation, wish: Wish, step: Step) -> tuple[str, str]:
    """What a step is called and why it is there; both empty where it only leads to another, or was told before."""
    for section in _SECTIONS:
        for name, steps in _groups(derivation, section):
            names = [each.name for each in steps]
            listed = name in ("parameters", "heads")
            if step.name in names and (listed or step.name == names[-1]):
                first = not listed or step.name == names[0]
                return wish.say(f"name_{name}"), wish.say(_why(derivation, name)) if first else ""
    return "", ""


def _groups(derivation: Derivation, section: str) -> list[tuple[str, list[Step]]]:
    """The groups of a section that this derivation has, each with its steps."""
    groups = _SECTIONS[section].items()
    return [(name, found) for name, names in groups if (found := _present(derivation, name, names))]


def _present(derivation: Derivation, group: str, names: Iterable[str]) -> list[Step]:
    """The steps of a group; queries, keys and values of several heads have a group of their own."""
    several = derivation.n_heads > 1
    if group == "heads" and not several:
        return []
    steps = [derivation.steps[name] for name in names if name in derivation.steps]
    return [step for step in steps if not (several and group in _PARTS and step.name == group)]


def _opening(derivation: Derivation, wish: Wish) -> Iterator[Picture]:
    words = [visible(token[:_LONGEST]) + "…" * (len(token) > _LONGEST) for token in derivation.tokens[:_LISTED]]
    shown = " ".join(words) + " …" * (len(derivation.tokens) > _LISTED)
    yield Text(text=wish.say("title_worksheet" if wish.blank else "title", tokens=shown), level=1)
    if derivation.example:
        yield Text(text=wish.say(f"about_{derivation.example}"))
    yield _formula(formulas.whole(derivation.matrices))
    if wish.blank:
        symbols = [step.symbol.plain for name, step in derivation.steps.items() if name in wish.blank]
        yield Text(text=wish.say("blanks", names=", ".join(symbols)))


def _group(derivation: Derivation, wish: Wish, at: str, name: str, steps: list[Step]) -> Iterator[Picture]:
    """A heading, why it is there, and the numbers of its steps."""
    named = steps if name in ("parameters", "heads") else steps[-1:]
    symbols = ", ".join(step.symbol.plain for step in named)
    yield Text(text=wish.say("heading", number=at, symbol=symbols, name=wish.say(f"name_{name}")), level=3)
    yield Text(text=wish.say(_why(derivation, name)))
    if name == "parameters":
        yield from _parameters(derivation, wish, steps)
        return
    if name == "scores":
        yield Text(text=wish.say(f"layout_{wish.layout}"))
    for step in steps:
        yield from _step(derivation, wish, step)
    if name == "weights":
        yield Text(text=wish.say(f"sums_{wish.layout}"))


def _why(derivation: Derivation, name: str) -> str:
    if name == "positions":
        return f"why_positions_{derivation.matrices.positions}"
    return "why_scaled_given" if name == "scaled" and "scale" in derivation.steps else f"why_{name}"


def _parameters(derivation: Derivation, wish: Wish, steps: list[Step]) -> Iterator[Picture]:
    """Each matrix beside its bias; without biases the matrices beside each other."""
    rows = [[step for step in steps if step.name.endswith(f"_{part}")] for part in _PARTS]
    for row in rows if any(len(row) > 1 for row in rows) else [steps]:
        yield Columns(parts=tuple(_grid(derivation, wish, step) for step in row))


def _step(derivation: Derivation, wish: Wish, step: Step) -> Iterator[Picture]:
    """Caption, formula and numbers of one step, head by head."""
    caption = _caption(derivation, step)
    if caption:
        yield Text(text=wish.say(caption))
    if step.values.size == 1 and step.axes == ("one", "one"):
        yield _single(wish, step)
        return
    if step.formula.plain:
        yield _formula(step.formula)
    for head in range(derivation.n_heads if step.per_head else 1):
        if derivation.n_heads > 1 and step.per_head:
            yield Text(text=wish.say("caption_head", head=head + 1))
        yield _numbers(derivation, wish, step, head)


def _formula(sign: Sign) -> Formula:
    return Formula(latex=sign.latex, plain=sign.plain)


def _caption(derivation: Derivation, step: Step) -> str:
    if step.name.endswith("_raw"):
        return "caption_product"
    if step.name.endswith("_spread"):
        return "caption_spread"
    return "caption_total" if step.operator == "+" and step.name != "x_positioned" else ""


def _single(wish: Wish, step: Step) -> Formula:
    """A single number as a formula: √d_k = √2 = 1.414214."""
    left = step.formula if step.formula.plain else step.symbol
    value = "?" if step.name in wish.blank else number(step.values.item(), _digits(step.values, wish.digits))
    return Formula(latex=f"{left.latex} = {value}", plain=f"{left.plain} = {value}")


def _numbers(derivation: Derivation, wish: Wish, step: Step, head: int) -> Picture:
    """The matrix; beside what it is made of, where all of that is small."""
    operands = [derivation.steps[name] for name in step.operands]
    matrices = [each for each in operands if each.axes != ("one", "one")]
    flip = wish.layout == "key-rows" and step.name in _TURNED
    if flip and step.operator == "·":
        matrices.reverse()  # (A·B)ᵀ = Bᵀ·Aᵀ
    grids = [_grid(derivation, wish, each, head, flip) for each in (*matrices, step)]
    if not step.operator:
        return grids[-1]
    if sum(grid.values.shape[1] for grid in grids) > _WIDEST:
        shapes = [_formula(formulas.shapes(step, matrices, flip))] if len(matrices) == 2 else []
        return Rows(parts=(*shapes, grids[-1]))
    scalar = "".join(f" {each.symbol.plain}" for each in operands if each not in matrices)
    signs = (step.operator, "=") if len(matrices) == 2 else (f"{step.operator}{scalar} =",)
    return Columns(parts=tuple(grids), signs=signs)


def _grid(derivation: Derivation, wish: Wish, step: Step, head: int = 0, flip: bool = False) -> Grid:
    values = step.values[min(head, len(step.values) - 1)] if step.per_head else step.values
    axes, symbol = step.axes, formulas.of_head(step.symbol, head + 1)
    if flip:
        values, axes, symbol = values.T, axes[::-1], formulas.turned(symbol)
    rows, columns = values.shape
    compared = set(axes) == {"queries", "keys"}
    return Grid(
        title=f"{symbol.plain} ({rows}×{columns})",
        values=np.full(values.shape, np.nan) if step.name in wish.blank else values,
        row_names=(symbol.plain,) if axes[0] == "one" else _names(derivation, axes[0], rows),
        column_names=_names(derivation, axes[1], columns),
        row_axis=_axis(wish, axes[0]) if compared else "",
        column_axis=_axis(wish, axes[1]) if compared else "",
        digits=_digits(values, wish.digits),
        heat=step.name == "weights",
    )


def _names(derivation: Derivation, axis: str, count: int) -> tuple[str, ...]:
    tokens = {"queries": derivation.tokens, "keys": derivation.key_tokens}.get(axis)
    return tuple(told_apart(tokens)) if tokens else tuple(f"d{at}" for at in range(1, count + 1))


def _axis(wish: Wish, axis: str) -> str:
    return wish.say("axis_query" if axis == "queries" else "axis_key")


def _digits(values: np.ndarray, most: int) -> int:
    """As few digits as show every number as it is, at most `most`."""
    finite = values[np.isfinite(values)]
    exact = (digits for digits in range(most) if np.allclose(finite.round(digits), finite, rtol=0, atol=1e-12))
    return next(exact, most)


def _closing(derivation: Derivation, wish: Wish, at: int) -> list[Picture]:
    """The reading in words; not on a worksheet that asks for the weights."""
    if "weights" in wish.blank:
        return []
    digits = _digits(derivation.weights, wish.digits)
    parts: list[Picture] = [Text(text=f"{at} {wish.say('section_reading')}", level=2)]
    parts.append(Text(text="\n".join(readings(derivation, wish.lang, digits))))
    end = f"end_{derivation.example}" + ("_causal" if derivation.matrices.causal else "")
    if end in catalogue("en", "explain"):
        parts.append(Text(text=wish.say(end)))
    return parts


def _answers(derivation: Derivation, wish: Wish) -> list[Picture]:
    """What was left blank, and the reading if it was left out."""
    full = Wish(wish.lang, wish.layout, wish.digits)
    parts: list[Picture] = [Text(text=wish.say("answers"), level=2)]
    for name, step in derivation.steps.items():
        if name in wish.blank:
            parts += _step(derivation, full, step)
    at = sum(bool(_groups(derivation, section)) for section in _SECTIONS) + 1
    return parts + (_closing(derivation, full, at) if "weights" in wish.blank else [])
