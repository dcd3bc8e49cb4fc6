"""Progress on stderr: a bar on a terminal, plain lines now and then elsewhere, nothing for short work."""

import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from regard.language import say
from regard.views.signs import visible

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


class Training(ABC):
    """What a training run says while it runs, whatever it trains. Abstract."""

    kind = ""
    """Before the names of sentences that are its own."""

    def __init__(self) -> None:
        self.bar: Any = None
        self.task: Any = None
        self.steps, self.patience, self.said, self.signed = 0, 0, 0.0, False

    def __call__(self, kind: str, facts: dict[str, Any]) -> None:
        """One thing that happened."""
        getattr(self, f"_{kind}", lambda facts: None)(facts)

    def last_line(self, outcome: dict[str, Any]) -> str:
        """What the run came to, and why it ended before its last step, if it did."""
        early = say("training.patience", patience=self.patience) if outcome["steps"] < self.steps else ""
        return " ".join([*([early] if early else []), self._result(outcome)])

    @abstractmethod
    def _result(self, outcome: dict[str, Any]) -> str:
        """What the run came to."""

    @abstractmethod
    def _opening(self, facts: dict[str, Any], chosen: dict[str, Any]) -> None:
        """What was chosen, in a line."""

    def close(self) -> None:
        """Take the bar away."""
        if self.bar:
            self.bar.stop()
            self.bar = None

    def _warning(self, facts: dict[str, Any]) -> None:
        self._line(say("training.passed_over", error=str(facts["error"])))

    def _start(self, facts: dict[str, Any]) -> None:
        settings, resumed = facts["settings"], facts["resume_from"]
        self.steps, self.patience = settings.steps, settings.patience
        chosen = {name: getattr(settings, name) for name in ("steps", "precision", "device", "threads")}
        chosen |= {"parameters": facts["parameters"], "vocab_size": settings.model.vocab_size}
        self._opening(facts, chosen)
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
            self.bar.update(self.task, note=say(f"training.{self.kind}note", **note))
        elif time.monotonic() - self.said > PLAIN_EVERY:
            self.said = time.monotonic()
            note["left"] = _clock(facts["seconds_left"])
            self._line(say(f"training.{self.kind}progress", step=facts["step"], steps=self.steps, **note))

    def _line(self, text: str) -> None:
        if self.bar:
            self.bar.console.print(text, markup=False, highlight=False, soft_wrap=True)
        else:
            print(text, file=sys.stderr, flush=True)


class TranslationTraining(Training):
    """Of a translator."""

    def _result(self, outcome: dict[str, Any]) -> str:
        metrics = outcome["metrics"]
        figures = {"loss": f"{outcome['loss']:.3f}", "bleu": f"{metrics['bleu']:.2f}", "chrf": f"{metrics['chrf']:.2f}"}
        return say("training.done", steps=outcome["steps"], checkpoint=outcome["checkpoint"], **figures)

    def _data(self, facts: dict[str, Any]) -> None:
        for code, found in facts["report"].statements():
            self._line(say(code, **found))

    def _opening(self, facts: dict[str, Any], chosen: dict[str, Any]) -> None:
        chosen |= {name: facts[name] for name in ("pairs", "validation")}
        self._line(say("training.start", kind=_kind(facts["settings"].model), **chosen))

    def _validation(self, facts: dict[str, Any]) -> None:
        if not self.signed:
            self._line(say("training.scored_by", **facts["signatures"]))
            self.signed = True
        figures = {name: f"{facts[name]:.2f}" for name in ("loss", "bleu", "chrf")}
        mark = say("training.best_yet") if facts["score"] == facts["best"] else ""
        self._line(say("training.validation", step=facts["step"], mark=mark, **figures))
        self._line(say("training.sample", **facts["sample"]))


def _kind(model: Any) -> str:
    """What a translator is, in a few words."""
    if model.model_type == "regard-rnn":
        return say("training.kind_rnn", attention=model.attention)
    sizes = {name: getattr(model, name) for name in ("n_layers", "decoder_layers", "d_model", "n_heads")}
    return say("training.kind_transformer", **sizes)


def _way(way: Any) -> str:
    """How a step is computed, in a few words."""
    kind = "compiled" if way.choices["compile"] else "plain"
    return say(f"training.trial_{kind}", precision=way.choices["precision"])


class LmTraining(Training):
    """Of a language model."""

    kind = "lm_"

    def _result(self, outcome: dict[str, Any]) -> str:
        figures = _figures({"loss": outcome["loss"], **outcome["metrics"]})
        return say("training.lm_done", steps=outcome["steps"], checkpoint=outcome["checkpoint"], **figures)

    def _opening(self, facts: dict[str, Any], chosen: dict[str, Any]) -> None:
        settings, model = facts["settings"], facts["settings"].model
        chosen |= {name: facts[name] for name in ("tokens", "validation", "documents")}
        chosen |= {"form": settings.form, "n_layers": model.n_layers, "n_heads": model.n_heads}
        chosen |= {"d_model": model.d_model, "context": model.max_len, "batch_size": settings.batch_size}
        self._line(say("training.lm_start", **chosen))

    def _apart(self, facts: dict[str, Any]) -> None:
        self._line(say("training.lm_apart", **facts))

    def _trial(self, facts: dict[str, Any]) -> None:
        trial = facts["trial"]
        figures = [(_way(way), f"{1000 * way.seconds_a_step:.1f}") for way in trial.ways]
        ways = say("training.trial_between").join(
            say("training.trial_way", way=w, milliseconds=ms) for w, ms in figures
        )
        self._line(say("training.trial", ways=ways, taken=_way(trial.taken), seconds=f"{trial.seconds:.0f}"))

    def _validation(self, facts: dict[str, Any]) -> None:
        mark = say("training.best_yet") if facts["score"] == facts["best"] else ""
        self._line(say("training.lm_validation", step=facts["step"], mark=mark, **_figures(facts)))
        sample = {name: visible(" ".join(facts["sample"][name].split())) for name in ("prompt", "text")}
        self._line(say("training.lm_sample", **sample))


def _figures(facts: dict[str, Any]) -> dict[str, str]:
    return {"loss": f"{facts['loss']:.4f}", "bits": f"{facts['bits_per_byte']:.4f}",
            "perplexity": f"{facts['perplexity']:.2f}"}  # fmt: skip


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02d}:{rest:02d}" if minutes >= 60 else f"{minutes}:{rest:02d}"
