"""Progress on stderr: a bar on a terminal, plain lines now and then elsewhere, nothing for short work."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from regard.language import say

PLAIN_EVERY = 10.0
"""Seconds between plain lines."""


@contextmanager
def counting(total: int, what: str) -> Iterator[Callable[[int], None]]:
    """A bar that is told how many more things are done; only on a terminal, gone when all are."""
    if not sys.stderr.isatty() or total < 2:
        yield lambda more: None
        return
    with _bar() as bar:
        task = bar.add_task(what, total=total, note="")
        yield lambda more: bar.advance(task, more)


def _bar() -> Any:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
    from rich.table import Column

    columns = (
        "{task.description}",
        BarColumn(bar_width=None),  # as wide as the rest leaves room
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}", table_column=Column(no_wrap=True)),
    )
    return Progress(*columns, console=Console(stderr=True), transient=True, expand=True)


class Training:
    """What a training run says while it runs. Told by `tasks.training`; final."""

    def __init__(self) -> None:
        self.bar: Any = None
        self.task: Any = None
        self.steps, self.said, self.signed = 0, 0.0, False

    def __call__(self, kind: str, facts: dict[str, Any]) -> None:
        """One thing that happened."""
        getattr(self, f"_{kind}", lambda facts: None)(facts)

    def close(self) -> None:
        """Take the bar away."""
        if self.bar:
            self.bar.stop()
            self.bar = None

    def _data(self, facts: dict[str, Any]) -> None:
        for code, found in facts["report"].statements():
            self._line(say(code, **found))

    def _warning(self, facts: dict[str, Any]) -> None:
        self._line(say("training.passed_over", error=str(facts["error"])))

    def _start(self, facts: dict[str, Any]) -> None:
        settings, resumed = facts["settings"], facts["resume_from"]
        self.steps = settings.steps
        told = {"pairs": facts["pairs"], "parameters": facts["parameters"], "vocab_size": settings.model.vocab_size}
        chosen = {name: getattr(settings, name) for name in ("steps", "precision", "device", "threads")}
        told |= {"validation": facts["validation"], "attention": settings.model.attention}
        self._line(say("training.start", **told, **chosen))
        if resumed:
            self._line(say("training.resume", checkpoint=str(resumed)))
        if sys.stderr.isatty():
            self.bar = _bar()
            self.bar.start()
            done = int(resumed.name.removeprefix("step-")) if resumed else 0
            self.task = self.bar.add_task(say("training.bar"), total=settings.steps, completed=done, note="")

    def _step(self, facts: dict[str, Any]) -> None:
        if self.bar:
            self.bar.update(self.task, completed=facts["step"])

    def _progress(self, facts: dict[str, Any]) -> None:
        note = {
            "loss": f"{facts['loss']:.3f}",
            "speed": f"{facts['tokens_per_second']:.0f}",
            "padding": f"{facts['padding']:.1%}",
        }
        if self.bar:
            self.bar.update(self.task, note=say("training.note", **note))
        elif time.monotonic() - self.said > PLAIN_EVERY:
            self.said = time.monotonic()
            left = _clock(facts["seconds_left"])
            self._line(say("training.progress", step=facts["step"], steps=self.steps, left=left, **note))

    def _validation(self, facts: dict[str, Any]) -> None:
        if not self.signed:
            self._line(say("training.scored_by", **facts["signatures"]))
            self.signed = True
        figures = {name: f"{facts[name]:.2f}" for name in ("loss", "bleu", "chrf")}
        mark = say("training.best_yet") if facts["score"] == facts["best"] else ""
        self._line(say("training.validation", step=facts["step"], mark=mark, **figures))
        self._line(say("training.sample", **facts["sample"]))

    def _line(self, text: str) -> None:
        if self.bar:
            self.bar.console.print(text, markup=False, highlight=False, soft_wrap=True)
        else:
            print(text, file=sys.stderr, flush=True)


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02d}:{rest:02d}" if minutes >= 60 else f"{minutes}:{rest:02d}"
