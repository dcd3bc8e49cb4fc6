"""`regard evaluate`: how well models translate, overall and by length, side by side."""

import json
import sys
from typing import Annotated, Any

import typer

from regard.cli.parameters import Lang
from regard.cli.progress import counting
from regard.core.nearest import one_of
from regard.language import say
from regard.models.catalogue import DEFAULTS


def evaluate(
    pairs: Annotated[list[str], typer.Option(metavar="FILE", show_default=False)],
    model: Annotated[list[str] | None, typer.Option(metavar="MODEL", show_default=False)] = None,
    columns: Annotated[str | None, typer.Option(metavar="I,J", show_default=False)] = None,
    encoding: Annotated[str, typer.Option(metavar="NAME")] = "utf-8",
    beam: Annotated[int | None, typer.Option(metavar="N", show_default=False)] = None,
    picture: Annotated[list[str] | None, typer.Option(metavar="FILE", show_default=False)] = None,
    form: Annotated[str, typer.Option("--format", metavar="text|json")] = "text",
    lang: Lang = None,
) -> None:
    from regard.tasks import evaluation as task
    from regard.tasks.pictures import check_places, write
    from regard.tasks.translation import checked_rules, load
    from regard.text.pairs import parse_columns, read_pairs
    from regard.views import terminal

    paths = picture or []
    check_places(paths, alone=one_of(form, ("text", "json"), "--format") == "json")
    beam = 5 if beam is None else beam
    checked_rules(beam, 1.0)
    read = read_pairs(pairs, columns=parse_columns(columns) if columns else None, encoding=encoding)
    translators = {name: load(name) for name in model or [DEFAULTS["translation"]]}
    found = []
    for name, translator in _named(translators):
        with counting(len(read), say("cli.evaluating", model=name)) as done:
            found.append(task.evaluate(translator, read, name=name, beam=beam, done=done))
    compared = task.compare_all(found, read.target)
    if form == "json":
        _print_json(found, compared)
    else:
        print(terminal.render(task.picture(found, compared)))
    for path in (path for path in paths if path != "-"):  # the terminal has it already
        note = write(task.picture(found, compared), path)
        print(" ".join([say("cli.wrote", path=path), note]).strip(), file=sys.stderr)


def _named(translators: dict[str, Any]) -> list[tuple[str, Any]]:
    """Each model with its name; where two folders have the same one, with what was asked for."""
    names = {translator.name for translator in translators.values()}
    return [(each.name if len(names) == len(translators) else asked, each) for asked, each in translators.items()]


def _print_json(found: list[Any], compared: list[dict[str, Any]]) -> None:
    """One model: its figures; several: all of them, and how each differs from the first."""
    whole = found[0].json() if len(found) == 1 else {"models": [e.json() for e in found], "comparisons": compared}
    print(json.dumps(whole, ensure_ascii=False, allow_nan=False))
