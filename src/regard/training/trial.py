"""Trials: what a run costs on this machine, measured on a model that is thrown away."""

import time

import torch

from regard.training import memory, optimizers
from regard.training.checkpoint import Standing
from regard.training.loop import Run, compute_of, machine, one_step

WARM, LEAST = 3, 10
"""Steps that are not counted, and the fewest that are."""


def seconds_a_step(run: Run, at_least: float = 5.0) -> float:
    """How long a step takes, in seconds of an idle machine. The model of `run` is spent.

    On a processor it is this process' own time, shared out among its threads: what else runs there does not count.
    """
    settings, standing = run.settings, Standing()
    memory.keep_freed()
    torch.manual_seed(settings.seed)
    steppers, compute = optimizers.make(run.model, settings), compute_of(settings)
    with machine(settings):
        for _ in range(WARM):
            one_step(run, steppers, standing, compute)
        began, first = _now(settings.device), standing.step
        while standing.step < first + LEAST or (_now(settings.device) - began) / _share(run) < at_least:
            one_step(run, steppers, standing, compute)
        return (_now(settings.device) - began) / _share(run) / (standing.step - first)


def _now(device: str) -> float:
    return time.process_time() if device == "cpu" else time.monotonic()


def _share(run: Run) -> int:
    return run.settings.threads if run.settings.device == "cpu" else 1
