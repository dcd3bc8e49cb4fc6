"""A foreign model on one text as a subject of evidence: its edges are cut in the mask that its own kernel is given."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from regard.core.errors import BadInput
from regard.core.protocols import Site
from regard.inspection.foreign.calls import allowed
from regard.inspection.foreign.reading import Reading
from regard.inspection.foreign.record import Looker, looking
from regard.inspection.foreign.run import Foreign, run
from regard.inspection.knockout import How, Knife, Knockout
from regard.inspection.subject import AT_ONCE, Gain, Graded
from regard.inspection.trace import Sequence as Side
from regard.inspection.visit import Visit


class Gathering(Looker):
    """Gathers visits, and leaves at which the gradients with respect to contexts are found."""

    def __init__(self, model: Any, *, graded: bool = False) -> None:
        super().__init__(model)
        self._graded = graded
        self.visits: dict[str, Visit] = {}
        self.leaves: dict[str, Tensor] = {}

    def saw(self, module: nn.Module, given: dict[str, Any], output: Tensor, weights: Tensor | None) -> Tensor:
        """The output goes on as it is, plus a leaf of zeros: the leaf's gradient is the output's."""
        still = {name: each.detach() if isinstance(each, Tensor) else each for name, each in given.items()}
        self.visits[self.address] = self.calls.visit(module, still, output.detach(), None)
        if not self._graded:
            return output
        self.leaves[self.address] = torch.zeros_like(output, requires_grad=True)
        return output + self.leaves[self.address]


class Cutting(Looker):
    """Runs each row of a batch with a knockout of its own."""

    def __init__(self, model: Any, knife: Knife) -> None:
        super().__init__(model)
        self._knife = knife

    def masked(self, module: nn.Module, given: dict[str, Any]) -> Tensor | None:
        """The mask without the edges that are cut."""
        mask = super().masked(module, given)
        if not self._knife.cuts(self.address) or self._knife.how == "zeroed":
            return mask
        queries, keys = given["query"].shape[2], given["key"].shape[2]
        left = self._knife.allowed(self.address, queries, keys, given["query"].device)
        left = left & _seen(module, mask, queries, keys, left.device)
        if mask is None or mask.dtype == torch.bool:
            return left
        return torch.zeros_like(left, dtype=mask.dtype).masked_fill(~left, torch.finfo(mask.dtype).min)

    def saw(self, module: nn.Module, given: dict[str, Any], output: Tensor, weights: Tensor | None) -> Tensor:
        """What the heads hand on, without what was cut."""
        context = output.transpose(1, 2)
        if self._knife.cuts(self.address) and self._knife.how == "zeroed":
            context = context - self._knife.given_by(self.address, self.calls.visit(module, given, output, None))
        elif self._knife.cuts(self.address):
            mask = given["attention_mask"]
            blind = ~allowed(mask, module).any(-1, keepdim=True)
            context = context.masked_fill(blind, 0)  # of a query that may see nothing, nothing comes
        return self._knife.replaced(self.address, context).transpose(1, 2)


@dataclass(frozen=True, eq=False)
class Theirs:
    """A model of `transformers` on one text; see `inspection.subject.Own`.

    Attributes:
        reading: what it is given.
        asked: the places that are looked at.
        sites, sequences: as a trace of it has them.
        vectors: what is said are vectors.
    """

    foreign: Foreign
    reading: Reading
    asked: Sequence[int]
    sites: tuple[Site, ...]
    sequences: Mapping[str, Side] = field(repr=False)
    vectors: bool = False

    def said(self, knockouts: Sequence[Knockout], how: How = "renormalised") -> Tensor:
        """What it says under each of these knockouts, (knockouts, places, vocab_size)."""
        found = []
        for start in range(0, len(knockouts), AT_ONCE):
            some = knockouts[start : start + AT_ONCE]
            knife = Knife(some, {site.address: site.n_heads for site in self.sites}, how)
            with looking(self.foreign, Cutting(self.foreign.model, knife)), torch.inference_mode():
                found.append(self._run(len(some)))
        return torch.cat(found)

    def visits(self) -> dict[str, Visit]:
        """Its attentions, by address."""
        gathering = Gathering(self.foreign.model)
        with looking(self.foreign, gathering), torch.inference_mode():
            self._run(1)
        return gathering.visits

    def graded(self, gain: Gain, rows: int = 1) -> Graded:
        """Its attentions, and the gradient of a gain with respect to the context of each."""
        gathering = Gathering(self.foreign.model, graded=True)
        with looking(self.foreign, gathering), torch.enable_grad():
            gain(self._run(rows)).sum().backward(inputs=list(gathering.leaves.values()))
        leaves = gathering.leaves.items()
        return gathering.visits, {at: leaf.grad.transpose(1, 2) for at, leaf in leaves if leaf.grad is not None}

    def _run(self, rows: int) -> Tensor:
        inputs = {name: each.expand(rows, *each.shape[1:]) for name, each in self.reading.inputs.items()}
        outputs = run(self.foreign, inputs, **({"output_hidden_states": True} if self.vectors else {}))
        found = _vectors(outputs) if self.vectors else getattr(outputs, "logits", None)
        if found is None:
            raise BadInput("evidence_no_logits", name=self.foreign.name, family=type(self.foreign.model).__name__)
        said: Tensor = found[:, list(self.asked)]
        return said


def _vectors(outputs: Any) -> Tensor | None:
    """Where the last layer leaves the tokens that are read last."""
    last = getattr(outputs, "last_hidden_state", None)
    layers = getattr(outputs, "decoder_hidden_states", None) or getattr(outputs, "hidden_states", None)
    return last if isinstance(last, Tensor) else None if layers is None else layers[-1]


def _seen(module: nn.Module, mask: Tensor | None, queries: int, keys: int, device: torch.device) -> Tensor:
    """Who may see whom by the model's own mask."""
    if mask is not None:
        return allowed(mask, module)
    whole = torch.ones(queries, keys, dtype=torch.bool, device=device)
    return whole.tril(keys - queries) if getattr(module, "is_causal", True) and queries > 1 else whole
