"""`regard explain`: one attention, every number in view."""

from typing import Annotated

import typer

from regard.cli.output import put
from regard.cli.parameters import Lang, Output
from regard.core.errors import BadInput
from regard.core.nearest import one_of
from regard.language import current
from regard.tasks.choices import EXPLAIN_FORMS, LAYOUTS, form_of


def explain(
    what: Annotated[str, typer.Argument(metavar="WHAT")],
    causal: Annotated[bool, typer.Option("--causal")] = False,
    layout: Annotated[str, typer.Option(metavar="|".join(LAYOUTS))] = LAYOUTS[0],
    digits: Annotated[int | None, typer.Option(min=0, max=15, metavar="N", show_default=False)] = None,
    lang: Lang = None,
    form: Annotated[str | None, typer.Option("--format", metavar="|".join(EXPLAIN_FORMS), show_default=False)] = None,
    output: Output = None,
    blank: Annotated[list[str] | None, typer.Option(metavar="STEP", show_default=False)] = None,
    answers: Annotated[bool, typer.Option("--answers")] = False,
    text: Annotated[bool, typer.Option("--text")] = False,
) -> None:
    form = one_of(form or form_of(output), EXPLAIN_FORMS, "--format")
    one_of(layout, LAYOUTS, "--layout")
    if text:
        raise BadInput("text_without_model", text=what)
    from regard.tasks import explain as task

    derivation = task.explain(what, causal=causal)
    wish = task.wish(derivation, lang=lang or current(), layout=layout, digits=digits, blank=blank or ())
    put(task.write(derivation, form, wish, answers=answers, colour=None if output is None else False), output)
