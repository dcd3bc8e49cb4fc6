"""What the commands of `regard train` share: kinds of options, how a run is told of them, how its end is told."""

import json
import signal
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from regard.core.errors import BadInput
from regard.core.nearest import one_of
from regard.language import say

Folder = Annotated[Path | None, typer.Option("--output", "-o", metavar="DIR", show_default=False)]
Resume = Annotated[bool, typer.Option("--resume")]
Form = Annotated[str, typer.Option("--format", metavar="text|json")]
Number = Annotated[int | None, typer.Option(metavar="N", show_default=False)]
Share = Annotated[float | None, typer.Option(metavar="X", show_default=False)]
Files = Annotated[list[Path] | None, typer.Option(metavar="FILE", show_default=False)]
Watch = Annotated[str | None, typer.Option(metavar="TEXT", show_default=False)]
Word = Annotated[str | None, typer.Option(metavar="NAME", show_default=False)]
Precision = Annotated[str | None, typer.Option(metavar="fp32|bf16", show_default=False)]
Device = Annotated[str | None, typer.Option(metavar="cpu|cuda|mps", show_default=False)]
Optimizer = Annotated[str | None, typer.Option(metavar="adamw|muon", show_default=False)]
Schedule = Annotated[str | None, typer.Option(metavar="linear|cosine|wsd", show_default=False)]
Switch = Annotated[bool | None, typer.Option(show_default=False)]

CHOICES: dict[str, tuple[str, ...]] = {
    "precision": ("fp32", "bf16"),
    "device": ("cpu", "cuda", "mps"),
    "optimizer": ("adamw", "muon"),
    "schedule": ("linear", "cosine", "wsd"),
}


def given_of(values: Mapping[str, Any], choices: Mapping[str, tuple[str, ...]]) -> dict[str, Any]:
    """The options that were given; one that is none of its choices is refused with the nearest."""
    given = {name: value for name, value in values.items() if value is not None}
    one_of(given["form_of_result"], ("text", "json"), "--format")
    for name, known in {**CHOICES, **choices}.items():
        if name in given:
            one_of(given[name], known, f"--{name.replace('_', '-')}")
    if "output" not in given:
        raise BadInput("output_missing")
    return given


def run(
    train: Callable[..., dict[str, Any]],
    teller: Any,
    given: dict[str, Any],
    data: tuple[str, ...],
    model: Mapping[str, str],
    settings: type[Any],
) -> None:
    """Carry out the task and print its outcome; a signal's exit code is the shell's for that signal.

    Args:
        model: name of each option of the model → that of the field of its config.
    """
    from regard.tasks.run_choices import Asked
    from regard.training.loop import Stopped

    course = [name for name in settings.model_fields if name != "model"]
    chosen = [{name: given[name] for name in names if name in given} for names in (data, course)]
    asked = Asked(chosen[0], {field: given[name] for name, field in model.items() if name in given}, chosen[1])
    try:
        outcome = train(given["output"], asked, teller, resume=given["resume"])
    except Stopped as stopped:
        teller.close()
        name = signal.Signals(stopped.number).name
        print(say("training.stopped", name=name, checkpoint=stopped.path), file=sys.stderr)
        raise typer.Exit(128 + stopped.number) from None
    finally:
        teller.close()
    json_asked = given["form_of_result"] == "json"
    print(json.dumps(outcome, ensure_ascii=False) if json_asked else teller.last_line(outcome))
