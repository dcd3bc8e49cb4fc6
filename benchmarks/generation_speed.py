"""Speed of writing one text with a model of GPT-2's 124M shape, beside transformers' `generate`, in one run on the CPU.

One prompt at a time (batch 1), greedily, with the cache of keys and values; the weights are random and the same for
all. Ours in fp32, with drafts (as `regard generate` writes one text) and without, and with lighter weights (`--weights
bf16|int8`); theirs also with drafts by a copy of its own in int8 (torch's `quantize_dynamic`). In turn, round after
round.
"""

import argparse
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Sequence
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from statistics import median
from typing import Any

import torch
from transformers import GPT2Config, GPT2LMHeadModel
from transformers.pytorch_utils import Conv1D

from measuring.report import circumstances, ended, told, written
from measuring.turns import Turn, apart, gate, in_turn, ratio
from regard.core.errors import BadInput
from regard.generation.choosing import Choice
from regard.generation.continuing import Manner, Speaker, continued
from regard.models import folder, weights
from regard.models.forms.gpt2 import FIELDS
from regard.models.gpt import Gpt, gpt2

THEIRS = "transformers, fp32"
DRAFTED = "fp32, drafted"
KINDS = (DRAFTED, *weights.KINDS)
ASKED = {DRAFTED: 1.3, "int8": 2.5}
SHAPE = {"vocab_size": 50257, "max_len": 1024, "d_model": 768, "n_layers": 12, "n_heads": 12}
SMALL = {"vocab_size": 331, "max_len": 64, "d_model": 32, "n_layers": 2, "n_heads": 2}
Write = Callable[[list[int], int], list[int]]
"""A prompt's ids and how many more are wanted → these."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print, write; 1 where a ratio that is asked for is missed, or the ids of fp32 differ."""
    asked = _asked(arguments)
    facts = circumstances() | {"settings": {name: str(value) for name, value in vars(asked).items()}}
    shape = SMALL if asked.quick else SHAPE
    with tempfile.TemporaryDirectory() as place:
        _made(shape, Path(place))
        same = _same(Path(place), shape, asked)
        speeds = in_turn(_peers(Path(place), shape, asked), asked.rounds)
    ratios = {name: ratio(each, speeds[THEIRS]) for name, each in speeds.items()}
    holds = same and all(ratios[_ours(kind)][0] >= least for kind, least in ASKED.items())
    _tell(speeds, ratios, same, asked)
    facts |= {"tokens_per_second": speeds, "times_as_fast_as_theirs": ratios, "same_ids": same}
    written("generation_speed", facts | {"asked": ASKED, "holds": holds})
    return 0 if holds or asked.quick else 1


