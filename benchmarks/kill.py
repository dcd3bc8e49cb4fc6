"""`kill -9` at random moments of training: a whole checkpoint each time, and at the end the bits of a run never killed.

A small translator is trained on a made-up corpus (words reversed) by the shipped training, in a process of its own:
once without harm, then killed again and again, while it starts or while it trains, and resumed. After each kill every
checkpoint folder in place is held against its manifest and read; none may be torn, and once there was one there must
always be one. At the end weights and optimizer are compared with the unharmed run's, bit for bit.
"""

import argparse
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file

from measuring.report import OUT, circumstances, ended, told, written
from regard.core.errors import RegardError
from regard.core.files import verify
from regard.tasks.training import Asked, train_translation

WORDS = ("ant", "bee", "cat", "dog", "eel", "fox", "gnu", "hen", "ibis", "jay", "kite", "lark", "mole", "newt", "owl")
DATA = {"tokenizer": "words", "vocab_size": 40, "held_out": 50, "joined": 0.1}
MODEL = {"d_embedding": 32, "d_model": 64}
COURSE = {"batch_tokens": 500, "evaluate_every": 40, "save_every": 5, "patience": 1000}
TENSORS = ("model.safetensors", "optimizer.safetensors")
WHILE_STARTING = 0.2


@dataclass(frozen=True)
class Kill:
    """One kill: when, what it interrupted, and what stood there afterwards."""

    number: int
    phase: str
    seconds: float
    interrupted_writing: bool
    newest_step: int | None
    torn: int
    lost: bool


def main(arguments: Sequence[str] | None = None) -> int:
    """Train, kill, check, resume, compare, print, write; 1 where a checkpoint is torn or lost, or a bit differs."""
    asked = _asked(arguments)
    if asked.train:
        return _train(asked)
    facts = circumstances() | {"settings": {name: str(value) for name, value in vars(asked).items()}}
    shutil.rmtree(asked.output, ignore_errors=True)
    asked.output.mkdir(parents=True)
    _write_corpus(asked.output / "pairs.tsv", asked.seed)
    starting, training = _unharmed(asked)
    kills, equal = _killed(asked, starting, training)
    holds = bool(equal) and all(equal) and not any(kill.torn or kill.lost for kill in kills)
    _tell(kills, equal, asked)
    written("kill", facts | {"kills": [asdict(kill) for kill in kills], "bit_equal": equal, "holds": holds})
    return 0 if holds else 1


