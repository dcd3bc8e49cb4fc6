"""The console entry point `regard`: commands, their help in the reader's language, and errors as one line.

A command is one file `cli/NAME.py` with one function of that name (or a typer app called `app`, for commands of two
words), and one word in `COMMANDS`. Its help stands in `language/*/cli.toml`: `NAME` and, for each parameter,
`NAME_PARAMETER` (or `GROUP_PARAMETER`, shared by commands such as `train translation` and `train lm`, or
`any_PARAMETER`, shared by all).
"""

import os
import sys
import traceback
from importlib import import_module
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from regard.cli.complaints import complaint, exit_code
from regard.cli.parameters import Lang
from regard.core.errors import BadInput
from regard.core.freed import keep_freed
from regard.core.nearest import nearest
from regard.language import LANGUAGES, catalogue, choose, say
from regard.version import __version__

COMMANDS = (
    "explain",
    "translate",
    "generate",
    "train",
    "evaluate",
    "record",
    "look",
    "evidence",
    "heads",
    "align",
    "size",
    "words",
    "senses",
    "models",
)

_INTERRUPTED, _PIPE_CLOSED = 130, 141  # what a shell gives for SIGINT and SIGPIPE


class Commands(TyperGroup):
    """A group of commands that answers a wrong name with the nearest right one."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """The command that `args` begin with."""
        if args[0] not in self.commands and not args[0].startswith("-"):
            known = list(self.commands)
            raise BadInput("unknown_command", asked=args[0], nearest=nearest(args[0], known), known=", ".join(known))
        return super().resolve_command(ctx, args)


def main() -> None:
    """Run the command line and exit: 0 done, 1 a failure, 2 bad input, 130 interrupted."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # closed before we began
            nowhere = os.open(os.devnull, os.O_WRONLY)  # like the standard ones, nobody closes it
            setattr(sys, name, open(nowhere, "w", closefd=False))  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")  # text may hold what the terminal's encoding has not
    keep_freed()  # this process is ours
    status = run(sys.argv[1:])
    try:
        sys.stdout.flush()
    except OSError:
        status = _closed_pipe()
    sys.exit(status)


def run(arguments: list[str]) -> int:
    """Run the command line `arguments`; the exit code."""
    arguments, tracing = _without_traceback(arguments)
    choose(_language_of(arguments))
    try:
        command = build(arguments[:1])
        if arguments[-1:] == ["--help"] and (help_text := _help_of(command, arguments[:-1])):
            print(help_text)
            return 0
        with command.make_context("regard", arguments) as context:
            command.invoke(context)
            sys.stdout.flush()
        return 0
    except typer.Exit as done:
        return done.exit_code
    except BrokenPipeError:
        return _closed_pipe()
    except (KeyboardInterrupt, typer.Abort):
        return _INTERRUPTED
    except Exception as error:
        if tracing:
            traceback.print_exc()
        else:
            print(complaint(error), file=sys.stderr)
        return exit_code(error)


def _closed_pipe() -> int:
    """Whoever read our output has gone: say nothing, and let nothing be said at the interpreter's end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return _PIPE_CLOSED


def _without_traceback(arguments: list[str]) -> tuple[list[str], bool]:
    """The arguments without `--traceback`, which may stand anywhere before `--`, and whether it stood there."""
    end = arguments.index("--") if "--" in arguments else len(arguments)
    kept = [argument for argument in arguments[:end] if argument != "--traceback"]
    return kept + arguments[end:], len(kept) < end


def _language_of(arguments: list[str]) -> str | None:
    """The language of `--lang`, known before anything is parsed, so that help and errors are in it."""
    for at, argument in enumerate(arguments):
        if argument == "--":
            break
        value = argument.removeprefix("--lang=") if argument.startswith("--lang=") else ""
        if argument == "--lang" and at + 1 < len(arguments):
            value = arguments[at + 1]
        if value in LANGUAGES:
            return value
    return None


def _help_of(command: Any, names: list[str]) -> str:
    """The help of the command that `names` lead to, without typer's machinery for values, which takes its time to load.

    Empty where one of the names is no command: then everything is parsed, and the error told.
    """
    context = typer.Context(command, info_name="regard")
    for name in names:
        command = getattr(command, "commands", {}).get(name)
        if command is None:
            return ""
        context = typer.Context(command, parent=context, info_name=name)
    return str(context.get_help())


def build(wanted: list[str]) -> Any:
    """The command line, its help in the language in force: with one command where `wanted` names it, else with all."""
    app = typer.Typer(cls=Commands, add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)
    app.callback(invoke_without_command=True)(_options)
    for name in [name for name in wanted if name in COMMANDS] or COMMANDS:
        module = import_module(f"regard.cli.{name}")
        if hasattr(module, "app"):
            app.add_typer(module.app, name=name, cls=Commands)
        else:
            app.command(name)(getattr(module, name))
    command = typer.main.get_command(app)
    _explained(command, "regard")
    return command


def _explained(command: Any, name: str) -> None:
    """Give a command, its parameters and its subcommands their help."""
    command.help = _help(name)
    for parameter in command.params:
        group = name.partition("_")[0]
        parameter.help = _help(*(f"{scope}_{parameter.name}" for scope in (name, group, "any")))
    for sub, each in getattr(command, "commands", {}).items():
        _explained(each, sub if name == "regard" else f"{name}_{sub}")


def _help(*names: str) -> str:
    """The first of these texts that there is."""
    known = catalogue("en", "cli")
    return next((say(f"cli.{name}") for name in names if name in known), "")


def _version(asked: bool) -> None:
    if asked:
        print(f"regard {__version__}")
        raise typer.Exit


def _options(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", is_eager=True, callback=_version)] = False,
    lang: Lang = None,
    tracing: Annotated[bool, typer.Option("--traceback")] = False,
) -> None:
    """What may stand before the command; `--traceback` was taken out by then and is here for the help."""
    if context.invoked_subcommand is None:
        print(context.get_help())
