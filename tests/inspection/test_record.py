"""Recording gives what the model computes, or nothing: every fault planted here is caught by the check."""

from collections.abc import Callable, Iterator

import numpy as np
import pytest
import torch
from torch import Tensor

from regard.core.attend import STEPS
from regard.core.errors import Failure
from regard.core.masks import Mask
from regard.core.memory import Memory
from regard.core.tap import active
from regard.inspection import record as recording
from regard.inspection.keeping import TOLERANCE
from regard.inspection.record import record, teacher_forced
from regard.inspection.trace import Sequence, Trace
from regard.inspection.visit import Watcher
from regard.models.rnn import CROSS, RnnTranslator
from toy import translator

START = 2
KINDS = ["additive", "dot", "general", "concat"]


def side(*ids: int) -> Sequence:
    count = len(ids)
    return Sequence("", tuple(map(str, ids)), ids, tuple(range(count)), ((0, 0),) * count)


SOURCE, TARGET = side(5, 6, 7, 8, 3), side(11, 12, 3)


def recorded(model: RnnTranslator, source: Sequence = SOURCE, keep: tuple[str, ...] = ("weights",)) -> Trace:
    return record(model, teacher_forced(source, TARGET, START), name="toy", fingerprint="f", keep=keep, check="full")


@pytest.mark.parametrize("kind", KINDS)
def test_weights_are_rows_of_one_and_the_check_is_small(kind: str) -> None:
    trace = recorded(translator(attention=kind))
    assert trace.weights().shape == (3, 5)
    np.testing.assert_allclose(trace.weights().sum(-1), 1, atol=1e-6)
    assert (trace.check.kind, trace.check.tolerance) == ("full", TOLERANCE)
    assert 0 <= trace.check.deviation < 1e-5
    assert (trace.model, trace.fingerprint, trace.sequences) == ("toy", "f", teacher_forced(SOURCE, TARGET, START))


@pytest.mark.parametrize("kind", KINDS)
def test_the_recorded_steps_make_the_context_by_hand(kind: str) -> None:
    """weights = softmax(scaled), context = weights · value, in float64 numpy."""
    trace = recorded(translator(attention=kind), keep=STEPS)
    steps = ("scaled", "weights", "value", "context")
    scaled, weights, value, context = (trace.tensor(step).astype(float) for step in steps)
    shifted = np.exp(scaled - scaled.max(-1, keepdims=True))
    np.testing.assert_allclose(weights, shifted / shifted.sum(-1, keepdims=True), atol=1e-6)
    np.testing.assert_allclose(context, weights @ value, atol=1e-6)


def test_only_what_is_asked_for_is_kept() -> None:
    assert recorded(translator(), keep=()).tensors == {}
    assert set(recorded(translator(), keep=("weights", "scores")).tensors) == {f"{CROSS}/weights", f"{CROSS}/scores"}


def test_a_model_without_attention_has_an_empty_trace_with_a_check() -> None:
    trace = recorded(translator(attention="none"))
    assert (trace.sites, trace.tensors) == ((), {})
    assert trace.check.deviation == 0


def test_nothing_is_left_switched_on() -> None:
    model = translator()
    recorded(model)
    assert active() is None


# Faults. Each is planted where a recorder or a layer may go wrong; the check must see it.


@pytest.fixture
def spoil(monkeypatch: pytest.MonkeyPatch) -> Callable[[str, Callable[[Tensor], Tensor]], None]:
    """Make the recorder see another tensor than the model's own at a step; the model itself goes on untouched."""

    def plant(step: str, fault: Callable[[Tensor], Tensor]) -> None:
        class Lying(Watcher):
            def __call__(self, address: str, at: str, tensor: Tensor) -> Tensor:
                super().__call__(address, at, fault(tensor) if at == step else tensor)
                return tensor

        monkeypatch.setattr(recording, "Watcher", Lying)

    return plant


@pytest.mark.parametrize(
    ("step", "fault"),
    [
        ("query", lambda t: t.flip(-1)),
        ("query", lambda t: t.flip(-2)),
        ("query", lambda t: t * 3),
        ("query", lambda t: torch.zeros_like(t)),
        ("key", lambda t: t.roll(1, -2)),
        ("key", lambda t: t * 1.1),
        ("key", lambda t: t * float("nan")),
        ("value", lambda t: t.flip(-2)),
        ("context", lambda t: t.flip(-1)),
        ("context", lambda t: t + float("inf")),
    ],
)
@pytest.mark.parametrize("kind", ["dot", "additive"])
def test_a_wrong_tensor_is_caught(kind: str, spoil: Callable, step: str, fault: Callable) -> None:
    spoil(step, fault)
    with pytest.raises(Failure, match="no trace is made") as caught:
        recorded(translator(attention=kind))
    assert caught.value.code == "trace_check"


@pytest.mark.parametrize("kind", ["dot", "additive"])
def test_a_mask_that_is_dropped_when_somebody_looks_is_caught(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The source ends in padding, which nothing may look at; with a tap it can be seen. The logits betray it."""
    padded = side(5, 6, 7, 3, 0, 0)
    model = translator(attention=kind)
    recorded(model, padded)
    masked = Memory.mask.fget  # type: ignore[attr-defined]

    def forgetful(memory: Memory) -> Mask | None:
        return None if active() else masked(memory)

    monkeypatch.setattr(Memory, "mask", property(forgetful))
    with pytest.raises(Failure) as caught:
        recorded(model, padded)
    assert caught.value.code == "trace_check"


def test_to_look_must_not_change(monkeypatch: pytest.MonkeyPatch) -> None:
    """A model whose features differ once a tap is set: the reference is the run without one."""
    real = RnnTranslator.features
    monkeypatch.setattr(RnnTranslator, "features", lambda *a: real(*a) * (1.01 if active() else 1))
    with pytest.raises(Failure):
        recorded(translator())


@pytest.fixture(autouse=True)
def no_tap_stays() -> Iterator[None]:
    yield
    assert active() is None
