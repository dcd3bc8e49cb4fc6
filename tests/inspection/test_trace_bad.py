"""A trace file may come from anybody: whatever stands in it, it is read as it was recorded, or refused in one line."""

import hashlib
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.numpy import save_file

from regard.core.errors import BadInput
from regard.core.protocols import Site
from regard.inspection.trace import Check, Sequence, Trace, Written, load
from regard.language import say

ADDRESS = "decoder.layers.0.self"
CALM = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def trace() -> Trace:
    """Two heads that share keys, three tokens, a window, a bias of diagonals, a sink."""
    chance = np.random.default_rng(7)

    def drawn(*shape: int) -> np.ndarray:
        return chance.normal(size=shape).astype(np.float32)

    side = Sequence("le chat", ("▁le", "▁chat", "</s>"), (7, 8, 3), (0, 1, 2), ((0, 2), (2, 7), (7, 7)))
    tensors = {f"{ADDRESS}/query": drawn(2, 3, 5), f"{ADDRESS}/key": drawn(1, 3, 5), "bias/0": drawn(2, 5)}
    tensors |= {"visible/0": np.array([[0, 1], [0, 2], [1, 3]], dtype=np.int32), "sinks/0": drawn(2)}
    recipe = Written(0.5, None, bias="bias/0", visible="visible/0", sinks="sinks/0")
    site = Site(ADDRESS, "read", "read", 2)
    return Trace("toy", "ab", {"read": side}, (site,), tensors, Check("rows", 1e-7, 1e-4), {ADDRESS: recipe})


def facts(path: Path) -> dict[str, Any]:
    """What the file says beside tensors."""
    trace().save(path)
    length = int.from_bytes(path.read_bytes()[:8], "little")
    return json.loads(json.loads(path.read_bytes()[8 : 8 + length])["__metadata__"]["regard"])


def forged(path: Path, told: Any, tensors: dict[str, np.ndarray]) -> Path:
    """A file with a right sha256, whatever it says."""
    text = told if isinstance(told, str) else json.dumps(told)
    tensors = {name: np.ascontiguousarray(tensor) for name, tensor in tensors.items()}
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass"))
    for name, tensor in sorted(tensors.items()):
        digest.update(f"{name} {tensor.dtype} {tensor.shape} ".encode() + tensor.tobytes())
    save_file(tensors, path, metadata={"regard": text, "sha256": digest.hexdigest()})
    return path


def refusal(path: Path) -> str:
    """The one clear line about this file."""
    with pytest.raises(BadInput) as caught:
        load(path)
    assert caught.value.code in ("trace_broken", "trace_version")
    told = say(f"errors.{caught.value.code}", "en", **caught.value.facts)
    assert "Traceback" not in told
    assert "sha256" not in told  # it is not for that reason
    assert len(told) < 600
    return told


def changed(found: Any, keys: tuple[Any, ...], value: Any) -> Any:
    """The same with another value at one place; None as last key: the place is gone."""
    for key in keys[:-1]:
        found = found[key]
    if value is DROPPED:
        del found[keys[-1]]
    else:
        found[keys[-1]] = value
    return found


