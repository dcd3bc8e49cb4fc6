"""`regard words`: sums of word vectors, neighbours, analogies, directions."""

import json
from typing import TYPE_CHECKING, Annotated

import typer

from regard.cli.output import check_output, give
from regard.cli.parameters import Encoding, Lang, Output
from regard.core.errors import BadInput
from regard.core.nearest import one_of
from regard.language import say
from regard.models.catalogue import DEFAULTS

if TYPE_CHECKING:
    from regard.tasks.word_answers import Answers, Placed, Scores, Similar

FORMS = ("text", "json")
METHODS = ("add", "mul")
SIDES = ("input", "output")


def words(
    expressions: Annotated[list[str] | None, typer.Argument(metavar="EXPRESSION", show_default=False)] = None,
    vectors: Annotated[str | None, typer.Option(metavar="FILE", show_default=False)] = None,
    model: Annotated[str | None, typer.Option(metavar="NAME", show_default=False)] = None,
    embeddings: Annotated[str, typer.Option(metavar="|".join(SIDES))] = SIDES[0],
    pieces: Annotated[bool, typer.Option("--pieces")] = False,
    top: Annotated[int, typer.Option(min=1, max=10_000, metavar="N")] = 10,
    direction: Annotated[str | None, typer.Option(metavar="PAIRS", show_default=False)] = None,
    analogies: Annotated[str | None, typer.Option(metavar="FILE", show_default=False)] = None,
    method: Annotated[str, typer.Option(metavar="|".join(METHODS))] = METHODS[0],
    lower: Annotated[bool | None, typer.Option("--lower/--no-lower", show_default=False)] = None,
    raw: Annotated[bool, typer.Option("--raw")] = False,
    first: Annotated[int | None, typer.Option(min=1, metavar="N", show_default=False)] = None,
    output: Output = None,
    form: Annotated[str, typer.Option("--format", metavar="|".join(FORMS))] = FORMS[0],
    encoding: Encoding = "utf-8",
    lang: Lang = None,
) -> None:
    for value, known, name in ((form, FORMS, "form"), (method, METHODS, "method"), (embeddings, SIDES, "embeddings")):
        one_of(value, known, "--format" if name == "form" else f"--{name}")
    _refuse_unfit(vectors, model, expressions or [], direction, analogies)
    from regard.cli.waiting import waiting
    from regard.tasks import word_vectors
    from regard.tasks import words as task

    check_output(output, form)
    with waiting() as tell:
        source = vectors if vectors is not None else model or DEFAULTS["generation"]

        def at_work(count: int) -> None:
            tell(say("words.reading", name=source, count=count))

        given = source if vectors is None else word_vectors.of_file(vectors, encoding=encoding, tell=at_work)
        asked = task.words(
            given, embeddings=embeddings, pieces=pieces, first=first, unit=not raw, lower=lower, encoding=encoding
        )
        found: Answers | Placed | Scores | Similar
        if analogies is not None:
            found = asked.analogies(analogies, method=method, encoding=encoding, tell=at_work)
        elif direction is not None:
            found = asked.along(asked.direction(direction, encoding=encoding), expressions or (), top)
        elif len(expressions or ()) == 1:
            found = asked.nearest((expressions or [""])[0], top)
        else:
            found = asked.similarity(expressions or ())
    give(
        lambda: json.dumps(found.json(), ensure_ascii=False, allow_nan=False),
        lambda: found.picture(lang, drawn=output is not None),
        output,
        form,
    )


def _refuse_unfit(
    vectors: str | None, model: str | None, expressions: list[str], direction: str | None, analogies: str | None
) -> None:
    """Options that say nothing, or too much, together."""
    if vectors is not None and model is not None:
        raise BadInput("words_sources")
    if analogies is not None and (expressions or direction is not None):
        raise BadInput("words_analogies_alone")
    if analogies is None and not expressions and direction is None:
        raise BadInput("words_nothing_asked")
