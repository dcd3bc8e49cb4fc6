"""Attention: the definition, with every step in view.

    scores  = score(query, key)
    scaled  = scores * scale (+ bias)
    masked  = scaled where the mask allows, −inf elsewhere
    weights = softmax(masked)
    context = weights @ value

Bahdanau et al. 2015 (§3.1), Luong et al. 2015 (§3.1) and Vaswani et al. 2017 (§3.2.1) are this one function
with another source of queries, keys and values, and another scorer.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from regard.core.biases import Bias, added
from regard.core.checks import check_shapes
from regard.core.masks import Mask, hide
from regard.core.scorers import Scorer, scaled_dot

STEPS = ("query", "key", "value", "scores", "scaled", "masked", "weights", "context")

StepTap = Callable[[str, Tensor], Tensor]
"""Sees each step under its name and returns what goes on: to look, or to intervene."""


def untouched(step: str, tensor: Tensor) -> Tensor:
    """The tap of somebody who only computes."""
    return tensor


def attend(
    query: Float[Tensor, "*#batch queries d_query"],
    key: Float[Tensor, "*#batch keys d_key"],
    value: Float[Tensor, "*#batch keys d_value"],
    *,
    scorer: Scorer = scaled_dot,
    scale: float | None = None,
    bias: Bias | Tensor | None = None,
    mask: Mask | Tensor | None = None,
    tap: StepTap | None = None,
) -> Float[Tensor, "*#batch queries d_value"]:
    """The context of each query: the values, averaged by how well their keys match it.

    Args:
        query: what each position asks for, (..., queries, d_query).
        key: what each position offers to be found by, (..., keys, d_key).
        value: what each position hands over, (..., keys, d_value).
        scorer: how a query and a key are compared; `scaled_dot` is Vaswani's.
        scale: factor of the scores; None takes the scorer's own (1/√d_head for `scaled_dot`, else 1).
        bias: added to the scaled scores (`core.biases`; ALiBi); None adds nothing.
        mask: which keys each query may look at; True = may. None lets all see all.
        tap: called as `tap(step, tensor)` at each of the eight `STEPS`; what it returns goes on.

    Returns:
        (..., queries, d_value). A query that may see nothing gets zeros.

    Raises:
        BadInput: shapes that do not fit (`core.checks`), a mask that is not bool or does not fit (`core.masks`).

    >>> x = torch.eye(2)
    >>> attend(x, x, torch.tensor([[1.0], [0.0]]), scale=0.0)
    tensor([[0.5000],
            [0.5000]])
    """
    tap = tap or untouched
    query, key, value = tap("query", query), tap("key", key), tap("value", value)
    check_shapes(query, key, value, scorer)
    scores = tap("scores", scorer(query, key))
    factor = scorer.scale(query.shape[-1]) if scale is None else scale
    scaled = tap("scaled", added(scores * factor, bias))
    masked = tap("masked", hide(scaled, mask))
    weights = tap("weights", softmax(masked))
    return tap("context", weights @ value)


def softmax(masked: Float[Tensor, "*batch queries keys"]) -> Float[Tensor, "*batch queries keys"]:
    """Each query's weights: they sum to 1, or are all 0 where nothing may be seen (with zero gradient, never NaN)."""
    hidden = masked == float("-inf")
    blind = hidden.all(-1, keepdim=True)  # softmax of −inf alone would be NaN
    return torch.softmax(masked.masked_fill(blind, 0.0), dim=-1).masked_fill(hidden, 0.0)


@dataclass(frozen=True)
class Steps:
    """All eight steps of one attention, each a tensor (..., queries or keys, …)."""

    query: Tensor
    key: Tensor
    value: Tensor
    scores: Tensor
    scaled: Tensor
    masked: Tensor
    weights: Tensor
    context: Tensor

    def __iter__(self) -> Iterator[tuple[str, Tensor]]:
        """(name, tensor) in the order of computation."""
        return iter((field.name, getattr(self, field.name)) for field in fields(self))


def steps(query: Tensor, key: Tensor, value: Tensor, *, tap: StepTap | None = None, **how: Any) -> Steps:
    """Every step of `attend` on these arguments (which see), as it went on: after a `tap` that intervened.

    >>> steps(torch.eye(2), torch.eye(2), torch.eye(2)).weights.sum(-1)
    tensor([1., 1.])
    """
    seen: dict[str, Tensor] = {}

    def keep(step: str, tensor: Tensor) -> Tensor:
        seen[step] = tensor if tap is None else tap(step, tensor)
        return seen[step]

    attend(query, key, value, tap=keep, **how)
    return Steps(**seen)