def _asked(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--rounds", type=int, default=5, help="rounds that count; one more comes first")
    parser.add_argument("--prompt", type=int, default=32, help="tokens that are read")
    parser.add_argument("--tokens", type=int, default=128, help="tokens that are written")
    parser.add_argument("--processor-time", action="store_true", help="on a busy machine, with --threads 1")
    parser.add_argument("--quick", action="store_true", help="a small model, a few tokens, to see that it runs")
    asked = parser.parse_args(arguments)
    if asked.processor_time and asked.threads != 1:
        parser.error("--processor-time is of one thread: --threads 1")
    if asked.quick:
        asked.rounds, asked.prompt, asked.tokens = 1, 5, 7
    return asked


def _made(shape: dict[str, int], place: Path) -> None:
    """A folder with such a model, its weights drawn by GPT-2's own rule."""
    torch.manual_seed(1)
    ends = {"bos_token_id": 0, "eos_token_id": 0}
    GPT2LMHeadModel(GPT2Config(**{FIELDS[name]: size for name, size in shape.items()}, **ends)).save_pretrained(place)


def our_writer(place: Path, shape: dict[str, int], kind: str) -> Write:
    """What `regard generate --greedy --weights KIND` does between its tokenizer's two ends."""
    model = Gpt(gpt2(**shape)).eval()
    folder.restore(place, model)
    draft = weights.drafting(model, shape["max_len"]) if kind == DRAFTED else None
    speaker = Speaker(weights.twin(model, kind.split(",")[0]), lambda ids: "." * len(ids), shape["max_len"], (), draft)

    def write(prompt: list[int], count: int) -> list[int]:
        return continued(speaker, [prompt], Manner(Choice(greedy=True), max_tokens=count))[0][0].ids

    return write


def their_writer(place: Path, drafted: bool = False) -> Write:
    """`generate`, told that no token ends the text, as ours is."""
    model = _theirs(place)
    helper = {"assistant_model": _quantised(_theirs(place))} if drafted else {}

    def write(prompt: list[int], count: int) -> list[int]:
        ids = torch.tensor([prompt])
        found = model.generate(
            ids, attention_mask=torch.ones_like(ids), max_new_tokens=count, do_sample=False, **helper
        )
        return found[0, len(prompt) :].tolist()

    return write


def _theirs(place: Path) -> Any:
    model = GPT2LMHeadModel.from_pretrained(place).eval()
    model.generation_config.eos_token_id = None
    model.generation_config.pad_token_id = 0
    return model


def _quantised(model: Any) -> Any:
    """Their model in int8 as torch itself offers it; its `Conv1D` first becomes the `Linear` that it is, transposed."""
    for parent in list(model.modules()):
        for name, child in parent.named_children():
            if isinstance(child, Conv1D):
                plain = torch.nn.Linear(*child.weight.shape)
                plain.weight.data, plain.bias.data = child.weight.data.t().contiguous(), child.bias.data
                setattr(parent, name, plain)
    model.lm_head.weight = torch.nn.Parameter(model.lm_head.weight.detach().clone())  # untied from the embedding
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return torch.ao.quantization.quantize_dynamic(model, {torch.nn.Linear}, dtype=torch.qint8)


def _prompt(shape: dict[str, int], asked: argparse.Namespace) -> list[int]:
    return torch.randint(shape["vocab_size"], (asked.prompt,), generator=torch.Generator().manual_seed(2)).tolist()


def _same(place: Path, shape: dict[str, int], asked: argparse.Namespace) -> bool:
    """Whether ours in fp32 writes the ids that theirs writes, with drafts and without."""
    prompt = _prompt(shape, asked)
    expected = their_writer(place)(prompt, asked.tokens)
    return all(our_writer(place, shape, kind)(prompt, asked.tokens) == expected for kind in ("fp32", DRAFTED))


def _peers(place: Path, shape: dict[str, int], asked: argparse.Namespace) -> dict[str, Turn]:
    """All peers, each in its own process."""
    clock = time.process_time if asked.processor_time else time.perf_counter
    start = partial(apart, work, asked.threads, clock, _prompt(shape, asked), asked.tokens)
    peers = {_ours(kind): start(our_writer, place, shape, kind) for kind in KINDS if _runs(kind)}
    return peers | {THEIRS: start(their_writer, place), f"{THEIRS}, drafted": start(their_writer, place, True)}


def _runs(kind: str) -> bool:
    """Whether this processor has what these weights take."""
    try:
        weights.lighten(Gpt(gpt2(**SMALL)), kind.split(",")[0])
    except BadInput:
        return False
    return True


def _ours(kind: str) -> str:
    return f"regard, {kind}"


def work(
    pipe: Connection,
    threads: int,
    clock: Callable[[], float],
    prompt: list[int],
    count: int,
    make: Callable[..., Write],
    *which: object,
) -> None:
    """One peer's texts, one after another."""
    torch.set_num_threads(threads)
    write, passing = make(*which), gate(pipe, 1, clock)
    while True:
        passing.send(len(write(prompt, count)))


def _tell(
    speeds: dict[str, list[float]], ratios: dict[str, tuple[float, ...]], same: bool, asked: argparse.Namespace
) -> None:
    least_of = {_ours(kind): f"≥ {least}" for kind, least in ASKED.items()}
    rows = [
        (name, f"{median(each):.1f}", f"{middle:.2f}", f"{least:.2f}–{most:.2f}", least_of.get(name, ""))
        for (name, each), (middle, least, most) in zip(speeds.items(), ratios.values(), strict=True)
    ]
    head = ("peer", "tokens/s", "times as fast as transformers", "over rounds", "asked")
    clock = ", processor time" if asked.processor_time else ""
    reading = f"{asked.threads} thread(s){clock}, {asked.prompt} tokens read, {asked.tokens} written; in fp32 "
    told("Writing one text", head, rows, reading=reading + ("the same ids as transformers." if same else "OTHER ids."))


if __name__ == "__main__":
    sys.exit(ended(main))
