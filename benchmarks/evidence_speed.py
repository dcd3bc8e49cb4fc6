"""What evidence costs on a GPT of GPT-2's 124M shape: ranking every edge, and cutting the fifty that rank first.

One prediction at the end of N tokens. Weights are random, queries and keys three times as large as GPT-2 begins, so
that heads choose. Ranking is measured beside a forward and backward, confirmation beside a forward; in turn.
"""

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from statistics import median

import torch

from measuring.report import circumstances, ended, told, written
from regard.inspection.evidence import effects, likeliest
from regard.inspection.ranking import ranked
from regard.inspection.subject import Own, Resumed
from regard.inspection.trace import READ
from regard.inspection.trace import Sequence as Side
from regard.models.gpt import Gpt, gpt2

SHAPE = {"vocab_size": 50257, "max_len": 1024, "d_model": 768, "n_layers": 12, "n_heads": 12}
SMALL = {"vocab_size": 331, "max_len": 64, "d_model": 32, "n_layers": 2, "n_heads": 2}
MOST = 50
ASKED = {"ranking": 3.0, "confirming": 15.0}


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print, write; 1 where a ratio is larger than what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--tokens", type=int, default=128)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--processor-time", action="store_true", help="on a busy machine, with --threads 1")
    parser.add_argument("--quick", action="store_true", help="a small model, to see that it runs")
    asked = parser.parse_args(arguments)
    torch.set_num_threads(asked.threads)
    facts = circumstances() | {"settings": vars(asked)}
    subject = _subject(SMALL if asked.quick else SHAPE, 23 if asked.quick else asked.tokens)
    clock = time.process_time if asked.processor_time else time.perf_counter
    taken = _timed(_works(subject), 1 if asked.quick else asked.rounds, clock)
    ratios = {
        "ranking": median(a / b for a, b in zip(taken["ranking"], taken["forward and backward"], strict=True)),
        "confirming": median(a / b for a, b in zip(taken["confirming"], taken["forward"], strict=True)),
    }
    rows = [(name, 1000 * median(each), ratios.get(name, 1.0), ASKED.get(name, "")) for name, each in taken.items()]
    told(
        f"Evidence for one prediction, N = {len(subject.sequences[READ].ids)}", ("", "ms", "×", "asked, at most"), rows
    )
    holds = all(ratios[name] <= most for name, most in ASKED.items())
    written("evidence_speed", facts | {"seconds": taken, "ratios": ratios, "asked": ASKED, "holds": holds})
    return 0 if holds or asked.quick else 1


def _subject(shape: dict[str, int], count: int) -> Own:
    torch.manual_seed(1)
    model = Gpt(gpt2(**shape)).eval()
    with torch.no_grad():
        for layer in model.layers:
            layer.attention.to_query.weight.mul_(3.0)
            layer.attention.to_key.weight.mul_(3.0)
    ids = tuple(torch.randint(shape["vocab_size"], (count,)).tolist())
    side = Side("", tuple(map(str, ids)), ids, tuple(range(count)), ((0, 0),) * count)
    return Own(model, {READ: side}, [count - 1])


def _works(subject: Own) -> dict[str, Callable[[], object]]:
    """What is timed, by name."""
    target = likeliest(subject.said([[]])[0])
    ids = torch.tensor([subject.sequences[READ].ids])

    @torch.inference_mode()
    def forward() -> object:
        return subject.model.head(subject.model.features(ids)[:, -1:])

    def both() -> object:
        gain = target.log_prob(subject.model.head(subject.model.features(ids)[:, -1:])[0])
        gain.backward()
        subject.model.zero_grad(set_to_none=True)
        return gain

    def ranking() -> object:
        return ranked(*subject.graded(target.gain), most=MOST)

    def confirming() -> object:
        base, runs = subject.said([[]])[0], Resumed(subject)
        return effects(runs, base, target, [[each.edge] for each in chosen], "renormalised")

    chosen = ranked(*subject.graded(target.gain), most=MOST)
    return {"forward": forward, "forward and backward": both, "ranking": ranking, "confirming": confirming}


def _timed(works: dict[str, Callable[[], object]], rounds: int, clock: Callable[[], float]) -> dict[str, list[float]]:
    """Seconds of each, round after round; the first round does not count."""
    taken: dict[str, list[float]] = {name: [] for name in works}
    for number in range(rounds + 1):
        for name, work in works.items():
            began = clock()
            work()
            if number:
                taken[name].append(clock() - began)
    return taken


if __name__ == "__main__":
    sys.exit(ended(main))
