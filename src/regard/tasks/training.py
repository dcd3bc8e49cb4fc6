"""Train a translator on pairs of sentences: read, clean, cut into tokens, train, keep the best; or resume."""

import json
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import torch
from filelock import FileLock, Timeout
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from regard.core.errors import BadInput, Failure
from regard.core.files import sha256, write_whole
from regard.generation.sentences import rules, translate
from regard.models import folder
from regard.models.rnn import RnnConfig, RnnTranslator
from regard.tasks.cards import training_card
from regard.text import tokenizers
from regard.text.doctor import clean, split
from regard.text.joining import with_joined
from regard.text.lines import STDIN, shown_name
from regard.text.pairs import Pairs, read_pairs
from regard.text.tokenizers import Kind, Tokenizer
from regard.training import checkpoint, precision
from regard.training.examples import Examples
from regard.training.loop import Report, Run, train
from regard.training.loss import validation_loss
from regard.training.metrics import quality
from regard.training.settings import Settings

SIGNS = {"greater_than": ">", "greater_than_equal": "≥", "less_than": "<", "less_than_equal": "≤"}

Schema = TypeVar("Schema", bound=BaseModel)
Tell = Callable[[str, Report], None]
"""Told what happens: `tell(kind, facts)` with kind data | start | resume | progress | validation | checkpoint."""

BEFORE = ("data.json", folder.TOKENIZER)
"""What is written before `run.json`: where there is no more, no run was begun."""

SAMPLED = 500
"""At most so many validation sentences, evenly spaced, are translated at each validation."""


class Data(BaseModel):
    """Which sentences a run is trained on, and how often, as `run.json` holds it."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    pairs: list[Path]
    validation: list[Path] | None = None
    columns: tuple[int, int] | None = None
    encoding: str = "utf-8"
    held_out: int = Field(1000, ge=1)
    tokenizer: Kind = "bpe"
    vocab_size: int = Field(5000, ge=8, le=1_000_000)
    joined: float = Field(0.0, ge=0, le=10)
    epochs: float = Field(10.0, gt=0, le=10_000)


@dataclass(frozen=True)
class Asked:
    """What the user asked for, by name: only what was given. Of the data, the model, and the run's course."""

    data: dict[str, Any] = field(default_factory=dict)
    model: dict[str, Any] = field(default_factory=dict)
    run: dict[str, Any] = field(default_factory=dict)


def train_translation(output: Path, asked: Asked, tell: Tell, *, resume: bool = False) -> Report:
    """Train a translator into the folder `output`, or resume the run that stands there.

    A resumed run obeys what it wrote down; what is asked for besides must not differ from that.

    Returns:
        steps, loss, metrics and checkpoint: the path of the best model.

    Raises:
        BadInput: data or settings that break a rule; a folder in use, or not empty; data that changed since.
        Stopped: a signal came (see `training.loop`).
    """
    with _locked(output):
        settings, tokenizer, sides = (_again if resume else _begin)(output, asked, tell)
        training, validation = sides
        torch.manual_seed(settings.seed)
        run = _run(output, settings, tokenizer, training, validation, tell)
        resume_from, wrong = checkpoint.latest(output)
        if wrong and resume_from is None:
            raise wrong[0]
        for error in wrong:
            tell("warning", {"error": error})
        start = {"settings": settings, "parameters": sum(p.numel() for p in run.model.parameters())}
        tell("start", start | {"resume_from": resume_from, "pairs": len(training)})
        _forget_after(output, resume_from)
        standing = train(run, resume_from)
        return _outcome(output, standing.step)


def _begin(output: Path, asked: Asked, tell: Tell) -> tuple[Settings, Tokenizer, tuple[Pairs, Pairs]]:
    """A new run: clean the data, train the tokenizer, settle every choice, and write them down."""
    if any(p for p in output.iterdir() if not p.name.startswith(".") and p.name not in BEFORE):
        raise BadInput("output_not_empty", path=str(output))
    data = _valid(Data, asked.data)
    _draft(asked, data.vocab_size)  # a choice that breaks a rule is refused before the work, not after
    for path in (*data.pairs, *(data.validation or ())):
        if (path.exists() and not path.is_file() and not path.is_dir()) or str(path) == STDIN:
            raise BadInput("pairs_fleeting", path=shown_name(path))
    sides = _sides(data, int(asked.run.get("seed", 1)), output, tell)
    lines = (line for side in (sides[0].source, sides[0].target) for line in side)
    tokenizer = tokenizers.train(lines, kind=data.tokenizer, vocab_size=data.vocab_size)
    settings = _settled(asked, tokenizer, sides[0], data.epochs)
    write_whole(output / folder.TOKENIZER, tokenizer.json().encode())
    facts = {
        "data": data.model_dump(mode="json"),
        "settings": settings.model_dump(),
        "files": _hashes(data),
    }
    write_whole(output / "run.json", (json.dumps(facts, indent=1, ensure_ascii=False) + "\n").encode())
    return settings, tokenizer, sides


