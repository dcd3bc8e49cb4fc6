"""`regard size`: how large models are, part by part, and what they take."""

import json
from typing import Annotated

import typer

from regard.cli.output import check_output, give
from regard.cli.parameters import Lang, Output
from regard.core.nearest import one_of

FORMS = ("text", "json")


def size(
    models: Annotated[list[str] | None, typer.Argument(metavar="MODEL…", show_default=False)] = None,
    context: Annotated[int | None, typer.Option(metavar="N", show_default=False)] = None,
    output: Output = None,
    form: Annotated[str, typer.Option("--format", metavar="|".join(FORMS))] = FORMS[0],
    lang: Lang = None,
) -> None:
    one_of(form, FORMS, "--format")
    from regard.tasks import size as task

    check_output(output, form)
    found = [task.size(model, context=context) for model in models or task.names()]
    shown = task.compared if output is None else task.bars
    give(
        lambda: "\n".join(json.dumps(each.json(), ensure_ascii=False, allow_nan=False) for each in found),
        lambda: shown(found, lang),
        output,
        form,
    )
