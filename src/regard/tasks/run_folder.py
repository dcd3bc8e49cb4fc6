"""A training run as a folder: begun, or taken up again where it stands; the same for every kind of model.

RUN/run.json     the task, its data, every setting, the sha256 of each file that was read; what a trial measured
"""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Protocol

import torch
from filelock import FileLock, Timeout

from regard.core.errors import BadInput
from regard.core.files import sha256, write_whole
from regard.models import folder
from regard.tasks import watching
from regard.tasks.run_choices import Asked, measured, refuse_other_choices, valid
from regard.tasks.run_log import Tell, forget_after, outcome
from regard.tasks.watching import Probe
from regard.training import checkpoint
from regard.training.loop import Report, Run, train
from regard.training.settings import Settings
from regard.training.trial import Trial

RUN, LOCK = "run.json", ".lock"


class Task(Protocol):
    """What differs from one kind of training to another. `data` is of the class `schema`."""

    @property
    def name(self) -> str:
        """The word after `regard train`."""

    @property
    def schema(self) -> type[Any]:
        """Of what is written down of the text."""

    @property
    def settings(self) -> type[Settings]:
        """Of the choices."""

    @property
    def tried(self) -> tuple[str, ...]:
        """Choices that a trial makes where nobody has made them: of `trial.CHOICES`."""

    @property
    def before(self) -> tuple[str, ...]:
        """Files that are written before `run.json`: where there is no more, no run was begun."""

    def refuse(self, asked: Asked, data: Any) -> None:
        """What breaks a rule is refused before any work."""

    def read(self, output: Path, data: Any, seed: int, tell: Tell) -> Any:
        """The text of the run."""

    def new_tokenizer(self, data: Any, material: Any) -> Any:
        """The tokenizer of a new run."""

    def load_tokenizer(self, path: Path) -> Any:
        """The tokenizer of a run that was begun."""

    def settled(self, asked: Asked, data: Any, tokenizer: Any, material: Any) -> Settings:
        """Every choice of a new run."""

    def run(self, output: Path, settings: Any, tokenizer: Any, material: Any, tell: Tell) -> tuple[Run, Report]:
        """All parts put together, and what is told of them at the start."""

    def files(self, output: Path, data: Any) -> list[Path]:
        """Every file that is read."""

    def probe(self, text: str, tokenizer: Any, longest: int) -> Probe:
        """What is watched, from what `--watch` says."""


def carry_out(task: Task, output: Path, asked: Asked, tell: Tell, *, resume: bool) -> Report:
    """Train into the folder `output`, or resume the run that stands there.

    A resumed run obeys what it wrote down; what is asked for besides must not differ from that.

    Returns:
        steps, loss, metrics and checkpoint: the path of the best model.

    Raises:
        BadInput: data or settings that break a rule; a folder in use, or not empty; data that changed since.
        Stopped: a signal came (see `training.loop`).
    """
    if resume and not output.is_dir():
        raise BadInput("nothing_to_resume", path=str(output))
    with _locked(output):
        settings, tokenizer, material = (_again if resume else _begin)(task, output, asked, tell)
        torch.manual_seed(settings.seed)
        run, facts = task.run(output, settings, tokenizer, material, tell)
        run = watching.attached(run, task.probe, tell)
        resume_from, wrong = checkpoint.latest(output)
        if wrong and resume_from is None:
            raise wrong[0]
        for error in wrong:
            tell("warning", {"error": error})
        parameters = sum(p.numel() for p in run.model.parameters())
        tell("start", {"settings": settings, "parameters": parameters, "resume_from": resume_from, **facts})
        watching.forget_after(output, forget_after(output, resume_from))
        if resume_from is None:
            run.watch(run.model, 0, {})
        standing = train(run, resume_from)
        return outcome(output, standing.step)


