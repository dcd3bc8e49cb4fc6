"""tiny Shakespeare by characters: validation loss and time of our GPT beside nanoGPT's, after the same steps.

nanoGPT's settings for a CPU (4 layers × 128, 64 characters, 2000 steps; it publishes a loss of 1.88) or, with
`--large`, for a GPU (6 × 384, 256 characters, 5000 steps; 1.47: hours on a CPU). The two work in turn, in processes of
their own. With `--run FOLDER` only ours does, as `regard train lm`, in a folder where it goes on after it was stopped,
beside the loss that nanoGPT publishes. One judge for both: the whole of the last tenth of the text, in fp32.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import torch

from gpt_training_speed import SIZES
from measuring.characters import SHAKESPEARE, Training, settings_of, validation_loss, written_as_ids
from measuring.long_run import trained
from measuring.report import circumstances, ended, told, written
from measuring.turns import apart
from peers import nanogpt
from peers.nanogpt import NanoSizes

OURS, NANO = "regard", "nanoGPT"
PUBLISHED = {"4 × 128": 1.88, "6 × 384": 1.47}
AT_ONCE = 4096
"""Tokens that ours takes at once: on one thread a step of 16,384 is a fifth faster in four pieces (3.2 for 4.2 s)."""

Curve = list[tuple[int, float, float]]
"""(steps, validation loss, seconds of training)."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Train both, judge both, print, write; 1 where our loss is higher, or our time longer."""
    asked = _asked(arguments)
    facts = circumstances() | {"settings": {name: str(value) for name, value in vars(asked).items()}}
    with tempfile.TemporaryDirectory() as folder:
        curves = {OURS: [_alone(asked)]} if asked.run else _trained(asked, Path(folder))
    holds = _holds(curves, PUBLISHED[_size(asked)])
    _tell(curves, asked, holds)
    written("shakespeare" + "_large" * asked.large, facts | {"curves": curves, "holds": holds})
    return 0 if holds or asked.quick else 1


