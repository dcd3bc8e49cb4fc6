"""Training speed of our GPT beside nanoGPT's and a plain loop around transformers' GPT-2, in one run on the CPU.

Two sizes, those of nanoGPT for characters: 4 layers × 128 (12 windows of 64), 6 × 384 (64 windows of 256, dropout).
Each does whole training steps (batch, forward, backward, clipping, optimizer); in turn, round after round. Ours is that
of a run long enough for a trial, which chooses precision and torch.compile on this machine before anything is timed.
"""

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from statistics import median

import torch

from measuring.characters import SHAKESPEARE, Training, settings_of, tried, written_as_ids
from measuring.report import circumstances, ended, told, written
from measuring.turns import Turn, apart, gate, in_turn, ratio
from peers import gpt2_loop, nanogpt
from peers.nanogpt import NanoSettings, NanoSizes
from regard.training import precision

OURS, OURS_PLAIN, OURS_FP32 = "regard", "regard, not compiled", "regard, fp32, not compiled"
NANO, HAND = "nanoGPT", "transformers' GPT-2, plain loop"
SIZES = {
    "4 × 128": (NanoSizes(), NanoSettings()),
    "6 × 384": (
        NanoSizes(n_layers=6, n_heads=6, d_model=384, max_len=256, dropout=0.2),
        NanoSettings(steps=5000, batch=64),
    ),
}
ASKED = {"4 × 128": {NANO: 1.5, HAND: 2.0}, "6 × 384": {NANO: 2.7, HAND: 3.2}}
LONG = 1_000_000
"""Steps of a run that is long enough for a trial."""

WORK = 40_000
"""Tokens of a peer's turn."""

LIGHT = 4096
"""Tokens of a step up to which ours stands there in other ways too: of 16,384 each peer holds 4 to 8 GB."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print, write; 1 where a ratio that is asked for is missed."""
    asked = _asked(arguments)
    facts = circumstances() | {"settings": {name: str(value) for name, value in vars(asked).items()}}
    found = {name: _measured(asked, *SIZES[name]) for name in asked.sizes}
    ratios = {name: {peer: ratio(each[OURS], each[peer]) for peer in each} for name, each in found.items()}
    holds = all(ratios[name][peer][0] >= least for name in found for peer, least in ASKED[name].items())
    for name, speeds in found.items():
        _tell(name, speeds, ratios[name], asked)
    facts |= {"tokens_per_second": found, "times_as_fast_as": ratios, "asked": ASKED, "holds": holds}
    written("gpt_training_speed", facts)
    return 0 if holds or asked.quick else 1


def _asked(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--text", type=Path, default=SHAKESPEARE, help="the text whose characters are learned")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--rounds", type=int, default=5, help="rounds that count; one more comes first")
    parser.add_argument("--processor-time", action="store_true", help="of the main thread, for a busy machine")
    parser.add_argument("--sizes", nargs="+", choices=SIZES, default=list(SIZES))
    parser.add_argument("--dropout", type=float, help="of all, in place of nanoGPT's (0 and 0.2)")
    parser.add_argument("--batch", type=int, help="windows a step, in place of nanoGPT's (12 and 64)")
    parser.add_argument("--steps", type=int, help="of each peer in a round; else about 40,000 tokens")
    parser.add_argument("--quick", action="store_true", help="a step each, to see that it runs")
    asked = parser.parse_args(arguments)
    if asked.processor_time and asked.threads != 1 and os.environ.get("OMP_WAIT_POLICY") != "passive":
        parser.error("--processor-time with several threads takes OMP_WAIT_POLICY=passive, else waiting is counted too")
    if asked.quick:
        asked.rounds, asked.batch, asked.steps = 1, 2, 1
    return asked


def _measured(asked: argparse.Namespace, sizes: NanoSizes, settings: NanoSettings) -> dict[str, list[float]]:
    """Tokens a second of each peer in each round."""
    with tempfile.TemporaryDirectory() as folder:
        text = written_as_ids(asked.text, Path(folder))
        dropout = sizes.dropout if asked.dropout is None else asked.dropout
        sizes = replace(sizes, vocab_size=text.vocab_size, dropout=dropout)
        settings = replace(settings, batch=asked.batch or settings.batch)
        return in_turn(_peers(asked, text.training, sizes, settings), asked.rounds)


def _peers(asked: argparse.Namespace, path: Path, sizes: NanoSizes, settings: NanoSettings) -> dict[str, Turn]:
    """All peers, each in its own process."""
    tokens = settings.batch * sizes.max_len
    steps = asked.steps or max(1, WORK // tokens)
    clock = time.thread_time if asked.processor_time else time.perf_counter
    start = partial(apart, work, asked.threads, steps, tokens, clock)
    ours = partial(settings_of, sizes, settings, threads=asked.threads)
    peers = {OURS: start(tried, path, ours(steps=LONG))}
    if tokens <= LIGHT:
        peers[OURS_PLAIN] = start(Training, path, ours())
    if tokens <= LIGHT and precision.best() != "fp32":
        peers[OURS_FP32] = start(Training, path, ours(precision="fp32"))
    return peers | {
        NANO: start(nanogpt.Training, path, sizes, settings),
        HAND: start(gpt2_loop.Training, path, sizes, settings),
    }


def work(
    pipe: Connection,
    threads: int,
    steps: int,
    tokens: int,
    clock: Callable[[], float],
    make: Callable[..., Callable[[], float]],
    *which: object,
) -> None:
    """One peer's steps, one after another."""
    torch.set_num_threads(threads)
    torch.manual_seed(1)
    step, passing = make(*which), gate(pipe, steps, clock)
    while True:
        step()
        passing.send(tokens)


def _tell(
    name: str, speeds: dict[str, list[float]], ratios: dict[str, tuple[float, ...]], asked: argparse.Namespace
) -> None:
    rows = []
    for peer, each in speeds.items():
        middle, least, most = ratios[peer]
        at_least = f"≥ {ASKED[name][peer]}" if peer in ASKED[name] else ""
        rows.append((peer, f"{median(each):,.0f}", f"{middle:.2f}", f"{least:.2f}–{most:.2f}", at_least))
    head = ("peer", "tokens/s", "regard is times as fast", "over rounds", "asked")
    missed = not asked.quick and any(ratios[peer][0] < least for peer, least in ASKED[name].items())
    clock = ", processor time" if asked.processor_time else ""
    way = f"{asked.threads} thread(s), {asked.rounds} round(s){clock}"
    reading = f"{way}; not compiled, regard takes {precision.best()} on this processor."
    told(f"Training speed, {name}", head, rows, reading=reading + (" A ratio is missed." if missed else ""))


if __name__ == "__main__":
    sys.exit(ended(main))
