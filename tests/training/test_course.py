"""The course of a run: how the rate falls, who moves which parameter, what a step of many batches is."""

import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from regard.models.gpt import Gpt, GptConfig
from regard.training import optimizers
from regard.training.checkpoint import Standing
from regard.training.loop import Run, _gradient, one_step
from regard.training.loss import loss, surprise
from regard.training.settings import LmSettings, Settings, rate
from regard.training.windows import Windows

MODEL = GptConfig(vocab_size=97, max_len=7, d_model=22, n_layers=2, n_heads=2, d_ff=37)


def course(**choices: Any) -> LmSettings:
    return LmSettings(**{"model": MODEL, "steps": 110, "warmup": 10, "learning_rate": 1.0, **choices})


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        ("linear", {0: 0.1, 9: 1.0, 10: 1.0, 60: 0.5, 109: 0.01}),
        ("cosine", {0: 0.1, 10: 1.0, 60: 0.505, 35: 0.01 + 0.99 * (1 + math.sqrt(0.5)) / 2, 109: 0.0102442}),
        ("wsd", {0: 0.1, 10: 1.0, 60: 1.0, 90: 1.0, 100: 0.5, 109: 0.05}),
    ],
)
def test_the_rate_rises_and_falls_as_the_schedule_says(schedule: str, expected: dict[int, float]) -> None:
    for step, wanted in expected.items():
        assert rate(step, course(schedule=schedule)) == pytest.approx(wanted, abs=1e-6)


def test_the_first_models_rate_is_what_it_was() -> None:
    """A straight rise, a straight fall, a hundredth at least: the formula that en-fr was trained with."""
    settings = Settings(model={"vocab_size": 17}, steps=1000, warmup=100)  # type: ignore[arg-type]
    for step in (0, 99, 100, 517, 999):
        old = (step + 1) / 100 if step < 100 else max(0.01, (1000 - step) / 900)
        assert rate(step, settings) == pytest.approx(2e-3 * old)
    assert (settings.beta1, settings.beta2, settings.weight_decay, settings.decayed) == (0.9, 0.98, 0.01, "all")


def owners(model: nn.Module, settings: Settings) -> dict[str, tuple[str, float]]:
    """Of each parameter: its optimizer, and how strongly it is decayed."""
    names = {parameter: name for name, parameter in model.named_parameters()}
    groups = [(type(o).__name__, g) for o in optimizers.make(model, settings) for g in o.param_groups]
    owned = [(names[p], (kind, group["weight_decay"])) for kind, group in groups for p in group["params"]]
    assert len(owned) == len(names) == len(dict(owned))  # each once
    return dict(owned)


@pytest.mark.parametrize("tied", [True, False])
def test_muon_moves_the_matrices_inside_and_nothing_else(tied: bool) -> None:
    model = Gpt(MODEL.model_copy(update={"tied": tied}))
    for name, (kind, decay) in owners(model, course(optimizer="muon")).items():
        inside = name.startswith("layers.") and model.get_parameter(name).ndim == 2
        assert kind == ("Muon" if inside else "AdamW"), name
        assert decay == (0.1 if model.get_parameter(name).ndim == 2 else 0.0), name


def test_only_matrices_are_drawn_to_zero_unless_all_are() -> None:
    model = Gpt(MODEL)
    for name, (_, decay) in owners(model, course()).items():
        assert decay == (0.1 if model.get_parameter(name).ndim > 1 else 0.0), name
    assert {decay for _, decay in owners(model, course(decayed="all")).values()} == {0.1}


def test_a_muon_step_is_as_long_as_one_of_adamw() -> None:
    """Its matrix has singular values near one; scaled, its root mean square is near 0.2 (Liu et al. 2025, §2.2)."""
    torch.manual_seed(0)
    layer = nn.Linear(37, 53, bias=False)
    before = layer.weight.detach().clone()
    muon = torch.optim.Muon([layer.weight], lr=1.0, weight_decay=0.0, adjust_lr_fn="match_rms_adamw")
    layer(torch.randn(101, 37)).square().sum().backward()
    muon.step()
    length = (layer.weight.detach() - before).square().mean().sqrt().item()
    assert 0.12 < length < 0.28


