"""Peers measured in turn, A B C A B C …, so that a slow moment of the machine is shared by all.

Each peer lives in a process of its own: what one asks of the process (memory, precision, threads) touches no other.
While one works the others wait.
"""

import time
from collections.abc import Callable, Generator, Mapping
from multiprocessing import get_context
from multiprocessing.connection import Connection
from statistics import median
from typing import Any

Turn = Callable[[], tuple[int, float]]
"""A peer's share of work: how many real target tokens it was, and how many seconds it took."""


def apart(work: Callable[..., None], *arguments: Any) -> Turn:
    """Start `work(gate, *arguments)` in its own process; it calls `gate.send(tokens)` after each step, see `gate`."""
    context = get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=work, args=(there, *arguments), daemon=True)
    process.start()
    there.close()

    def turn() -> tuple[int, float]:
        here.send(True)
        return here.recv()

    return turn


def gate(pipe: Connection, steps: int, clock: Callable[[], float] = time.perf_counter) -> Generator[None, int, None]:
    """Lets `steps` steps pass, says how long they took, waits for the next turn.

    A step that is done is told by `.send(tokens)`. The first turn begins when this returns. On a machine that others
    use, `time.process_time` counts what a peer of one thread computed, and not what it waited for the processor.
    """
    passing = _passing(pipe, steps, clock)
    next(passing)
    return passing


def _passing(pipe: Connection, steps: int, clock: Callable[[], float]) -> Generator[None, int, None]:
    try:
        while pipe.recv():
            began, tokens = clock(), 0
            for _ in range(steps):
                tokens += yield
            pipe.send((tokens, clock() - began))
    except (EOFError, BrokenPipeError):  # the measurement is over
        raise SystemExit from None


def in_turn(peers: Mapping[str, Turn], rounds: int) -> dict[str, list[float]]:
    """Tokens a second of each peer in each round; a round that does not count comes first, for warming up."""
    speeds: dict[str, list[float]] = {name: [] for name in peers}
    for number in range(rounds + 1):
        for name, turn in peers.items():
            tokens, seconds = turn()
            if number:
                speeds[name].append(tokens / seconds)
    return speeds


def ratio(ours: list[float], theirs: list[float]) -> tuple[float, float, float]:
    """How many times as fast: the median over rounds of the ratio within a round, the least and the most."""
    each = [a / b for a, b in zip(ours, theirs, strict=True)]
    return median(each), min(each), max(each)
