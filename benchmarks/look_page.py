"""A page of all heads of GPT-2's shape on 512 tokens: at most 6 MB, drawn by a browser in at most 3 s.

The model has GPT-2's 12 layers of 12 heads of 64 and random weights, its queries and keys sharpened until the mean
entropy of a query is below half of what looking everywhere alike would have. BertViz writes every weight into the page
as text; its figures for as many heads and tokens (1.7 GB, 44 s) were reported to this project and not measured here.
"""

import argparse
import math
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import torch
from playwright.sync_api import sync_playwright

from measuring.report import circumstances, ended, told, written
from regard.inspection.record import record
from regard.inspection.trace import READ, Trace
from regard.inspection.trace import Sequence as Side
from regard.models import catalogue, folder
from regard.models.gpt import Gpt, gpt2
from regard.tasks.look import Asked, looked
from regard.tasks.reading import text_side

SHAPE = {"max_len": 1024, "d_model": 768, "n_layers": 12, "n_heads": 12}
MOST_BYTES, MOST_SECONDS = 6_000_000, 3.0
BERTVIZ_BYTES, BERTVIZ_SECONDS = 1.7e9, 44.0
SHARPER = 3.0
"""Random queries and keys times this, so that heads look somewhere."""

TEXT = Path(__file__).parents[1] / "README.md"
BROWSER = os.environ.get("REGARD_BROWSER", "/usr/bin/chromium")


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print, write; 1 where the page is larger or slower than it may be."""
    asked = _asked(arguments)
    facts = circumstances() | {"settings": {name: str(value) for name, value in vars(asked).items()}}
    trace = recorded(asked.tokens)
    began = time.perf_counter()
    page = looked(trace, Asked()).html("en")
    made = time.perf_counter() - began
    entropy = float(looked(trace, Asked()).heads.statistics.entropy.mean()) / math.log(asked.tokens)
    seconds = drawn(page, asked.rounds)
    size = len(page.encode())
    holds = size <= MOST_BYTES and min(seconds) <= MOST_SECONDS
    _tell(size, made, seconds)
    written(
        "look_page", facts | {"bytes": size, "made_s": made, "drawn_s": seconds, "entropy": entropy, "holds": holds}
    )
    return 0 if holds else 1


def recorded(tokens: int) -> Trace:
    """A text of so many tokens, recorded with a random model of GPT-2's shape."""
    tokenizer = folder.load(catalogue.find("tiny-gpt")).tokenizer
    side = text_side(TEXT.read_text(encoding="utf-8"), tokenizer)
    end = side.spans[tokens - 1][1]
    parts = (side.tokens, side.ids, side.words, side.spans, side.kinds)
    read = Side(side.text[:end], *(each[:tokens] for each in parts))
    torch.manual_seed(1)
    model = Gpt(gpt2(vocab_size=tokenizer.vocab_size, **SHAPE)).eval()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "query" in name or "key" in name:
                parameter.mul_(SHARPER)
    return record(model, {READ: read}, name="GPT-2's shape, random weights", fingerprint="0")


def drawn(page: str, rounds: int) -> list[float]:
    """Seconds from asking for the page until all of it is drawn, in a browser started before."""
    with tempfile.TemporaryDirectory() as place, sync_playwright() as play:
        file = Path(place) / "page.html"
        file.write_text(page, encoding="utf-8")
        browser = play.chromium.launch(executable_path=BROWSER, args=["--no-sandbox"])
        return [_once(browser.new_page(), file) for _ in range(rounds)]


def _once(view: object, file: Path) -> float:
    began = time.perf_counter()
    view.goto(file.as_uri())
    view.wait_for_function("performance.getEntriesByName('regard-drawn').length > 0", timeout=60_000)
    view.evaluate("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
    seconds = time.perf_counter() - began
    view.close()
    return seconds


def _tell(size: int, made: float, seconds: list[float]) -> None:
    theirs = (BERTVIZ_BYTES / 1e6, BERTVIZ_SECONDS, "–")
    ours = (size / 1e6, min(seconds), f"{made:.1f}")
    rows = [("regard look", *ours), ("BertViz, head view (as reported)", *theirs)]
    told("A page of 12 × 12 heads on 512 tokens", ("page", "MB", "drawn in s", "written in s"), rows)


def _asked(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tokens", type=int, default=512)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="a short text, once, to see that it runs")
    asked = parser.parse_args(arguments)
    if asked.quick:
        asked.tokens, asked.rounds = 97, 1
    return asked


if __name__ == "__main__":
    sys.exit(ended(main))
