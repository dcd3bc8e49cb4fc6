"""`regard record`: what a model attends to on a text, as a file that can be looked at anywhere."""

import json
import sys
from typing import Annotated, Any

import typer

from regard.cli.parameters import AsText, Encoding, Lang, Source, Target
from regard.cli.waiting import waiting
from regard.core.nearest import one_of
from regard.models.catalogue import DEFAULTS

FORMS = ("text", "json")
PARTS = ("encoder", "decoder", "cross")
KEEPS = ("qk", "weights", "steps", "statistics")
CHECKS = ("rows", "full")
Numbers = Annotated[list[int] | None, typer.Option(metavar="N", show_default=False)]


def record(
    output: Annotated[str, typer.Option("--output", "-o", metavar="FILE", show_default=False)],
    what: Annotated[str | None, typer.Argument(metavar="TEXT", show_default=False)] = None,
    model: Annotated[str, typer.Option(metavar="MODEL")] = DEFAULTS["generation"],
    source: Source = None,
    target: Target = None,
    keep: Annotated[str, typer.Option(metavar="|".join(KEEPS))] = KEEPS[0],
    check: Annotated[str, typer.Option(metavar="|".join(CHECKS))] = CHECKS[0],
    part: Annotated[list[str] | None, typer.Option(metavar="|".join(PARTS), show_default=False)] = None,
    layer: Numbers = None,
    head: Numbers = None,
    max_tokens: Annotated[int | None, typer.Option(min=1, metavar="N", show_default=False)] = None,
    beam: Annotated[int | None, typer.Option(min=1, metavar="N", show_default=False)] = None,
    seed: Annotated[int | None, typer.Option(min=0, metavar="N", show_default=False)] = None,
    form: Annotated[str, typer.Option("--format", metavar="|".join(FORMS))] = FORMS[0],
    text: AsText = False,
    encoding: Encoding = "utf-8",
    lang: Lang = None,
) -> None:
    one_of(form, FORMS, "--format")
    one_of(check, CHECKS, "--check")
    for each in part or []:
        one_of(each, PARTS, "--part")
    from regard.tasks.filing import filed
    from regard.tasks.sources import whole

    read = whole(what, source, as_text=text, encoding=encoding)
    kept = [each.strip() for each in keep.split(",")]
    chosen: dict[str, Any] = {"parts": part, "layers": layer, "heads": head, "write": _manner(max_tokens, beam, seed)}
    with waiting() as tell:
        made = filed(output, model, read, target=target, keep=kept, check=check, tell=tell, **chosen)
    if note := made.unknown():
        print(note, file=sys.stderr)
    print(json.dumps(made.json(), ensure_ascii=False, allow_nan=False) if form == "json" else made.text())


def _manner(max_tokens: int | None, beam: int | None, seed: int | None) -> dict[str, Any] | None:
    """How the model writes while it is recorded; None where it only reads."""
    asked = {"max_tokens": max_tokens, "beam": beam, "seed": seed}
    return {name: value for name, value in asked.items() if value is not None} or None
