"""Subjects: a model on one text, run as often as asked, each time with other edges cut.

What a subject says is asked at some places only: where its next token is, or where each token of a given text is said.
A subject that is asked for vectors says, instead of logits, where its last layer leaves the tokens of these places.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import torch
from torch import Tensor

from regard.core.memory import Memory
from regard.core.protocols import Site
from regard.core.tap import tapped
from regard.inspection.knockout import Edge, How, Knife, Knockout, at
from regard.inspection.trace import READ, SOURCE
from regard.inspection.trace import Sequence as Side
from regard.inspection.visit import Visit, Watcher

AT_ONCE = 64
"""Runs in a batch, at most."""


Gain = Callable[[Tensor], Tensor]

Graded = tuple[dict[str, Visit], dict[str, Tensor]]


class Subject(Protocol):
    """A model on a text."""

    @property
    def sites(self) -> tuple[Site, ...]:
        """Where it attends."""

    @property
    def sequences(self) -> Mapping[str, Side]:
        """What it reads and writes."""

    @property
    def asked(self) -> Sequence[int]:
        """The places that are looked at."""

    @property
    def vectors(self) -> bool:
        """Whether it says vectors of d_model numbers, not logits."""

    def said(self, knockouts: Sequence[Knockout], how: How = "renormalised") -> Tensor:
        """What it says under each of these knockouts, (knockouts, places, vocab_size)."""

    def visits(self) -> dict[str, Visit]:
        """Its attentions, by address."""

    def graded(self, gain: Gain, rows: int = 1) -> Graded:
        """Its attentions, and the gradient of a gain with respect to the context of each.

        Args:
            gain: what it says in a run of so many rows alike, (rows, places, vocab_size) → (rows,).

        Returns:
            Visits and gradients (rows, heads, queries, d_value), both by address.
        """


@dataclass(frozen=True, eq=False)
class Own:
    """A model of ours on one text; places are those of `asked` in the sequence that it reads last.

    Attributes:
        model: a `Gpt`, `Transformer` or `RnnTranslator`.
        asked: the places that are looked at.
        vectors: what is said are vectors; see `Subject`.
    """

    model: Any
    sequences: Mapping[str, Side]
    asked: Sequence[int]
    vectors: bool = False

    @property
    def sites(self) -> tuple[Site, ...]:
        """Where it attends."""
        found: tuple[Site, ...] = self.model.sites
        return found

    @torch.inference_mode()
    def said(self, knockouts: Sequence[Knockout], how: How = "renormalised") -> Tensor:
        """What it says under each of these knockouts, (knockouts, places, vocab_size)."""
        found = []
        for start in range(0, len(knockouts), AT_ONCE):
            some = knockouts[start : start + AT_ONCE]
            with tapped(Knife(some, self._heads(), how)):
                found.append(self._run(len(some)))
        return torch.cat(found)

    @torch.inference_mode()
    def visits(self) -> dict[str, Visit]:
        """Its attentions, by address."""
        gathering = Gathering()
        with tapped(gathering):
            self._run(1)
        return gathering.visits

    def graded(self, gain: Gain, rows: int = 1) -> Graded:
        """Its attentions, and the gradient of a gain with respect to the context of each."""
        gathering = Gathering(graded=True)
        with torch.enable_grad(), tapped(gathering):
            gain(self._run(rows)).sum().backward(inputs=[leaf for each in gathering.leaves.values() for leaf in each])
        return gathering.visits, gathering.gradients()

    def _heads(self) -> dict[str, int]:
        with_axis = getattr(self.model.config, "n_heads", None) is not None
        return {site.address: site.n_heads if with_axis else 0 for site in self.sites}

    def _inputs(self) -> list[Tensor]:
        device = next(self.model.parameters()).device
        return [torch.tensor([self.sequences[n].ids], device=device) for n in (SOURCE, READ) if n in self.sequences]

    def _run(self, rows: int) -> Tensor:
        return self.told(self.model.features(*(ids.expand(rows, -1) for ids in self._inputs())), self.asked)

    def told(self, features: Tensor, places: Sequence[int]) -> Tensor:
        """What is said at these places of (batch, n, d_model)."""
        there = features[:, list(places)]
        found: Tensor = there if self.vectors else self.model.head(there)
        return found


class Gathering(Watcher):
    """Gathers visits, and leaves at which gradients with respect to contexts are found."""

    def __init__(self, *, graded: bool = False) -> None:
        self._graded = graded
        self.visits: dict[str, Visit] = {}
        self.leaves: dict[str, list[Tensor]] = {}
        super().__init__(self._see)

    def __call__(self, address: str, step: str, tensor: Tensor) -> Tensor:
        """The context goes on as it is, plus a leaf of zeros: the leaf's gradient is the context's."""
        super().__call__(address, step, tensor.detach())
        if step != "context" or not self._graded:
            return tensor
        leaf = torch.zeros_like(tensor, requires_grad=True)
        self.leaves.setdefault(address, []).append(leaf)
        return tensor + leaf

    def gradients(self) -> dict[str, Tensor]:
        """(rows, heads, queries, d_value) of each place that counts."""
        found = {}
        for address, leaves in self.leaves.items():
            some = [leaf.grad for leaf in leaves if leaf.grad is not None]
            if len(some) == len(leaves):
                whole = torch.cat(some, dim=-2)
                found[address] = whole if whole.ndim == 4 else whole[:, None]
        return found

    def _see(self, address: str, visit: Visit) -> None:
        """A place that runs query by query is one visit."""
        before = self.visits.get(address)
        if before is not None:
            query, context = (
                torch.cat([getattr(each, name) for each in (before, visit)], dim=-2) for name in ("query", "context")
            )
            visit = replace(visit, query=query, context=context)
        self.visits[address] = visit


class Resumed:
    """A GPT on one text of which only what a cut can change is computed again: later layers, at later places.

    It takes knockouts of edges in one layer; others are for the whole model.
    """

    def __init__(self, subject: Own) -> None:
        self.subject, self._model = subject, subject.model
        self._entering: list[Tensor] = []
        self._memories: list[Memory] = []
        with torch.inference_mode(), tapped(Watcher(self._remember, self._enter)):
            self._base = subject.told(self._model.features(*subject._inputs()), subject.asked)

    def takes(self, knockout: Knockout) -> bool:
        """Whether all of it lies in one layer, at known queries."""
        edges = [each for each in knockout if isinstance(each, Edge) and each.query is not None]
        return len(edges) == len(knockout) and len({edge.address for edge in edges}) == 1

    @torch.inference_mode()
    def said(self, knockouts: Sequence[Knockout], how: How = "renormalised") -> Tensor:
        """As the subject's: (knockouts, places, vocab_size)."""
        layers = [int(knockout[0].address.split(".")[2]) for knockout in knockouts]
        first = [min(at(edge.query).start or 0 for edge in knockout) for knockout in knockouts]
        found: dict[int, Tensor] = {}
        for layer, start in sorted(set(zip(layers, first, strict=True))):
            group = [n for n, place in enumerate(zip(layers, first, strict=True)) if place == (layer, start)]
            for begun in range(0, len(group), AT_ONCE):
                some = group[begun : begun + AT_ONCE]
                said = self._run([knockouts[n] for n in some], layer, start, how)
                found.update(zip(some, said, strict=True))
        return torch.stack([found[n] for n in range(len(knockouts))])

    def _run(self, knockouts: Sequence[Knockout], layer: int, start: int, how: How) -> Tensor:
        before = [Memory(each.key[..., :start, :], each.value[..., :start, :]) for each in self._memories[layer:]]
        x = self._entering[layer][:, start:].expand(len(knockouts), -1, -1)
        with tapped(Knife(knockouts, self.subject._heads(), how)):
            features = self._model.onward(x, layer, before)
        asked = self.subject.asked
        said = self._base.repeat(len(knockouts), 1, 1)  # nothing changes at places before the first cut
        later = [n for n, place in enumerate(asked) if place >= start]
        said[:, later] = self.subject.told(features, [asked[n] - start for n in later])
        return said

    def _remember(self, address: str, visit: Visit) -> None:
        group = visit.query.shape[1] // (self._model.config.n_kv_heads or visit.query.shape[1])
        self._memories.append(Memory(visit.key[:, ::group], visit.value[:, ::group]))

    def _enter(self, address: str, step: str, tensor: Tensor) -> None:
        if step in ("positioned", "states"):
            self._entering.append(tensor)
