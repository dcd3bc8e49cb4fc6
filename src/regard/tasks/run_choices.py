"""The choices of a training run: what was asked for, what suits the data and the machine, what no resume may change."""

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

import torch
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from regard.core.errors import BadInput
from regard.text.lines import STDIN, shown_name
from regard.text.pairs import Columns
from regard.text.tokenizers import Kind
from regard.training import precision, trial
from regard.training.settings import Settings

SIGNS = {"greater_than": ">", "greater_than_equal": "≥", "less_than": "<", "less_than_equal": "≤"}

OPTIONS = {("GptConfig", "max_len"): "--context"}
"""Choices whose option has another name."""

Schema = TypeVar("Schema", bound=BaseModel)
Course = TypeVar("Course", bound=Settings)


class Data(BaseModel):
    """Which sentences a run is trained on, and how often, as `run.json` holds it."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    pairs: list[Path]
    validation: list[Path] | None = None
    columns: Columns | None = None
    encoding: str = "utf-8"
    held_out: int = Field(1000, ge=1)
    tokenizer: Kind = "bpe"
    vocab_size: int = Field(5000, ge=8, le=1_000_000)
    joined: float = Field(0.0, ge=0, le=10)
    epochs: float = Field(10.0, gt=0, le=10_000)
    minutes: float | None = Field(None, gt=0, le=1_000_000)


@dataclass(frozen=True)
class Asked:
    """What the user asked for, by name: only what was given. Of the data, the model, and the run's course."""

    data: dict[str, Any] = field(default_factory=dict)
    model: dict[str, Any] = field(default_factory=dict)
    run: dict[str, Any] = field(default_factory=dict)


def refuse_other_choices(asked: Asked, data: BaseModel, settings: Settings) -> None:
    """What is asked for at a resume must be what the run was begun with."""
    pairs = [(asked.data, valid(type(data), asked.data, data), data), (asked.model, asked.model, settings.model)]
    for given, wanted, stored in [*pairs, (asked.run, asked.run, settings)]:
        for name in given:
            came = wanted[name] if isinstance(wanted, dict) else getattr(wanted, name)
            was = getattr(stored, name, None)  # another kind of model has other options
            if came != was:
                raise BadInput("resume_differs", name=name, came=_shown(came), stored=_shown(was))


def _shown(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def valid(kind: type[Schema], given: dict[str, Any], base: Schema | None = None) -> Schema:
    """These choices as `kind`, over those of `base`; one that breaks a rule is named."""
    try:
        return kind(**({} if base is None else base.model_dump()) | given)
    except ValidationError as error:
        raise _refusal(error.errors()[0], error.title) from error


def _refusal(broken: Any, kind: str) -> BadInput:
    """Which choice of which kind broke which rule, in our words where they are ours to choose."""
    rule = broken["type"]
    if not broken["loc"]:  # a rule about several choices at once
        return BadInput("setting_clash", reason=str(broken["ctx"]["error"]))
    name = str(broken["loc"][0])
    facts = {
        "name": name,
        "option": OPTIONS.get((kind, name), "--" + name.replace("_", "-")),
        "came": str(broken["input"])[:100],
    }
    limit = next(iter(broken.get("ctx", {}).values()), None)
    if rule in SIGNS:
        return BadInput("setting_bound", **facts, rule=f"{SIGNS[rule]} {limit}")
    if rule == "multiple_of":
        return BadInput("setting_multiple", **facts, step=limit)
    if rule == "extra_forbidden":
        return BadInput("setting_foreign", **facts)
    if rule == "finite_number":
        return BadInput("setting_finite", **facts)
    return BadInput("setting", **facts, reason=broken["msg"])


def drafted(kind: type[Course], model: type[BaseModel], asked: Asked, vocab_size: int) -> Course:
    """The choices of the run that were given, the rest by default."""
    config = valid(model, {"vocab_size": vocab_size, **asked.model})
    draft = valid(kind, {"model": config, "steps": 1, **asked.run})
    if not precision.has(draft.device):
        raise BadInput("device_missing", asked=draft.device)
    if draft.compile:
        precision.require_compiler(draft.device)
    return draft


def chosen_for(asked: Asked, draft: Course, per_epoch: int, epochs: float) -> Course:
    """Every choice of the run: what was given, else what suits the data (steps an epoch) and the machine."""
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


def measured(
    asked: Asked,
    minutes: float | None,
    settle: Callable[[Asked], Settings],
    make: trial.Make,
    tried: Iterable[str],
) -> tuple[Asked, trial.Trial | None]:
    """What was asked for, with what trials on this machine say of the rest: from then on it is as if asked for.

    Args:
        minutes: how long the run may take: as many steps as fit into that, where their number was not asked for.
        settle: every choice of a run that asks for this.
        make: a run of these settings for a trial.
        tried: choices that a trial may make.
    """
    minutes = None if "steps" in asked.run else minutes
    found = trial.quickest(make, settle(asked), set(tried) - asked.run.keys(), minutes)
    if found:
        asked = replace(asked, run={**asked.run, **found.taken.choices})
    if minutes is None:
        return asked, found
    seconds = trial.seconds_a_step(make(settle(asked)), min(10.0, 2.0 * minutes))
    return replace(asked, run={**asked.run, "steps": max(1, round(60 * minutes / seconds))}), found


def refuse_fleeting(paths: Iterable[Path]) -> None:
    """A run reads its text again when it is resumed, so it must lie in files that stay."""
    for path in paths:
        lasting = os.path.isfile(path) or os.path.isdir(path) or not os.path.exists(path)  # the latter: reading refuses
        if not lasting or str(path) == STDIN:
            raise BadInput("pairs_fleeting", path=shown_name(path))
