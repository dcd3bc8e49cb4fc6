"""What a person gives to be explained: tokens and matrices, each held against the rules before anything is computed."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from regard.core.errors import BadInput
from regard.core.nearest import nearest, one_of
from regard.inspection.number import to_number

POSITIONS = ("one_hot", "index", "sinusoidal")
PARTS = ("query", "key", "value")
MOST_SCORES = 1 << 20
"""Scores (heads × queries × keys) of the largest attention that is written out number by number."""

_PROJECTED = ("x", "w_query", "b_query", "w_key", "b_key", "w_value", "b_value", "positions")
_SHARED = ("tokens", "key_tokens", "w_output", "b_output", "n_heads", "causal", "scale")
KEYS = (*_PROJECTED, *PARTS, *_SHARED)
_ABSENT = (None, "", "~", "null", "none")


@dataclass(frozen=True)
class Matrices:
    """One attention as it was given, checked; float64.

    Attributes:
        tokens: the words that ask, one a query.
        key_tokens: the words that are looked at, one a key; the same ones in self-attention.
        given: matrices by name: x, w_query, b_query … (biases 1 × width), or query, key, value; w_output, b_output.
        positions: how positions enter x, or None.
        scale: factor of the scores; None for 1/√d_k.
    """

    tokens: tuple[str, ...]
    key_tokens: tuple[str, ...]
    given: dict[str, np.ndarray]
    n_heads: int = 1
    causal: bool = False
    positions: str | None = None
    scale: float | None = None

    @property
    def projected(self) -> bool:
        """Queries, keys and values are still to be made, from x."""
        return "x" in self.given


def check(content: Mapping[str, Any]) -> Matrices:
    """A mapping as `matrix_file` reads it, as `Matrices`.

    Raises:
        BadInput: an unknown or missing key, a ragged matrix, a value that is no finite number, a shape that does not
            fit (which, and which rule), wrong tokens, a head count that does not divide.
    """
    content = {key: value for key, value in content.items() if value not in _ABSENT}
    _known(content)
    given = {key: _matrix(key, content[key]) for key in KEYS if key in content and _is_matrix(key)}
    tokens = _tokens("tokens", content["tokens"])
    matrices = Matrices(
        tokens,
        key_tokens=_tokens("key_tokens", content.get("key_tokens", tokens)),
        given=given,
        n_heads=_whole("n_heads", content.get("n_heads", 1)),
        causal=_truth("causal", content.get("causal", False)),
        positions=one_of(str(content["positions"]), POSITIONS, "positions") if "positions" in content else None,
        scale=_scale(content["scale"]) if "scale" in content else None,
    )
    _fit(matrices)
    return matrices


def _is_matrix(key: str) -> bool:
    return key in PARTS or key == "x" or key.startswith(("w_", "b_"))


def _known(content: Mapping[str, Any]) -> None:
    """Only known keys, all that are needed, and not both ways of giving queries at once."""
    for key in content:
        if key not in KEYS:
            raise BadInput("matrices_unknown_key", key=key, nearest=nearest(str(key), KEYS), known=", ".join(KEYS))
    ready, projected = (_first(names, content) for names in (PARTS, _PROJECTED))
    if ready and projected:
        raise BadInput("matrices_mixed", one=projected, other=ready)
    needed = PARTS if ready else ("x", "w_query", "w_key", "w_value")
    pairs = {"b_output": ("w_output",), "key_tokens": PARTS}
    for key in ("tokens", *needed, *(need for key, needs in pairs.items() if key in content for need in needs)):
        if key not in content:
            raise BadInput("matrices_missing_key", key=key)


def _first(names: Iterable[str], content: Mapping[str, Any]) -> str:
    return next((name for name in names if name in content), "")


def _tokens(key: str, value: Any) -> tuple[str, ...]:
    if not isinstance(value, list | tuple) or not value or not all(isinstance(token, str) for token in value):
        raise BadInput("matrices_tokens", key=key)
    return tuple(value)


def _matrix(name: str, value: Any) -> np.ndarray:
    """A list of equally long lists of finite numbers; a bias may be one plain list."""
    if name.startswith("b_") and isinstance(value, list) and value and not isinstance(value[0], list):
        value = [value]
    if not isinstance(value, list) or not value or not all(isinstance(row, list) and row for row in value):
        raise BadInput("matrices_no_matrix", name=name)
    for at, row in enumerate(value, start=1):
        if len(row) != len(value[0]):
            raise BadInput("matrices_ragged", name=name, row=at, count=len(row), first=len(value[0]))
    return np.array([[_number(name, i, j, each) for j, each in enumerate(row, 1)] for i, row in enumerate(value, 1)])


def _number(name: str, row: int, column: int, written: Any) -> float:
    where = {"name": name, "row": row, "column": column, "value": _short(written)}
    try:
        number = to_number(written)
    except ValueError as error:
        raise BadInput("matrices_no_number", **where) from error
    if not np.isfinite(number):
        raise BadInput("matrices_not_finite", **where)
    return number


def _short(written: Any) -> str:
    text = str(written)
    return text if len(text) <= 40 else text[:39] + "…"


def _whole(key: str, written: Any) -> int:
    text = str(written)
    if not (text.isdecimal() and len(text) < 10 and int(text) > 0):
        raise BadInput("matrices_no_count", key=key, value=_short(written))
    return int(text)


def _truth(key: str, written: Any) -> bool:
    truths = {"true": True, "false": False, "yes": True, "no": False, "on": True, "off": False}
    return truths[one_of(str(written).lower(), truths, key)]


def _scale(written: Any) -> float:
    try:
        number = to_number(written)
    except ValueError as error:
        raise BadInput("matrices_no_scale", value=_short(written)) from error
    if not np.isfinite(number):
        raise BadInput("matrices_no_scale", value=_short(written))
    return number


def _fit(matrices: Matrices) -> None:
    """Every shape against its rule, the first that breaks one told."""
    scores = matrices.n_heads * len(matrices.tokens) * len(matrices.key_tokens)
    if scores > MOST_SCORES:
        raise BadInput("matrices_too_many", scores=f"{scores:,}", limit=f"{MOST_SCORES:,}")
    given, widths = matrices.given, _widths(matrices)
    _compared(widths, matrices.projected)
    for part in ("query", "value"):
        if widths[part] % matrices.n_heads:
            raise BadInput("matrices_heads", name=part, width=widths[part], n_heads=matrices.n_heads)
    if "w_output" in given:
        _rows("w_output", given, widths["value"], "rule_output")
        _bias("output", given)


def _widths(matrices: Matrices) -> dict[str, int]:
    """Numbers in one query, key and value, after the rows of what makes them were held against tokens and x."""
    given = matrices.given
    if not matrices.projected:
        _rows("query", given, len(matrices.tokens), "rule_tokens")
        for part in ("key", "value"):
            _rows(part, given, len(matrices.key_tokens), "rule_key_tokens")
        return {part: given[part].shape[1] for part in PARTS}
    _rows("x", given, len(matrices.tokens), "rule_tokens")
    d_input = given["x"].shape[1] + {"one_hot": len(matrices.tokens), "index": 1}.get(matrices.positions or "", 0)
    for part in PARTS:
        _rows(f"w_{part}", given, d_input, f"rule_{matrices.positions or 'input'}")
        _bias(part, given)
    return {part: given[f"w_{part}"].shape[1] for part in PARTS}


def _rows(name: str, given: Mapping[str, np.ndarray], wanted: int, rule: str) -> None:
    rows, columns = given[name].shape
    if rows != wanted:
        raise BadInput(f"matrices_{rule}", name=name, shape=f"{rows}×{columns}", wanted=wanted)


def _bias(part: str, given: Mapping[str, np.ndarray]) -> None:
    """A bias is one list, as long as what it is added to is wide."""
    bias, weights = given.get(f"b_{part}"), given[f"w_{part}"]
    if bias is not None and bias.shape != (1, weights.shape[1]):
        shape, wanted = (f"{rows}×{columns}" for rows, columns in (bias.shape, (1, weights.shape[1])))
        raise BadInput("matrices_rule_bias", name=f"b_{part}", weights=f"w_{part}", shape=shape, wanted=wanted)


def _compared(widths: Mapping[str, int], projected: bool) -> None:
    if widths["query"] != widths["key"]:
        query, key = ("w_query", "w_key") if projected else ("query", "key")
        raise BadInput("matrices_rule_compared", query=query, key=key, d_query=widths["query"], d_key=widths["key"])