def _again(output: Path, asked: Asked, tell: Tell) -> tuple[Settings, Tokenizer, tuple[Pairs, Pairs]]:
    """A run that was begun: its choices as written down, its data as long as it has not changed."""
    path = output / "run.json"
    if not path.is_file():
        raise BadInput("nothing_to_resume", path=str(output))
    try:
        facts = json.loads(path.read_text(encoding="utf-8"))
        data = Data.model_validate(facts["data"])
        settings = Settings.model_validate_json(json.dumps(facts["settings"]))
    except (ValueError, KeyError, TypeError) as error:
        raise BadInput("run_broken", path=str(path), reason=str(error).splitlines()[0]) from error
    _refuse_other_choices(asked, data, settings)
    for name, digest in _hashes(data).items():
        if facts["files"].get(name) != digest:
            raise BadInput("data_changed", path=name)
    tokenizer = tokenizers.load(output / folder.TOKENIZER)
    return settings, tokenizer, _sides(data, settings.seed, output, tell)


def _refuse_other_choices(asked: Asked, data: Data, settings: Settings) -> None:
    """What is asked for at a resume must be what the run was begun with."""
    pairs = [(asked.data, _valid(Data, asked.data, data), data), (asked.model, asked.model, settings.model)]
    for given, wanted, stored in [*pairs, (asked.run, asked.run, settings)]:
        for name in given:
            came = wanted[name] if isinstance(wanted, dict) else getattr(wanted, name)
            if came != getattr(stored, name):
                raise BadInput("resume_differs", name=name, came=str(came), stored=str(getattr(stored, name)))


def _valid(kind: type[Schema], given: dict[str, Any], base: Schema | None = None) -> Schema:
    """These choices as `kind`, over those of `base`; one that breaks a rule is named."""
    try:
        return kind(**({} if base is None else base.model_dump()) | given)
    except ValidationError as error:
        raise _refusal(error.errors()[0]) from error


def _refusal(broken: Any) -> BadInput:
    """Which choice broke which rule, in our words where they are ours to choose."""
    name, rule = str(broken["loc"][0]), broken["type"]
    facts = {"name": name, "option": "--" + name.replace("_", "-"), "came": str(broken["input"])[:100]}
    limit = next(iter(broken.get("ctx", {}).values()), None)
    if rule in SIGNS:
        return BadInput("setting_bound", **facts, rule=f"{SIGNS[rule]} {limit}")
    if rule == "multiple_of":
        return BadInput("setting_multiple", **facts, step=limit)
    if rule == "finite_number":
        return BadInput("setting_finite", **facts)
    return BadInput("setting", **facts, reason=broken["msg"])


