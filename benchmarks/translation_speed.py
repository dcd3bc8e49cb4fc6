"""Training speed of our RNN translator beside JoeyNMT's, with input feeding and without, in one run on the CPU.

Each does whole training steps (batch, forward, backward, clipping, optimizer) in its own form, with our sizes, the
same tokenizer, the same token budget and the same threads, in fp32; in turn, round after round. What is counted are
real target tokens (end tokens yes, padding no).
"""

import argparse
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from itertools import cycle, islice
from multiprocessing.connection import Connection
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch

from measuring.pairs import TRAIN, tokenizer_of, training_pairs
from measuring.report import circumstances, ended, told, written
from measuring.turns import Turn, apart, gate, in_turn, ratio
from peers import joey_training as joey
from peers.joey_rnn import JoeyRnn, JoeySizes
from regard.models.rnn import RnnConfig, RnnTranslator
from regard.text import tokenizers
from regard.text.batches import batches
from regard.text.pairs import Pairs
from regard.training import precision
from regard.training.batch import Batch
from regard.training.examples import Examples
from regard.training.loop import Run, train
from regard.training.settings import TranslationSettings

OURS, OURS_BF16 = "regard", "regard, bf16 products"
FED, UNFED = "JoeyNMT RNN, input feeding", "JoeyNMT RNN, no input feeding"
ASKED = {FED: 2.5, UNFED: 1.5}
FOREVER = 10**6


@dataclass(frozen=True)
class Share:
    """One peer's work of a turn: these pairs, cut into these batches, by this tokenizer, on so many threads."""

    pairs: Pairs
    batches: list[list[int]]
    tokenizer: Path
    threads: int
    tokens: int

    def examples(self) -> Examples:
        """The pairs as ids."""
        return Examples(self.pairs.source, self.pairs.target, tokenizers.load(self.tokenizer))


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print, write; 1 where a ratio that is asked for is missed."""
    asked = _asked(arguments)
    facts = circumstances() | {"settings": {name: str(value) for name, value in vars(asked).items()}}
    with tempfile.TemporaryDirectory() as folder:
        speeds = in_turn(_peers(asked, Path(folder)), asked.rounds)
    ratios = {name: ratio(speeds[OURS], each) for name, each in speeds.items() if name != OURS}
    holds = all(ratios[name][0] >= least for name, least in ASKED.items())
    _tell(speeds, ratios, holds, asked)
    measured = {name: {"median": median(each), "rounds": each} for name, each in speeds.items()}
    times = {name: dict(zip(("median", "least", "most"), found, strict=True)) for name, found in ratios.items()}
    facts |= {"tokens_per_second": measured, "times_as_fast_as": times, "asked": ASKED, "holds": holds}
    written("translation_speed", facts)
    return 0 if holds or asked.quick else 1


def _asked(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=Path, default=TRAIN, help="TSV of source and target")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--rounds", type=int, default=7, help="rounds that count; one more comes first")
    parser.add_argument("--batches", type=int, default=16, help="steps of each peer in a round")
    parser.add_argument("--tokens", type=int, default=2000, help="budget of a batch: sentences × longest side")
    parser.add_argument("--vocab-size", type=int, default=5000)
    parser.add_argument("--scorer", choices=("bahdanau", "luong"), default="bahdanau", help="JoeyNMT's attention")
    parser.add_argument("--smoothing", type=float, default=0.0, help="JoeyNMT's label smoothing (ours: 0.1)")
    parser.add_argument("--same-batches", action="store_true", help="also JoeyNMT on our batches (not its form)")
    parser.add_argument("--quick", action="store_true", help="a few steps on a few pairs, to see that it runs")
    asked = parser.parse_args(arguments)
    if asked.quick:
        asked.rounds, asked.batches, asked.vocab_size, asked.tokens = 1, 2, 600, 300
    return asked


def _peers(asked: argparse.Namespace, folder: Path) -> dict[str, Turn]:
    """All peers, each in its own process."""
    pairs = training_pairs(asked.pairs, at_most=2000 if asked.quick else None)
    tokenizer = tokenizer_of(pairs, asked.vocab_size)
    (folder / "tokenizer.json").write_text(tokenizer.json(), encoding="utf-8")
    examples = Examples(pairs.source, pairs.target, tokenizer)
    share = partial(_share, pairs, tokenizer=folder / "tokenizer.json", threads=asked.threads, tokens=asked.tokens)
    ours = share(our_batches(examples, asked.tokens, asked.batches))
    theirs = share(their_batches(examples, asked.tokens, asked.batches))
    peers = {OURS: apart(work_ours, ours, tokenizer.vocab_size, "fp32")}
    if precision.best() == "bf16":
        peers[OURS_BF16] = apart(work_ours, ours, tokenizer.vocab_size, "bf16")
    recipe = joey.JoeyRecipe(label_smoothing=asked.smoothing)
    for name, feeding in ((FED, True), (UNFED, False)):
        sizes = JoeySizes(tokenizer.vocab_size, scorer=asked.scorer, input_feeding=feeding)
        peers[name] = apart(work_theirs, theirs, sizes, recipe)
        if asked.same_batches:
            peers[f"{name}, our batches"] = apart(work_theirs, ours, sizes, recipe)
    return peers


def our_batches(examples: Examples, tokens: int, count: int) -> list[np.ndarray]:
    """Batches of an epoch, evenly spaced from the shortest sentences to the longest: a small image of all of them."""
    lengths = [len(row) for row in examples.source], [len(row) - 1 for row in examples.target]
    epoch = sorted(batches(*lengths, tokens=tokens, seed=1, epoch=0), key=lambda each: lengths[1][each[0]])
    return [epoch[int(place)] for place in (np.arange(count) + 0.5) * len(epoch) / count]


def their_batches(examples: Examples, tokens: int, count: int) -> list[np.ndarray]:
    """JoeyNMT's first batches of an epoch: its order is random, so they are an image of all as they are."""
    lengths = [len(row) - 1 for row in examples.source], [len(row) - 2 for row in examples.target]
    return [np.array(each) for each in islice(joey.batches(*lengths, tokens=tokens, seed=1), count)]


