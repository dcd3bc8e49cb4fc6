"""How much memory a recording will take, before anything runs; what cannot fit is refused with the numbers."""

import os
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from regard.core.errors import Failure
from regard.core.protocols import Site
from regard.inspection.trace import COMPUTED, READ, SOURCE, TARGET

FLOAT = 4
"""Bytes of a number that is kept."""

MATRICES = 5
"""So many matrices (heads, queries, keys) a place needs at once while its weights are made."""

SCRATCH = 2**28
"""What checks, statistics and a layer's own work take beside, whatever is kept."""

CONTAINER = Path("/sys/fs/cgroup")
"""Where a control group says what a container may have."""

_STATISTICS, _MAPS = 24, 2 * 64 * 64
"""Numbers a query and a head of the statistics, and of the two pooled maps."""

_NAMES = {
    "n_heads": ("n_heads", "num_attention_heads", "num_heads", "encoder_attention_heads"),
    "n_kv_heads": ("num_key_value_heads",),  # models of ours hand the kernel keys for every head
    "d_model": ("d_model", "hidden_size"),
    "d_head": ("head_size", "head_dim", "d_kv"),
    "n_layers": ("n_layers", "num_hidden_layers", "num_layers"),
}
"""What configs call each, ours first."""


@dataclass(frozen=True)
class Place:
    """The sizes of one place: heads that are kept, keys' heads, width of a head, lengths."""

    n_heads: int
    n_kv_heads: int
    d_head: int
    n_queries: int
    n_keys: int

    def bytes(self, steps: Collection[str]) -> int:
        """What is kept of it, in float32."""
        asked, read = self.n_heads * self.n_queries, self.n_kv_heads * self.n_keys
        numbers = dict.fromkeys(("query", "context"), asked * self.d_head) | dict.fromkeys(
            ("key", "value"), read * self.d_head
        )
        numbers |= dict.fromkeys(COMPUTED, asked * self.n_keys)
        numbers["statistics"] = asked * _STATISTICS + self.n_heads * (self.n_keys + _MAPS)
        return FLOAT * sum(numbers.get(step, 0) for step in steps)

    def work(self, steps: Collection[str]) -> int:
        """What is needed while it is taken, and let go after."""
        matrices = MATRICES * self.n_heads * self.n_queries * self.n_keys if set(steps) & set(COMPUTED) else 0
        sides = 4 * self.n_heads * max(self.n_queries, self.n_keys) * self.d_head
        return FLOAT * (matrices + sides) + SCRATCH


@dataclass(frozen=True)
class Estimate:
    """Bytes: what stays, and the most that is needed at once beside the model."""

    kept: int
    peak: int


def estimate(places: Sequence[Place], steps: Collection[str]) -> Estimate:
    """What a recording of these places takes.

    >>> place = Place(n_heads=12, n_kv_heads=12, d_head=64, n_queries=20_000, n_keys=20_000)
    >>> estimate([place] * 12, ["weights"]).kept, estimate([place] * 12, ["query", "key"]).kept
    (230400000000, 1474560000)
    """
    kept = sum(place.bytes(steps) for place in places)
    return Estimate(kept, kept + max((place.work(steps) for place in places), default=0))


def places(
    sites: Sequence[Site], lengths: Mapping[str, int], config: Any, heads: Collection[int] | None
) -> list[Place]:
    """The sizes of these places, as far as a config tells them."""
    found = []
    for site in sites:
        shared = number(config, "n_kv_heads") or site.n_heads
        d_head = number(config, "d_head") or (number(config, "d_model") or 0) // site.n_heads
        counted = (site.n_heads, shared) if heads is None else (len(heads), len(heads))
        found.append(Place(*counted, d_head, lengths.get(site.queries, 0), lengths.get(site.keys, 0)))
    return found


def sites_of(config: Any, *, writes: bool) -> tuple[Site, ...]:
    """Where a foreign model will attend, as far as its config tells; empty where it does not.

    Args:
        writes: a model of one stack is a decoder.
    """
    n_heads, n_layers = number(config, "n_heads") or 0, number(config, "n_layers") or 0
    if not n_heads:
        return ()
    if not getattr(config, "is_encoder_decoder", False):
        stack, side = ("decoder", READ) if writes else ("encoder", SOURCE)
        return tuple(Site(f"{stack}.layers.{n}.self", side, side, n_heads) for n in range(n_layers))
    kinds = {"encoder.layers.{}.self": (SOURCE,) * 2, "decoder.layers.{}.self": (READ,) * 2}
    kinds |= {"decoder.layers.{}.cross": (TARGET, SOURCE)}
    return tuple(Site(name.format(n), *sides, n_heads) for name, sides in kinds.items() for n in range(n_layers))


def number(config: Any, name: str) -> int | None:
    """A size as configs call it; None where none has it."""
    found = (getattr(config, each, None) for each in _NAMES[name])
    return next((int(each) for each in found if isinstance(each, int) and each > 0), None)


def refuse_unless_it_fits(sizes: Sequence[Place], steps: Collection[str], *, texts: int = 1) -> Estimate:
    """The estimate of a recording, where it fits into the memory that is free now.

    Args:
        texts: how many are recorded together.

    Raises:
        Failure: `memory_short`: it does not; it says how much `qk` and `statistics` would take.
    """
    needed, room = estimate(list(sizes) * texts, steps), free()
    if room is None or needed.peak <= room:
        return needed
    less = {name: estimate(list(sizes) * texts, kept).peak for name, kept in _LESS.items()}
    raise Failure(
        "memory_short",
        **{"kept": written(needed.kept), "peak": written(needed.peak), "free": written(room)},
        **{name: written(size) for name, size in less.items()},
        n_places=len(sizes),
        n_queries=max(place.n_queries for place in sizes),
        n_keys=max(place.n_keys for place in sizes),
    )


_LESS = {"qk": ("query", "key"), "statistics": ("statistics",)}


def free() -> int | None:
    """Bytes that this process may still take: of the machine, and of the container it runs in; None if nobody says."""
    found = [size for size in (_machine(), _container()) if size is not None]
    return min(found, default=None)


def _machine() -> int | None:
    with suppress(OSError, ValueError, IndexError):
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        return 1024 * next(int(line.split()[1]) for line in lines if line.startswith("MemAvailable:"))
    with suppress(OSError, ValueError, AttributeError):  # no Linux: half of what the machine has
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2
    return None


def _container() -> int | None:
    """What a control group leaves (cgroup v2); what files hold in the cache can be had back."""
    with suppress(OSError, ValueError, IndexError):
        most, used = (int((CONTAINER / f"memory.{name}").read_text()) for name in ("max", "current"))
        lines = (CONTAINER / "memory.stat").read_text().splitlines()
        return most - used + next(int(line.split()[1]) for line in lines if line.startswith("inactive_file "))
    return None


def written(size: int) -> str:
    """Bytes as people read them.

    >>> written(230_400_000_000), written(1_474_560)
    ('230.4 GB', '1.5 MB')
    """
    for unit, name in ((10**9, "GB"), (10**6, "MB")):
        if size >= unit:
            return f"{size / unit:.1f} {name}"
    return f"{size / 1000:.0f} kB"
