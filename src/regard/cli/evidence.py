"""`regard evidence`: what an edge, a head, a layer or a word does to what a model says."""

import sys
from typing import TYPE_CHECKING, Annotated, cast

import typer

from regard.cli.output import put
from regard.cli.parameters import Lang, Output
from regard.core.errors import BadInput
from regard.core.nearest import one_of
from regard.language import say
from regard.models.catalogue import DEFAULTS

if TYPE_CHECKING:
    from regard.inspection.knockout import How

FORMS = ("text", "json")
KINDS = ("edges", "heads", "layers", "words")
HOWS = ("renormalised", "zeroed")
Number = Annotated[int | None, typer.Option(metavar="N", show_default=False)]


def evidence(
    what: Annotated[str, typer.Argument(metavar="TEXT")],
    model: Annotated[str, typer.Option(metavar="NAME")] = DEFAULTS["generation"],
    target: Annotated[str | None, typer.Option(metavar="TEXT", show_default=False)] = None,
    of: Annotated[str, typer.Option(metavar="|".join(KINDS))] = KINDS[0],
    top: Annotated[int, typer.Option(min=1, max=10_000, metavar="N")] = 20,
    how: Annotated[str, typer.Option(metavar="|".join(HOWS))] = HOWS[0],
    part: Annotated[str | None, typer.Option(metavar="encoder|decoder|cross", show_default=False)] = None,
    layer: Number = None,
    head: Number = None,
    query: Number = None,
    key: Number = None,
    output: Output = None,
    form: Annotated[str, typer.Option("--format", metavar="|".join(FORMS))] = FORMS[0],
    text: Annotated[bool, typer.Option("--text")] = False,
    lang: Lang = None,
) -> None:
    for value, known, name in ((form, FORMS, "--format"), (of, KINDS, "--of"), (how, HOWS, "--how")):
        one_of(value, known, name)
    if part is not None:
        one_of(part, ("encoder", "decoder", "cross"), "--part")
    from regard.tasks import evidence as task
    from regard.tasks import pictures
    from regard.tasks.sources import whole
    from regard.views import terminal

    into_json = output is not None and output.lower().endswith(".json")
    if output is not None and not into_json:
        pictures.check_places([output])
    one = task.One(part, layer, head, query, key) if (layer, head, query, key) != (None,) * 4 else None
    if part is not None and one is None:
        raise BadInput("evidence_part_alone")
    told = task.evidence(
        model, whole(what, None, as_text=text), target=target, kind=of, most=top, how=cast("How", how), one=one
    )
    if into_json or form == "json":
        put(task.to_json(told), output if into_json else None)
        return
    drawn = told.picture(lang)
    if output is None:
        print(terminal.render(drawn))
        return
    note = pictures.write(drawn, output)
    print(" ".join([say("cli.wrote", path=output), note]).strip(), file=sys.stderr)
