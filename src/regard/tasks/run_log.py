"""The log of a training run: `metrics.jsonl`, a line a report, each step once; and what the face is told."""

import json
import time
from collections.abc import Callable
from pathlib import Path

from regard.core.errors import Failure
from regard.core.files import write_whole
from regard.training.loop import Report
from regard.training.settings import Settings

Tell = Callable[[str, Report], None]
"""Told what happens: `tell(kind, facts)` with kind data | start | resume | progress | validation | checkpoint."""

METRICS = "metrics.jsonl"

OF_THE_RUN = ("kind", "loss", "score", "best", "seconds", "sample")
"""What a line of a validation holds beside its metrics."""


class RunLog:
    """Gathers steps into a line of progress every so often, writes `metrics.jsonl`, tells the face."""

    EVERY = 50

    def __init__(self, output: Path, settings: Settings, tell: Tell) -> None:
        self.path, self.settings, self.tell = output / METRICS, settings, tell
        self.steps: list[Report] = []
        self.since = time.monotonic()

    def __call__(self, kind: str, facts: Report) -> None:
        if kind == "step":
            self.steps.append(facts)
            self.tell("step", facts)
            if facts["step"] % self.EVERY == 0:
                self._write("progress", self._gathered(facts))
        elif kind == "validation":
            self._write(kind, facts)
            self.steps, self.since = [], time.monotonic()  # its time is none of the steps'
        else:
            self.tell(kind, facts)

    def _gathered(self, last: Report) -> Report:
        steps, self.steps = self.steps, []
        seconds, self.since = time.monotonic() - self.since, time.monotonic()
        tokens = sum(s["tokens"] for s in steps)
        computed = sum(s["tokens"] / (1 - s["padding"]) for s in steps)
        return {
            "step": last["step"],
            "loss": sum(s["loss"] * s["tokens"] for s in steps) / tokens,
            "rate": last["rate"],
            "norm": last["norm"],
            "tokens_per_second": tokens / seconds,
            "padding": 1 - tokens / computed,
            "seconds_left": seconds / len(steps) * (self.settings.steps - last["step"]),
        }

    def _write(self, kind: str, facts: Report) -> None:
        try:
            with self.path.open("a", encoding="utf-8") as file:
                file.write(json.dumps({"kind": kind, **facts}, ensure_ascii=False) + "\n")
        except OSError as error:
            raise Failure("cannot_write", path=str(self.path), reason=error.strerror) from error
        self.tell(kind, facts)


def forget_after(output: Path, resume_from: Path | None) -> int:
    """Drop the lines of `metrics.jsonl` that lie after the checkpoint: those steps are done again. Its step."""
    path = output / METRICS
    step = int(resume_from.name.removeprefix("step-")) if resume_from else 0
    if path.is_file():
        lines = [line for line in path.read_text(encoding="utf-8").split("\n") if _step_of(line) <= step]
        write_whole(path, "".join(f"{line}\n" for line in lines).encode())
    return step


def _step_of(line: str) -> float:
    """The step of a line; a torn last line counts as after everything."""
    try:
        return float(json.loads(line)["step"])
    except (ValueError, KeyError, TypeError):
        return float("inf")


def outcome(output: Path, steps: int) -> Report:
    """The last validation of the best model, as the last line says it."""
    lines = (output / METRICS).read_text(encoding="utf-8").split("\n")  # a U+2028 in a sample ends no line
    validations = [facts for facts in map(json.loads, filter(None, lines)) if facts["kind"] == "validation"]
    if not validations:
        raise Failure("no_validation", path=str(output))
    top = max(validations, key=lambda line: line["score"])
    metrics = {name: value for name, value in top.items() if name not in OF_THE_RUN}
    return {"steps": steps, "loss": top["loss"], "metrics": metrics, "checkpoint": str(output / "best")}
