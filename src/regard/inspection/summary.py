"""A trace's statistics: those that were kept, or exact ones of what was kept."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from regard.core.errors import BadInput
from regard.core.protocols import Site
from regard.core.statistics import NAMES, SIZE, Statistics, width

if TYPE_CHECKING:
    from torch import Tensor

    from regard.core.recipe import Recipe


class Kept(Protocol):
    """What is asked of a trace."""

    @property
    def tensors(self) -> Mapping[str, np.ndarray]:
        """By `ADDRESS/STEP`."""

    def computes(self, site: Site) -> bool:
        """Whether queries, keys and the recipe of a place are here."""

    def asked(self, site: Site) -> "tuple[Recipe, Tensor, Tensor]":
        """These."""


def of_place(trace: Kept, site: Site, place: tuple[int, int] | None, **how: Any) -> Statistics[np.ndarray]:
    """The statistics of a place; of one head where `place` says which of how many that were kept.

    Args:
        how: `size` and `top` of `core.reducing.statistics`; those that were kept are as they are.
    """
    names = {name: f"{site.address}/{name}" for name in NAMES}
    if names["entropy"] in trace.tensors:
        kept = {name: trace.tensors.get(full) for name, full in names.items()}
        found: Statistics[Any] = Statistics(**kept)
        return found if place is None else found.each(lambda tensor: tensor[place[0]])
    made = _made(trace, site, place, how)
    return made if place is None else made.each(lambda tensor: tensor[0])


def pooled(trace: Kept, site: Site, place: tuple[int, int] | None, size: int, peak: bool) -> np.ndarray:
    """The pooled map of a place, or of one of its heads; a coarser one is made of that which was kept."""
    found, name = of_place(trace, site, place, size=size, top=1), "peak" if peak else "pooled"
    n_queries, n_keys = found.entropy.shape[-1], found.received.shape[-1]
    blocks = found.pooled.shape[-2:]
    made = f"{site.address}/{name}" not in trace.tensors
    if made or blocks == tuple(-(-n // width(n, size)) for n in (n_queries, n_keys)):
        return np.asarray(getattr(found, name))
    steps = [width(n, size) / width(n, SIZE) for n in (n_queries, n_keys)]
    if any(step != int(step) for step in steps):
        raise BadInput("map_not_kept", size=size, kept=max(blocks), address=site.address)
    return _coarser(np.asarray(getattr(found, name)), [int(step) for step in steps], n_queries, peak)


def _coarser(fine: np.ndarray, steps: list[int], n_queries: int, peak: bool) -> np.ndarray:
    """A map of larger blocks: each of so many rows and columns of a fine one."""
    rows, columns = (np.arange(0, count, step) for count, step in zip(fine.shape[-2:], steps, strict=True))
    join: Callable[..., np.ndarray] = np.maximum.reduceat if peak else np.add.reduceat
    counts = np.full(fine.shape[-2], width(n_queries, SIZE), dtype=np.float32)
    counts[-1:] = n_queries - counts[:-1].sum()
    whole = fine if peak else fine * counts[:, None]
    found = join(join(whole, rows, axis=-2), columns, axis=-1)
    return found if peak else found / np.add.reduceat(counts, rows)[:, None]


def _made(trace: Kept, site: Site, place: tuple[int, int] | None, how: dict[str, Any]) -> Statistics[np.ndarray]:
    import torch  # nobody waits for it who reads what was kept

    from regard.core.reducing import of_weights, statistics

    same = site.queries == site.keys
    if trace.computes(site):
        recipe, query, key = trace.asked(site)
        if place is not None:
            at, group = place[0], place[0] * len(key) // len(query)
            recipe, query, key = recipe.of_head(at), query[at : at + 1], key[group : group + 1]
        return statistics(recipe, query, key, same=same, **how).each(lambda tensor: tensor.numpy())
    weights = trace.tensors.get(f"{site.address}/weights")
    if weights is None:
        raise BadInput("step_not_kept", step="statistics", kept=", ".join(sorted(trace.tensors)) or "–")
    some = weights if place is None else weights[place[0] : place[0] + 1]
    return of_weights(torch.from_numpy(some), same=same, **how).each(lambda tensor: tensor.numpy())