@pytest.mark.parametrize("tokens", [None, (5, 31)])
def test_many_batches_make_the_gradient_of_one(tokens: tuple[int, int] | None) -> None:
    """Of equal size, or with other counts of real tokens: the mean is over all tokens."""
    torch.manual_seed(0)
    model = Gpt(MODEL).double()
    windows = Windows(np.random.default_rng(0).integers(0, 97, 211), 7)
    both = windows.at(np.arange(0, 70, 7))
    parts = [windows.at(np.arange(0, 35, 7)), windows.at(np.arange(35, 70, 7))]
    if tokens:
        masks = [torch.arange(35).view(5, 7) < count for count in tokens]
        parts = [type(p)(p.inputs, p.expected, m, p.examples) for p, m in zip(parts, masks, strict=True)]
        both = type(both)(both.inputs, both.expected, torch.cat(masks), both.examples)
    loss(model, both).loss.backward()
    expected = {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}
    model.zero_grad()
    run = Run(course(), model, None, None, None, None, None, None)  # type: ignore[arg-type]
    facts, _ = _gradient(run, parts, surprise)
    assert facts["loss"] == pytest.approx(loss(model, both).loss.item(), abs=1e-9)
    assert facts["tokens"] == (sum(tokens) if tokens else 70)
    for name, gradient in expected.items():
        assert torch.allclose(model.get_parameter(name).grad, gradient, atol=1e-12), name


def test_a_bigram_text_is_learnt_to_its_entropy() -> None:
    """Truth by hand: after each id comes one of two with equal chance, so no model can do better than ln 2."""
    chance = np.random.default_rng(1)
    ids = [0]
    for _ in range(4000):
        ids.append((2 * ids[-1] + int(chance.integers(2))) % 11)
    torch.manual_seed(0)
    model = Gpt(GptConfig(vocab_size=11, max_len=13, d_model=22, n_layers=1, n_heads=2))
    windows = Windows(np.array(ids), 13)
    settings = course(model=model.config, steps=150, learning_rate=0.01, optimizer="muon")
    steppers = optimizers.make(model, settings)
    for step in range(150):
        optimizers.set_rate(steppers, rate(step, settings))
        measured = loss(model, windows.batch(step, size=17, seed=0))
        model.zero_grad()
        measured.loss.backward()
        for stepper in steppers:
            stepper.step()
    assert measured.loss.item() == pytest.approx(math.log(2), abs=0.1)


@pytest.mark.parametrize("optimizer", ["adamw", "muon"])
def test_a_gradient_is_shortened_to_what_is_asked_and_no_shorter_one_is_touched(optimizer: str) -> None:
    """Held against torch's own clipping; the norm that is told is that before."""
    windows, told, found = Windows(np.arange(89) % 83, 7), [], []
    for clip in (1e9, 0.5):
        torch.manual_seed(3)
        settings, model, nothing = course(optimizer=optimizer, clip=clip), Gpt(MODEL), _nothing()
        run = Run(settings, model, nothing, lambda n: windows.batch(n, size=3, seed=5), nothing, nothing, nothing,
                  lambda kind, facts: told.append(facts))  # fmt: skip
        one_step(run, optimizers.make(model, settings), Standing(), surprise)
        found.append(model)
    whole, short = ([p.grad for p in model.parameters()] for model in found)
    norm = torch.nn.utils.clip_grad_norm_(found[0].parameters(), 0.5).item()
    assert told[0]["norm"] == told[1]["norm"] == pytest.approx(norm)
    assert norm > 0.5
    for one, other in zip(whole, short, strict=True):
        torch.testing.assert_close(other, one)


def _nothing() -> Any:
    """In place of what a single step does not ask for."""
    return None
