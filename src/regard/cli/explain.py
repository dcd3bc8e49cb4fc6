"""`regard explain`: one attention, every number in view: of matrices, or one cell of a model on a text."""

from typing import Annotated

import typer

from regard.cli.output import put
from regard.cli.parameters import AsText, Lang, Output, Target
from regard.core.errors import BadInput
from regard.core.nearest import one_of
from regard.language import current
from regard.tasks.choices import EXPLAIN_FORMS, LAYOUTS, form_of

PARTS = ("encoder", "decoder", "cross")
Number = Annotated[int | None, typer.Option(metavar="N", show_default=False)]
Token = Annotated[str | None, typer.Option(metavar="N|TOKEN", show_default=False)]


def explain(
    what: Annotated[str, typer.Argument(metavar="WHAT")],
    model: Annotated[str | None, typer.Option(metavar="NAME", show_default=False)] = None,
    part: Annotated[str | None, typer.Option(metavar="|".join(PARTS), show_default=False)] = None,
    layer: Number = None,
    head: Number = None,
    query: Token = None,
    key: Token = None,
    target: Target = None,
    causal: Annotated[bool, typer.Option("--causal")] = False,
    layout: Annotated[str, typer.Option(metavar="|".join(LAYOUTS))] = LAYOUTS[0],
    digits: Annotated[int | None, typer.Option(min=0, max=15, metavar="N", show_default=False)] = None,
    lang: Lang = None,
    form: Annotated[str | None, typer.Option("--format", metavar="|".join(EXPLAIN_FORMS), show_default=False)] = None,
    output: Output = None,
    blank: Annotated[list[str] | None, typer.Option(metavar="STEP", show_default=False)] = None,
    answers: Annotated[bool, typer.Option("--answers")] = False,
    text: AsText = False,
) -> None:
    form = one_of(form or form_of(output), EXPLAIN_FORMS, "--format")
    if form == "xlsx" and output is None:
        raise BadInput("xlsx_needs_file")
    one_of(layout, LAYOUTS, "--layout")
    asked = {"--part": part, "--layer": layer, "--head": head, "--query": query, "--key": key, "--target": target}
    colour = None if output is None else False
    if model is not None:
        _refuse({"--causal": causal or None, "--blank": blank or None, "--answers": answers or None}, "cell_beside")
        put(_cell(what, model, asked, form, lang or current(), digits, colour, as_text=text), output)
        return
    if text:
        raise BadInput("text_without_model", text=what)
    _refuse(asked, "cell_without_model")
    from regard.tasks import explain as task

    derivation = task.explain(what, causal=causal)
    wish = task.wish(derivation, lang=lang or current(), layout=layout, digits=digits, blank=blank or ())
    if form == "xlsx":
        put(task.workbook(derivation, wish, answers=answers), output)
        return
    put(task.write(derivation, form, wish, answers=answers, colour=colour), output)


def _cell(
    what: str, model: str, asked: dict, form: str, lang: str, digits: int | None, colour: bool | None, *, as_text: bool
) -> str | bytes:
    """One cell of a model on a text."""
    if asked["--part"] is not None:
        one_of(asked["--part"], PARTS, "--part")
    if form == "python":
        raise BadInput("cell_form", form=form)
    from regard.cli.waiting import waiting
    from regard.tasks import explain_cell as task
    from regard.tasks.sources import whole

    where = task.Where(*(asked[f"--{name}"] for name in ("part", "layer", "head", "query", "key")))
    with waiting():
        cell = task.explain_cell(whole(what, None, as_text=as_text), model, where, target=asked["--target"])
    if form == "xlsx":
        return task.workbook(cell, lang=lang, digits=digits)
    return task.write(cell, form, lang=lang, digits=digits, colour=colour)


def _refuse(options: dict, code: str) -> None:
    """Options that have no effect here are not passed over in silence."""
    for option, given in options.items():
        if given is not None:
            raise BadInput(code, option=option)
