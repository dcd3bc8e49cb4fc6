"""`regard heads`: where to look: what each head does, and what is lost without it."""

import json
from typing import TYPE_CHECKING, Annotated

import typer

from regard.cli.output import check_output, give
from regard.cli.parameters import AsText, Encoding, Lang, Output, Source, Target
from regard.core.errors import BadInput
from regard.core.nearest import one_of
from regard.models.catalogue import DEFAULTS

if TYPE_CHECKING:
    from regard.tasks.heads import Found
    from regard.tasks.readings import Read

FORMS = ("text", "json")
PARTS = ("encoder", "decoder", "cross")
Number = Annotated[int | None, typer.Option(min=0, metavar="N", show_default=False)]


def heads(
    what: Annotated[str | None, typer.Argument(metavar="TEXT", show_default=False)] = None,
    model: Annotated[str, typer.Option(metavar="NAME")] = DEFAULTS["generation"],
    source: Source = None,
    field: Annotated[str | None, typer.Option(metavar="NAME", show_default=False)] = None,
    target: Target = None,
    by: Annotated[str, typer.Option(metavar="role|effect|sharpness|ROLE")] = "role",
    top: Annotated[int, typer.Option(min=1, max=10_000, metavar="N")] = 12,
    effect: Annotated[bool, typer.Option("--effect/--no-effect")] = True,
    readings: Annotated[bool, typer.Option("--readings")] = False,
    part: Annotated[str | None, typer.Option(metavar="encoder|decoder|cross", show_default=False)] = None,
    layer: Number = None,
    head: Number = None,
    query: Number = None,
    output: Output = None,
    form: Annotated[str, typer.Option("--format", metavar="|".join(FORMS))] = FORMS[0],
    text: AsText = False,
    encoding: Encoding = "utf-8",
    lang: Lang = None,
) -> None:
    one_of(form, FORMS, "--format")
    if part is not None:
        one_of(part, PARTS, "--part")
    if not readings and (part, layer, head, query) != (None,) * 4:
        raise BadInput("heads_scope_alone")
    from regard.tasks import heads as task
    from regard.tasks.sources import openings

    one_of(by, task.BY, "--by")
    check_output(output, form)
    texts = openings([] if what is None else [what], source, field=field, as_text=text, encoding=encoding)
    found: Found | Read
    if readings:
        from regard.tasks.readings import Scope, read

        found = read(model, "\n".join(texts), Scope(part, layer, head), query=query, target=target)
    else:
        found = task.heads(model, list(texts), target=target, by=by, effect=effect)
    give(
        lambda: json.dumps(found.json(), ensure_ascii=False, allow_nan=False),
        lambda: found.picture(lang, most=top) if isinstance(found, task.Found) else found.picture(lang),
        output,
        form,
    )
