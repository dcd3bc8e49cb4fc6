"""`regard senses`: one word in several sentences, and how its senses part layer by layer."""

import json
from typing import TYPE_CHECKING, Annotated

import typer

from regard.cli.output import check_output, give
from regard.cli.parameters import AsText, Encoding, Lang, Output, Source
from regard.cli.progress import counting
from regard.cli.waiting import waiting
from regard.core.errors import BadInput
from regard.core.nearest import one_of
from regard.language import say
from regard.models.catalogue import DEFAULTS

if TYPE_CHECKING:
    from regard.tasks.senses import Senses
    from regard.text.occurrences import Occurrence

FORMS, JOINS = ("text", "json"), ("mean", "last")
MANY = 200
"""From so many occurrences on, it is told how many are done; of fewer, after a while, that they are read."""


def senses(
    word: Annotated[str | None, typer.Argument(metavar="WORD", show_default=False)] = None,
    sentences: Annotated[list[str] | None, typer.Argument(metavar="SENTENCES", show_default=False)] = None,
    source: Source = None,
    model: Annotated[str, typer.Option(metavar="NAME")] = DEFAULTS["generation"],
    similarity: Annotated[str | None, typer.Option(metavar="LAYERS|all", show_default=False)] = None,
    choose: Annotated[bool, typer.Option("--choose")] = False,
    join: Annotated[str | None, typer.Option(metavar="|".join(JOINS), show_default=False)] = None,
    looks: Annotated[bool | None, typer.Option("--looks/--no-looks", show_default=False)] = None,
    layer: Annotated[int | None, typer.Option(min=1, metavar="N", show_default=False)] = None,
    output: Output = None,
    form: Annotated[str, typer.Option("--format", metavar="|".join(FORMS))] = FORMS[0],
    text: AsText = False,
    encoding: Encoding = "utf-8",
    lang: Lang = None,
) -> None:
    one_of(form, FORMS, "--format")
    if join is not None:
        one_of(join, JOINS, "--join")
    check_output(output, form)
    asked = _asked(similarity)
    found = _found(_gathered(word, sentences or [], source, text, encoding), model, choose, join, looks, layer)
    layers = range(-1, len(found.vectors)) if asked is None else asked
    give(
        lambda: json.dumps(found.json(layers), ensure_ascii=False, allow_nan=False),
        lambda: found.picture(lang, layers),
        output,
        form,
    )


def _asked(similarity: str | None) -> list[int] | None:
    """The layers of `--similarity`; None is all of them."""
    if similarity == "all":
        return None
    try:
        return [int(each) for each in (similarity or "").split(",") if each]
    except ValueError:
        raise BadInput("senses_similarity", came=similarity) from None


def _gathered(
    word: str | None, sentences: list[str], source: str | None, text: bool, encoding: str
) -> "list[Occurrence]":
    from regard.tasks.senses import gathered
    from regard.tasks.sources import sentences as lines

    if sentences and source is not None:
        raise BadInput("text_twice", path=source)
    read = [line.text for line in lines(sentences, None, as_text=text, encoding=encoding)] if sentences else []
    return gathered(word, [each for each in read if each.strip()], source, encoding=encoding)


def _found(
    occurrences: "list[Occurrence]", model: str, choose: bool, join: str | None, looks: bool | None, layer: int | None
) -> "Senses":
    from regard.tasks.reader import reader
    from regard.tasks.senses import of_occurrences

    by, count = reader(model), len(occurrences)
    how = {"join": join, "looks": looks, "layer": layer, "choosing": choose}
    told = say("cli.senses_reading", model=by.name)
    if count < MANY:
        with waiting() as doing:
            doing(told)
            return of_occurrences(occurrences, by, **how)  # type: ignore[arg-type]
    with counting(count * (1 + bool(looks)), told) as done:
        return of_occurrences(occurrences, by, **how, done=done)  # type: ignore[arg-type]
