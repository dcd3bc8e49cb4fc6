"""Traces made by hand: random queries and keys with any score recipe, for looking at without a model."""

from dataclasses import replace

import numpy as np

from regard.core.protocols import Site
from regard.inspection.trace import READ, SOURCE, Check, Sequence, Trace, Written
from regard.views.heads import Heads


def side(count: int, tokens: tuple[str, ...] = ()) -> Sequence:
    """A text of `count` words of one token each."""
    names = [*tokens, *(f"w{at}" for at in range(len(tokens), count))]
    text, spans = "", []
    for name in names:
        spans.append((len(text) + bool(text), len(text) + bool(text) + len(name)))
        text += f" {name}" if text else name
    count_up = tuple(range(count))
    return Sequence(text, tuple(names), count_up, count_up, tuple(spans), ("text",) * count)


def causal(count: int) -> np.ndarray:
    return np.array([[0, at + 1] for at in range(count)], dtype=np.int32)


def traced(
    count: int = 67,
    *,
    layers: int = 2,
    heads: int = 3,
    kv_heads: int = 3,
    keys: int | None = None,
    tokens: tuple[str, ...] = (),
    recipe: dict[str, float] | None = None,
    parts: dict[str, np.ndarray] | None = None,
    seed: int = 0,
) -> Trace:
    """A GPT's trace, or with `keys` a cross-attention's; `parts` are the tensors of its recipe."""
    chance = np.random.default_rng(seed)
    parts = {"visible": causal(count)} if parts is None else parts
    names = {part: f"{part}/0" for part in parts}
    tensors = {names[part]: tensor for part, tensor in parts.items()}
    kind, other = ("self", READ) if keys is None else ("cross", SOURCE)
    sites = tuple(Site(f"decoder.layers.{layer}.{kind}", READ, other, heads) for layer in range(layers))
    for site in sites:
        for step, number, length in (("query", heads, count), ("key", kv_heads, keys or count)):
            made = chance.normal(0, 2, (number, length, 5))
            tensors[f"{site.address}/{step}"] = made.astype(np.float32)
    written = Written(**{"scale": 5**-0.5, **(recipe or {})}, **names)
    sides = {READ: side(count, tokens), **({SOURCE: side(keys)} if keys else {})}
    check = Check("rows", 1e-7, 1e-4)
    return Trace("toy", "0", sides, sites, tensors, check, {site.address: written for site in sites})


def heads_of(trace: Trace) -> Heads:
    site = trace.sites[0]
    places = tuple((each, head) for each in trace.sites for head in range(each.n_heads))
    return Heads(trace, places, trace.sequences[site.queries].tokens, trace.sequences[site.keys].tokens)


def statistics_alone(trace: Trace) -> Trace:
    """The same trace as `keep="statistics"` would have kept it."""
    tensors = {}
    for site in trace.sites:
        found = trace.statistics(part=site.part, layer=site.layer).named()
        tensors |= {f"{site.address}/{name}": tensor for name, tensor in found.items()}
    return replace(trace, tensors=tensors, recipes={})
