"""Matrices → every number of one attention, in float64, through the one function `core.attend`."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

import numpy as np
import torch

from regard.core import masks
from regard.core.attend import Steps, steps
from regard.core.errors import BadInput
from regard.inspection import formulas
from regard.inspection.derivation import Derivation, Sign, Step
from regard.inspection.formulas import LETTER, RESULT, sign, turned
from regard.inspection.matrices import PARTS, Matrices

_AXES = {"query": "queries", "key": "keys", "value": "keys", "output": "queries"}
_SCORES = ("queries", "keys")


def derive(matrices: Matrices, positions: np.ndarray | None = None, example: str = "") -> Derivation:
    """Every step of the attention that `matrices` describe.

    Args:
        positions: the position vectors that `matrices.positions` asks for, (tokens, …); the caller makes them.
        example: the name of the bundled example, if it is one.

    Raises:
        BadInput: `matrices_overflow`: a step leaves the range of float64.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        made = _named(_projected(matrices, positions) if matrices.projected else _ready(matrices))
        heads = {part: _split(made[part].values, matrices.n_heads) for part in PARTS}
        scale = heads["query"].shape[-1] ** -0.5 if matrices.scale is None else matrices.scale
        mask = masks.causal() if matrices.causal else None
        seen = steps(*(torch.from_numpy(heads[part]) for part in PARTS), scale=scale, mask=mask)
        made = _in_heads(made, heads) | _named(_compared(seen, matrices)) | _named(_gathered(seen, matrices))
    _within_range(made)
    return Derivation(matrices, made, scale, example)


def _named(made: Iterable[Step]) -> dict[str, Step]:
    return {step.name: step for step in made}


def _within_range(made: Mapping[str, Step]) -> None:
    for name, step in made.items():
        if name != "masked" and not np.isfinite(step.values).all():
            raise BadInput("matrices_overflow", name=name)


def _ready(matrices: Matrices) -> Iterator[Step]:
    for part in PARTS:
        yield Step(part, sign(LETTER[part]), matrices.given[part], (_AXES[part], f"d_{part}"))


def _projected(matrices: Matrices, positions: np.ndarray | None) -> Iterator[Step]:
    """From x, with positions, weights and biases, to queries, keys and values."""
    source = Step("x", sign("X"), matrices.given["x"], ("queries", "d_model"))
    yield source
    if matrices.positions and positions is not None:
        places = Step("positions", sign("P"), positions, ("queries", "d_position"))
        source = _positioned(source, places, matrices.positions)
        yield from (places, source)
    for part in PARTS:
        yield from _parameters(part, source.axes[1], matrices.given)
    for part in PARTS:
        yield from _projection(part, source, matrices.given)


def _positioned(x: Step, places: Step, how: str) -> Step:
    """x with its positions: beside it, before it or added to it."""
    it = sign("X", "pos")
    match how:
        case "one_hot":
            values, made = np.hstack([x.values, places.values]), formulas.beside(it, x.symbol, places.symbol)
        case "index":
            values, made = np.hstack([places.values, x.values]), formulas.beside(it, places.symbol, x.symbol)
        case _:
            values, made = x.values + places.values, formulas.total(it, x.symbol, places.symbol)
    operator = "+" if how == "sinusoidal" else ""
    return Step("x_positioned", it, values, ("queries", "d_input"), made, ("x", "positions"), operator)


def _parameters(part: str, d_input: str, given: Mapping[str, np.ndarray]) -> Iterator[Step]:
    """The learned matrix and the bias of one part."""
    yield Step(f"w_{part}", sign("W", LETTER[part]), given[f"w_{part}"], (d_input, f"d_{part}"))
    if f"b_{part}" in given:
        yield Step(f"b_{part}", sign("b", LETTER[part]), given[f"b_{part}"], ("one", f"d_{part}"))


def _projection(part: str, source: Step, given: Mapping[str, np.ndarray]) -> Iterator[Step]:
    """source · W + b, with the raw product and the spread bias between; without a bias the product alone."""
    axes = (_AXES[part], f"d_{part}")
    bias = given.get(f"b_{part}")
    it, raw, wide = sign(RESULT[part]), sign(RESULT[part], "raw"), sign("B", LETTER[part])
    first = it if bias is None else raw
    rows = source.values.reshape(-1, source.shape[1]) @ given[f"w_{part}"]
    name = part if bias is None else f"{part}_raw"
    made = formulas.product(first, source.symbol, sign("W", LETTER[part]))
    yield Step(name, first, rows, axes, made, (source.name, f"w_{part}"), "·")
    if bias is None:
        return
    repeated = np.repeat(bias, len(rows), axis=0)
    made = formulas.spread(wide, sign("b", LETTER[part]))
    yield Step(f"b_{part}_spread", wide, repeated, axes, made, (f"b_{part}",))
    made = formulas.total(it, raw, wide)
    yield Step(part, it, rows + repeated, axes, made, (f"{part}_raw", f"b_{part}_spread"), "+")


