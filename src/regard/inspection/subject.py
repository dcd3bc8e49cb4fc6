"""Subjects: a model on one text, run as often as asked, each time with other edges cut.

What a subject says is asked at some places only: where its next token is, or where each token of a given text is said.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor

from regard.core.memory import Memory
from regard.core.protocols import Site
from regard.core.tap import tapped
from regard.inspection.knockout import Edge, How, Knife, Knockout
from regard.inspection.trace import READ, SOURCE
from regard.inspection.trace import Sequence as Side
from regard.inspection.visit import Visit, Watcher

AT_ONCE = 64
"""Runs in a batch, at most."""


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
        """The places whose logits are looked at."""

    def logits(self, knockouts: Sequence[Knockout], how: How = "renormalised") -> Tensor:
        """What it says under each of these knockouts, (knockouts, places, vocab_size)."""

    def visits(self) -> dict[str, Visit]:
        """Its attentions, by address."""

    def graded(self, gain: Any) -> tuple[dict[str, Visit], dict[str, Tensor]]:
        """Its attentions, and the gradient of `gain(logits)` with respect to the context of each, (1, heads, …)."""


@dataclass(frozen=True, eq=False)
class Own:
    """A model of ours on one text; places are those of `asked` in the sequence that it reads last.

    Attributes:
        model: a `Gpt`, `Transformer` or `RnnTranslator`.
        asked: the places whose logits are looked at.
    """

    model: Any
    sequences: Mapping[str, Side]
    asked: Sequence[int]

    @property
    def sites(self) -> tuple[Site, ...]:
        """Where it attends."""
        found: tuple[Site, ...] = self.model.sites
        return found

    @torch.inference_mode()
    def logits(self, knockouts: Sequence[Knockout], how: How = "renormalised") -> Tensor:
        """What it says under each of these knockouts, (knockouts, places, vocab_size)."""
        found = []
        for start in range(0, len(knockouts), AT_ONCE):
            some = knockouts[start : start + AT_ONCE]
            with tapped(Knife(some, self._heads(), how)):
                found.append(self._said(*(ids.expand(len(some), -1) for ids in self._inputs())))
        return torch.cat(found)

    @torch.inference_mode()
    def visits(self) -> dict[str, Visit]:
        """Its attentions, by address."""
        found: dict[str, Visit] = {}
        with tapped(Watcher(found.__setitem__)):
            self._said(*self._inputs())
        return found

    def graded(self, gain: Any) -> tuple[dict[str, Visit], dict[str, Tensor]]:
        """Its attentions, and the gradient of `gain(logits)` with respect to the context of each."""
        graded = Graded()
        with torch.enable_grad(), tapped(graded):
            gain(self._said(*self._inputs())[0]).backward(inputs=list(graded.leaves.values()))
        return graded.visits, {address: leaf.grad for address, leaf in graded.leaves.items() if leaf.grad is not None}

    def _heads(self) -> dict[str, int]:
        with_axis = getattr(self.model.config, "n_heads", None) is not None
        return {site.address: site.n_heads if with_axis else 0 for site in self.sites}

    def _inputs(self) -> list[Tensor]:
        device = next(self.model.parameters()).device
        return [torch.tensor([self.sequences[n].ids], device=device) for n in (SOURCE, READ) if n in self.sequences]

    def _said(self, *inputs: Tensor) -> Tensor:
        features = self.model.features(*inputs)
        said: Tensor = self.model.head(features[:, list(self.asked)])
        return said


class Graded(Watcher):
    """Gathers visits, and leaves at which gradients with respect to contexts are found."""

    def __init__(self) -> None:
        self.visits: dict[str, Visit] = {}
        self.leaves: dict[str, Tensor] = {}
        super().__init__(self.visits.__setitem__)

    def __call__(self, address: str, step: str, tensor: Tensor) -> Tensor:
        """The context goes on as it is, plus a leaf of zeros: the leaf's gradient is the context's."""
        super().__call__(address, step, tensor.detach())
        if step != "context":
            return tensor
        self.leaves[address] = torch.zeros_like(tensor, requires_grad=True)
        return tensor + self.leaves[address]


class Resumed:
    """A GPT on one text of which only what a cut can change is computed again: later layers, at later places.

    It takes knockouts of edges in one layer; others are for the whole model.
    """

    def __init__(self, subject: Own) -> None:
        self.subject, self._model = subject, subject.model
        self._entering: list[Tensor] = []
        self._memories: list[Memory] = []
        with torch.inference_mode(), tapped(Watcher(self._remember, self._enter)):
            self._model.features(*subject._inputs())

    def takes(self, knockout: Knockout) -> bool:
        """Whether all of it lies in one layer, at known queries."""
        edges = [each for each in knockout if isinstance(each, Edge) and each.query is not None]
        return len(edges) == len(knockout) and len({edge.address for edge in edges}) == 1

    @torch.inference_mode()
    def logits(self, knockouts: Sequence[Knockout], how: How = "renormalised") -> Tensor:
        """As the subject's: (knockouts, places, vocab_size)."""
        layers = [int(knockout[0].address.split(".")[2]) for knockout in knockouts]
        first = [min(edge.query or 0 for edge in knockout if isinstance(edge, Edge)) for knockout in knockouts]
        found: dict[int, Tensor] = {}
        for layer, start in sorted(set(zip(layers, first, strict=True))):
            group = [n for n, place in enumerate(zip(layers, first, strict=True)) if place == (layer, start)]
            for at in range(0, len(group), AT_ONCE):
                some = group[at : at + AT_ONCE]
                said = self._said([knockouts[n] for n in some], layer, start, how)
                found.update(zip(some, said, strict=True))
        return torch.stack([found[n] for n in range(len(knockouts))])

    def _said(self, knockouts: Sequence[Knockout], layer: int, start: int, how: How) -> Tensor:
        before = [Memory(each.key[..., :start, :], each.value[..., :start, :]) for each in self._memories[layer:]]
        x = self._entering[layer][:, start:].expand(len(knockouts), -1, -1)
        with tapped(Knife(knockouts, self.subject._heads(), how)):
            features = self._model.onward(x, layer, before)
        asked = [place - start for place in self.subject.asked]
        said: Tensor = self._model.head(features[:, asked])
        return said

    def _remember(self, address: str, visit: Visit) -> None:
        group = visit.query.shape[1] // (self._model.config.n_kv_heads or visit.query.shape[1])
        self._memories.append(Memory(visit.key[:, ::group], visit.value[:, ::group]))

    def _enter(self, address: str, step: str, tensor: Tensor) -> None:
        if step in ("positioned", "states"):
            self._entering.append(tensor)
