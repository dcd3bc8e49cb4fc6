"""The training loop: one step after another, with validation, checkpoints, signals, and exact resume."""

import math
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

import torch
from torch.nn.utils import get_total_norm

from regard.core import freed
from regard.core.errors import Failure
from regard.core.tap import active
from regard.training import checkpoint, optimizers, precision
from regard.training.batch import Batch
from regard.training.checkpoint import Standing
from regard.training.loss import Compute, loss, surprise
from regard.training.settings import Settings, rate

Report = dict[str, Any]
Validate = Callable[[Any], Report]
"""Measures a model; the report's `score` decides which model is best (larger is better)."""


class Stopped(Exception):  # noqa: N818 — no error: what was asked for
    """A signal asked the run to leave; its checkpoint is written."""

    def __init__(self, number: int, path: Path) -> None:
        super().__init__(number)
        self.number, self.path = number, path


@dataclass(frozen=True)
class Run:
    """All that one training run is made of."""

    settings: Settings
    model: Any
    """An `nn.Module` that is `Trainable`."""
    tokenizer: Any
    batch: Callable[[int], Batch]
    """The batch 0, 1, …: a pure function, so that the step is all the position there is."""
    validate: Validate
    save_best: Callable[[Any, Report], None]
    folder: Path
    report: Callable[[str, Report], None]
    """Called as report("step" | "validation" | "checkpoint", facts)."""
    watch: Callable[[Any, int, Report], None] = lambda model, step, facts: None
    """Called before the first step, and at every validation, with the model, the step, and what was measured."""


def train(run: Run, resume_from: Path | None = None) -> Standing:
    """Train to the last step, or until validation has not improved `patience` times.

    Raises:
        Failure: `diverged`: a loss or gradient is NaN or infinite; nothing was changed by that step.
        Stopped: SIGINT or SIGTERM came; a checkpoint was written first.
    """
    settings, model = run.settings, run.model
    freed.keep_freed()
    steppers = optimizers.make(model, settings)
    standing = checkpoint.restore(resume_from, model, steppers) if resume_from else Standing()
    compute = compute_of(settings)
    began = time.monotonic() - standing.seconds
    with machine(settings), _listening() as asked:
        while standing.step < settings.steps and standing.stale < settings.patience:
            one_step(run, steppers, standing, compute)
            standing.seconds = time.monotonic() - began
            last = standing.step == settings.steps
            if standing.step % settings.evaluate_every == 0 or last:
                _validate(run, standing)
            if standing.step % settings.save_every == 0 or last or asked or standing.stale >= settings.patience:
                path = checkpoint.save(run.folder, model, steppers, run.tokenizer, standing)
                run.report("checkpoint", {"step": standing.step, "checkpoint": str(path)})
                if asked:
                    raise Stopped(asked[0], path)
    return standing


def compute_of(settings: Settings) -> Compute:
    """The loss as this run computes it.

    Raises:
        BadInput: `compiler_missing`.
    """
    plain = surprise if recurrent(settings) else precision.rounded(surprise, settings.precision, settings.device)
    if not settings.compile:
        return plain
    precision.require_compiler(settings.device)
    compiled = torch.compile(plain)
    return lambda *arguments: (compiled if active() is None else plain)(*arguments)  # compiled code shows no step


def recurrent(settings: Settings) -> bool:
    """Whether the model is an RNN: its kernels take their precision from the process."""
    return settings.model.model_type == "regard-rnn"