def _begin(task: Task, output: Path, asked: Asked, tell: Tell) -> tuple[Settings, Any, Any]:
    """A new run: read the text, train the tokenizer, settle every choice, and write them down."""
    if any(p for p in output.iterdir() if not p.name.startswith(".") and p.name not in task.before):
        raise BadInput("output_not_empty", path=str(output))
    data = valid(task.schema, asked.data)
    task.refuse(asked, data)
    material = task.read(output, data, int(asked.run.get("seed", 1)), tell)
    tokenizer = task.new_tokenizer(data, material)
    settings, tried = _settled(task, output, asked, data, tokenizer, material, tell)
    write_whole(output / folder.TOKENIZER, tokenizer.json().encode())
    facts = {
        "task": task.name,
        "data": data.model_dump(mode="json"),
        "settings": settings.model_dump(),
        **({"trial": asdict(tried)} if tried else {}),
        "files": _hashes(task, output, data),
    }
    write_whole(output / RUN, (json.dumps(facts, indent=1, ensure_ascii=False) + "\n").encode())
    return settings, tokenizer, material


def _settled(
    task: Task, output: Path, asked: Asked, data: Any, tokenizer: Any, material: Any, tell: Tell
) -> tuple[Settings, Trial | None]:
    """Every choice of a new run, and the trial that made some of them."""

    def settle(asked: Asked) -> Settings:
        return task.settled(asked, data, tokenizer, material)

    def throwaway(settings: Settings) -> Run:
        torch.manual_seed(settings.seed)
        run, _ = task.run(output, settings, tokenizer, material, _silent)
        return replace(run, report=_silent)

    watching.probe_of(settle(asked), tokenizer, task.probe)  # refused before any trial
    asked, tried = measured(asked, data.minutes, settle, throwaway, task.tried)
    if tried:
        tell("trial", {"trial": tried})
    return settle(asked), tried


def _silent(kind: str, facts: Report) -> None:
    """Of a trial nothing is told but what comes of it."""


def _again(task: Task, output: Path, asked: Asked, tell: Tell) -> tuple[Settings, Any, Any]:
    """A run that was begun: its choices as written down, its data as long as it has not changed."""
    data, settings, digests = _written(task, output)
    refuse_other_choices(asked, data, settings)
    found = _hashes(task, output, data)
    for name in sorted(found.keys() | digests.keys()):
        if digests.get(name) != found.get(name):
            raise BadInput("data_changed", path=name)
    tokenizer = task.load_tokenizer(output / folder.TOKENIZER)
    return settings, tokenizer, task.read(output, data, settings.seed, tell)


def _written(task: Task, output: Path) -> tuple[Any, Any, dict[str, str]]:
    """Data, settings and digests of `run.json`."""
    path = output / RUN
    if not path.is_file():
        raise BadInput("nothing_to_resume", path=str(output))
    try:
        facts = json.loads(path.read_text(encoding="utf-8"))
        begun = str(facts.get("task", "translation"))
        if begun != task.name:
            raise BadInput("run_other_task", path=str(output), task=begun, asked=task.name)
        data = task.schema.model_validate(facts["data"])
        settings = task.settings.model_validate_json(json.dumps(facts["settings"]))
        return data, settings, dict(facts["files"])
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise BadInput("run_broken", path=str(path), reason=str(error).splitlines()[0]) from error


def _hashes(task: Task, output: Path, data: Any) -> dict[str, str]:
    return {str(path): sha256(path) for path in task.files(output, data) if path.is_file()}


@contextmanager
def _locked(output: Path) -> Iterator[None]:
    """One process a run folder; the lock goes with its process, however that ends."""
    lock = FileLock(output / LOCK, timeout=0.5)
    made = [path for path in (output, *output.parents) if not os.path.exists(path)]
    try:
        output.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except Timeout as error:
        raise BadInput("run_locked", path=str(output)) from error
    except OSError as error:
        raise BadInput("output_folder", path=str(output), reason=error.strerror or str(error)) from error
    try:
        yield
    finally:
        _tidied(output, made)
        lock.release()


def _tidied(output: Path, made: list[Path]) -> None:
    """Where no run was begun, take away the lock (others look whether theirs still has a name), and folders made."""
    if (output / RUN).exists():
        return
    with suppress(OSError):  # some systems keep open files; folders may hold more
        (output / LOCK).unlink()
        for path in made:
            path.rmdir()
