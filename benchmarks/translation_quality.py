"""Translation quality of our RNN translator beside JoeyNMT's RNN: the same pairs, tokenizer and wall time, on the CPU.

Ours is the shipped training with its own choices; to fill the time, a short trial first measures what a step, a
validation and a checkpoint cost (the trial counts into the time). JoeyNMT's RNN is rebuilt (`peers/joey_rnn.py`) in
its standard form, with input feeding and Bahdanau's attention, and trains until the time is over. `valid.tsv` judges
both, by the same search; neither has seen it, not even to choose a checkpoint.
"""

import argparse
import json
import shutil
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from multiprocessing import get_context
from pathlib import Path
from statistics import fmean
from typing import Any

import torch
from safetensors.torch import load_file, save_file

from measuring.pairs import TRAIN, VALID, tokenizer_of, training_pairs, write_pairs
from measuring.report import OUT, circumstances, ended, told, written
from peers import joey_training as joey
from peers.joey_rnn import JoeyRnn, JoeySizes
from regard.core.protocols import Decoder
from regard.generation.sentences import rules, translate
from regard.tasks.evaluation import compare
from regard.tasks.training import Asked, train_translation
from regard.tasks.translation import load
from regard.text import tokenizers
from regard.text.doctor import split
from regard.text.pairs import Pairs, read_pairs
from regard.text.tokenizers import Tokenizer
from regard.training.examples import Examples
from regard.training.metrics import quality

OURS, JOEY = "regard", "JoeyNMT RNN"
EVALUATE_EVERY, SAVE_EVERY = 1000, 200
SPARE = 0.97  # of the time that is left: what a plan may use


def main(arguments: Sequence[str] | None = None) -> int:
    """Train both, judge both, print, write; 1 where JoeyNMT's BLEU is not reached."""
    asked = _asked(arguments)
    facts = circumstances() | {"settings": {name: str(value) for name, value in vars(asked).items()}}
    shutil.rmtree(asked.output, ignore_errors=True)
    asked.output.mkdir(parents=True)
    valid = _prepare(asked)
    _train(asked)
    tokenizer = tokenizers.load(asked.output / "tokenizer.json")
    models = {OURS: load(asked.output / "ours").model, JOEY: _their_model(asked.output, tokenizer)}
    judged = _judged(models, tokenizer, valid, asked.beams)
    runs = {OURS: _noted(asked.output / "ours.json"), JOEY: _noted(asked.output / "joey.json")}
    in_time = runs[OURS]["seconds"] <= 1.01 * runs[JOEY]["seconds"]
    holds = in_time and all(found["difference"] >= 0 for found in judged["compared"].values())
    _tell(runs, judged, asked, in_time)
    written("translation_quality", facts | {"runs": runs, **judged, "in_time": in_time, "holds": holds})
    return 0 if holds or asked.quick else 1


def _asked(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=Path, default=TRAIN, help="TSV of source and target")
    parser.add_argument("--valid", type=Path, default=VALID, help="TSV that judges")
    parser.add_argument("--minutes", type=float, default=12.0, help="wall time of each")
    parser.add_argument("--together", action="store_true", help="both at the same time, one thread each")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads(), help="of each, one after the other")
    parser.add_argument("--tokens", type=int, default=2000, help="budget of a batch: sentences × longest side")
    parser.add_argument("--vocab-size", type=int, default=5000)
    parser.add_argument("--beams", type=int, nargs="+", default=[1, 5], help="beam sizes to judge with")
    parser.add_argument("--joey-rate", type=float, default=1e-3, help="its learning rate (its configs: 2e-4 to 1e-3)")
    parser.add_argument("--trial", type=int, default=100, help="steps of our trial")
    parser.add_argument("--output", type=Path, default=OUT / "translation_quality", help="folder; what is there goes")
    parser.add_argument("--quick", action="store_true", help="some seconds on a few pairs, to see that it runs")
    asked = parser.parse_args(arguments)
    asked.threads = 1 if asked.together else asked.threads
    if asked.quick:
        asked.minutes, asked.trial, asked.vocab_size, asked.tokens, asked.beams = 0.1, 3, 300, 300, [1, 2]
    return asked


