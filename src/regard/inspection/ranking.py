"""Ranking edges by gradients: what cutting each would change, to first order, from one forward and one backward.

With weight w of value v in context c, cutting an edge and sharing its weight among the others moves the context by
(c − v) · w / (1 − w); setting it to zero moves it by −w · v. The gradient of the gain times that is the estimate (edge
attribution patching, Syed et al. 2023, §3, with the local change exact instead of linear).

A cosine of a vector with what it was has no gradient where nothing is cut: it is largest there. It falls by half the
square of how far the vector moves across itself, and gradients along random directions across it tell that square.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from regard.core.recipe import shared
from regard.inspection.knockout import Edge, How, Knife, Knockout
from regard.inspection.visit import Text, Visit

_SOLE = 1e-6
"""An edge that holds all but so much of a query's weight leaves nothing when it is cut."""


@dataclass(frozen=True)
class Estimate:
    """An edge, its weight, and by how much cutting it should change the gain."""

    edge: Edge
    weight: float
    change: float


def ranked(
    visits: dict[str, Visit],
    gradients: dict[str, Tensor],
    *,
    most: int,
    how: How = "renormalised",
    within: Knockout | None = None,
) -> list[Estimate]:
    """The edges with the largest estimated change, either way, the largest first.

    An edge that is the only one of its query is not among them where weights are shared out again: none is left to
    share with, and cutting it is cutting the head there.

    Args:
        visits, gradients: as `Subject.graded` gives them.
        most: so many.
        within: only these edges; None for all.
    """
    found: list[Estimate] = []
    for address, gradient in gradients.items():
        text = visits[address].row(0).wide()
        weights, change = _changes(text, gradient.float(), how)
        if how == "renormalised":
            change = change.masked_fill(((weights > 0).sum(-1, keepdim=True) == 1), 0.0)
        size = change.abs() if within is None else change.abs().masked_fill(~_among(within, address, weights), -1.0)
        top = size.flatten().topk(min(most, size.numel()))
        for value, at in zip(top.values.tolist(), top.indices.tolist(), strict=True):
            place = tuple(int(each) for each in torch.unravel_index(torch.tensor(at), change.shape))
            if value >= 0:
                found.append(Estimate(Edge(address, *place), float(weights[place]), float(change[place])))
    return sorted(found, key=lambda each: -abs(each.change))[:most]


def _among(edges: Knockout, address: str, weights: Tensor) -> Tensor:
    """Which of the edges of a place are meant, (heads, queries, keys)."""
    n_heads, queries, keys = weights.shape
    return ~Knife([edges], {address: n_heads}).allowed(address, queries, keys, weights.device)[0]


def _changes(text: Text, gradients: Tensor, how: How) -> tuple[Tensor, Tensor]:
    """As `changes`; of gradients along several directions, (rows, heads, queries, d_value), −½ their mean square."""
    weights, change = changes(text, gradients[0], how)
    if len(gradients) == 1:
        return weights, change
    squares = change**2
    for gradient in gradients[1:]:
        squares += changes(text, gradient, how)[1] ** 2
    return weights, squares / (-2 * len(gradients))


def changes(text: Text, gradient: Tensor, how: How = "renormalised") -> tuple[Tensor, Tensor]:
    """The weights of one place, and the estimated change of the gain by cutting each edge: both (heads, queries, keys).

    Args:
        gradient: of the gain with respect to the context, (heads, queries, d_value).
    """
    weights, value = text.steps()["weights"], shared(text.value, len(text.query))
    given = gradient @ value.transpose(-1, -2)  # what a whole unit of each value would add
    if how == "zeroed":
        return weights, -weights * given
    whole = (gradient * text.context).sum(-1, keepdim=True)
    rest = 1 - weights
    shares = torch.where(rest > _SOLE, weights / rest.clamp(min=_SOLE) * (whole - given), -whole)
    return weights, shares.masked_fill(weights == 0, 0.0)