def one_step(run: Run, steppers: list[torch.optim.Optimizer], standing: Standing, compute: Compute) -> None:
    """One step; its batches and its dropout depend on seed and step alone."""
    settings, step = run.settings, standing.step
    _seed((settings.seed << 32) + step, settings.device)
    if not run.model.training:
        run.model.train()
    batches = [run.batch(step * settings.accumulate + part) for part in range(settings.accumulate)]
    optimizers.set_rate(steppers, rate(step, settings))
    for stepper in steppers:
        stepper.zero_grad(set_to_none=True)
    facts, losses = _gradient(run, batches, compute)
    gradients = [each.grad for each in optimizers.parameters(steppers) if each.grad is not None]
    norm = get_total_norm(gradients).item()
    _refuse_non_finite(run, _suspects(batches, losses), step, facts["loss"], norm)
    if norm > settings.clip:
        torch._foreach_mul_(gradients, settings.clip / norm)
    for stepper in steppers:
        stepper.step()
    standing.step += 1
    run.report("step", {"step": standing.step, **facts, "norm": norm, "rate": rate(step, settings)})


def _gradient(run: Run, batches: list[Batch], compute: Compute) -> tuple[Report, list[float]]:
    """The gradient of the mean over all tokens of these batches; the loss of each."""
    count, losses, value, computed = sum(batch.tokens for batch in batches), [], 0.0, 0.0
    for batch in batches:
        measured = loss(run.model, batch, run.settings.label_smoothing, compute)
        share = measured.tokens / count
        (measured.loss if len(batches) == 1 else measured.loss * share).backward()
        losses.append(measured.loss.item())
        value += losses[-1] * share
        computed += measured.tokens / (1 - measured.padding)
    return {"loss": value, "tokens": count, "padding": 1 - count / computed}, losses


def _seed(number: int, device: str) -> None:
    """The random numbers of a step. (`torch.manual_seed` asks for every kind of device: 80 µs of a step's 20 ms.)"""
    if device == "cpu":
        torch.default_generator.manual_seed(number)
    else:
        torch.manual_seed(number)


def _suspects(batches: list[Batch], losses: list[float]) -> list[Batch]:
    """The first batch whose loss is not finite; all, where it is the gradient alone."""
    return [batch for batch, value in zip(batches, losses, strict=True) if not math.isfinite(value)][:1] or batches


def _refuse_non_finite(run: Run, suspects: list[Batch], step: int, value: float, norm: float) -> None:
    """NaN and infinity stop the run before the step that would carry them into the weights."""
    if not (abs(value) < float("inf") and norm < float("inf")):
        first = next((n for n, p in run.model.named_parameters() if p.grad is None or not p.grad.isfinite().all()), "")
        examples = ", ".join([str(number) for batch in suspects for number in batch.examples[:5].tolist()][:20])
        raise Failure("diverged", step=step + 1, loss=value, norm=norm, tensor=first or "loss", examples=examples)


def _validate(run: Run, standing: Standing) -> None:
    run.model.eval()
    facts = run.validate(run.model)
    run.watch(run.model, standing.step, facts)
    better = standing.best is None or facts["score"] > standing.best
    standing.best, standing.stale = (facts["score"], 0) if better else (standing.best, standing.stale + 1)
    facts |= {"step": standing.step, "best": standing.best, "seconds": standing.seconds}
    if better:
        run.save_best(run.model, facts)
    run.report("validation", facts)


@contextmanager
def machine(settings: Settings) -> Iterator[None]:
    """So many threads of the processor, and products in this precision, within this block."""
    before = torch.get_num_threads()
    torch.set_num_threads(settings.threads)
    try:
        with precision.using(settings.precision, recurrent=recurrent(settings)):
            yield
    finally:
        torch.set_num_threads(before)


@contextmanager
def _listening() -> Iterator[list[int]]:
    """SIGINT and SIGTERM put their number on the list; a second one of the same kind leaves at once."""
    asked: list[int] = []
    old: dict[int, Any] = {}

    def hear(number: int, frame: FrameType | None) -> None:
        asked.append(number)
        signal.signal(number, old[number] or signal.SIG_DFL)

    try:
        for heard in (signal.SIGINT, signal.SIGTERM):
            old[heard] = signal.signal(heard, hear)
    except ValueError:  # not in the main thread: whoever runs us there minds the signals
        old = {}
    try:
        yield asked
    finally:
        for number, handler in old.items():
            signal.signal(number, handler)
