"""`regard translate`: sentences in, translations out, and where the model looked."""

import json
import sys
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Annotated, Any

import typer

from regard.cli.parameters import Lang
from regard.cli.progress import counting
from regard.core.errors import BadInput
from regard.core.nearest import one_of
from regard.language import say

CHUNK = 256
DRAWN = 20


def translate(
    texts: Annotated[list[str] | None, typer.Argument(metavar="[TEXT]…", show_default=False)] = None,
    model: Annotated[str, typer.Option(metavar="MODEL")] = "en-fr",
    source: Annotated[str | None, typer.Option("--input", "-i", metavar="FILE", show_default=False)] = None,
    beam: Annotated[int, typer.Option(metavar="N")] = 5,
    length_penalty: Annotated[float, typer.Option(metavar="X")] = 1.0,
    alignment: Annotated[str | None, typer.Option(metavar="FILE", show_default=False)] = None,
    picture: Annotated[list[str] | None, typer.Option(metavar="FILE", show_default=False)] = None,
    form: Annotated[str, typer.Option("--format", metavar="text|json")] = "text",
    text: Annotated[bool, typer.Option("--text")] = False,
    encoding: Annotated[str, typer.Option(metavar="NAME")] = "utf-8",
    lang: Lang = None,
) -> None:
    from regard.core.files import write_whole
    from regard.tasks.pictures import check_form
    from regard.tasks.sources import sentences
    from regard.tasks.translation import load

    form = one_of(form, ("text", "json"), "--format")
    for path in picture or []:
        check_form(path)
    translator = load(model)
    look = form == "json" or bool(alignment or picture)
    if (alignment or picture) and not translator.model.sites:
        raise BadInput("no_attention", name=translator.name)
    drawn: list[Any] = []
    aligned: list[str] = []
    lines = enumerate(sentences(texts or [], source, as_text=text, encoding=encoding), start=1)
    for chunk in _chunks(lines):
        with counting(len(chunk), say("cli.translating")) as done:
            found = translator.translate(
                [line.text for _, line in chunk], beam=beam, length_penalty=length_penalty, look=look, done=done
            )
        for (number, line), each in zip(chunk, found, strict=True):
            _notice(number, line, each)
            print(json.dumps(each.json(), ensure_ascii=False, allow_nan=False) if form == "json" else each.translation)
            aligned.append(each.alignment if look else "")
            drawn += [each] if picture and len(drawn) < DRAWN and each.trace else []
        sys.stdout.flush()
    if alignment:
        write_whole(Path(alignment), "".join(f"{line}\n" for line in aligned).encode())
        print(say("cli.wrote", path=alignment), file=sys.stderr)
    if picture:
        _draw(drawn, picture, len(aligned))


def _chunks(lines: Iterator[Any]) -> Iterator[list[Any]]:
    while chunk := list(islice(lines, CHUNK)):
        yield chunk


def _notice(number: int, line: Any, each: Any) -> None:
    """What was not read of a line."""
    if line.cut:
        facts = {"line": number, "read": len(line.text), "characters": line.characters}
        print(say("cli.line_cut", **facts), file=sys.stderr)
    elif each.unread:
        print(say("cli.tokens_cut", line=number, unread=each.unread), file=sys.stderr)


def _draw(drawn: list[Any], paths: list[str], count: int) -> None:
    """The pictures asked for: on the terminal for `-`, else into files."""
    from regard.tasks.pictures import write
    from regard.views import terminal
    from regard.views.picture import Rows

    if not drawn:
        print(say("cli.nothing_drawn"), file=sys.stderr)
        return
    pictures = [each.picture() for each in drawn]
    whole = pictures[0] if len(pictures) == 1 else Rows(parts=tuple(pictures))
    if count > DRAWN:
        print(say("cli.drawn_first", drawn=len(drawn)), file=sys.stderr)
    for path in paths:
        if path == "-":
            print("\n" + terminal.render(whole))
            continue
        note = write(whole, path)
        print(" ".join([say("cli.wrote", path=path), note]).strip(), file=sys.stderr)
