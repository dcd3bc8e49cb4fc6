"""None, additive, dot, general, concat, input feeding, Transformer: the same pairs, the same processor time, S seeds.

The first seed of each learns for so many minutes of one core; the others take as many steps. So the spread is that of
the seeds, and not of what a shared machine gives from hour to hour.

Each run is a process of its own with one thread; its figures are written when it is done, and it is not done again, so
the whole may be stopped and started at any time. After the last, or with `--page`, docs/comparison.md is written.

    nohup make compare ARGS="--jobs 2" >/dev/null 2>&1 &     # the log: out/comparison/log
"""

import argparse
import json
import os
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from measuring.comparison_page import by_kind, page, picture
from measuring.pairs import TRAIN, VALID, tokenizer_of, training_pairs
from measuring.report import ROOT, circumstances, ended
from regard.core.files import write_whole
from regard.text.pairs import read_pairs

VARIANTS: dict[str, dict[str, Any]] = {
    "none": {"attention": "none"},
    "additive": {"attention": "additive"},
    "dot": {"attention": "dot"},
    "general": {"attention": "general"},
    "concat": {"attention": "concat"},
    "dot, input feeding (Luong)": {"attention": "dot", "input_feeding": "luong"},
    "additive, input feeding (Bahdanau)": {"attention": "additive", "input_feeding": "bahdanau"},
    "Transformer": {"model_type": "regard-transformer"},
}
BEAMS = (1, 5)


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what is not done yet, then write the page; 1 where a run failed."""
    asked = _asked(arguments)
    asked.work.mkdir(parents=True, exist_ok=True)
    failed = 0
    for seeds in () if asked.page else (asked.seeds[:1], asked.seeds[1:]):  # the others take the first one's steps
        failed = failed or _do(asked, list(_left(asked, seeds)))
    results = [found for name in VARIANTS for seed in asked.seeds if (found := _done(asked, name, seed))]
    if results:
        _write_page(asked, results)
    return 1 if failed else 0


def _asked(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=10.0, help="processor time of each training")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--only", nargs="+", default=list(VARIANTS), choices=list(VARIANTS), metavar="NAME")
    parser.add_argument("--jobs", type=int, default=1, help="how many at once, a core each")
    parser.add_argument("--pairs", type=Path, default=TRAIN, help="TSV of source and target")
    parser.add_argument("--valid", type=Path, default=VALID, help="TSV that judges")
    parser.add_argument("--at-most", type=int, default=None, help="so many pairs to learn from (None: all)")
    parser.add_argument("--tokens", type=int, default=2000, help="budget of a batch: sentences × longest side")
    parser.add_argument("--vocab-size", type=int, default=5000)
    parser.add_argument("--sizes", type=json.loads, default={}, help="JSON: sizes of all models, to try it out")
    parser.add_argument("--work", type=Path, default=ROOT / "out" / "comparison", help="figures and log")
    parser.add_argument("--docs", type=Path, default=ROOT / "docs", help="where the page goes")
    parser.add_argument("--page", action="store_true", help="only write the page, of what is done")
    asked = parser.parse_args(arguments)
    asked.seeds = sorted(set(asked.seeds))
    return asked


def _left(asked: argparse.Namespace, seeds: Sequence[int]) -> Iterator[tuple[str, int]]:
    """Seed by seed, so that a comparison that was stopped is one of fewer seeds."""
    return ((n, seed) for seed in seeds for n in VARIANTS if n in asked.only and not _done(asked, n, seed))


def _place(asked: argparse.Namespace, name: str, seed: int) -> Path:
    return asked.work / f"{''.join(c if c.isalnum() else '-' for c in name)}-{seed}.json"


def _done(asked: argparse.Namespace, name: str, seed: int) -> dict[str, Any] | None:
    """The figures of a run with these settings, and the first seed's steps; one with others counts as not done."""
    path, steps = _place(asked, name, seed), _steps(asked, name, seed)
    found = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None
    fits = found and found["settings"] == _settings(asked) and steps in (None, found["training"]["steps"])
    return found if fits else None


def _steps(asked: argparse.Namespace, name: str, seed: int) -> int | None:
    """How many steps this seed takes: as many as the first; None: as many as fit into the time."""
    first = None if seed == asked.seeds[0] else _done(asked, name, asked.seeds[0])
    return first and int(first["training"]["steps"])


