"""`regard size`: how large models are, part by part, and what they take."""

import json
import sys
from typing import Annotated

import typer

from regard.cli.output import put
from regard.cli.parameters import Lang, Output
from regard.core.nearest import one_of
from regard.language import say

FORMS = ("text", "json")


def size(
    models: Annotated[list[str] | None, typer.Argument(metavar="MODEL…", show_default=False)] = None,
    context: Annotated[int | None, typer.Option(metavar="N", show_default=False)] = None,
    output: Output = None,
    form: Annotated[str, typer.Option("--format", metavar="|".join(FORMS))] = FORMS[0],
    lang: Lang = None,
) -> None:
    one_of(form, FORMS, "--format")
    from regard.tasks import pictures
    from regard.tasks import size as task
    from regard.views import terminal

    into_json = output is not None and output.lower().endswith(".json")
    if output is not None and not into_json:
        pictures.check_places([output])
    found = [task.size(model, context=context) for model in models or task.names()]
    if into_json or form == "json":
        lines = [json.dumps(each.json(), ensure_ascii=False, allow_nan=False) for each in found]
        put("\n".join(lines), output if into_json else None)
        return
    if output is None:
        print(terminal.render(task.compared(found, lang)))
        return
    note = pictures.write(task.bars(found, lang), output)
    print(" ".join([say("cli.wrote", path=output), note]).strip(), file=sys.stderr)