def _sides(data: Data, seed: int, output: Path, tell: Tell) -> tuple[Pairs, Pairs]:
    """Training and validation pairs, cleaned; the report is told and written."""
    pairs = read_pairs(data.pairs, columns=data.columns, encoding=data.encoding)
    if data.validation:
        validation, _ = clean(read_pairs(data.validation, columns=data.columns, encoding=data.encoding))
    else:
        held_out = min(data.held_out, len(pairs) // 10)
        pairs, validation = split(pairs, validation=max(1, held_out), seed=seed)
        validation, _ = clean(validation)
    training, report = clean(pairs, validation=validation)
    write_whole(output / "data.json", (json.dumps(report.json(), indent=1) + "\n").encode())
    tell("data", {"report": report, "training": len(training), "validation": len(validation)})
    return with_joined(training, data.joined, seed), validation


def _draft(asked: Asked, vocab_size: int) -> Settings:
    """The choices of the run that were given, the rest by default."""
    model = _valid(RnnConfig, {"vocab_size": vocab_size, **asked.model})
    draft = _valid(Settings, {"model": model, "steps": 1, **asked.run})
    if not precision.has(draft.device):
        raise BadInput("device_missing", asked=draft.device)
    return draft


def _settled(asked: Asked, tokenizer: Tokenizer, training: Pairs, epochs: float) -> Settings:
    """Every choice of the run: what was given, else what suits the data and the machine."""
    draft = _draft(asked, tokenizer.vocab_size)
    per_epoch = Examples(training.source, training.target, tokenizer).batches_per_epoch(draft.batch_tokens)
    steps = draft.steps if "steps" in asked.run else max(1, round(epochs * per_epoch))
    chosen = {
        "steps": steps,
        "precision": precision.best(),
        "device": precision.device(),
        "threads": torch.get_num_threads(),
        "warmup": min(400, max(1, steps // 10)),
        "evaluate_every": min(1000, max(1, per_epoch)),
    }
    return draft.model_copy(update=chosen | asked.run)


def _run(output: Path, settings: Settings, tokenizer: Tokenizer, training: Pairs, validation: Pairs, tell: Tell) -> Run:
    """All parts of the run, put together."""
    held_out = Examples(validation.source, validation.target, tokenizer)

    def validate(model: RnnTranslator) -> Report:
        every = -(-len(validation) // SAMPLED)
        source, reference = validation.source[::every], validation.target[::every]
        outputs = [t.outputs for t in translate(model, tokenizer, source, rules())]
        texts = [found[0].text if found else "" for found in outputs]
        scores = quality(texts, reference)
        pick = len(texts) * 2 // 3
        return {
            "loss": validation_loss(model, held_out, settings.batch_tokens),
            "bleu": scores.bleu,
            "chrf": scores.chrf,
            "signatures": scores.signatures,
            "score": scores.bleu,
            "sample": {"source": source[pick], "translation": texts[pick], "reference": reference[pick]},
        }

    def save_best(model: RnnTranslator, facts: Report) -> None:
        folder.save(output / "best", model, tokenizer, training_card(settings, facts, len(training)))

    model = RnnTranslator(settings.model).to(settings.device)
    examples = Examples(training.source, training.target, tokenizer)
    report = _Reporter(output, settings, tell)
    return Run(settings, model, tokenizer, examples, validate, save_best, output, report)


class _Reporter:
    """Gathers steps into a line of progress every so often, writes `metrics.jsonl`, tells the face."""

    EVERY = 50

    def __init__(self, output: Path, settings: Settings, tell: Tell) -> None:
        self.path, self.settings, self.tell = output / "metrics.jsonl", settings, tell
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


def _forget_after(output: Path, resume_from: Path | None) -> None:
    """Drop the lines of `metrics.jsonl` that lie after the checkpoint: those steps are done again."""
    path = output / "metrics.jsonl"
    step = int(resume_from.name.removeprefix("step-")) if resume_from else 0
    if path.is_file():
        lines = [line for line in path.read_text(encoding="utf-8").split("\n") if _step_of(line) <= step]
        write_whole(path, "".join(f"{line}\n" for line in lines).encode())


def _step_of(line: str) -> float:
    """The step of a line; a torn last line counts as after everything."""
    try:
        return float(json.loads(line)["step"])
    except (ValueError, KeyError, TypeError):
        return float("inf")


def _outcome(output: Path, steps: int) -> Report:
    """The last validation of the best model, as the last line says it."""
    lines = (output / "metrics.jsonl").read_text(encoding="utf-8").split("\n")  # a U+2028 in a sample ends no line
    validations = [facts for facts in map(json.loads, filter(None, lines)) if facts["kind"] == "validation"]
    if not validations:
        raise Failure("no_validation", path=str(output))
    top = max(validations, key=lambda line: line["score"])
    metrics = {name: top[name] for name in ("bleu", "chrf", "signatures", "step")}
    return {"steps": steps, "loss": top["loss"], "metrics": metrics, "checkpoint": str(output / "best")}


def _hashes(data: Data) -> dict[str, str]:
    paths: Sequence[Path] = [*data.pairs, *(data.validation or [])]
    return {str(path): sha256(path) for path in paths if path.is_file()}


@contextmanager
def _locked(output: Path) -> Iterator[None]:
    """One process a run folder; the lock goes with its process, however that ends."""
    lock = FileLock(output / ".lock", timeout=0.5)
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
        lock.release()
