"""`regard evaluate`: how well models translate pairs, or foretell a text; side by side."""

import json
import sys
from collections.abc import Mapping
from functools import partial
from typing import Annotated, Any

import typer

from regard.cli.output import named
from regard.cli.parameters import Encoding, Lang
from regard.cli.progress import counting
from regard.core.errors import BadInput
from regard.core.nearest import one_of
from regard.language import say
from regard.models.catalogue import DEFAULTS


def evaluate(
    pairs: Annotated[list[str] | None, typer.Option(metavar="FILE", show_default=False)] = None,
    text: Annotated[list[str] | None, typer.Option(metavar="FILE", show_default=False)] = None,
    model: Annotated[list[str] | None, typer.Option(metavar="MODEL", show_default=False)] = None,
    columns: Annotated[str | None, typer.Option(metavar="I,J", show_default=False)] = None,
    field: Annotated[str | None, typer.Option(metavar="NAME", show_default=False)] = None,
    encoding: Encoding = "utf-8",
    beam: Annotated[int | None, typer.Option(metavar="N", show_default=False)] = None,
    stride: Annotated[int | None, typer.Option(metavar="N", show_default=False)] = None,
    picture: Annotated[list[str] | None, typer.Option(metavar="FILE", show_default=False)] = None,
    form: Annotated[str, typer.Option("--format", metavar="text|json")] = "text",
    lang: Lang = None,
) -> None:
    from regard.tasks.pictures import check_places, write
    from regard.views import terminal

    paths = picture or []
    check_places(paths, alone=one_of(form, ("text", "json"), "--format") == "json")
    of_pairs: dict[str, Any] = {"pairs": pairs, "columns": columns, "beam": beam}
    of_text: dict[str, Any] = {"text": text, "field": field, "stride": stride}
    _refuse_mixed(of_pairs, of_text)
    told, drawn = (_foretold if text else _translated)(model or [], encoding, **(of_text if text else of_pairs))
    print(json.dumps(told, ensure_ascii=False, allow_nan=False) if form == "json" else terminal.render(drawn))
    for path in (path for path in paths if path != "-"):  # the terminal has it already
        note = write(drawn, path)
        print(" ".join([say("cli.wrote", path=path), note]).strip(), file=sys.stderr)


def _refuse_mixed(of_pairs: Mapping[str, Any], of_text: Mapping[str, Any]) -> None:
    """Pairs or a text, and what belongs to it."""
    if not (of_pairs["pairs"] or of_text["text"]):
        raise BadInput("evaluate_nothing")
    chosen, other = ("text", of_pairs) if of_text["text"] else ("pairs", of_text)
    for name, value in other.items():
        if value not in (None, []):
            raise BadInput("options_apart", one=f"--{name}", other=f"--{chosen}")


def _translated(models: list[str], encoding: str, pairs: list[str], columns: str | None, beam: int | None) -> Any:
    """How well they translate: as JSON and as a picture. Of several models, how each differs from the first."""
    from regard.tasks import evaluation as task
    from regard.tasks.translation import checked_rules, load
    from regard.text.pairs import parse_columns, read_pairs

    beam = 5 if beam is None else beam
    checked_rules(beam, 1.0)
    read = read_pairs(pairs, columns=parse_columns(columns) if columns else None, encoding=encoding)
    translators = {name: load(name) for name in models or [DEFAULTS["translation"]]}
    found = []
    for name, translator in _named(translators):
        with counting(len(read), say("cli.evaluating", model=name)) as done:
            found.append(task.evaluate(translator, read, name=name, beam=beam, done=done))
    compared = task.compare_all(found, read.target)
    whole = found[0].json() if len(found) == 1 else {"models": [e.json() for e in found], "comparisons": compared}
    return whole, task.picture(found, compared)


def _foretold(models: list[str], encoding: str, text: list[str], field: str | None, stride: int | None) -> Any:
    """How well they foretell: as JSON and as a picture."""
    from regard.tasks import foretelling as task
    from regard.tasks.generation import load

    material = task.material(text, field=field, encoding=encoding)
    writers = {name: load(name) for name in models or [DEFAULTS["generation"]]}
    found = []
    for name, writer in _named(writers):
        progress = partial(counting, what=say("cli.foretelling", model=name))
        found.append(task.foretell(writer, material, stride=stride, name=name, progress=progress))
        if signs := found[-1].unknown:
            print(say("cli.text_unknown", model=name, signs=named(signs)), file=sys.stderr)
    return found[0].json() if len(found) == 1 else {"models": [e.json() for e in found]}, task.picture(found)


def _named(models: dict[str, Any]) -> list[tuple[str, Any]]:
    """Each model with its name; where two folders have the same one, with what was asked for."""
    names = {model.name for model in models.values()}
    return [(each.name if len(names) == len(models) else asked, each) for asked, each in models.items()]