DROPPED = object()
READ, SITE, RECIPE = ("sequences", "read"), ("sites", 0), ("recipes", ADDRESS)
HOSTILE = [
    (("model",), 3),
    (("model",), DROPPED),
    (("sequences",), []),
    (("sites",), DROPPED),
    (("check",), {}),
    (("check", "deviation"), math.nan),
    (("check", "tolerance"), math.inf),
    (("heads",), [0, 2]),
    (("heads",), [-1]),
    (("heads",), [1, 0]),
    (("heads",), [0]),
    ((*READ, "spans"), [[0, 2], [-2, 7], [7, 7]]),
    ((*READ, "spans"), [[0, 2], [5, 2], [7, 7]]),
    ((*READ, "spans"), [[0, 2], [2, 10**9], [7, 7]]),
    ((*READ, "spans"), [[0, 2], [2, 7, 9], [7, 7]]),
    ((*READ, "spans"), "ab"),
    ((*READ, "tokens"), ["a", "b"]),
    ((*READ, "tokens"), ["a", None, "b"]),
    ((*READ, "ids"), [1, 2, -3]),
    ((*READ, "ids"), ["1", 2, 3]),
    ((*READ, "words"), [0, 1, 10**15]),
    ((*READ, "words"), [0, 1, 4]),
    ((*READ, "words"), [0, -1, 2]),
    ((*READ, "kinds"), ["text"]),
    ((*READ, "kinds"), ["text", "text", "evil"]),
    ((*READ, "text"), ""),
    ((*SITE, "address"), "../../etc/passwd"),
    ((*SITE, "address"), "decoder.layers.-1.self"),
    ((*SITE, "address"), "decoder.layers.1.cross"),
    ((*SITE, "queries"), "target"),
    ((*SITE, "n_heads"), 0),
    ((*SITE, "n_heads"), 10**12),
    ((*SITE, "n_heads"), 3),
    ((*SITE, "n_heads"), True),
    ((*RECIPE, "bias"), "../bias/0"),
    ((*RECIPE, "bias"), "sinks/0"),
    ((*RECIPE, "sinks"), "bias/0"),
    ((*RECIPE, "visible"), "bias/0"),
    ((*RECIPE, "vector"), "sinks/0"),
    ((*RECIPE, "scale"), math.nan),
    ((*RECIPE, "scale"), "1"),
    ((*RECIPE, "softcap"), -1.0),
    ((*RECIPE, "softcap"), 0.0),
    ((*RECIPE, "scale"), DROPPED),
]


@pytest.mark.parametrize(("keys", "value"), HOSTILE, ids=[".".join(map(str, keys)) for keys, _ in HOSTILE])
def test_what_cannot_be_is_refused(tmp_path: Path, keys: tuple[Any, ...], value: Any) -> None:
    told = facts(tmp_path / "x")
    changed(told, keys, value)
    assert "cannot be read as a trace" in refusal(forged(tmp_path / "x", told, trace().tensors))


BAD_TENSORS = {
    "a query of NaN": {f"{ADDRESS}/query": np.full((2, 3, 5), np.nan, np.float32)},
    "whole numbers": {f"{ADDRESS}/query": np.ones((2, 3, 5), np.int64)},
    "too many queries": {f"{ADDRESS}/query": np.ones((2, 7, 5), np.float32)},
    "no heads": {f"{ADDRESS}/key": np.ones((0, 3, 5), np.float32)},
    "groups that do not fit": {f"{ADDRESS}/key": np.ones((3, 3, 5), np.float32)},
    "another width": {f"{ADDRESS}/key": np.ones((1, 3, 4), np.float32)},
    "flat": {f"{ADDRESS}/key": np.ones(15, np.float32)},
    "weights of others": {f"{ADDRESS}/weights": np.ones((2, 3, 4), np.float32)},
    "spans below zero": {"visible/0": np.array([[-1, 1]] * 3, np.int32)},
    "spans too far": {"visible/0": np.array([[0, 4]] * 3, np.int32)},
    "spans turned round": {"visible/0": np.array([[2, 1]] * 3, np.int32)},
    "spans of half numbers": {"visible/0": np.zeros((3, 2), np.float32)},
    "a matrix of others": {"visible/0": np.ones((3, 2), np.bool_)},
    "a short bias": {"bias/0": np.ones((2, 4), np.float32)},
}


@pytest.mark.parametrize("tensors", BAD_TENSORS.values(), ids=BAD_TENSORS)
def test_tensors_that_do_not_fit_are_refused(tmp_path: Path, tensors: dict[str, np.ndarray]) -> None:
    refusal(forged(tmp_path / "x", facts(tmp_path / "x"), {**trace().tensors, **tensors}))


def figures() -> dict[str, np.ndarray]:
    """Statistics of the same place, as they are kept."""
    tensors = trace().tensors
    made = trace().statistics().named()
    return {**tensors, **{f"{ADDRESS}/{name}": np.asarray(tensor) for name, tensor in made.items()}}


