"""What recording costs beside the plain forward of GPT-2's 124M shape without its output layer, in one run.

The random model's queries and keys are scaled until the mean entropy of its weights is at most half of log n: weights
as a trained model has them, not uniform. In turn, round after round: the plain forward, recording queries and keys
with the default check, the statistics of all heads (while recording: the whole run; and alone). The peer is
`transformers`' eager attention with `output_attentions`, which holds n² weights of every head; TransformerLens' cache
and BertViz, which reads such weights, need the same. The process keeps memory that is freed, as our command line does:
what is measured is work, and not how the system hands out pages.
"""

import argparse
import math
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from typing import Any

import torch
from transformers import GPT2Config, GPT2Model

from measuring.report import circumstances, ended, told, written
from regard.core import compiled
from regard.core.freed import keep_freed
from regard.core.reducing import statistics
from regard.inspection import trace
from regard.inspection.record import record
from regard.models.gpt import Gpt, gpt2

SHAPE = {"vocab_size": 50257, "d_model": 768, "n_layers": 12, "n_heads": 12}
QUICK = {"vocab_size": 97, "d_model": 64, "n_layers": 2, "n_heads": 4}
TYPES = {"fp32": torch.float32, "bf16": torch.bfloat16}
ASKED = {"recorded": {"fp32": 1.15, "bf16": 1.15}, "statistics": {"fp32": 1.5, "bf16": 2.5}}
EAGER = 1024
"""Up to so many tokens the peer runs: 0.6 GB of weights; 2.4 GB at twice as many."""

LEAST = 100 * 2**20
"""Bytes that the statistics may take beyond what they return."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print, write; 1 where a ratio that is asked for is missed."""
    asked = _asked(arguments)
    torch.set_num_threads(asked.threads)
    clock = time.process_time if asked.processor_time else time.perf_counter
    keep_freed()
    compiled.kernel(torch.device("cpu"), compiled.WORTH)
    facts = circumstances() | {"settings": {name: str(value) for name, value in vars(asked).items()}}
    found = []
    for numbers in asked.types:
        model = _model(asked, TYPES[numbers])
        for n in asked.lengths:
            found.append({"numbers": numbers, "n": n} | _measured(model, n, asked, clock))
            _tell(found[-1:], asked)
    _tell(found, asked)
    holds = all(_holds(each) for each in found)
    written("recording_speed", facts | {"kernel": compiled.compiler(), "measured": found, "holds": holds})
    return 0 if holds or asked.quick else 1


