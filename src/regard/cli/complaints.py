"""From an exception to one clear line and an exit code."""

from typing import Any

from typer.exceptions import TyperException

from regard.core.errors import RegardError
from regard.core.nearest import nearest
from regard.language import say

_LONGEST = 1000


def complaint(error: Exception) -> str:
    """What went wrong, as one line that no terminal takes for a command."""
    shown = " ".join(_sentence(error).split())
    shown = "".join(sign if sign.isprintable() else repr(sign)[1:-1] for sign in shown)
    return shown if len(shown) <= _LONGEST else shown[: _LONGEST - 1] + "…"


def exit_code(error: Exception) -> int:
    """2 for bad input, 1 for a failure."""
    return error.exit_code if isinstance(error, RegardError | TyperException) else 1


def _sentence(error: Exception) -> str:
    """What went wrong, in words."""
    if isinstance(error, RegardError):
        return str(error)
    if isinstance(error, TyperException):
        return _usage(error)
    if isinstance(error, OSError) and error.strerror:
        return say("errors.system", reason=error.strerror, path=error.filename or "stdout")
    return say("errors.unexpected", kind=type(error).__name__, message=str(error))


def _usage(error: TyperException) -> str:
    """A wrong option, a missing argument, a value that is none: as a sentence of ours."""
    context = getattr(error, "ctx", None)
    path = context.command_path if context else "regard"
    parameter, option = getattr(error, "param", None), getattr(error, "option_name", None)
    if hasattr(error, "possibilities") and option:
        known = [name for each in context.command.params for name in each.opts] if context else []
        return say("errors.unknown_option", asked=option, command=path, nearest=nearest(option, [*known, "--help"]))
    if type(error).__name__ == "MissingParameter" and parameter is not None:
        return say("errors.missing_argument", name=_name(parameter), command=path)
    if parameter is not None:
        return _wrong_value(error, _name(parameter), path)
    return say("errors.wrong_usage", command=path, message=error.format_message())


def _name(parameter: Any) -> str:
    """An option or an argument as the help calls it."""
    return parameter.opts[0] if parameter.opts[0].startswith("-") else parameter.name.upper()


def _wrong_value(error: Any, name: str, path: str) -> str:
    """A value that is no number where one must be, or that breaks another rule of the parser's."""
    broken = error.__cause__.errors()[0] if hasattr(error.__cause__, "errors") else {"type": "", "input": ""}
    came = str(broken["input"])[:100]
    if broken["type"].startswith("int"):
        return say("errors.no_whole_number", name=name, command=path, came=came)
    if broken["type"].startswith("float"):
        return say("errors.no_number", name=name, command=path, came=came)
    return say("errors.wrong_value", name=name, command=path, message=error.message)