BAD_FIGURES = {
    "a key that is not there": {f"{ADDRESS}/largest_key": np.full((2, 3), 3, np.int32)},
    "keys of half numbers": {f"{ADDRESS}/top_keys": np.zeros((2, 3, 8), np.float32)},
    "too few heads": {f"{ADDRESS}/entropy": np.zeros((1, 3), np.float32)},
    "a flat map": {f"{ADDRESS}/pooled": np.zeros((2, 9), np.float32)},
    "a map of another size": {f"{ADDRESS}/pooled": np.zeros((2, 2, 9), np.float32)},
    "no number": {f"{ADDRESS}/received": np.full((2, 3), np.nan, np.float32)},
}


@pytest.mark.parametrize("tensors", BAD_FIGURES.values(), ids=BAD_FIGURES)
def test_figures_that_do_not_fit_are_refused(tmp_path: Path, tensors: dict[str, np.ndarray]) -> None:
    load(forged(tmp_path / "x", facts(tmp_path / "x"), figures()))
    refusal(forged(tmp_path / "x", facts(tmp_path / "x"), {**figures(), **tensors}))


def test_figures_are_whole(tmp_path: Path) -> None:
    some = {name: tensor for name, tensor in figures().items() if not name.endswith("/received")}
    assert "received" in refusal(forged(tmp_path / "x", facts(tmp_path / "x"), some))


def test_what_is_forged_without_a_fault_is_read(tmp_path: Path) -> None:
    """Guards the tests above against refusing everything; a key of later days says nothing."""
    told = {**facts(tmp_path / "x"), "later": {"a": 1}}
    np.testing.assert_allclose(load(forged(tmp_path / "x", told, trace().tensors)).weights(head=1).sum(-1), 1, atol=1)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


def places(found: Any, before: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place in a JSON value."""
    inner = found.items() if isinstance(found, dict) else enumerate(found) if isinstance(found, list) else ()
    return [(*before, key) for key, _ in inner] + [p for key, each in inner for p in places(each, (*before, key))]


@CALM
@given(data=st.data(), value=JSON)
def test_any_value_anywhere_is_read_or_refused(tmp_path: Path, data: st.DataObject, value: Any) -> None:
    told = facts(tmp_path / "x")
    changed(told, data.draw(st.sampled_from(places(told))), value)
    read_or_refused(forged(tmp_path / "x", told, trace().tensors))


@CALM
@given(text=st.one_of(JSON.map(json.dumps), st.text(max_size=30), st.just("[" * 100_000)))
def test_any_words_are_refused(tmp_path: Path, text: str) -> None:
    refusal(forged(tmp_path / "x", text, {}))


@CALM
@given(data=st.data())
def test_any_bytes_are_refused(tmp_path: Path, data: st.DataObject) -> None:
    """Bytes changed, put in, taken out: in the head, in the words, in the numbers."""
    trace().save(tmp_path / "x")
    whole = (tmp_path / "x").read_bytes()
    first, last = sorted(data.draw(st.tuples(*[st.integers(0, len(whole))] * 2)))
    new = data.draw(st.binary(max_size=9))
    if whole[first:last] != new:
        (tmp_path / "x").write_bytes(whole[:first] + new + whole[last:])
        read_or_refused(tmp_path / "x")


def read_or_refused(path: Path) -> None:
    """What is read can be used: its weights are numbers or it says why there are none."""
    try:
        found = load(path)
    except BadInput:
        return
    for site in found.sites:
        for head in range(min(site.n_heads, 3)):
            try:
                weights = found.weights(part=site.part, layer=site.layer, head=head)
            except BadInput:
                continue
            assert np.isfinite(weights).all()
    assert [side.word_list() for side in found.sequences.values()]


def test_a_path_that_leads_nowhere_is_refused(tmp_path: Path) -> None:
    for path in (tmp_path / ".." / "no.safetensors", tmp_path / "\0", "../" * 40 + "etc/passwd.safetensors"):
        with pytest.raises(BadInput) as caught:
            load(path)
        assert caught.value.code == "file_missing"