def _asked(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lengths", type=int, nargs="+", default=[512, 1024, 2048, 4096, 8192])
    parser.add_argument("--types", nargs="+", choices=TYPES, default=[*TYPES])
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--rounds", type=int, default=5, help="rounds that count; one more comes first")
    parser.add_argument(
        "--layers", type=int, default=SHAPE["n_layers"], help="all layers are alike: fewer say the same"
    )
    parser.add_argument("--processor-time", action="store_true", help="on a busy machine")
    parser.add_argument("--quick", action="store_true", help="a small model and text, to see that it runs")
    asked = parser.parse_args(arguments)
    if asked.quick:
        asked.rounds, asked.lengths = 1, [67]
    return asked


def _model(asked: argparse.Namespace, numbers: torch.dtype) -> Gpt:
    """A model of this shape; queries and keys scaled until its weights are sharp enough at every length."""
    torch.manual_seed(1)
    shape = QUICK if asked.quick else SHAPE | {"n_layers": asked.layers}
    model = Gpt(gpt2(max_len=max(asked.lengths), **shape)).eval()
    while _sharpness(model, min(asked.lengths)) > 0.5:
        for layer in model.layers:
            for projection in (layer.attention.to_query, layer.attention.to_key):
                projection.weight.data.mul_(1.1)
    return model.to(numbers)


def _sharpness(model: Gpt, n: int) -> float:
    """Mean entropy of all weights in parts of log n."""
    found = _recorded(model, n, "statistics")
    entropy = [found.statistics(layer=site.layer).entropy.mean() for site in found.sites]
    return float(sum(entropy) / len(entropy)) / math.log(n)


def _ids(model: Gpt, n: int) -> torch.Tensor:
    return torch.randint(model.config.vocab_size, (1, n), generator=torch.Generator().manual_seed(2))


def _recorded(model: Gpt, n: int, keep: str) -> trace.Trace:
    ids = tuple(_ids(model, n)[0].tolist())
    side = trace.Sequence("", tuple(map(str, ids)), ids, tuple(range(n)), ((0, 0),) * n)
    return record(model, {"read": side}, name="random", fingerprint="", keep=keep)


def _measured(model: Gpt, n: int, asked: argparse.Namespace, clock: Callable[[], float]) -> dict[str, Any]:
    """Medians of the ratios within a round, and what memory the statistics take."""
    ids, kept = _ids(model, n), _recorded(model, n, "qk")
    places = [kept.asked(site) for site in kept.sites]
    works: dict[str, Callable[[], Any]] = {
        "plain": lambda: _plain(model, ids),
        "recorded": lambda: _recorded(model, n, "qk"),
        "statistics": lambda: [statistics(*place) for place in places],
        "reduced": lambda: _recorded(model, n, "statistics"),
        "row": lambda: kept.weights(layer=0, head=1, rows=slice(n // 2, n // 2 + 1)),
    }
    if n <= EAGER and not asked.quick:
        works["eager"] = _eager(model, ids)
    spent: dict[str, list[float]] = {name: [] for name in works}
    for number in range(asked.rounds + 1):
        for name, work in works.items():
            began = clock()
            work()
            spent[name] += [clock() - began] if number else []
    ratios = {name: median(a / b for a, b in zip(each, spent["plain"], strict=True)) for name, each in spent.items()}
    extra = _extra(places)
    return {"seconds": {name: median(each) for name, each in spent.items()}, "ratios": ratios} | {
        "row_ms": 1000 * median(spent["row"]), "extra_bytes": extra, "sharpness": _sharpness(model, n),
    }  # fmt: skip


@torch.inference_mode()
def _plain(model: Gpt, ids: torch.Tensor) -> torch.Tensor:
    return model.features(ids)


def _eager(model: Gpt, ids: torch.Tensor) -> Callable[[], None]:
    """The peer: a random GPT-2 of the same shape that hands out all weights."""
    c = model.config
    shape = {"vocab_size": c.vocab_size, "n_positions": ids.shape[1], "n_embd": c.d_model, "n_layer": c.n_layers}
    peer = GPT2Model(GPT2Config(**shape, n_head=c.n_heads, attn_implementation="eager"))
    peer = peer.eval().to(next(model.parameters()).dtype)

    def work() -> None:
        with torch.inference_mode():
            peer(ids, output_attentions=True, use_cache=False)

    return work


def _extra(places: list[Any]) -> int | None:
    """Bytes that the statistics of all places take beyond what they return; None where the system does not say."""
    status, reset = Path("/proc/self/status"), Path("/proc/self/clear_refs")
    if not reset.exists():
        return None
    before = _memory(status, "VmRSS")
    reset.write_text("5")  # the peak is counted from here
    found = [statistics(*place) for place in places]
    returned = sum(t.numel() * t.element_size() for each in found for t in each.named().values())
    return max(0, _memory(status, "VmHWM") - before - returned)


def _memory(status: Path, name: str) -> int:
    line = next(line for line in status.read_text().splitlines() if line.startswith(name))
    return 1024 * int(line.split()[1])


def _holds(found: dict[str, Any]) -> bool:
    within = all(found["ratios"][name] <= most[found["numbers"]] for name, most in ASKED.items())
    return within and found["row_ms"] <= 5 and (found["extra_bytes"] or 0) <= LEAST


def _tell(found: list[dict[str, Any]], asked: argparse.Namespace) -> None:
    rows = []
    for each in found:
        ratios, extra = each["ratios"], each["extra_bytes"]
        eager = f"{ratios['eager']:.2f}" if "eager" in ratios else "–"
        shown = [f"{ratios[name]:.2f}" for name in ("recorded", "statistics", "reduced")]
        memory = "–" if extra is None else f"{extra / 2**20:.0f}"
        rows.append((
            each["numbers"], each["n"], f"{each['seconds']['plain']:.2f}", *shown, eager,
            f"{each['row_ms']:.1f}", memory, f"{each['sharpness']:.2f}", "yes" if _holds(each) else "no",
        ))  # fmt: skip
    head = ("", "n", "plain s", "q, k", "statistics", "both", "eager", "row ms", "MB", "entropy", "holds")
    clock = "processor time" if asked.processor_time else "wall time"
    told(
        "Recording, in times of the plain forward", head, rows,
        reading=f"{clock}, {asked.threads} thread(s), {asked.layers} layers, {asked.rounds} rounds, medians. q, k: "
        "recorded, with the check. statistics: of all heads, alone; both: recorded with keep='statistics'. eager: all "
        "weights. MB: beyond what is returned. entropy: mean, in parts of log n.",
    )  # fmt: skip


if __name__ == "__main__":
    sys.exit(ended(main))
