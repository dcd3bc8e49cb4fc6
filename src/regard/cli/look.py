"""`regard look`: patterns of a run that was watched, of a trace, of a model on a text."""

import json
import shutil
import sys
from typing import TYPE_CHECKING, Annotated, cast

import typer

from regard.cli.output import put
from regard.cli.parameters import AsText, Lang, Output
from regard.core.nearest import one_of
from regard.language import say
from regard.tasks.choices import LAYOUTS

if TYPE_CHECKING:
    from regard.tasks.formed import Formed
    from regard.tasks.looked import Looked
    from regard.views.picture import Layout

FORMS = ("text", "json", "csv")
_WRITTEN = FORMS[1:]
Numbers = Annotated[list[int] | None, typer.Option(metavar="N", show_default=False)]


def look(
    what: Annotated[str, typer.Argument(metavar="WHAT")],
    model: Annotated[str | None, typer.Option(metavar="NAME", show_default=False)] = None,
    part: Annotated[str | None, typer.Option(metavar="encoder|decoder|cross", show_default=False)] = None,
    layer: Numbers = None,
    head: Numbers = None,
    query: Annotated[str | None, typer.Option(metavar="I|I-J", show_default=False)] = None,
    words: Annotated[bool, typer.Option("--words")] = False,
    output: Output = None,
    layout: Annotated[str, typer.Option(metavar="|".join(LAYOUTS))] = LAYOUTS[0],
    form: Annotated[str, typer.Option("--format", metavar="|".join(FORMS))] = FORMS[0],
    text: AsText = False,
    lang: Lang = None,
) -> None:
    one_of(form, FORMS, "--format")
    one_of(layout, LAYOUTS, "--layout")
    if part is not None:
        one_of(part, ("encoder", "decoder", "cross"), "--part")
    from regard.tasks import look as task
    from regard.tasks.pictures import check_places

    into = "" if output is None else output.lower().rpartition(".")[2]
    if output is not None and into not in _WRITTEN:
        check_places([output])
    asked = task.Asked(part, tuple(layer or ()), tuple(head or ()), query, words)
    looked = task.look(what, asked, model=model, as_text=text)
    if into in _WRITTEN or form != "text":
        csv = "csv" in (into, form)
        told = looked.csv() if csv else json.dumps(looked.json(), ensure_ascii=False, allow_nan=False)
        put(told, output if into in _WRITTEN else None)
    if into not in _WRITTEN and (output is not None or form == "text"):
        _draw(looked, output, cast("Layout", layout))


def _draw(looked: "Looked | Formed", output: str | None, layout: "Layout") -> None:
    """Into a file, or for the terminal."""
    from regard.tasks import pictures
    from regard.views import terminal

    if output is None:
        width = shutil.get_terminal_size().columns
        print(terminal.render(looked.picture(width=width, layout=layout), width=width))
        return
    if pictures.form_of(output) == "html":
        put(looked.html(layout=layout), output)
        return
    note = pictures.write(looked.picture(layout=layout), output)
    for line in filter(None, (note, say("cli.wrote", path=output))):
        print(line, file=sys.stderr)
