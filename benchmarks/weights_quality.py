"""What lighter weights cost in quality: perplexity, the divergence from fp32, and how often the likeliest token stays.

On the last part of a text, window after window; without one, on texts that the model itself writes in fp32 by chance
(of those its own perplexity is the lowest there is, so what is lost shows most).
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from measuring.report import ROOT, circumstances, ended, told, written
from regard.models.weights import KINDS
from regard.tasks.generation import Generator, load

MODEL = ROOT.parent / "shared" / "models" / "stories260K"
MOST = {"bf16": 0.001, "int8": 0.005}
"""Largest loss of perplexity, as a share, that the documents state."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print, write; 1 where more is lost than the documents say."""
    asked = _asked(arguments)
    facts = circumstances() | {"settings": {name: str(value) for name, value in vars(asked).items()}}
    models = {kind: load(asked.model, weights=kind) for kind in KINDS}
    windows = _windows(models["fp32"], asked)
    found = compared(models, windows)
    lost = {kind: found[kind]["perplexity"] / found["fp32"]["perplexity"] - 1 for kind in MOST}
    holds = all(lost[kind] <= most for kind, most in MOST.items())
    rows = [(kind, *(f"{each[name]:.4f}" for name in each)) for kind, each in found.items()]
    tokens = sum(len(window) - 1 for window in windows)
    told(f"{models['fp32'].name}, {tokens} tokens", ("weights", *found["fp32"]), rows)
    written("weights_quality", facts | {"tokens": tokens, "found": found, "asked": MOST, "holds": holds})
    return 0 if holds or asked.quick else 1


def _asked(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default=str(MODEL))
    parser.add_argument("--text", type=Path, help="a text file; its last tokens are read")
    parser.add_argument("--windows", type=int, default=60, help="how many, as long as the model reads")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--quick", action="store_true", help="two windows, to see that it runs")
    asked = parser.parse_args(arguments)
    if asked.quick:
        asked.windows = 2
    return asked


def _windows(model: Generator, asked: argparse.Namespace) -> list[list[int]]:
    """Runs of ids: of the text's end, or written by the model."""
    longest = model.model.config.max_len
    if asked.text is None:
        how: Any = {"temperature": 1.0, "samples": asked.windows, "max_tokens": longest, "seed": asked.seed}
        start = model.read("").ids
        return [[*start, *each.ids][:longest] for each in model.generate("", **how)]
    ids = model.tokenizer.encode(asked.text.read_text(encoding="utf-8")).ids
    ids = ids[-(len(ids) // longest * longest) :][-asked.windows * longest :]
    return [ids[at : at + longest] for at in range(0, len(ids), longest)]


@torch.inference_mode()
def compared(models: dict[str, Generator], windows: Sequence[list[int]]) -> dict[str, dict[str, float]]:
    """Of each model: perplexity, mean KL(fp32 ‖ it) in nats, and the share of places with fp32's likeliest token."""
    sums = {kind: torch.zeros(3, dtype=torch.float64) for kind in models}
    for window in windows:
        ids = torch.tensor([window])
        told = {kind: each.model(ids[:, :-1])[0].double().log_softmax(-1) for kind, each in models.items()}
        exact = told["fp32"]
        for kind, each in told.items():
            surprise = -each.gather(1, ids[0, 1:, None]).sum()
            divergence = (exact.exp() * (exact - each)).sum()
            same = (each.argmax(-1) == exact.argmax(-1)).double().sum()
            sums[kind] += torch.stack([surprise, divergence, same])
    tokens = sum(len(window) - 1 for window in windows)
    means = {kind: (each / tokens).tolist() for kind, each in sums.items()}
    return {
        kind: {"perplexity": float(torch.tensor(loss).exp()), "divergence": divergence, "same_likeliest": same}
        for kind, (loss, divergence, same) in means.items()
    }


if __name__ == "__main__":
    sys.exit(ended(main))
