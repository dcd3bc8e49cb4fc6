"""Training within a budget of processor time: a shared machine takes nothing from it, and the rate fits it."""

import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch

from regard.core import freed
from regard.tasks.training import COURSES, MODELS
from regard.text.pairs import Pairs
from regard.text.tokenizers import Tokenizer
from regard.training import optimizers, precision
from regard.training.checkpoint import Standing
from regard.training.examples import Examples
from regard.training.loop import Run, compute_of, machine, one_step
from regard.training.settings import TranslationSettings

WARMUP = 0.04
"""The share of the budget in which the rate rises."""

FIRST = 10_000
"""How many steps there may be, before any was measured."""


@dataclass
class Spent:
    """What a training took: seconds of this process, steps, target tokens, and the loss over its last tenth."""

    seconds: float = 0.0
    steps: int = 0
    tokens: int = 0
    loss: float = 0.0

    def json(self) -> dict[str, Any]:
        """The figures, with tokens a second."""
        return {**asdict(self), "tokens_a_second": self.tokens / self.seconds}


def train(
    choices: dict[str, Any],
    pairs: Pairs,
    tokenizer: Tokenizer,
    *,
    seconds: float,
    seed: int,
    batch_tokens: int,
    steps: int | None = None,
) -> tuple[Any, Spent]:
    """A model of these choices, trained for so many seconds of this process on one thread; what it took.

    The rate follows the share of the budget that is spent: the schedule is that of a run with as many steps as fit.

    Args:
        steps: take so many, however long it takes.
    """
    settings = _settings(choices, tokenizer.vocab_size, seed, batch_tokens)
    torch.manual_seed(seed)
    freed.keep_freed()
    model = MODELS[settings.model.model_type][1](settings.model)
    examples = Examples(pairs.source, pairs.target, tokenizer)
    examples.batch(0, tokens=batch_tokens, seed=seed)  # the order of the first epoch is no part of a step
    spent, run = Spent(), _run(settings, model, tokenizer, examples)
    steppers, compute, standing = optimizers.make(model, settings), compute_of(settings), Standing()
    losses: list[tuple[float, float]] = []

    def told(kind: str, facts: dict[str, Any]) -> None:
        spent.tokens += facts["tokens"]
        losses.append((time.process_time() - began, facts["loss"]))

    began = time.process_time()
    with machine(settings):
        while (standing.step < steps) if steps else (spent.seconds < seconds):
            fitting = _fitting(settings, standing.step, spent.seconds / seconds, steps)
            one_step(replace(run, settings=fitting, report=told), steppers, standing, compute)
            spent.seconds = time.process_time() - began
    last = [loss for at, loss in losses if at >= 0.9 * spent.seconds]
    spent.steps, spent.loss = standing.step, sum(last) / len(last)
    return model.eval(), spent


def _settings(choices: dict[str, Any], vocab_size: int, seed: int, batch_tokens: int) -> TranslationSettings:
    config, _ = MODELS[choices.get("model_type", "regard-rnn")]
    course = COURSES.get(choices.get("model_type", ""), {})
    return TranslationSettings(
        model=config(vocab_size=vocab_size, **choices), steps=FIRST, seed=seed, batch_tokens=batch_tokens,
        precision=precision.best(), threads=1, **course,
    )  # fmt: skip


def _fitting(settings: TranslationSettings, step: int, share: float, steps: int | None = None) -> TranslationSettings:
    """The settings of a run of so many steps, or of one of which `step` steps are this share."""
    steps = steps or (max(step + 1, round(step / share)) if step and share else FIRST)
    return settings.model_copy(update={"steps": steps, "warmup": max(1, round(WARMUP * steps))})


def _run(settings: TranslationSettings, model: Any, tokenizer: Tokenizer, examples: Examples) -> Run:
    """What `one_step` asks for; nothing is validated or written on the way."""
    return Run(
        settings, model, tokenizer,
        lambda number: examples.batch(number, tokens=settings.batch_tokens, seed=settings.seed),
        lambda model: {}, lambda model, facts: None, Path(), lambda kind, facts: None,
    )  # fmt: skip