def _prepare(asked: argparse.Namespace) -> Pairs:
    """Write what both are given: training pairs, pairs for our validations, the tokenizer. The pairs that judge."""
    valid = read_pairs([asked.valid])
    valid = valid.take(range(12)) if asked.quick else valid
    clean = training_pairs(asked.pairs, but=valid, at_most=400 if asked.quick else None)
    training, held_out = split(clean, validation=min(1000, len(clean) // 10), seed=1)
    write_pairs(asked.output / "training.tsv", training)
    write_pairs(asked.output / "held_out.tsv", held_out)
    tokenizer = tokenizer_of(training, asked.vocab_size)
    (asked.output / "tokenizer.json").write_text(tokenizer.json(), encoding="utf-8")
    return valid


def _train(asked: argparse.Namespace) -> None:
    """Both in processes of their own: at the same time, or ours first, and then JoeyNMT for at least as long."""
    context, seconds = get_context("spawn"), 60 * asked.minutes
    ours = context.Process(target=train_ours, args=(asked, seconds))
    ours.start()
    if not asked.together:
        _finished(ours)
        seconds = max(seconds, _noted(asked.output / "ours.json")["seconds"])
    theirs = context.Process(target=train_theirs, args=(asked, seconds))
    theirs.start()
    for process in (ours, theirs):
        _finished(process)


def _finished(process: Any) -> None:
    process.join()
    if process.exitcode:
        sys.exit(process.exitcode)


@dataclass(frozen=True)
class Costs:
    """Seconds: before the first step, a step, a validation, a checkpoint."""

    setup: float
    step: float
    validation: float
    checkpoint: float

    def steps_in(self, seconds: float) -> int:
        """How many steps a run of so many seconds may have, its setup and last validation counted."""
        left = seconds - self.setup - self.validation - self.checkpoint
        return max(1, int(left / (self.step + self.validation / EVALUATE_EVERY + self.checkpoint / SAVE_EVERY)))


class Watch:
    """Told what a training run does; knows when each thing was done, and how many tokens there were."""

    def __init__(self) -> None:
        self.took: dict[str, list[float]] = {}
        self.last, self.tokens = time.perf_counter(), 0

    def __call__(self, kind: str, facts: dict[str, Any]) -> None:
        """As `tell` of the training task."""
        now = time.perf_counter()
        self.took.setdefault(kind, []).append(now - self.last)
        self.last = now
        self.tokens += facts["tokens"] if kind == "step" else 0

    def costs(self) -> Costs:
        """What the run that was watched says of the next."""
        steps, setup = self.took["step"], self.took["data"] + self.took["start"]
        warm = steps[len(steps) // 10 :]
        return Costs(sum(setup), fmean(warm), fmean(self.took["validation"]), fmean(self.took["checkpoint"]))


def train_ours(asked: argparse.Namespace, seconds: float) -> None:
    """A trial, a plan, the run; all within `seconds`."""
    began, folder = time.perf_counter(), asked.output
    data = {"pairs": [folder / "training.tsv"], "validation": [folder / "held_out.tsv"]}
    data |= {"vocab_size": asked.vocab_size}
    run = {"threads": asked.threads, "batch_tokens": asked.tokens, "save_every": SAVE_EVERY}
    trial = Watch()
    short = run | {"steps": asked.trial, "evaluate_every": asked.trial}
    train_translation(folder / "trial", Asked(data, {}, short), trial)
    steps = trial.costs().steps_in(SPARE * (seconds - (time.perf_counter() - began)))
    watch = Watch()
    full = run | {"steps": steps, "evaluate_every": EVALUATE_EVERY}
    outcome = train_translation(folder / "ours", Asked(data, {}, full), watch)
    took = time.perf_counter() - began
    same = (folder / "ours" / "tokenizer.json").read_bytes() == (folder / "tokenizer.json").read_bytes()
    settings = json.loads((folder / "ours" / "run.json").read_text(encoding="utf-8"))["settings"]
    parameters = sum(p.numel() for p in load(folder / "ours").model.parameters())
    facts = {"seconds": took, "steps": outcome["steps"], "tokens": watch.tokens, "parameters": parameters}
    facts |= {"same_tokenizer": same, "precision": settings["precision"], "trial": asdict(trial.costs())}
    (folder / "ours.json").write_text(json.dumps(facts), encoding="utf-8")


def train_theirs(asked: argparse.Namespace, seconds: float) -> None:
    """JoeyNMT's steps, epoch after epoch, until `seconds` are over. Without validations and checkpoints, in its favour:
    its plateau schedule would wait for five to ten of them before it did anything, so its rate is constant.
    """
    began, folder = time.perf_counter(), asked.output
    torch.set_num_threads(asked.threads)
    torch.manual_seed(1)
    pairs = read_pairs([folder / "training.tsv"])
    tokenizer = tokenizers.load(folder / "tokenizer.json")
    examples = Examples(pairs.source, pairs.target, tokenizer)
    model, recipe = JoeyRnn(JoeySizes(tokenizer.vocab_size)), joey.JoeyRecipe(learning_rate=asked.joey_rate)
    adam, steps, tokens = joey.optimizer(model, recipe), 0, 0
    for batch in joey.epochs(examples, tokens=asked.tokens):
        joey.step(model, adam, batch, recipe)
        steps, tokens = steps + 1, tokens + batch.tokens
        if time.perf_counter() - began >= seconds:
            break
    took = time.perf_counter() - began
    save_file(model.state_dict(), folder / "joey.safetensors")
    parameters = sum(p.numel() for p in model.parameters())
    facts = {"seconds": took, "steps": steps, "tokens": tokens, "parameters": parameters, "precision": "fp32"}
    (folder / "joey.json").write_text(json.dumps(facts), encoding="utf-8")


def _their_model(folder: Path, tokenizer: Tokenizer) -> JoeyRnn:
    model = JoeyRnn(JoeySizes(tokenizer.vocab_size))
    model.load_state_dict(load_file(folder / "joey.safetensors"))
    return model.eval()


def _judged(models: dict[str, Decoder], tokenizer: Tokenizer, valid: Pairs, beams: list[int]) -> dict[str, Any]:
    """BLEU and chrF of each model with each beam; ours against JoeyNMT's by paired bootstrap."""
    scores, compared, signatures = {}, {}, {}
    for beam in beams:
        texts = {name: _translated(model, tokenizer, valid.source, beam) for name, model in models.items()}
        found = {name: quality(each, valid.target) for name, each in texts.items()}
        scores[beam] = {name: {"bleu": each.bleu, "chrf": each.chrf} for name, each in found.items()}
        compared[beam] = asdict(compare(texts[OURS], texts[JOEY], valid.target))
        signatures = found[OURS].signatures
    return {"pairs": len(valid), "scores": scores, "compared": compared, "signatures": signatures}


def _translated(model: Decoder, tokenizer: Tokenizer, sources: Sequence[str], beam: int) -> list[str]:
    """The same search for both: our beam search, log-probability by length."""
    found = translate(model, tokenizer, sources, rules(beam))
    return [each.outputs[0].text if each.outputs else "" for each in found]


def _noted(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text(encoding="utf-8"))


def _tell(runs: dict[str, Any], judged: dict[str, Any], asked: argparse.Namespace, in_time: bool) -> None:
    trained = [
        (name, f"{run['parameters']:,}", f"{run['seconds']:.0f}", f"{run['steps']:,}", f"{run['tokens']:,}")
        for name, run in runs.items()
    ]
    way = "at the same time" if asked.together else "one after the other"
    reading = f"{way}, {asked.threads} thread(s) each, ours in {runs[OURS]['precision']}, JoeyNMT in fp32."
    if not in_time:
        reading += " Ours took more time than JoeyNMT: the comparison does not count."
    told("Trained", ("model", "parameters", "seconds", "steps", "target tokens"), trained, reading=reading)
    rows = [
        (name, f"beam {beam}", f"{each['bleu']:.2f}", f"{each['chrf']:.2f}")
        for beam, found in judged["scores"].items()
        for name, each in found.items()
    ]
    against = [
        f"beam {beam}: {OURS} {found['difference']:+.2f} BLEU (p = {found['p_value']:.3f})"
        for beam, found in judged["compared"].items()
    ]
    told(f"Judged on {judged['pairs']} pairs", ("model", "search", "BLEU", "chrF"), rows, reading="; ".join(against))


if __name__ == "__main__":
    sys.exit(ended(main))