def _asked(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--steps", type=int, default=1000)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seed", type=int, default=1, help="of the moments")
    parser.add_argument("--output", type=Path, default=OUT / "kill", help="folder; what is there goes")
    parser.add_argument("--quick", action="store_true", help="three kills of a short run")
    parser.add_argument("--train", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--resume", action="store_true", help=argparse.SUPPRESS)
    asked = parser.parse_args(arguments)
    if asked.quick:
        asked.kills, asked.steps = 3, 60
    return asked


def _train(asked: argparse.Namespace) -> int:
    """What the killed process does: the shipped training; says when it has started."""

    def tell(kind: str, facts: dict[str, Any]) -> None:
        if kind == "start":
            print(kind, flush=True)

    data = DATA | {"pairs": [asked.output / "pairs.tsv"]}
    course = COURSE | {"steps": asked.steps, "threads": asked.threads}
    train_translation(asked.train, Asked() if asked.resume else Asked(data, MODEL, course), tell, resume=asked.resume)
    return 0


def _write_corpus(path: Path, seed: int) -> None:
    random = np.random.default_rng(seed)
    lines = {tuple(random.choice(WORDS, size=random.integers(2, 9)).tolist()) for _ in range(1500)}
    path.write_text("".join(f"{' '.join(w)}\t{' '.join(reversed(w))}\n" for w in sorted(lines)), encoding="utf-8")


def _begun(asked: argparse.Namespace, run: Path) -> subprocess.Popen[str]:
    """The training process: a new run, or the one that stands there. A folder without `run.json` is no run yet."""
    resume = (run / "run.json").is_file()
    if not resume:
        shutil.rmtree(run, ignore_errors=True)
    command = [sys.executable, __file__, "--train", run, "--output", asked.output]
    command += ["--steps", asked.steps, "--threads", asked.threads, *(["--resume"] if resume else [])]
    return subprocess.Popen([str(part) for part in command], stdout=subprocess.PIPE, text=True)


def _unharmed(asked: argparse.Namespace) -> tuple[float, float]:
    """Train without harm; the seconds before training starts, and of training."""
    began = time.perf_counter()
    with _begun(asked, asked.output / "whole") as process:
        process.stdout.readline()
        started = time.perf_counter()
        if process.wait():
            sys.exit(process.returncode)
    return started - began, time.perf_counter() - started


def _killed(asked: argparse.Namespace, starting: float, training: float) -> tuple[list[Kill], list[bool]]:
    """Kill and resume until there were enough kills; each run that came to its end is compared."""
    random, kills, equal = np.random.default_rng(asked.seed), [], []
    while len(kills) < asked.kills:
        run, newest = asked.output / f"killed-{len(equal) + 1}", None
        while True:
            early = bool(random.random() < WHILE_STARTING)
            span = starting if early else 1.6 * training / asked.kills
            moment = random.uniform(0, span) if len(kills) < asked.kills and newest != asked.steps else None
            if not _life(asked, run, moment, early):
                break
            phase = "starting" if early else "training"
            kills.append(_found(run, len(kills) + 1, phase, moment, seen=newest is not None))
            newest = kills[-1].newest_step or newest
        equal.append(_equal(asked.output / "whole", run, asked.steps))
    return kills, equal


def _life(asked: argparse.Namespace, run: Path, moment: float | None, early: bool) -> bool:
    """Let the run live for so many seconds (None: to its end), counted from its process's or its training's start.

    Returns:
        Whether it was killed; else it came to its end.
    """
    with _begun(asked, run) as process:
        if not early:
            process.stdout.readline()
        try:
            if process.wait(timeout=moment):
                sys.exit(process.returncode)
            return False
        except subprocess.TimeoutExpired:
            process.kill()
            return True


def _found(run: Path, number: int, phase: str, seconds: float, seen: bool) -> Kill:
    """What stands there after a kill, before anybody has cleared up."""
    whole = {path: _is_whole(path) for path in sorted(run.glob("step-*"))}
    steps = [int(path.name.removeprefix("step-")) for path, good in whole.items() if good]
    writing = any(run.glob(".tmp-*")) or any(run.glob(".old-*"))
    torn = sum(not good for good in whole.values())
    return Kill(number, phase, seconds, writing, max(steps, default=None), torn, seen and not steps)


def _is_whole(path: Path) -> bool:
    """Every file agrees with the manifest, and the tensors can be read."""
    try:
        verify(path)
        return all(load_file(path / name) for name in TENSORS)
    except (RegardError, OSError, ValueError):
        return False


def _equal(one: Path, other: Path, steps: int) -> bool:
    """Whether two runs ended with the same weights and optimizer, bit for bit."""
    last = f"step-{steps:08d}"
    pairs = [(load_file(one / last / name), load_file(other / last / name)) for name in TENSORS]
    return all(a.keys() == b.keys() and all(_same_bits(a[key], b[key]) for key in a) for a, b in pairs)


def _same_bits(a: torch.Tensor, b: torch.Tensor) -> bool:
    return a.dtype == b.dtype and a.shape == b.shape and a.numpy().tobytes() == b.numpy().tobytes()


def _tell(kills: list[Kill], equal: list[bool], asked: argparse.Namespace) -> None:
    rows = [
        (
            kill.number,
            f"{kill.phase} {kill.seconds:.2f} s",
            "yes" if kill.interrupted_writing else "",
            "none yet" if kill.newest_step is None else kill.newest_step,
            "LOST" if kill.lost else f"{kill.torn} TORN" if kill.torn else "whole",
        )
        for kill in kills
    ]
    ends = f"{sum(equal)} of {len(equal)} run(s) that came to an end have the bits of the one never killed"
    reading = (
        f"{len(kills)} kills of a run of {asked.steps} steps, {asked.threads} thread(s), seed {asked.seed}; {ends}."
    )
    told("kill -9", ("kill", "after", "while writing", "newest step", "checkpoints"), rows, reading=reading)


if __name__ == "__main__":
    sys.exit(ended(main))
