"""Trials: what a run costs on this machine, measured on models that are thrown away.

The number of threads is not tried. How many pay hangs on what else the machine does, and a trial sees a moment of a run
that may last for days; it is the user's to share out.
"""

import time
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from statistics import mean, median
from typing import Any

import torch

from regard.core import freed
from regard.training import optimizers, precision
from regard.training.checkpoint import Standing
from regard.training.loop import Run, compute_of, machine, one_step
from regard.training.settings import Settings

WARM, LEAST = 3, 10
"""Steps that are not counted, and the fewest that are."""

AT_LEAST = 1.0
"""Seconds for which each way is measured."""

FEWEST = 1000
"""A run of fewer steps is not worth a trial: three ways of 13 steps would be more than a few hundredths of it."""

LONG = 300.0
"""Nor is one of fewer seconds: to compile takes up to half a minute, and saves a third at the very best."""

MARGIN = 0.9
"""Another way than the usual one has to take this share of its time: less is lost in the noise of a machine."""

CHOICES = ("precision", "compile")
"""What a trial may choose."""

Make = Callable[[Settings], Run]
"""Makes a run, with a model of its own, that does nothing but steps."""


@dataclass(frozen=True)
class Way:
    """A way to compute the same steps, what a step takes in seconds, and what the first one takes besides."""

    choices: dict[str, Any]
    seconds_a_step: float
    seconds_to_begin: float

    def whole(self, steps: float) -> float:
        """Seconds of a run of so many steps."""
        return self.seconds_to_begin + steps * self.seconds_a_step


@dataclass(frozen=True)
class Trial:
    """The ways that were measured; of those, the one that is taken."""

    ways: tuple[Way, ...]
    taken: Way
    seconds: float
    """What the trial itself took."""


def quickest(make: Make, settings: Settings, free: Collection[str], minutes: float | None = None) -> Trial | None:
    """The quickest way to compute the run's steps, of those that are free to choose; None where no trial pays.

    Args:
        free: which of `CHOICES` nobody has made.
        minutes: how long the run may take, where that and not its steps was said.
    """
    few = settings.steps < FEWEST if minutes is None else 60 * minutes < LONG
    others = list(_others(settings, free))
    if few or not others:
        return None
    began = time.monotonic()
    taken = _way(make, settings)
    steps = settings.steps if minutes is None else 60 * minutes / taken.seconds_a_step
    if steps < FEWEST or taken.whole(steps) < LONG:
        return None
    ways = [taken]
    for other in others:
        way = _way_if_any(make, settings.model_copy(update={**taken.choices, **other}))
        ways += [way] if way else []
        if way and way.whole(steps) < MARGIN * taken.whole(steps):
            taken = way
    return Trial(tuple(ways), taken, time.monotonic() - began)


def _others(settings: Settings, free: Collection[str]) -> Iterator[dict[str, Any]]:
    """What may be quicker than these settings, one change after another."""
    if "precision" in free and settings.precision == "bf16":
        yield {"precision": "fp32"}
    if "compile" in free and not settings.compile and precision.has_compiler(settings.device):
        yield {"compile": True}


def _way_if_any(make: Make, settings: Settings) -> Way | None:
    """These settings, measured; None where torch cannot compile."""
    try:
        return _way(make, settings)
    except RuntimeError:  # all that torch raises where it, or the compiler beneath, is at its end
        if not settings.compile:
            raise
        return None


def _way(make: Make, settings: Settings) -> Way:
    first, steps = _measured(make(settings), AT_LEAST)
    choices = {name: getattr(settings, name) for name in CHOICES}
    return Way(choices, median(steps), max(0.0, first - median(steps)))


def seconds_a_step(run: Run, at_least: float = 5.0) -> float:
    """How long a step takes, in seconds of an idle machine. The model of `run` is spent.

    On a processor it is this process' own time, shared out among its threads: what else runs there does not count.
    """
    return mean(_measured(run, at_least)[1])


def _measured(run: Run, at_least: float) -> tuple[float, list[float]]:
    """Seconds of the first step by the clock, and of each that is counted as `seconds_a_step` says."""
    settings, standing, steps = run.settings, Standing(), list[float]()
    freed.keep_freed()
    torch.manual_seed(settings.seed)
    steppers, compute = optimizers.make(run.model, settings), compute_of(settings)
    began = time.monotonic()
    with machine(settings):
        one_step(run, steppers, standing, compute)
        first = time.monotonic() - began
        while len(steps) < WARM - 1 + LEAST or sum(steps[WARM - 1 :]) < at_least:
            began = _now(settings.device)
            one_step(run, steppers, standing, compute)
            steps.append((_now(settings.device) - began) / _share(run))
    return first, steps[WARM - 1 :]


def _now(device: str) -> float:
    return time.process_time() if device == "cpu" else time.monotonic()


def _share(run: Run) -> int:
    return run.settings.threads if run.settings.device == "cpu" else 1
