"""`regard translate`: sentences in, translations out, and where the model looked."""

import json
import sys
from collections.abc import Iterator
from itertools import islice
from typing import Annotated, Any

import typer

from regard.cli.output import named
from regard.cli.parameters import AsText, Encoding, Lang, Source
from regard.cli.progress import counting
from regard.core.errors import BadInput
from regard.core.nearest import one_of
from regard.language import say
from regard.models.catalogue import DEFAULTS

CHUNK = 256
"""Lines that are translated together; one alone where somebody types them."""

DRAWN = 20
"""At most so many sentences are drawn into a file."""

DRAWABLE = 200
"""Sentences of more tokens, on either side, are not drawn."""


def translate(
    texts: Annotated[list[str] | None, typer.Argument(metavar="TEXT", show_default=False)] = None,
    model: Annotated[str, typer.Option(metavar="MODEL")] = DEFAULTS["translation"],
    source: Source = None,
    beam: Annotated[int | None, typer.Option(metavar="N", show_default=False)] = None,
    length_penalty: Annotated[float, typer.Option(metavar="X")] = 1.0,
    n_best: Annotated[int, typer.Option(metavar="N")] = 1,
    sample: Annotated[bool, typer.Option("--sample")] = False,
    temperature: Annotated[float | None, typer.Option(metavar="X", show_default=False)] = None,
    top_k: Annotated[int | None, typer.Option(metavar="N", show_default=False)] = None,
    top_p: Annotated[float | None, typer.Option(metavar="X", show_default=False)] = None,
    min_p: Annotated[float | None, typer.Option(metavar="X", show_default=False)] = None,
    repetition_penalty: Annotated[float | None, typer.Option(metavar="X", show_default=False)] = None,
    seed: Annotated[int | None, typer.Option(metavar="N", show_default=False)] = None,
    shortlist: Annotated[str | None, typer.Option(metavar="FILE", show_default=False)] = None,
    alignment: Annotated[str | None, typer.Option(metavar="FILE", show_default=False)] = None,
    picture: Annotated[list[str] | None, typer.Option(metavar="FILE", show_default=False)] = None,
    form: Annotated[str, typer.Option("--format", metavar="text|json")] = "text",
    text: AsText = False,
    encoding: Encoding = "utf-8",
    lang: Lang = None,
) -> None:
    from regard.tasks.manners import Chances
    from regard.tasks.pictures import check_place, check_places
    from regard.tasks.sources import sentences
    from regard.tasks.translation import checked, load

    paths = picture or []
    check_places(paths, alone=one_of(form, ("text", "json"), "--format") == "json")
    if alignment:
        check_place(alignment)
    how: dict[str, Any] = {"beam": beam, "length_penalty": length_penalty, "n_best": n_best, "sample": sample}
    how |= {"temperature": temperature, "top_k": top_k, "top_p": top_p, "min_p": min_p, "seed": seed}
    how["repetition_penalty"] = repetition_penalty
    checked(**how)
    how["seed"] = Chances(seed=seed).seeded() if sample else None  # one for all lines
    translator = load(model)
    if shortlist is not None:
        facts = {"count": translator.limit(shortlist, encoding=encoding), "all": translator.tokenizer.vocab_size}
        print(say("cli.shortlisted", **facts), file=sys.stderr)
    if (alignment or paths) and not translator.model.sites:
        raise BadInput("no_attention", name=translator.name)
    how["look"] = bool(form == "json" or alignment or paths)
    lines = sentences(texts or [], source, as_text=text, encoding=encoding)
    aligned: list[str] = []
    unknown: dict[str, None] = {}
    drawn: list[Any] = []
    size = 1 if _typed(texts, source) else CHUNK
    for number, each in enumerate(_translated(translator, lines, size, how), start=1):
        if form == "json":
            print(json.dumps(each.json(), ensure_ascii=False, allow_nan=False))
        else:
            _print_text(number, each, n_best > 1)
        aligned += [each.alignment] if alignment else []
        unknown |= dict.fromkeys(each.unknown)
        if size == 1:  # somebody waits for it
            _tell_unknown(unknown)
            unknown = {}
        if paths and _drawable(number, each):
            if "-" in paths:
                _draw_here(each)
            drawn += [each] if len(drawn) <= DRAWN else []
    _tell_unknown(unknown)
    if alignment:
        _write_alignment(aligned, alignment)
    _draw(drawn, [path for path in paths if path != "-"])


def _print_text(number: int, each: Any, several: bool) -> None:
    """The translation; several as Moses writes them: the line's number from 0, the text, its score."""
    if not several:
        print(each.translation)
    for text, score in each.n_best:
        print(f"{number - 1} ||| {text} ||| {score:.4f}")


def _typed(texts: list[str] | None, source: str | None) -> bool:
    """Whether somebody types the sentences; who does is told how to end."""
    typed = not texts and source in (None, "-") and sys.stdin is not None and sys.stdin.isatty()
    if typed:
        print(say("cli.type_here"), file=sys.stderr)
    return typed


def _translated(translator: Any, lines: Iterator[Any], size: int, how: dict[str, Any]) -> Iterator[Any]:
    """The translation of each line, in order, `size` lines at a time; what was not read of a line is told."""
    first = 1
    while chunk := list(islice(lines, size)):
        after = first + len(chunk)
        with counting(len(chunk), say("cli.translating", first=first, last=after - 1)) as done:
            found = translator.translate([line.text for line in chunk], **how, done=done)
        for number, line, each in zip(range(first, after), chunk, found, strict=True):
            _notice(number, line, each, translator.longest)
            yield each
        print(end="", flush=True)
        first = after


def _notice(number: int, line: Any, each: Any, longest: int) -> None:
    """What was not read of a line."""
    if each.unread:
        print(say("cli.tokens_cut", line=number, read=longest), file=sys.stderr)
    elif line.cut:
        facts = {"line": number, "read": len(line.text), "characters": line.characters}
        print(say("cli.line_cut", **facts), file=sys.stderr)


def _tell_unknown(signs: dict[str, None]) -> None:
    if signs:
        print(say("cli.signs_unknown", signs=named(signs)), file=sys.stderr)


def _write_alignment(aligned: list[str], path: str) -> None:
    from regard.core.files import write_whole

    write_whole(path, "".join(f"{line}\n" for line in aligned).encode())
    print(say("cli.wrote", path=path), file=sys.stderr)


def _drawable(number: int, each: Any) -> bool:
    """Whether there is something to draw, and it can be read; what is too long is told."""
    tokens = 0 if each.weights is None else max(each.weights.shape)
    if tokens > DRAWABLE:
        print(say("cli.not_drawn", line=number, tokens=tokens, most=DRAWABLE), file=sys.stderr)
    return 0 < tokens <= DRAWABLE


def _draw_here(each: Any) -> None:
    """The picture of one translation, on the terminal."""
    from regard.views import terminal

    print(f"\n{terminal.render(each.picture())}\n")


def _draw(drawn: list[Any], paths: list[str]) -> None:
    """The pictures of the first translations, into files."""
    from regard.tasks.pictures import write
    from regard.views.picture import Rows

    if not paths:
        return
    if not drawn:
        print(say("cli.nothing_drawn"), file=sys.stderr)
        return
    if len(drawn) > DRAWN:
        print(say("cli.drawn_first", drawn=DRAWN), file=sys.stderr)
    pictures = tuple(each.picture() for each in drawn[:DRAWN])
    whole = pictures[0] if len(pictures) == 1 else Rows(parts=pictures)
    for path in paths:
        note = write(whole, path)
        print(" ".join([say("cli.wrote", path=path), note]).strip(), file=sys.stderr)
