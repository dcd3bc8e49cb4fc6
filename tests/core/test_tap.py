"""The tap: one door for looking and for patching, and never another's."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context

import pytest
import torch
from torch import Tensor

from regard.core.attend import STEPS, attend, steps
from regard.core.masks import causal, without
from regard.core.tap import Tap, active, at, tapped

query, key, value = (torch.randn(n, 5, dtype=torch.float64, generator=torch.manual_seed(53)) for n in (3, 7, 7))


def model(address: str, size: float) -> Tensor:
    """Stands for a model: reads the tap once, at its entry, and hands it down."""
    return attend(query * size, key, value, tap=at(active(), address))


def notebook() -> tuple[list[tuple[str, str, float]], Tap]:
    """A list, and a tap that writes into it."""
    seen: list[tuple[str, str, float]] = []

    def tap(address: str, step: str, tensor: Tensor) -> Tensor:
        seen.append((address, step, tensor.sum().item()))
        return tensor

    return seen, tap


def test_the_order_is_exactly_steps() -> None:
    seen, tap = notebook()
    with tapped(tap):
        context = model("decoder.layers.0.self", 1)
    assert [(address, step) for address, step, _ in seen] == [("decoder.layers.0.self", step) for step in STEPS]
    assert [total for *_, total in seen] == [tensor.sum().item() for _, tensor in steps(query, key, value)]
    assert torch.equal(context, model("", 1))


def changed(at_step: str, change: Callable[[Tensor], Tensor]) -> Tensor:
    return attend(query, key, value, tap=lambda step, tensor: change(tensor) if step == at_step else tensor)


def only_the_best(masked: Tensor) -> Tensor:
    return masked.masked_fill(masked < masked.amax(-1, keepdim=True), float("-inf"))


def close(a: Tensor, b: Tensor) -> None:
    torch.testing.assert_close(a, b, atol=1e-13, rtol=0)


def test_what_the_tap_returns_goes_on() -> None:
    """At each of the eight steps, against what the formula says of that change."""
    mean = value.mean(0).expand(3, 5)
    close(changed("query", torch.zeros_like), mean)
    close(changed("key", torch.zeros_like), mean)
    close(changed("value", lambda v: 2 * v), 2 * attend(query, key, value))
    close(changed("scores", lambda s: 3 * s), attend(3 * query, key, value))
    close(changed("scaled", lambda s: s + 11), attend(query, key, value))
    close(changed("masked", only_the_best), value[(query @ key.mT).argmax(-1)])
    close(changed("weights", lambda w: torch.ones_like(w) / 7), mean)
    close(changed("context", lambda c: -c), -attend(query, key, value))


def test_a_knockout_by_tap_is_a_knockout_by_mask() -> None:
    def cut(masked: Tensor) -> Tensor:
        masked = masked.clone()
        masked[1, 2] = float("-inf")
        return masked

    assert torch.equal(changed("masked", cut), attend(query, key, value, mask=without([(1, 2)])))


def test_steps_shows_what_went_on_after_an_intervention() -> None:
    seen = steps(query, key, value, mask=causal(), tap=lambda step, tensor: tensor * 0 if step == "value" else tensor)
    assert not seen.value.any()
    assert not seen.context.any()
    assert torch.equal(seen.weights, steps(query, key, value, mask=causal()).weights)


def test_without_a_tap_there_is_none() -> None:
    assert active() is None
    assert at(None, "decoder.layers.0.self") is None


def test_taps_nest_and_go_also_when_something_breaks() -> None:
    _, outer = notebook()
    _, inner = notebook()
    with tapped(outer):
        with pytest.raises(ZeroDivisionError), tapped(inner):
            1 // (active() is not inner)
        assert active() is outer
    assert active() is None


def test_two_threads_with_two_taps_never_mix() -> None:
    meet = threading.Barrier(2)

    def request(number: int) -> list[tuple[str, str, float]]:
        seen, tap = notebook()
        with tapped(tap):
            for _ in range(20):
                meet.wait(timeout=10)
                model(f"request {number}", number)
        return seen

    with ThreadPoolExecutor(2) as pool:
        both = list(pool.map(request, (2, 3)))
    for number, seen in zip((2, 3), both, strict=True):
        assert {address for address, *_ in seen} == {f"request {number}"}
        assert [step for _, step, _ in seen] == list(STEPS) * 20
        asked = [total for _, step, total in seen if step == "query"]
        assert asked == [(query * number).sum().item()] * 20
    assert active() is None


def test_a_copied_context_carries_the_tap_into_a_thread() -> None:
    seen, tap = notebook()
    with tapped(tap):
        carried = copy_context()
    with ThreadPoolExecutor(1) as pool:
        pool.submit(model, "alone", 1).result()
        pool.submit(carried.run, model, "carried", 1).result()
    assert [address for address, *_ in seen] == ["carried"] * len(STEPS)
