"""`regard align`: word alignments of given pairs, from what a translator attends to; scored against gold."""

import json
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from regard.cli.parameters import Encoding, Lang
from regard.cli.progress import counting
from regard.core.errors import BadInput
from regard.core.nearest import one_of
from regard.language import say
from regard.models.catalogue import DEFAULTS

if TYPE_CHECKING:
    from regard.inspection.alignment import Reading
    from regard.tasks.align import Aligner, Alignment, Way
    from regard.text.alignments import Gold
    from regard.text.pairs import Pairs

FORMS, ENDS = ("text", "json"), ("ignored", "kept")
SYMMETRIES = ("none", "intersection", "union", "grow-diag", "grow-diag-final-and")
Place = Annotated[int | None, typer.Option(min=0, metavar="N", show_default=False)]
File = Annotated[str | None, typer.Option(metavar="FILE", show_default=False)]
Files = Annotated[list[str] | None, typer.Option(metavar="FILE", show_default=False)]
NAMED = 5
"""At most so many lines that were passed over are named."""


def align(
    pairs: Files = None,
    model: Annotated[str, typer.Option(metavar="MODEL")] = DEFAULTS["translation"],
    columns: Annotated[str | None, typer.Option(metavar="I,J", show_default=False)] = None,
    encoding: Encoding = "utf-8",
    layer: Place = None,
    head: Place = None,
    shift: Annotated[bool | None, typer.Option("--shift/--no-shift", show_default=False)] = None,
    end: Annotated[str, typer.Option(metavar="|".join(ENDS))] = ENDS[0],
    balance: Annotated[bool, typer.Option("--balance/--no-balance")] = True,
    symmetrize: Annotated[str, typer.Option(metavar="|".join(SYMMETRIES))] = "grow-diag",
    threshold: Annotated[float, typer.Option(metavar="X")] = 0.2,
    reverse_model: Annotated[str | None, typer.Option(metavar="MODEL", show_default=False)] = None,
    choose: File = None,
    choose_pairs: Files = None,
    gold: File = None,
    reverse: Annotated[bool, typer.Option("--reverse", "--reverse-gold")] = False,
    picture: Files = None,
    pair: Annotated[int, typer.Option(min=1, metavar="N")] = 1,
    form: Annotated[str, typer.Option("--format", metavar="|".join(FORMS))] = FORMS[0],
    lang: Lang = None,
) -> None:
    one_of(form, FORMS, "--format")
    one_of(end, ENDS, "--end")
    one_of(symmetrize, SYMMETRIES, "--symmetrize")
    from regard.tasks.pictures import check_places

    check_places(picture or [], alone=form == "json")
    chosen_by_hand = {"--layer": layer, "--head": head, "--shift": shift}
    _refuse_unfit(pairs, choose, choose_pairs, chosen_by_hand)
    from regard.tasks import align as task

    way = task.Way(symmetrize, balance, threshold)  # type: ignore[arg-type]
    read = _pairs(pairs or [], columns, encoding)
    if pair > len(read) and picture:
        raise BadInput("align_pair", came=pair, count=len(read))
    marked = _gold(gold, read, reverse)
    aligners = task.aligners(model, reverse_model, layer, head, shift, end)  # type: ignore[arg-type]
    if choose is not None:
        told = _pairs(choose_pairs, columns, encoding) if choose_pairs else read
        _choose(aligners, told, _gold(choose, told, reverse) or [], way)
    found = _printed(aligners, read, way, form, keep=pair - 1)
    if marked is not None:
        _tell(found, marked, form)
    for path in picture or []:
        _draw(found[pair - 1], marked[pair - 1] if marked else None, path, lang)


def _refuse_unfit(
    pairs: list[str] | None, choose: str | None, choose_pairs: list[str] | None, by_hand: dict[str, Any]
) -> None:
    """What is missing, and options that say two things."""
    if not pairs:
        raise BadInput("align_nothing")
    if choose_pairs and choose is None:
        raise BadInput("align_choose_alone")
    for name, value in by_hand.items():
        if choose is not None and value is not None:
            raise BadInput("options_apart", one=name, other="--choose")


