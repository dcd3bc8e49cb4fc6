"""A derivation as a program: numpy alone, the same steps under the same names, the same numbers printed."""

from collections.abc import Iterator

import numpy as np

from regard.inspection.derivation import Derivation, Step
from regard.language import say

_HEAD = """\
# {about}
import sys

import numpy as np

np.set_printoptions(precision={digits}, suppress=True, linewidth=160, threshold=sys.maxsize, floatmode="maxprec_equal")


def show(name, matrix):
    print(f"{{name}} {{np.shape(matrix)}}")
    print(np.round(matrix, {digits}) + 0.0)
    print()


# {softmax}
def softmax(scores):
    largest = scores.max(-1, keepdims=True)
    shares = np.exp(scores - np.where(np.isfinite(largest), largest, 0))
    total = shares.sum(-1, keepdims=True)
    return shares / np.where(total == 0, 1, total)


tokens = {tokens}
"""


def render(derivation: Derivation, *, lang: str = "en", digits: int = 6) -> str:
    """A Python script that computes every step again from what was given, and prints it."""
    head = _HEAD.format(
        about=say("explain.script_head", lang),
        softmax=say("explain.script_softmax", lang),
        tokens=ascii(list(derivation.tokens)) if _unprintable(derivation.tokens) else list(derivation.tokens),
        digits=digits,
    )
    return head + "".join(_lines(derivation, lang))


def _unprintable(tokens: tuple[str, ...]) -> bool:
    return not all(token.isprintable() for token in tokens)


def _lines(derivation: Derivation, lang: str) -> Iterator[str]:
    for name, step in derivation.steps.items():
        formula = step.formula.plain or step.symbol.plain
        yield f"\n# {formula}\n"
        if name == "masked":
            ahead = len(derivation.key_tokens) - len(derivation.tokens)
            yield f"# {say('explain.script_mask', lang)}\n"
            yield f"allowed = np.tril(np.ones({step.shape}, bool), {ahead})\n"
        yield f"{name} = {_expression(derivation, step)}\n"
        yield f'show("{name}", {name})\n'


def _expression(derivation: Derivation, step: Step) -> str:
    """How numpy makes this step from those before it."""
    name, operands = step.name, step.operands
    if step.operator:
        scalar = any(derivation.steps[each].values.size == 1 and each == "scale" for each in operands)
        sign = {"·": "*" if scalar else "@"}.get(step.operator, step.operator)
        return f"{operands[0]} {sign} {operands[1]}"
    if name.endswith("_spread"):
        return f"np.repeat({operands[0]}, {step.shape[0]}, axis=0)"
    if operands and operands[0].endswith("_joined"):
        return f"{operands[0]}.reshape({step.shape[0]}, {derivation.n_heads}, -1).transpose(1, 0, 2)"
    if name in _MADE:
        return _MADE[name].format(*operands, rows=step.shape[0])
    if name == "x_positioned":
        first, second = operands if derivation.matrices.positions == "one_hot" else reversed(operands)
        return f"np.hstack([{first}, {second}])"
    return _literal(step)


_MADE = {
    "key_transposed": "np.swapaxes(key, -1, -2)",
    "sqrt_d_key": "np.sqrt(key.shape[-1])",
    "masked": "np.where(allowed, scaled, -np.inf)",
    "weights": "softmax({0})",
    "context_joined": "context.transpose(1, 0, 2).reshape({rows}, -1)",
}


def _literal(step: Step) -> str:
    """What was given, every digit of it, one line a row."""
    values = step.values[0] if step.per_head else step.values
    if step.axes == ("one", "one"):
        return repr(float(values.item()))
    rows = "".join(f"    {row!r},\n" for row in np.asarray(values).tolist())
    return f"np.array([\n{rows}])"