def _split(joined: np.ndarray, n_heads: int) -> np.ndarray:
    """(tokens, heads·d) → (heads, tokens, d)."""
    return joined.reshape(len(joined), n_heads, -1).transpose(1, 0, 2)


def _in_heads(made: dict[str, Step], heads: Mapping[str, np.ndarray]) -> dict[str, Step]:
    """Queries, keys and values with an axis of heads; where there are several, the joined ones stay before them."""
    if len(heads["query"]) == 1:
        return made | {part: replace(made[part], values=heads[part]) for part in PARTS}
    kept = [replace(step, name=f"{step.name}_joined") if step.name in PARTS else step for step in made.values()]
    return _named(kept) | _named(_head(part, made[part], heads[part]) for part in PARTS)


def _head(part: str, joined: Step, values: np.ndarray) -> Step:
    made = formulas.joined(joined.symbol, LETTER[part], len(values))
    return Step(part, sign(LETTER[part], "h"), values, joined.axes, made, (f"{part}_joined",))


def _compared(seen: Steps, matrices: Matrices) -> Iterator[Step]:
    """From Kᵀ to the weights."""
    h = "h" if matrices.n_heads > 1 else ""
    q, k, raw, scaled = sign("Q", h), turned(sign("K", h)), sign("S", "raw", h), sign("S", h)
    yield Step("key_transposed", k, seen.key.mT.numpy(), ("d_key", "keys"), operands=("key",))
    made = formulas.product(raw, q, k)
    yield Step("scores", raw, seen.scores.numpy(), _SCORES, made, ("query", "key_transposed"), "·")
    factor = _factor(matrices, seen.query.shape[-1])
    yield factor
    if factor.name == "scale":
        made, operator = formulas.product(scaled, raw, factor.symbol), "·"
    else:
        made, operator = formulas.quotient(scaled, raw, factor.symbol), "/"
    yield Step("scaled", scaled, seen.scaled.numpy(), _SCORES, made, ("scores", factor.name), operator)
    last = Step("masked", sign("S", "masked", h), seen.masked.numpy(), _SCORES, operands=("scaled",))
    if matrices.causal:
        yield replace(last, formula=formulas.masking(last.symbol, scaled, matrices))
        scaled = last.symbol
    it = sign("A", h)
    made = formulas.softmax(it, scaled)
    yield Step("weights", it, seen.weights.numpy(), _SCORES, made, ("masked" if matrices.causal else "scaled",))


def _factor(matrices: Matrices, d_key: int) -> Step:
    """What the scores are divided by, √d_k, or multiplied with, where a factor was given."""
    if matrices.scale is not None:
        return Step("scale", sign("c"), np.array([[matrices.scale]]), ("one", "one"))
    root = Sign(r"\sqrt{d_k}", "√d_k")
    made = Sign(rf"\sqrt{{d_k}} = \sqrt{{{d_key}}}", f"√d_k = √{d_key}")
    return Step("sqrt_d_key", root, np.array([[d_key**0.5]]), ("one", "one"), made)


def _gathered(seen: Steps, matrices: Matrices) -> Iterator[Step]:
    """From the weights to the context, the joined heads and the output."""
    h = "h" if matrices.n_heads > 1 else ""
    it = sign("O", h)
    made = formulas.product(it, sign("A", h), sign("V", h))
    last = Step("context", it, seen.context.numpy(), ("queries", "d_value"), made, ("weights", "value"), "·")
    yield last
    if h:
        rows = last.values.transpose(1, 0, 2).reshape(last.shape[0], -1)
        made = formulas.joined(sign("O"), "O", len(last.values))
        last = Step("context_joined", sign("O"), rows, ("queries", "d_value"), made, ("context",))
        yield last
    if "w_output" in matrices.given:
        yield from _parameters("output", "d_value", matrices.given)
        yield from _projection("output", last, matrices.given)