def _pairs(paths: Sequence[str], columns: str | None, encoding: str) -> "Pairs":
    from regard.text.alignments import unnumbered
    from regard.text.pairs import parse_columns, read_pairs

    return unnumbered(read_pairs(paths, columns=parse_columns(columns) if columns else None, encoding=encoding))


def _gold(path: str | None, pairs: "Pairs", reverse: bool) -> "list[Gold] | None":
    from regard.tasks.align import sizes
    from regard.text.alignments import read_gold

    return None if path is None else read_gold(path, sizes(pairs), reverse=reverse)


def _choose(aligners: "list[Aligner]", pairs: "Pairs", gold: "list[Gold]", way: "Way") -> None:
    """Give each model the reading that is best on gold, and say which it is."""
    from regard.tasks.align import choose, turned
    from regard.text.alignments import turned_gold

    for each, read, marked in zip(aligners, (pairs, turned(pairs)), (gold, turned_gold(gold)), strict=False):
        with counting(len(read), say("cli.align_choosing", model=each.name)) as done:
            tried = choose(read, marked, each, way=way, done=done)
        each.reading = tried[0].reading
        facts: dict[str, Any] = {
            "model": each.name,
            "options": options(tried[0].reading),
            "count": len(tried),
            "pairs": len(read),
        }
        print(say("cli.align_chose", aer=_figure(tried[0].score.aer), **facts), file=sys.stderr)


def options(reading: "Reading") -> str:
    """A reading as one would ask for it."""
    parts = [f"--{name} {value}" for name in ("layer", "head") if (value := getattr(reading, name)) is not None]
    return " ".join([*parts, "--shift" if reading.shift else "--no-shift"])


def _printed(aligners: "list[Aligner]", pairs: "Pairs", way: "Way", form: str, keep: int) -> "list[Alignment]":
    """Print each alignment as it is found; all of them, the weights of one alone."""
    from dataclasses import replace

    from regard.tasks.align import alignments
    from regard.text.words import pharaoh

    found = []
    with counting(len(pairs), say("cli.aligning", model=aligners[0].name)) as done:
        reverse = aligners[1] if aligners[1:] else None
        for at, each in enumerate(alignments(pairs, aligners[0], reverse=reverse, way=way)):
            line = pharaoh(each.links)
            told = {"source": each.source, "target": each.target, "alignment": line}
            print(json.dumps(told, ensure_ascii=False) if form == "json" else line)
            found.append(each if at == keep else replace(each, weights=None))
            done(1)
    for passed in ("empty", "long"):
        lines = [number for number, each in zip(pairs.line, found, strict=True) if each.passed == passed]
        if lines:
            named = ", ".join(map(str, lines[:NAMED])) + " …" * (len(lines) > NAMED)
            print(say(f"cli.align_{passed}", count=len(lines), lines=named), file=sys.stderr)
    return found


def _tell(found: "list[Alignment]", gold: "list[Gold]", form: str) -> None:
    """The score: after the alignments in JSON, else for people on stderr."""
    from regard.text.alignments import Score, score

    whole: Score = sum((score(each.links, marked) for each, marked in zip(found, gold, strict=True)), Score())
    if form == "json":
        print(json.dumps(whole.json(), allow_nan=False))
        return
    figures = {name: _figure(value) for name, value in whole.json().items()}
    print(say("cli.align_scored", links=whole.links, sure=whole.sure, **figures), file=sys.stderr)


def _figure(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


def _draw(found: "Alignment", gold: "Gold | None", path: str, lang: str | None) -> None:
    from regard.tasks.align import picture
    from regard.tasks.pictures import write
    from regard.views import terminal

    drawn = picture(found, gold, lang)
    if path == "-":
        print(terminal.render(drawn))
        return
    print(" ".join([say("cli.wrote", path=path), write(drawn, path)]).strip(), file=sys.stderr)
