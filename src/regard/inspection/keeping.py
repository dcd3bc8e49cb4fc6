"""Keeping: from visits to a trace's tensors. Each place is checked as it runs; what was not asked for is let go.

A place that runs step by step (a cache, input feeding) is visited once a step; its visits are stitched into one.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from regard.core.attend import STEPS
from regard.core.errors import BadInput, Failure
from regard.core.recipe import Recipe, shared
from regard.core.reducing import statistics
from regard.inspection.held import Held
from regard.inspection.stitching import Stitched
from regard.inspection.trace import COMPUTED, Check, Written
from regard.inspection.visit import Text, Visit

TOLERANCE, ROUGH = 1e-4, 2e-2
"""How far a recorded tensor may be from the model's own: in fp32, and where the model computes in 16 bits."""

Checking = Literal["rows", "full"]

KEEPS = {"qk": ("query", "key"), "weights": ("weights",), "steps": STEPS, "statistics": ("statistics",)}
"""What may be kept, by name; single steps may be named, too."""


def steps_of(keep: str | Collection[str], more: Collection[str] = ()) -> frozenset[str]:
    """The steps that `keep` names.

    Args:
        more: other names that are allowed (vectors).

    Raises:
        BadInput: `keep_unknown`.
    """
    known = ", ".join(dict.fromkeys([*KEEPS, *STEPS]))
    asked = tuple(keep) if isinstance(keep, Collection) and not isinstance(keep, str) else (keep,)
    for name in asked:
        if name not in KEEPS and name not in STEPS and name not in more:
            raise BadInput("keep_unknown", came=name, known=known)
    return frozenset(step for name in asked for step in KEEPS.get(name, (name,)))


@dataclass(frozen=True)
class Choice:
    """Which places and heads are recorded: None is all of them."""

    parts: Collection[str] | None = None
    layers: Collection[int] | None = None
    heads: Collection[int] | None = None

    def takes(self, address: str) -> bool:
        """Whether a place is among them: `decoder.layers.3.self` is the part `decoder` in layer 3."""
        stack, _, layer, kind = address.split(".")
        part = kind if kind == "cross" else stack
        return (self.parts is None or part in self.parts) and (self.layers is None or int(layer) in self.layers)


class Keeper:
    """A sink of visits that checks each place and keeps what was asked for.

    Args:
        keep: steps, as `steps_of` gives.
        check: `rows` or `full`.
        expected: by address, how many queries make a place whole; one that is not named waits for `finish`.
    """

    def __init__(
        self,
        keep: Collection[str],
        check: Checking = "rows",
        choice: Choice | None = None,
        expected: Mapping[str, int] | None = None,
    ) -> None:
        self.keep, self.check, self.choice = frozenset(keep), check, choice or Choice()
        self._expected = {} if expected is None else expected
        self._waiting: dict[str, Stitched] = {}
        self._shelf: dict[str, Tensor] = {}
        self.tensors = Held()
        self.recipes: dict[str, Written] = {}
        self.deviation, self.tolerance = 0.0, TOLERANCE

    def __call__(self, address: str, visit: Visit) -> None:
        """Take a visit; a place that is whole is checked and reduced at once."""
        if not self.choice.takes(address):
            return
        whole = visit.query.shape[-2] == self._expected.get(address)
        if whole and address not in self._waiting:
            return self._take(address, visit.row(0))
        waiting = self._waiting.setdefault(address, Stitched())
        waiting.add(visit)
        if waiting.queries == self._expected.get(address):
            self._take(address, self._waiting.pop(address).text())

    def finish(self, rows: Sequence[int] | None = None) -> None:
        """Take what waits, stitched.

        Args:
            rows: in which row of the batch each visit is read (the ancestry of a beam); later ones, of other beams, are
                not read. None: all, in the first row.
        """
        for address, waiting in self._waiting.items():
            self._take(address, waiting.text(rows))
        self._waiting = {}

    def checked(self, more: float = 0.0) -> Check:
        """The check of all that was taken.

        Args:
            more: a deviation found elsewhere (of the logits).

        Raises:
            Failure: `trace_check`: what was recorded is not what the model computes.
        """
        worst = float(np.max([self.deviation, more]))  # NaN stays NaN, which max() may lose
        if not worst <= self.tolerance:
            raise Failure("trace_check", deviation=f"{worst:.1e}", tolerance=f"{self.tolerance:.0e}")
        return Check(self.check, worst, self.tolerance)

    def _take(self, address: str, text: Text) -> None:
        self.tolerance = max(self.tolerance, TOLERANCE if text.exact else ROUGH)
        self.deviation = float(np.max([self.deviation, text.deviation(every=self.check == "full")]))
        text = text if self.choice.heads is None else chosen(text, sorted(self.choice.heads))
        computed = text.wide().steps() if self.keep & set(COMPUTED) else {}
        computed |= {} if text.weights is None else {"weights": text.weights}
        parts = {"query": text.query, "key": text.key, "value": text.value, "context": text.context, **computed}
        for step in sorted(self.keep & parts.keys()):
            self.tensors.add(f"{address}/{step}", parts[step])
        if "statistics" in self.keep:
            sides = text.query.float(), text.key.float()
            for name, tensor in statistics(text.recipe, *sides, same=not address.endswith(".cross")).named().items():
                self.tensors.add(f"{address}/{name}", tensor)
        if {"query", "key"} <= self.keep:
            self.recipes[address] = self._written(text.recipe)

    def _written(self, recipe: Recipe) -> Written:
        """The recipe with its tensors on the shelf, each once."""
        names = {part: self._shelved(part, getattr(recipe, part)) for part in ("vector", "bias", "visible", "sinks")}
        return Written(recipe.scale, recipe.softcap, **names)

    def _shelved(self, part: str, tensor: Tensor | None) -> str | None:
        if tensor is None:
            return None
        alike = [name for name in self._shelf if name.startswith(f"{part}/")]
        for name in alike:
            if torch.equal(self._shelf[name], tensor):
                return name
        name = f"{part}/{len(alike)}"
        self._shelf[name] = tensor
        self.tensors.add(name, tensor.clone())  # it may be the model's own, or the next recording's, too
        return name


def chosen(text: Text, heads: Sequence[int]) -> Text:
    """Some heads of a place alone, in this order; each with keys and values of its own.

    Raises:
        BadInput: `head_absent`.
    """
    n_heads = len(text.query)
    absent = [head for head in heads if not 0 <= head < n_heads]
    if absent:
        raise BadInput("head_absent", head=absent[0], n_heads=n_heads)
    bias, sinks = (None if each is None else each[list(heads)] for each in (text.recipe.bias, text.recipe.sinks))
    key, value = (shared(each, n_heads)[list(heads)] for each in (text.key, text.value))
    recipe = replace(text.recipe, bias=bias, sinks=sinks)
    query, context = (each[list(heads)] for each in (text.query, text.context))
    weights = None if text.weights is None else text.weights[list(heads)]
    return replace(text, query=query, key=key, value=value, context=context, recipe=recipe, weights=weights)
