"""Trials: which way to compute a step is taken, and when there is none at all. What a step takes is made up here."""

from collections.abc import Callable
from typing import Any

import pytest
import torch

from regard.core.errors import BadInput
from regard.core.tap import tapped
from regard.models.gpt import gpt2
from regard.training import loop, precision, trial
from regard.training.loop import compute_of
from regard.training.settings import LmSettings

MODEL = gpt2(vocab_size=11, max_len=7, d_model=6, n_layers=1, n_heads=3)
FREE = frozenset(trial.CHOICES)
Quickest = Callable[..., trial.Trial | None]


def settings(**choices: Any) -> LmSettings:
    return LmSettings(model=MODEL, **{"steps": 10_000, "precision": "bf16", **choices})


@pytest.fixture
def quickest(monkeypatch: pytest.MonkeyPatch) -> Quickest:
    """`trial.quickest` on a machine that takes these seconds a step: of bf16, of fp32, of what is compiled."""

    def choose(
        bf16: float, fp32: float, compiled: float | None, *, begin: float = 20.0, free: Any = FREE, **said: Any
    ) -> trial.Trial | None:
        def measured(asked: LmSettings, at_least: float) -> tuple[float, list[float]]:
            if asked.compile and compiled is None:
                raise RuntimeError("the compiler is at its end")
            plain = bf16 if asked.precision == "bf16" else fp32
            seconds = compiled if asked.compile and compiled else plain
            return seconds + begin * asked.compile, [seconds, 0.0, 9 * seconds, seconds, seconds]

        monkeypatch.setattr(trial, "_measured", measured)
        monkeypatch.setattr(precision, "has_compiler", lambda device: True)
        minutes = said.pop("minutes", None)
        return trial.quickest(lambda asked: asked, settings(**said), free, minutes)  # type: ignore[arg-type, return-value]

    return choose


@pytest.mark.parametrize(
    ("seconds", "taken"),
    [
        ((0.1, 0.2, 0.05), ("bf16", True)),
        ((0.1, 0.2, 0.095), ("bf16", False)),  # within the noise
        ((0.1, 0.07, 0.2), ("fp32", False)),
        ((0.1, 0.07, 0.05), ("fp32", True)),
        ((0.1, 0.2, None), ("bf16", False)),
    ],
)
def test_the_quickest_way_is_taken(quickest: Quickest, seconds: tuple[float, ...], taken: tuple[str, bool]) -> None:
    found = quickest(*seconds)
    assert found
    assert (found.taken.choices["precision"], found.taken.choices["compile"]) == taken
    assert [way.seconds_a_step for way in found.ways] == [each for each in seconds if each]  # a median each
    assert found.taken in found.ways


def test_to_compile_must_repay_its_own_time(quickest: Quickest) -> None:
    long, short = quickest(0.1, 0.2, 0.07, begin=90.0), quickest(0.1, 0.2, 0.07, begin=90.0, steps=3100)
    assert long
    assert short
    assert (long.taken.choices["compile"], short.taken.choices["compile"]) == (True, False)
    assert long.ways[-1].seconds_to_begin == pytest.approx(90)


@pytest.mark.parametrize(
    "said",
    [{"steps": 999}, {"steps": 2900}, {"minutes": 4.9}, {"free": ()}, {"free": ("precision",), "precision": "fp32"}],
)
def test_no_trial_where_it_does_not_pay_or_nothing_is_open(quickest: Quickest, said: dict[str, Any]) -> None:
    assert quickest(0.1, 0.05, 0.01, **said) is None


def test_a_time_says_how_long_a_run_is(quickest: Quickest) -> None:
    assert quickest(0.1, 0.2, 0.05, steps=2, minutes=5.1)
    assert quickest(1.0, 2.0, 0.5, minutes=10) is None  # 600 steps


def test_what_somebody_chose_is_not_tried(quickest: Quickest) -> None:
    found = quickest(0.1, 0.05, 0.01, free={"compile"})
    assert found
    assert [way.choices["precision"] for way in found.ways] == ["bf16", "bf16"]
    found = quickest(0.1, 0.05, 0.01, free={"precision"})
    assert found
    assert not any(way.choices["compile"] for way in found.ways)


def test_without_a_compiler_nothing_is_compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CXX", "no-such-compiler")
    assert list(trial._others(settings(), FREE)) == [{"precision": "fp32"}]
    with pytest.raises(BadInput, match="no-such-compiler"):
        compute_of(settings(compile=True))


def test_what_is_compiled_does_not_run_under_a_tap(monkeypatch: pytest.MonkeyPatch) -> None:
    """It shows no step; a look at a model that trains is a look at the model, slow as it is."""
    monkeypatch.setattr(precision, "has_compiler", lambda device: True)
    monkeypatch.setattr(loop, "surprise", lambda *arguments: "plain")
    monkeypatch.setattr(torch, "compile", lambda compute: lambda *arguments: "compiled")
    compute = compute_of(settings(compile=True, precision="fp32"))
    assert compute() == "compiled"
    with tapped(lambda address, step, tensor: tensor):
        assert compute() == "plain"