def _share(pairs: Pairs, chosen: list[np.ndarray], **rest: Any) -> Share:
    """A share holds the pairs of its own batches alone, numbered anew."""
    ends = np.cumsum([len(each) for each in chosen])
    numbered = [list(range(end - len(each), end)) for end, each in zip(ends.tolist(), chosen, strict=True)]
    return Share(pairs.take(np.concatenate(chosen)), numbered, **rest)


class Chosen:
    """In `Examples`' place: the same few batches again and again, put together anew each time."""

    def __init__(self, share: Share) -> None:
        self.examples, self.batches = share.examples(), share.batches

    def batch(self, step: int) -> Batch:
        return self.examples.of(np.array(self.batches[step % len(self.batches)]))


def work_ours(pipe: Connection, share: Share, vocab_size: int, numbers: str) -> None:
    """The shipped training loop, which stands still between turns."""
    torch.manual_seed(1)
    course = {"steps": FOREVER, "evaluate_every": FOREVER, "save_every": FOREVER}
    model = RnnConfig(vocab_size=vocab_size)
    settings = TranslationSettings(
        model=model, batch_tokens=share.tokens, threads=share.threads, precision=numbers, **course
    )
    passing = gate(pipe, len(share.batches))

    def report(kind: str, facts: dict[str, Any]) -> None:
        if kind == "step":
            passing.send(facts["tokens"])

    # No tokenizer, validation or folder is needed by a loop that never comes to a validation or a checkpoint.
    train(Run(settings, RnnTranslator(model), None, Chosen(share).batch, None, None, None, report))


def work_theirs(pipe: Connection, share: Share, sizes: JoeySizes, recipe: joey.JoeyRecipe) -> None:
    """JoeyNMT's steps, one batch after another."""
    torch.set_num_threads(share.threads)
    torch.manual_seed(1)
    examples, model = share.examples(), JoeyRnn(sizes)
    adam = joey.optimizer(model, recipe)
    passing = gate(pipe, len(share.batches))
    for chosen in cycle(share.batches):
        batch = joey.collated([examples.source[i][:-1] for i in chosen], [examples.target[i][1:-1] for i in chosen])
        joey.step(model, adam, batch, recipe)
        passing.send(batch.tokens)


def _tell(
    speeds: dict[str, list[float]], ratios: dict[str, tuple[float, ...]], holds: bool, asked: argparse.Namespace
) -> None:
    rows = []
    for name, each in speeds.items():
        middle, least, most = ratios.get(name, (1.0, 1.0, 1.0))
        at_least = f"≥ {ASKED[name]}" if name in ASKED else ""
        rows.append((name, f"{median(each):,.0f}", f"{middle:.2f}", f"{least:.2f}–{most:.2f}", at_least))
    head = ("peer", "target tokens/s", "regard is times as fast", "over rounds", "asked")
    chosen = f"{asked.threads} thread(s), budget {asked.tokens} tokens, {asked.rounds} round(s) × {asked.batches} steps"
    reading = f"{chosen}, fp32. The shipped training takes {precision.best()} on this processor."
    told("Training speed", head, rows, reading=reading + ("" if asked.quick or holds else " A ratio is missed."))


if __name__ == "__main__":
    sys.exit(ended(main))