def _settings(asked: argparse.Namespace) -> dict[str, Any]:
    names = ("minutes", "at_most", "tokens", "vocab_size", "sizes")
    return {name: getattr(asked, name) for name in names} | {n: getattr(asked, n).name for n in ("pairs", "valid")}


def _do(asked: argparse.Namespace, runs: list[tuple[str, int]]) -> int:
    """Carry out these runs; how many failed."""
    _log(asked, f"{len(runs)} runs of {asked.minutes:g} minutes, {asked.jobs} at once")
    os.environ["OMP_NUM_THREADS"], os.environ["TOKENIZERS_PARALLELISM"] = "1", "false"  # of the processes below
    failed = 0
    with ProcessPoolExecutor(asked.jobs, mp_context=get_context("spawn"), max_tasks_per_child=1) as pool:
        waiting = {pool.submit(measure, asked, name, seed): (name, seed) for name, seed in runs}
        for each in as_completed(waiting):
            name, seed = waiting[each]
            error = each.exception()
            failed += error is not None
            _log(asked, f"{name}, seed {seed}: " + (repr(error) if error else f"BLEU {each.result()['bleu']:.2f}"))
    return failed


def measure(asked: argparse.Namespace, name: str, seed: int) -> dict[str, Any]:
    """Train one model, judge it, write its figures."""
    import torch

    from measuring.budget import train

    torch.set_num_threads(1)
    _log(asked, f"{name}, seed {seed}: begins")
    valid = read_pairs([asked.valid])
    pairs = training_pairs(asked.pairs, but=valid, at_most=asked.at_most)
    tokenizer = tokenizer_of(pairs, asked.vocab_size)
    model, spent = train(
        VARIANTS[name] | asked.sizes, pairs, tokenizer, seed=seed, batch_tokens=asked.tokens,
        seconds=60 * asked.minutes, steps=_steps(asked, name, seed),
    )  # fmt: skip
    facts = {"name": name, "seed": seed, "minutes": asked.minutes, "settings": _settings(asked), "pairs": len(pairs)}
    facts |= {"training": spent.json(), "parameters": sum(p.numel() for p in model.parameters())}
    facts |= _judged(model, tokenizer, valid, name) | {"circumstances": circumstances()}
    write_whole(_place(asked, name, seed), (json.dumps(facts, indent=1, ensure_ascii=False) + "\n").encode())
    return facts


def _judged(model: Any, tokenizer: Any, valid: Any, name: str) -> dict[str, Any]:
    """Scores with the widest beam, and sentences a second of this process with each."""
    from regard.models.folder import Loaded
    from regard.tasks.evaluation import evaluate
    from regard.tasks.translation import Translator
    from regard.training import precision

    translator, speeds, found = Translator(Loaded(model, tokenizer, name, "")), {}, {}
    for beam in BEAMS:
        began = time.process_time()
        found = evaluate(translator, valid, beam=beam).json()
        speeds[str(beam)] = len(valid) / (time.process_time() - began)
    return {
        "judged": len(valid), "bleu": found["bleu"], "chrf": found["chrf"], "by_length": found["by_length"],
        "signatures": found["signatures"], "sentences_a_second": speeds, "precision": precision.best(),
    }  # fmt: skip


def _log(asked: argparse.Namespace, text: str) -> None:
    line = f"{time.strftime('%Y-%m-%d %H:%M:%S')} {text}"
    print(line, flush=True)
    with (asked.work / "log").open("a", encoding="utf-8") as log:
        log.write(line + "\n")


def _write_page(asked: argparse.Namespace, results: list[dict[str, Any]]) -> None:
    """docs/comparison.md, its picture, and the figures behind both."""
    from regard.views import png

    (asked.docs / "images").mkdir(parents=True, exist_ok=True)
    write_whole(asked.docs / "comparison.json", (json.dumps(results, indent=1, ensure_ascii=False) + "\n").encode())
    text = page(results, list(VARIANTS), results[-1]["circumstances"])
    write_whole(asked.docs / "comparison.md", text.encode())
    png.save(picture(by_kind(results, list(VARIANTS))), asked.docs / "images" / "comparison.svg", lang="en")
    _log(asked, f"{len(results)} runs in {asked.docs / 'comparison.md'}")


if __name__ == "__main__":
    sys.exit(ended(main))
