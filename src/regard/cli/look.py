"""`regard look`: patterns of a run that was watched, of a trace, of a model on a text."""

import shutil
import sys
from typing import TYPE_CHECKING, Annotated, cast

import typer

from regard.cli.output import put
from regard.cli.parameters import Lang, Output
from regard.core.nearest import one_of
from regard.language import say
from regard.tasks.choices import LAYOUTS

if TYPE_CHECKING:
    from regard.tasks.look import Looked
    from regard.views.picture import Layout

FORMS = ("text", "json")
Number = Annotated[int | None, typer.Option(metavar="N", show_default=False)]


def look(
    what: Annotated[str, typer.Argument(metavar="WHAT")],
    model: Annotated[str | None, typer.Option(metavar="NAME", show_default=False)] = None,
    part: Annotated[str | None, typer.Option(metavar="encoder|decoder|cross", show_default=False)] = None,
    layer: Number = None,
    head: Number = None,
    output: Output = None,
    layout: Annotated[str, typer.Option(metavar="|".join(LAYOUTS))] = LAYOUTS[0],
    form: Annotated[str, typer.Option("--format", metavar="|".join(FORMS))] = FORMS[0],
    text: Annotated[bool, typer.Option("--text")] = False,
    lang: Lang = None,
) -> None:
    one_of(form, FORMS, "--format")
    one_of(layout, LAYOUTS, "--layout")
    if part is not None:
        one_of(part, ("encoder", "decoder", "cross"), "--part")
    into_json = output is not None and output.lower().endswith(".json")
    from regard.tasks import look as task
    from regard.tasks.pictures import check_places

    if output is not None and not into_json:
        check_places([output])
    looked = task.look(what, task.Asked(part, layer, head), model=model, as_text=text)
    if into_json or form == "json":
        put(task.to_json(looked), output if into_json else None)
    if not into_json and (output is not None or form == "text"):
        _draw(looked, output, cast("Layout", layout))


def _draw(looked: "Looked", output: str | None, layout: "Layout") -> None:
    """Into a file, or for the terminal."""
    from regard.tasks import pictures
    from regard.views import terminal

    if output is None:
        width = shutil.get_terminal_size().columns
        print(terminal.render(looked.picture(width=width, layout=layout), width=width))
        return
    note = pictures.write(looked.picture(layout=layout), output)
    for line in filter(None, (note, say("cli.wrote", path=output))):
        print(line, file=sys.stderr)
