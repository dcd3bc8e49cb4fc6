"""Knockouts: edges that a model may not use, and outputs of heads that are replaced. Each row of a batch has its own.

An edge is cut before softmax, so the weights that stay share its weight among them (`renormalised`); or its weight is
set to zero after softmax, and nothing takes its place (`zeroed`). An output is replaced by what is given: by what it is
on another text, that is patching. The fused kernel runs on.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeVar

import torch
from torch import Tensor

from regard.core.biases import Bias
from regard.core.masks import Mask, of, together
from regard.core.recipe import shared
from regard.core.scorers import Scorer
from regard.core.tap import Observer
from regard.inspection.visit import Visit, Watcher

How = Literal["renormalised", "zeroed"]

At = int | range | None
"""One token, several that follow each other, or all."""


@dataclass(frozen=True)
class Edge:
    """A query that may not look at a key, in one head of one place; None stands for all of them."""

    address: str
    head: int | None = None
    query: At = None
    key: At = None


@dataclass(frozen=True, eq=False)
class Output:
    """What a head hands on is replaced: by nothing (None), or by `value`.

    Attributes:
        head, query: None stands for all of them.
        value: (queries, d_value), of all queries of the place, or (d_value,) for each; where all heads are meant also
            (heads, queries, d_value).
    """

    address: str
    head: int | None = None
    value: Tensor | None = None
    query: At = None


Knockout = Sequence[Edge | Output]
"""All that is changed in one run."""

Change = TypeVar("Change", Edge, Output)


class Knife(Observer):
    """A tap under which row b of a batch runs with `knockouts[b]`.

    Args:
        n_heads: by address, how many heads a place has; 0 for one without an axis of heads.
        how: what becomes of the weight of an edge that is cut.
    """

    def __init__(self, knockouts: Sequence[Knockout], n_heads: dict[str, int], how: How = "renormalised") -> None:
        self._knockouts, self._n_heads, self.how = knockouts, n_heads, how
        self._edges = {address: _at_place(knockouts, address, Edge) for address in n_heads}
        self._outputs = {address: _at_place(knockouts, address, Output) for address in n_heads}
        self._watcher = Watcher(self._zero)
        self._begun: dict[str, int] = {}  # queries that have run, where they come one after the other
        self._gone: Tensor

    def scored(self, address: str, scorer: Scorer, bias: Bias | Tensor | None, mask: Mask | None) -> Mask | None:
        """The mask without the edges that are cut."""
        self._watcher.scored(address, scorer, bias, mask)
        cut = self.cuts(address) and self.how == "renormalised"
        return together(mask, _Uncut(self, address)) if cut else mask

    def __call__(self, address: str, step: str, tensor: Tensor) -> Tensor:
        """The tensor that goes on."""
        if step in ("query", "key", "value", "context") and self.cuts(address) and self.how == "zeroed":
            self._gone = torch.zeros(())
            self._watcher(address, step, tensor)
            tensor = tensor - self._gone.view_as(tensor) if step == "context" else tensor
        if step != "context":
            return tensor
        tensor = self.replaced(address, tensor)
        self._begun[address] = self._first(address) + tensor.shape[-2]
        return tensor

    def allowed(self, address: str, queries: int, keys: int, device: torch.device | str | None = None) -> Tensor:
        """Which edges are left: (batch, heads, queries, keys), or (batch, queries, keys) where heads have no axis."""
        n_heads = self._n_heads[address]
        first = keys - queries if address.endswith(".self") else self._first(address)
        left = torch.ones(len(self._knockouts), max(1, n_heads), queries, keys, dtype=torch.bool)
        for row, edges in enumerate(self._edges[address]):
            for edge in edges:
                left[row, at(edge.head), at(edge.query, first), at(edge.key)] = False
        return (left if n_heads else left[:, 0]).to(device)

    def cuts(self, address: str) -> bool:
        """Whether any edge of a place is cut."""
        return any(self._edges.get(address, []))

    def _zero(self, address: str, visit: Visit) -> None:
        self._gone = self.given_by(address, visit)

    def given_by(self, address: str, visit: Visit) -> Tensor:
        """What the cut edges gave to the context, to be taken away again: (batch, heads, queries, d_value)."""
        left = self.allowed(address, visit.query.shape[-2], visit.key.shape[-2], visit.query.device)
        gone = []
        for row, kept in enumerate(left if left.ndim == 4 else left[:, None]):
            text = visit.row(row).wide()
            weights = text.steps()["weights"].masked_fill(kept, 0.0)
            gone.append(weights @ shared(text.value, len(weights)))
        return torch.stack(gone)

    def replaced(self, address: str, context: Tensor) -> Tensor:
        """The context with what heads hand on replaced."""
        if not any(self._outputs.get(address, [])):
            return context
        context = context.clone()
        whole = context if context.ndim == 4 else context[:, None]
        first = self._first(address)
        for row, outputs in enumerate(self._outputs[address]):
            for output in outputs:
                place = whole[row, at(output.head), at(output.query, first)]
                place.copy_(torch.zeros_like(place) if output.value is None else _given(output, place, first))
        return context

    def _first(self, address: str) -> int:
        """The query that now comes first."""
        return self._begun.get(address, 0)


def at(number: At, first: int = 0) -> slice:
    """Where these are, when what there is begins with `first`.

    >>> at(range(3, 7), 4), at(3, 4)
    (slice(0, 3, None), slice(0, 0, None))
    """
    if number is None:
        return slice(None)
    start, stop = (number.start, number.stop) if isinstance(number, range) else (number, number + 1)
    return slice(max(0, start - first), max(0, stop - first))


def _given(output: Output, place: Tensor, first: int) -> Tensor:
    """What stands in place of (heads, queries, d_value), of which the first is the query `first`, or a later one."""
    value = output.value
    assert value is not None
    if value.ndim > 1 and value.shape[-2] > 1:
        start = max(first, at(output.query).start or 0)
        value = value[..., start : start + place.shape[-2], :]
    return value.expand_as(place)


def _at_place(knockouts: Sequence[Knockout], address: str, kind: type[Change]) -> list[list[Change]]:
    """Of each knockout what it changes at one place."""
    return [[one for one in each if isinstance(one, kind) and one.address == address] for each in knockouts]


class _Uncut(Mask):
    """The edges that a knife leaves."""

    def __init__(self, knife: Knife, address: str) -> None:
        self._knife, self._address = knife, address

    def allows(self, queries: int, keys: int, device: torch.device | str | None = None) -> Tensor:
        return of(self._knife.allowed(self._address, queries, keys, device)).allows(queries, keys, device)
