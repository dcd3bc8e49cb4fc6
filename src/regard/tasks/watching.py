"""Watching a run: the patterns of one text at every validation, so that one can later see heads form.

RUN/watch/step-00000100.safetensors    a trace like any other, its weights in float16

A file has layers · heads · queries · keys · 2 bytes. When they grow many, every second one goes, then every second of
the rest: so they stay evenly spaced, and a run that is resumed ends with the same files as one never interrupted.
"""

import hashlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from regard.core.errors import BadInput, RegardError
from regard.inspection import record as recording
from regard.inspection.trace import READ, Sequence, Trace, load
from regard.tasks.reading import text_side
from regard.tasks.run_log import Tell
from regard.tasks.translation import given_side
from regard.text.tokenizers import START
from regard.training import precision
from regard.training.loop import Report, Run
from regard.training.settings import Settings

WATCH = "watch"
MOST_FILES, LEAST_FILES, MOST_BYTES = 64, 8, 2**25
"""At most so many files, fewer where they are large: all together about 32 MiB, but never less than eight."""

LONGEST = 256
"""At most so many tokens are watched."""

Probe = dict[str, Sequence]
"""What the model is given at every validation: see `inspection.record`."""


def probe_of(settings: Settings, tokenizer: Any, read: Callable[[str, Any, int], Probe]) -> Probe | None:
    """What a run watches; `read` is one of the two below.

    Raises:
        BadInput: it cannot be read.
    """
    longest = min(LONGEST, getattr(settings.model, "max_len", LONGEST))
    return None if settings.watch is None else read(settings.watch, tokenizer, longest)


def attached(run: Run, read: Callable[[str, Any, int], Probe], tell: Tell) -> Run:
    """The run with its watcher, where it has one."""
    probe = probe_of(run.settings, run.tokenizer, read)
    if probe is None:
        return run
    return replace(run, watch=Watcher(run.folder, probe, run.settings.evaluate_every, tell))


def text_probe(text: str, tokenizer: Any, longest: int) -> Probe:
    """A text for a language model.

    Raises:
        BadInput: `watch_too_long`, `text_empty`.
    """
    return _checked({READ: text_side(text, tokenizer)}, longest)


def pair_probe(line: str, tokenizer: Any, longest: int) -> Probe:
    """A pair for a translator, source and target apart by a tab as in a file of pairs.

    Raises:
        BadInput: `watch_pair`, `watch_too_long`, `text_empty`.
    """
    if line.count("\t") != 1:
        raise BadInput("watch_pair", came=line[:60])
    source, target = (given_side(text, tokenizer.encode(text)) for text in line.split("\t"))
    if min(len(source.ids), len(target.ids)) < 2:
        raise BadInput("text_empty")
    return _checked(recording.teacher_forced(source, target, START), longest)


def _checked(probe: Probe, longest: int) -> Probe:
    for side in probe.values():
        if not side.ids:
            raise BadInput("text_empty")
        if len(side.ids) > longest:
            raise BadInput("watch_too_long", tokens=len(side.ids), longest=longest)
    return probe


class Watcher:
    """Records a probe into RUN/watch; made for `training.loop.Run.watch`. Final.

    Args:
        every: steps between validations.
        tell: told of a recording that failed; the run goes on.
    """

    def __init__(self, output: Path, probe: Probe, every: int, tell: Tell) -> None:
        self.folder, self.probe, self.every, self.tell = output / WATCH, probe, every, tell

    def __call__(self, model: Any, step: int, facts: Report) -> None:
        """The patterns of this step, as a file. Nothing in the model or in chance is touched."""
        training = model.training
        model.eval()
        try:
            self._write(self._trace(model, step), step)
        except RegardError as error:
            self.tell("warning", {"error": error})
        finally:
            model.train(training)

    def _trace(self, model: Any, step: int) -> Trace:
        name = f"{self.folder.parent.name}/{_name(step)}"
        with precision.using("fp32", recurrent=False):
            told = fingerprint(model)
            made = recording.record(model, self.probe, name=name, fingerprint=told, keep="weights", check="full")
        return replace(made, tensors={key: tensor.astype(np.float16) for key, tensor in made.tensors.items()})

    def _write(self, trace: Trace, step: int) -> None:
        self.folder.mkdir(exist_ok=True)
        trace.save(self.folder / f"{_name(step)}.safetensors")
        size = max(1, sum(tensor.nbytes for tensor in trace.tensors.values()))
        most = max(LEAST_FILES, min(MOST_FILES, MOST_BYTES // size))
        for old, path in _files(self.folder).items():
            if old != step and old % (self.every * stride(step // self.every, most)):
                path.unlink()


def stride(count: int, most: int) -> int:
    """Which of `count` validations stay, so that they are at most `most`: every, every second, every fourth …

    >>> [stride(count, 8) for count in (8, 9, 16, 17)]
    [1, 2, 2, 4]
    """
    step = 1
    while count > most * step:
        step *= 2
    return step


def fingerprint(model: Any) -> str:
    """The sha256 of a model's weights as they stand."""
    digest = hashlib.sha256()
    for name, tensor in sorted(model.state_dict().items()):
        digest.update(name.encode() + tensor.cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()


def forget_after(output: Path, step: int) -> None:
    """Remove what was recorded after this step: it will be recorded again."""
    for at, path in _files(output / WATCH).items():
        if at > step:
            path.unlink()


def watched(output: Path) -> dict[int, Trace]:
    """Step → what was recorded there, in order; empty where nothing was watched."""
    return {step: load(path) for step, path in _files(output / WATCH).items()}


def _files(folder: Path) -> dict[int, Path]:
    return {int(path.stem.removeprefix("step-")): path for path in sorted(folder.glob("step-*.safetensors"))}


def _name(step: int) -> str:
    return f"step-{step:08d}"
