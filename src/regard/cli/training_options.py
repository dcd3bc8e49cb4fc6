"""What the commands of `regard train` share: their options, how a run is told of them, how its end is told.

The options of each stand in a table, name → kind; a name is the option's, and the key of its help.
"""

import inspect
import json
import signal
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from regard.cli.parameters import Lang
from regard.core.errors import BadInput
from regard.core.nearest import one_of
from regard.language import say

Command = Callable[..., None]
Options = Mapping[str, Any]

Folder = Annotated[Path | None, typer.Option("--output", "-o", metavar="DIR", show_default=False)]
Resume = Annotated[bool, typer.Option("--resume")]
Number = Annotated[int | None, typer.Option(metavar="N", show_default=False)]
Share = Annotated[float | None, typer.Option(metavar="X", show_default=False)]
Files = Annotated[list[Path] | None, typer.Option(metavar="FILE", show_default=False)]
Word = Annotated[str | None, typer.Option(metavar="NAME", show_default=False)]
Switch = Annotated[bool | None, typer.Option(show_default=False)]


def text(metavar: str) -> Any:
    """An option that takes any text."""
    return Annotated[str | None, typer.Option(metavar=metavar, show_default=False)]


def choice(*known: str) -> Any:
    """An option that takes one of these; anything else is refused with the nearest."""

    def checked(parameter: typer.CallbackParam, asked: str | None) -> str | None:
        return None if asked is None else one_of(asked, known, str(parameter.opts[0]))

    return Annotated[str | None, typer.Option(metavar="|".join(known), show_default=False, callback=checked)]


COURSE: Options = {
    "accumulate": Number,
    "optimizer": choice("adamw", "muon"),
    "learning_rate": Share,
    "schedule": choice("linear", "cosine", "wsd"),
    "warmup": Number,
    "weight_decay": Share,
    "decayed": choice("all", "matrices"),
    "beta1": Share,
    "beta2": Share,
    "label_smoothing": Share,
    "clip": Share,
    "seed": Number,
    "evaluate_every": Number,
    "patience": Number,
    "save_every": Number,
    "watch": text("TEXT"),
    "precision": choice("fp32", "bf16"),
    "compile": Switch,
    "threads": Number,
    "device": choice("cpu", "cuda", "mps"),
}
"""The course of a run, whatever it trains."""

FORMAT = "form_of_result"
FACE = {"output": Folder, "resume": Resume, FORMAT: Annotated[str, typer.Option("--format", metavar="text|json")]}
"""What is none of the run's choices."""


def training(data: Options, model: Options, batch: str) -> Callable[[Command], Command]:
    """A command `command(given)` with these options, and those of every training: `given` holds those that came.

    Args:
        data: of the text; the first is where it lies.
        model: of the model.
        batch: the name of the batch's size.
    """
    first, *rest = data
    options = {"output": Folder, first: data[first], "validation": Files, "resume": Resume}
    options |= {**{name: data[name] for name in rest}, **model}
    options |= {"epochs": Share, "minutes": Share, "steps": Number, batch: Number, **COURSE}
    options |= {FORMAT: FACE[FORMAT], "lang": Lang}
    defaults = {"resume": False, FORMAT: "text"}

    def declared(command: Command) -> Command:
        def called(**values: Any) -> None:
            given = {name: value for name, value in values.items() if value is not None}
            one_of(given[FORMAT], ("text", "json"), "--format")
            if "output" not in given:
                raise BadInput("output_missing")
            if first not in given and not given["resume"]:
                raise BadInput(f"{first}_missing")
            command(given)

        kind = inspect.Parameter.KEYWORD_ONLY
        called.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
            [inspect.Parameter(name, kind, default=defaults.get(name), annotation=options[name]) for name in options]
        )
        called.__name__ = command.__name__
        return called

    return declared


def run(
    train: Callable[..., dict[str, Any]], teller: Any, given: dict[str, Any], data: type[Any], settings: type[Any]
) -> None:
    """Carry out the task and print its outcome; a signal's exit code is the shell's for that signal.

    Args:
        given: choices by name; those that neither `data` nor `settings` has are the model's.
    """
    from regard.tasks.run_choices import Asked
    from regard.training.loop import Stopped

    output, resume, form = (given.pop(name) for name in FACE)
    given.pop("lang", None)
    of_data, of_course = (
        {name: given.pop(name) for name in kind.model_fields if name in given} for kind in (data, settings)
    )
    try:
        outcome = train(output, Asked(of_data, given, of_course), teller, resume=resume)
    except Stopped as stopped:
        teller.close()
        name = signal.Signals(stopped.number).name
        print(say("training.stopped", name=name, checkpoint=stopped.path), file=sys.stderr)
        raise typer.Exit(128 + stopped.number) from None
    finally:
        teller.close()
    print(json.dumps(outcome, ensure_ascii=False) if form == "json" else teller.last_line(outcome))