def _asked(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--text", type=Path, default=SHAKESPEARE)
    parser.add_argument("--large", action="store_true", help="6 × 384 × 256, 5000 steps")
    parser.add_argument("--run", type=Path, help="a folder: without nanoGPT, whose 5000 steps take ten hours")
    parser.add_argument("--dropout", type=float, help="ours, in place of nanoGPT's (0 and 0.2)")
    parser.add_argument("--steps", type=int, help="in place of nanoGPT's (2000 and 5000)")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--turns", type=int, default=10, help="each ends with a validation")
    parser.add_argument("--processor-time", action="store_true", help="on a busy machine, with --threads 1")
    parser.add_argument("--optimizer", choices=("adamw", "muon"), default="adamw", help="ours")
    parser.add_argument("--quick", action="store_true", help="a few steps, to see that it runs")
    asked = parser.parse_args(arguments)
    if asked.processor_time and asked.threads != 1:
        parser.error("--processor-time is of one thread: --threads 1")
    if asked.quick:
        asked.steps, asked.turns = 6, 2
    return asked


def _trained(asked: argparse.Namespace, folder: Path) -> dict[str, Curve]:
    """Both, in turn, to the last step."""
    text = written_as_ids(asked.text, folder)
    sizes, settings = SIZES[_size(asked)]
    sizes = replace(sizes, vocab_size=text.vocab_size)
    settings = replace(settings, steps=asked.steps or settings.steps)
    settings = replace(settings, warmup=min(settings.warmup, settings.steps // 2))
    each = max(1, settings.steps // asked.turns)
    pieces = max(1, settings.batch * sizes.max_len // AT_ONCE)
    choices = {"threads": asked.threads, "optimizer": asked.optimizer, "accumulate": pieces}
    ours = settings_of(_ours(sizes, asked), replace(settings, batch=settings.batch // pieces), **choices)
    clock = time.process_time if asked.processor_time else time.perf_counter
    common = work, asked.threads, clock, each, text.validation, sizes.max_len
    peers: dict[str, Any] = {OURS: apart(*common, Training, text.training, ours)}
    peers[NANO] = apart(*common, nanogpt.Training, text.training, sizes, settings)
    curves: dict[str, Curve] = {name: [] for name in peers}
    for turn in range(1, settings.steps // each + 1):
        for name, peer in peers.items():
            loss, seconds = peer()
            curves[name].append((turn * each, loss, seconds + (curves[name][-1][2] if turn > 1 else 0.0)))
            print(f"{name}: {turn * each} steps, {loss:.4f}, {curves[name][-1][2]:.0f} s", file=sys.stderr, flush=True)
    return curves


def _ours(sizes: NanoSizes, asked: argparse.Namespace) -> NanoSizes:
    return sizes if asked.dropout is None else replace(sizes, dropout=asked.dropout)


def _alone(asked: argparse.Namespace) -> tuple[int, float, float]:
    """Ours, by the shipped program: steps of the best model, its loss, seconds by the clock."""
    sizes, settings = SIZES[_size(asked)]
    steps, pieces = asked.steps or settings.steps, max(1, settings.batch * sizes.max_len // AT_ONCE)
    course = {"steps": steps, "warmup": min(settings.warmup, steps // 2), "learning_rate": settings.rate}
    course |= {"batch_size": settings.batch // pieces, "accumulate": pieces, "optimizer": asked.optimizer}
    course |= {"evaluate_every": max(1, steps // asked.turns), "save_every": 50, "patience": asked.turns}
    return trained(asked.run, asked.text, _ours(sizes, asked), course | {"threads": asked.threads, "compile": False})


def work(
    pipe: Connection,
    threads: int,
    clock: Callable[[], float],
    steps: int,
    validation: Path,
    context: int,
    make: Callable[..., Any],
    *which: object,
) -> None:
    """One peer: so many steps, its validation loss and how long the steps took; then it waits for the next turn."""
    torch.set_num_threads(threads)
    torch.manual_seed(1337)
    step = make(*which)
    try:
        while pipe.recv():
            began = clock()
            for _ in range(steps):
                step()
            seconds = clock() - began
            step.model.eval()
            pipe.send((validation_loss(step.model, validation, context), seconds))
            step.model.train()
    except (EOFError, BrokenPipeError):
        return


def _best(curve: Curve) -> tuple[int, float, float]:
    """The lowest loss, and the time of all: nanoGPT keeps its best checkpoint, and so do we."""
    steps, loss, _ = min(curve, key=lambda each: each[1])
    return steps, loss, curve[-1][2]


def _size(asked: argparse.Namespace) -> str:
    return "6 × 384" if asked.large else "4 × 128"


def _holds(curves: dict[str, Curve], published: float) -> bool:
    """Whether our loss is at most nanoGPT's, and our time no longer; alone: at most what it publishes, two digits."""
    _, ours, seconds = _best(curves[OURS])
    if NANO not in curves:
        return round(ours, 2) <= published
    _, theirs, their_seconds = _best(curves[NANO])
    return ours <= theirs and seconds <= their_seconds


def _tell(curves: dict[str, Curve], asked: argparse.Namespace, holds: bool) -> None:
    rows = [
        (name, curve[-1][0], f"{curve[-1][1]:.4f}", f"{_best(curve)[1]:.4f}", f"{curve[-1][2]:.0f}")
        for name, curve in curves.items()
    ]
    size = _size(asked)
    clock = "processor time" if asked.processor_time else "time"
    reading = f"nanoGPT publishes {PUBLISHED[size]}; {asked.threads} thread(s), {clock}."
    head = ("peer", "steps", "validation loss, last", "best", "seconds")
    told(f"tiny Shakespeare, {size}", head, rows, reading=reading + ("" if holds or asked.quick else " Missed."))


if __name__ == "__main__":
    sys.exit(ended(main))
