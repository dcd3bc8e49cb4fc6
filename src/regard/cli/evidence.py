"""`regard evidence`: what an edge, a head, a layer or a span of text does to what a model says."""

from typing import TYPE_CHECKING, Annotated, cast

import typer

from regard.cli.output import check_output, give
from regard.cli.parameters import AsText, Lang, Output, Target
from regard.core.errors import BadInput
from regard.core.nearest import one_of
from regard.models.catalogue import DEFAULTS

if TYPE_CHECKING:
    from regard.tasks.evidence import How

FORMS = ("text", "json")
KINDS = ("edges", "queries", "words", "heads", "layers")
HOWS = ("renormalised", "zeroed", "mean")
Tokens = Annotated[str | None, typer.Option(metavar="N|N-M|TEXT", show_default=False)]
Number = Annotated[int | None, typer.Option(metavar="N", show_default=False)]


def evidence(
    what: Annotated[str, typer.Argument(metavar="TEXT")],
    model: Annotated[str, typer.Option(metavar="NAME")] = DEFAULTS["generation"],
    target: Target = None,
    vector: Annotated[str | None, typer.Option(metavar="mean|N|N-M|TEXT", show_default=False)] = None,
    of: Annotated[str | None, typer.Option(metavar="|".join(KINDS), show_default=False)] = None,
    top: Annotated[int, typer.Option(min=1, max=10_000, metavar="N")] = 20,
    how: Annotated[str, typer.Option(metavar="|".join(HOWS))] = HOWS[0],
    patch: Annotated[str | None, typer.Option(metavar="TEXT", show_default=False)] = None,
    part: Annotated[str | None, typer.Option(metavar="encoder|decoder|cross", show_default=False)] = None,
    layer: Number = None,
    head: Number = None,
    query: Tokens = None,
    key: Tokens = None,
    output: Output = None,
    form: Annotated[str, typer.Option("--format", metavar="|".join(FORMS))] = FORMS[0],
    text: AsText = False,
    lang: Lang = None,
) -> None:
    for value, known, name in (
        (form, FORMS, "--format"),
        (of, KINDS, "--of"),
        (how, HOWS, "--how"),
        (part, ("encoder", "decoder", "cross"), "--part"),
    ):
        if value is not None:
            one_of(value, known, name)
    _refuse_unfit(of, how, patch, part, (layer, head, query, key))
    from regard.tasks import evidence as task
    from regard.tasks.sources import whole

    check_output(output, form)
    named = (layer, head, query, key) != (None,) * 4
    otherwise = None if named else "heads" if patch is not None or how == "mean" else KINDS[0]
    told = task.evidence(
        model, whole(what, None, as_text=text), target=target, vector=vector, kind=of or otherwise, most=top,
        how=cast("How", how), patch=patch, part=part, layer=layer, head=head, query=query, key=key,
    )  # fmt: skip
    give(lambda: task.to_json(told), lambda: told.picture(lang), output, form)


def _refuse_unfit(of: str | None, how: str, patch: str | None, part: str | None, named: tuple[object, ...]) -> None:
    """Options that say nothing together."""
    if part is not None and of is None and named == (None,) * len(named):
        raise BadInput("evidence_part_alone")
    if patch is not None and how != HOWS[0]:
        raise BadInput("options_apart", one="--how", other="--patch")
