"""Run a foreign model on what it was given, and keep what is asked for, held against the kernel that it ran."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from regard.core.errors import BadInput
from regard.core.protocols import Site
from regard.inspection.estimate import places, refuse_unless_it_fits, sites_of
from regard.inspection.foreign.bypass import eager_weights, family
from regard.inspection.foreign.calls import Calls, rows
from regard.inspection.foreign.door import Watch, watched
from regard.inspection.foreign.places import Places
from regard.inspection.foreign.reading import Reading, sides
from regard.inspection.foreign.run import Foreign, apart, run, said
from regard.inspection.foreign.switching import asks, eager, switched, unchanged
from regard.inspection.keeping import Checking, Choice, Keeper, steps_of
from regard.inspection.trace import Trace


class Looker(Watch):
    """A watch that tells places apart, and makes visits.

    Attributes:
        address: of the attention that runs.
    """

    def __init__(self, model: Any) -> None:
        self.places, self.calls, self.address = Places(model), Calls(), ""

    def masked(self, module: nn.Module, given: dict[str, Any]) -> Tensor | None:
        """The model's own mask; here each attention is met, once, before it runs."""
        self.address = self.places.address(module, given["query"].shape[1])
        return super().masked(module, given)


class Eye(Looker):
    """Is shown every attention of a run, and hands each text's visits to that text's keeper.

    Args:
        expected: what the keepers expect of each place; told here as the places are met.
        plain: the family's plain kernel shall run, for the weights that it gives.
    """

    def __init__(self, model: Any, keepers: Sequence[Keeper], expected: dict[str, int], *, plain: bool = False) -> None:
        super().__init__(model)
        self.plain, self._keepers, self._expected = plain, keepers, expected
        self.lengths: dict[str, dict[str, int]] = {}

    def saw(self, module: nn.Module, given: dict[str, Any], output: Tensor, weights: Tensor | None) -> Tensor:
        """One attention has run."""
        visit, site = self.calls.visit(module, given, output, weights), self.places.sites[self.address]
        self.lengths[self.address] = {site.keys: visit.key.shape[2], site.queries: visit.query.shape[2]}
        self._expected[self.address] = visit.query.shape[2]  # the whole text in one run
        for keeper, each in zip(self._keepers, rows(visit), strict=True):
            keeper(self.address, each)
        return output


def record(
    foreign: Foreign,
    reading: Reading,
    *,
    keep: str | Collection[str] = "qk",
    check: Checking = "rows",
    choice: Choice | None = None,
) -> list[Trace]:
    """What a foreign model attends to: a trace for each text of a batch.

    Args:
        reading: what the model is given; see `foreign.reading`.
        keep: names of `keeping.KEEPS`, or of steps. Weights are those that the family's plain kernel gives.
        check: `rows`, or `full`: every row, and what the model says when nobody watches.
        choice: which parts, layers and heads; None for all.

    Raises:
        Failure: `trace_check`: what was recorded is not what the model computes; `foreign_failed`: the model broke off;
            `memory_short`: what is to be kept will not fit.
        BadInput: `foreign_bypass`, `foreign_blind`: a family that hides its attention, or has none;
            `foreign_partly`: one that hides its encoder's;
            `foreign_argument`, `foreign_mask`, `foreign_stacks`: one that attends in a way not known here;
            `keep_unknown`, `head_absent`, `no_site`.
    """
    kept, choice, expected = steps_of(keep), choice or Choice(), dict[str, int]()
    _refuse_unless_it_fits(foreign, reading, kept, choice)
    keepers = [Keeper(kept, check, choice, expected) for _ in reading.sequences]
    eye = Eye(foreign.model, keepers, expected, plain="weights" in kept)
    with looking(foreign, eye):
        came = said(run(foreign, reading.inputs)) if asks(foreign.model) else None
    if not eye.places.sites:
        return eager_weights(foreign, reading, kept, choice)
    refuse_unless_whole(foreign, eye.places, choice)
    far = apart(came, _unwatched(foreign, reading, plain=eye.plain)) if check == "full" else 0.0
    sites, heads = chosen(eye.places.ordered(), choice), None if choice.heads is None else tuple(sorted(choice.heads))
    who, sizes = (foreign.name, foreign.fingerprint), agreed(foreign, sites, eye.lengths)
    return [
        Trace(*who, sides(given, sites, sizes), sites, each.tensors, each.checked(far), each.recipes, heads)
        for each, given in zip(keepers, reading.sequences, strict=True)
    ]


def _refuse_unless_it_fits(foreign: Foreign, reading: Reading, kept: Collection[str], choice: Choice) -> None:
    """Hold what will be kept, as far as the config tells it, against the memory that is free."""
    config, given = foreign.model.config.get_text_config(), next(iter(reading.sequences), {})
    sites = [site for site in sites_of(config, writes=Places(foreign.model).writes) if choice.takes(site.address)]
    lengths = {name: len(side.ids) for name, side in given.items()}
    refuse_unless_it_fits(places(sites, lengths, config, choice.heads), kept, texts=len(reading.sequences))


@contextmanager
def looking(foreign: Foreign, eye: Looker) -> Iterator[None]:
    """Within this block, attentions of the model are shown to `eye`; each run counts its layers from the first."""
    with switched(foreign.model), watched(eye):
        hook = foreign.model.register_forward_pre_hook(lambda *_: eye.places.begin())
        try:
            yield
        finally:
            hook.remove()


def _unwatched(foreign: Foreign, reading: Reading, *, plain: bool) -> Tensor | None:
    """What the model says when nothing is in its way.

    Args:
        plain: it was recorded with its family's plain kernel. In 16 bits two kernels differ by more than is allowed.
    """
    exact = foreign.model.dtype == torch.float32
    with switched(foreign.model, eager if plain and not exact else unchanged):
        return said(run(foreign, reading.inputs))


def agreed(foreign: Foreign, sites: Sequence[Site], lengths: Mapping[str, Mapping[str, int]]) -> dict[str, int]:
    """How long each sequence is, of what an `Eye` saw at these places.

    Raises:
        BadInput: `foreign_stacks`: places read different things under one name, such as images and text.
    """
    found: dict[str, int] = {}
    for site in sites:
        for name, length in lengths[site.address].items():
            if found.setdefault(name, length) != length:
                modules = ", ".join(f"{each.layer} ({each.module})" for each in sites)
                raise BadInput("foreign_stacks", name=foreign.name, one=found[name], other=length, sites=modules)
    return found


def refuse_unless_whole(foreign: Foreign, places: Places, choice: Choice) -> None:
    """An encoder that looks past the interface while the decoder asks it is not left out in silence.

    Raises:
        BadInput: `foreign_partly`: the encoder was asked for, and was not seen.
    """
    met = any(address.startswith("encoder") for address in places.sites)
    asked = choice.parts is None or "encoder" in choice.parts
    if foreign.two_sided and asked and not met:
        raise BadInput("foreign_partly", name=foreign.name, family=family(foreign))


def chosen(met: Sequence[Site], choice: Choice) -> tuple[Site, ...]:
    """The places that were asked for.

    Raises:
        BadInput: `no_site`: none of them; it says which there are.
    """
    found = tuple(site for site in met if choice.takes(site.address))
    if not found:
        part, layer = next(iter(choice.parts or ()), met[0].part), next(iter(choice.layers or ()), 0)
        raise BadInput("no_site", part=part, layer=layer, sites=", ".join(site.address for site in met))
    return found
