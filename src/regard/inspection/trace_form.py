"""Whether what a trace file says can be true: its words, its places and its tensors fit together.

A file may have been written by anybody: nothing in it is used before it was held against the rest.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

_ADDRESS = re.compile(r"(encoder|decoder)\.layers\.(0|[1-9][0-9]{0,5})\.(self|cross)")
_KINDS = {"text", "special", "unknown", "padding"}
_MATRICES = ("scores", "scaled", "masked", "weights")
_SIDES = ("query", "key", "value", "context")
_MOST_HEADS = 2**20

_FIGURES = {
    **dict.fromkeys(("entropy", "largest", "largest_key", "first"), "queries"),
    **dict.fromkeys(("top_weights", "top_keys"), "queries top"),
    **{"received": "keys", "pooled": "rows columns", "peak": "rows columns"},
}
_SOME_FIGURES = dict.fromkeys(("itself", "before", "distance", "log_sum_exp"), "queries")
"""What `core.statistics` gives of a head, and the axes it has; the latter not of every place."""


def refuse_unless_sound(
    sequences: Mapping[str, Any],
    sites: Sequence[Any],
    tensors: Mapping[str, np.ndarray],
    recipes: Mapping[str, Any],
    heads: Sequence[int] | None,
) -> None:
    """Hold the parts of a trace, already of the right types, against each other.

    Raises:
        ValueError: the place that cannot be, and what stands there.
    """
    for name, side in sequences.items():
        _side(f"sequences.{name}", side)
    _unless(len({site.address for site in sites}) == len(sites), "sites", "address")
    for site in sites:
        _site(site, sequences, heads)
        n_heads = site.n_heads if heads is None else len(heads)
        sizes = n_heads, len(sequences[site.queries].ids), len(sequences[site.keys].ids)
        _steps(site.address, tensors, *sizes)
        _figures(site.address, tensors, *sizes)
        if site.address in recipes:
            _recipe(site.address, recipes[site.address], tensors, *sizes)
    strange = recipes.keys() - {site.address for site in sites}
    _unless(not strange, "recipes", *sorted(strange)[:1])


def _unless(sound: Any, *place: Any) -> None:
    if not sound:
        raise ValueError(": ".join(str(part)[:100] for part in place))


def _side(place: str, side: Any) -> None:
    """A sequence: as many of each as tokens, spans inside the text, words that can be counted."""
    count, end = len(side.tokens), len(side.text)
    for name in ("ids", "words", "spans"):
        _unless(len(getattr(side, name)) == count, f"{place}.{name}", f"{len(getattr(side, name))} ≠ {count}")
    _unless(len(side.kinds) in (0, count), f"{place}.kinds", f"{len(side.kinds)} ≠ {count}")
    for i, (first, last) in enumerate(side.spans):
        _unless(0 <= first <= last <= end, f"{place}.spans[{i}]", [first, last])
    for i, kind in enumerate(side.kinds):
        _unless(kind in _KINDS, f"{place}.kinds[{i}]", repr(kind))
    for name in ("ids", "words"):
        _unless(min(getattr(side, name), default=0) >= 0, f"{place}.{name}", min(getattr(side, name), default=0))
    words = set(side.words)
    n_text = len(side.text.split())
    _unless(max(words, default=0) < n_text + count + 1, f"{place}.words", max(words, default=0))
    missing = set(range(n_text, max(words, default=-1) + 1)) - words
    _unless(not missing, f"{place}.words", *missing)


def _site(site: Any, sequences: Mapping[str, Any], heads: Sequence[int] | None) -> None:
    _unless(_ADDRESS.fullmatch(site.address), "sites", repr(site.address))
    for side in (site.queries, site.keys):
        _unless(side in sequences, site.address, repr(side))
    _unless(1 <= site.n_heads <= _MOST_HEADS, site.address, f"n_heads = {site.n_heads}")
    for head in heads or ():
        _unless(0 <= head < site.n_heads, "heads", head)
    _unless(heads is None or list(heads) == sorted(set(heads)), "heads", heads)


def _steps(address: str, tensors: Mapping[str, np.ndarray], n_heads: int, n_queries: int, n_keys: int) -> None:
    """The steps kept of one place: numbers, of the sizes that heads and tokens give."""
    found = {step: tensors.get(f"{address}/{step}") for step in (*_SIDES, *_MATRICES)}
    for step, tensor in found.items():
        if tensor is None:
            continue
        place = f"{address}/{step}"
        _numbers(place, tensor)
        length = n_keys if step in ("key", "value") else n_queries
        _unless(tensor.ndim == 3 and tensor.shape[1] == length, place, tensor.shape)
        groups = len(tensor) if step in ("key", "value") else n_heads
        _unless(groups and n_heads % groups == 0 and len(tensor) == groups, place, tensor.shape)
        _unless(step not in _MATRICES or tensor.shape[2] == n_keys, place, tensor.shape)
    query, key = found["query"], found["key"]
    if query is not None and key is not None:
        _unless(query.shape[2] == key.shape[2], address, f"{query.shape[2]} ≠ {key.shape[2]}")


def _figures(address: str, tensors: Mapping[str, np.ndarray], n_heads: int, n_queries: int, n_keys: int) -> None:
    """The statistics kept of one place: all of them, or none; keys are named by numbers that there are."""
    found = {name: tensors.get(f"{address}/{name}") for name in (*_FIGURES, *_SOME_FIGURES)}
    kept = [name for name, tensor in found.items() if tensor is not None]
    missing = [name for name in _FIGURES if kept and name not in kept]
    _unless(not missing, address, *missing[:1])
    sizes = {"queries": n_queries, "keys": n_keys}
    for name, axes in (_FIGURES | _SOME_FIGURES).items():
        tensor = found[name]
        if tensor is None:
            continue
        place, expected = f"{address}/{name}", [n_heads, *(sizes.get(axis) for axis in axes.split())]
        fits = tensor.ndim == len(expected) and all(
            size in (None, own) for size, own in zip(expected, tensor.shape, strict=True)
        )
        _unless(fits, place, tensor.shape)
        if name.endswith(("_key", "_keys")):
            _unless(tensor.dtype == np.int32, place, tensor.dtype)
            _unless(((tensor >= -1) & (tensor < n_keys)).all(), place, f"> {n_keys}")
        else:
            _numbers(place, tensor)
    pairs = (("top_weights", "top_keys"), ("pooled", "peak"))
    _unless(
        not kept or all(tensors[f"{address}/{a}"].shape == tensors[f"{address}/{b}"].shape for a, b in pairs), address
    )


def _recipe(
    address: str, recipe: Any, tensors: Mapping[str, np.ndarray], n_heads: int, n_queries: int, n_keys: int
) -> None:
    """The tensors that a recipe names are there, and fit queries and keys."""
    _unless(recipe.softcap is None or recipe.softcap > 0, f"{address}.softcap", recipe.softcap)
    query = tensors.get(f"{address}/query")
    wide = 0 if query is None else query.shape[2]
    fitting: dict[str, list[tuple[int, ...]]] = {
        "vector": [(wide,)],
        "bias": [(n_heads, n_queries + n_keys - 1), (n_heads, n_queries, n_keys)],
        "sinks": [(n_heads,)],
    }
    for part, shapes in fitting.items():
        tensor = _named(address, part, getattr(recipe, part), tensors)
        if tensor is not None:
            _numbers(f"{address}.{part}", tensor)
            _unless(tensor.shape in shapes, f"{address}.{part}", tensor.shape)
    visible = _named(address, "visible", recipe.visible, tensors)
    if visible is not None:
        _visible(f"{address}.visible", visible, n_queries, n_keys)


def _named(address: str, part: str, name: str | None, tensors: Mapping[str, np.ndarray]) -> np.ndarray | None:
    _unless(name is None or name in tensors, f"{address}.{part}", repr(name))
    return None if name is None else tensors[name]


def _visible(place: str, visible: np.ndarray, n_queries: int, n_keys: int) -> None:
    """Spans of keys, or one truth for each query and key."""
    if visible.dtype == np.bool_:
        _unless(visible.shape == (n_queries, n_keys), place, visible.shape)
        return
    _unless(visible.dtype == np.int32 and visible.shape == (n_queries, 2), place, visible.dtype, visible.shape)
    _unless((visible[:, 0] >= 0).all() and (visible[:, 0] <= visible[:, 1]).all(), place, "first > last")
    _unless((visible[:, 1] <= n_keys).all(), place, f"> {n_keys}")


def _numbers(place: str, tensor: np.ndarray) -> None:
    """Floats, and none that is no number: such a trace was never recorded."""
    _unless(tensor.dtype in (np.float32, np.float16), place, tensor.dtype)
    _unless(not np.isnan(tensor).any(), place, "NaN")
