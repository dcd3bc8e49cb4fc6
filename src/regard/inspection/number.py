"""A number as a person writes it in a file of matrices: `0.5`, `1e-3`, `1/3`, `sqrt(2)`, `√½`, `-2√2`.

Parsed into a tree of +, −, ×, /, parentheses and square roots, and nothing else: no name is ever looked up.
"""

import ast
import math
import operator
import re
import unicodedata
from collections.abc import Callable

_LONGEST = 64
_ROOT = "sqrt"

_TWO: dict[type[ast.operator], Callable[[float, float], float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}


def to_number(written: object) -> float:
    """The number that `written` stands for, in float64; not-a-number and infinities are numbers here.

    Args:
        written: a number, or text of at most 64 signs.

    Raises:
        ValueError: it is no number.

    >>> to_number("√½"), to_number("sqrt(1/2)"), to_number("-2√2") == -(8**0.5)
    (0.7071067811865476, 0.7071067811865476, True)
    """
    if isinstance(written, int | float) and not isinstance(written, bool):
        return _finite_size(written)
    if not isinstance(written, str) or len(written) > _LONGEST:
        raise ValueError(written)
    text = written.strip()
    try:
        return float(_plain_infinity(text))
    except ValueError:
        return _calculated(text)


def _finite_size(number: float) -> float:
    try:
        return float(number)
    except OverflowError:
        return math.inf if number > 0 else -math.inf


def _plain_infinity(text: str) -> str:
    """YAML writes `.nan` and `-.inf`."""
    return re.sub(r"^([+-]?)\.(nan|inf)$", r"\1\2", text, flags=re.IGNORECASE)


def _calculated(text: str) -> float:
    try:
        return float(_value(ast.parse(_in_ascii(text), mode="eval").body))
    except (SyntaxError, ValueError, TypeError, ZeroDivisionError, OverflowError, RecursionError, MemoryError) as error:
        raise ValueError(text) from error


def _in_ascii(text: str) -> str:
    """Roots, fractions and signs of typeset mathematics in the letters of a programming language."""
    text = re.sub(r"([0-9]*)([¼-¾⅐-⅞])", _mixed, text).translate(str.maketrans("−×·÷", "-**/"))
    text = re.sub(r"√\s*([0-9.]+)", rf"{_ROOT}(\1)", text).replace("√", _ROOT)
    return re.sub(rf"([0-9)])\s*(?={_ROOT}|\()", r"\1*", text)


def _mixed(found: re.Match[str]) -> str:
    """`½` as `(0+0.5)`, `1½` as `(1+0.5)`."""
    return f"({found[1] or 0}+{unicodedata.numeric(found[2])!r})"


def _value(tree: ast.expr) -> float:
    match tree:
        case ast.Constant(value=int() | float() as number) if not isinstance(number, bool):
            return number
        case ast.UnaryOp(op=ast.USub(), operand=inner):
            return -_value(inner)
        case ast.UnaryOp(op=ast.UAdd(), operand=inner):
            return _value(inner)
        case ast.BinOp(left=left, op=sign, right=right) if type(sign) in _TWO:
            return _TWO[type(sign)](_value(left), _value(right))
        case ast.Call(func=ast.Name(id="sqrt"), args=[inner], keywords=[]):
            return math.sqrt(_value(inner))
    raise ValueError(ast.unparse(tree))
