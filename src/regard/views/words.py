"""Words and where they point, as tables, grids and a plane with their names."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from regard.language import say
from regard.views.picture import Grid, Marks, Picture, Rows, Series, Table
from regard.views.signs import number, shortened

DIGITS = 4
GROUPS = ("asked", "sum", "pair", "answer")
"""What words of a plane are, in the order of the legend."""


@dataclass(frozen=True)
class Spot:
    """A word on the plane; `group` is one of `GROUPS`."""

    name: str
    group: str
    x: float
    y: float


Spread = tuple[Sequence[Spot], tuple[float, float]]
"""Words on the plane, and the share of the variance along each axis."""

Found = Iterable[tuple[str, float]]
"""Words with cosines."""


def answers(
    expression: str, found: Found, out: Sequence[str], spread: Spread | None, stamp: str, lang: str | None
) -> Rows:
    """The words nearest to a sum."""
    head = (say("words.word_column", lang), say("words.cosine_column", lang))
    table = Table(head=head, rows=tuple(found), digits=DIGITS)
    reading = say("words.left_out", lang, words=_listed(out, lang))
    return _rows(
        say("words.nearest_title", lang, expression=shortened(expression, 80)), table, spread, reading, stamp, lang
    )


def similarity(names: Sequence[str], cosines: np.ndarray, spread: Spread | None, stamp: str, lang: str | None) -> Rows:
    """The cosine between each two words or sums; of two alone, in words."""
    if len(names) == 2:
        facts = {"one": shortened(names[0], 80), "other": shortened(names[1], 80)}
        told = say("words.cosine", lang, **facts, cosine=number(float(cosines[0, 1]), DIGITS))
        return _rows("", None, spread, told, stamp, lang)
    shown = tuple(shortened(name) for name in names)
    grid = Grid(values=cosines, row_names=shown, column_names=shown)
    return _rows(say("words.similarity_title", lang), grid, spread, "", stamp, lang)


def direction(
    pairs: Sequence[tuple[str, str, float | None]],
    found: Sequence[tuple[str, float]],
    asked: bool,
    spread: Spread | None,
    stamp: str,
    lang: str | None,
) -> Rows:
    """The pairs that make a direction, and words along it. `asked`: the words were named, else they are the ends."""
    heads = [tuple(say(f"words.{each}_column", lang) for each in names) for names in (_PAIR, _PLACE)]
    agree = tuple((start, end, math.nan if each is None else each) for start, end, each in pairs)
    made = Table(title=say("words.pairs_title", lang), head=heads[0], rows=agree, digits=DIGITS)
    title = say("words.along_title" if asked else "words.ends_title", lang)
    table = Table(title=title, head=heads[1], rows=tuple(found), digits=DIGITS)
    drawn = [_plane(spread, lang, along=True)] if spread else []
    return Rows(parts=(made, table, *drawn), reading=say("words.along_reading", lang), check=stamp)


_PAIR, _PLACE = ("from", "to", "agreement"), ("word", "along")


def analogies(sections: Sequence[tuple[str, int, int, int]], method: str, stamp: str, lang: str | None) -> Rows:
    """What came of each section: name, right, asked, in the file."""
    names = ("section", "accuracy", "right", "asked", "questions")
    rows = [(name, right / asked if asked else math.nan, right, asked, all_) for name, right, asked, all_ in sections]
    table = Table(head=tuple(say(f"words.{each}_column", lang) for each in names), rows=tuple(rows), digits=DIGITS)
    right, asked, questions = map(sum, zip(*(each[1:] for each in sections), strict=True))
    facts = {"right": right, "asked": asked, "questions": questions, "accuracy": number(right / asked, DIGITS)}
    told = say("words.analogies_reading", lang, **facts, method=say(f"words.{method}", lang))
    return Rows(title=say("words.analogies_title", lang), parts=(table,), reading=told, check=stamp)


def about(
    name: str,
    words: int,
    width: int,
    unit: bool,
    lowered: bool,
    joined: Mapping[str, Sequence[str]],
    twice: int,
    first: str,
    lang: str | None,
) -> str:
    """Which vectors were asked, and how, in words."""
    told = [say("words.vectors", lang, name=name, words=words, width=width)]
    told.append(say("words.unit" if unit else "words.raw", lang))
    told += [say("words.lowered", lang)] if lowered else []
    for word, pieces in joined.items():
        told.append(
            say("words.joined", lang, word=_listed([word], lang), pieces=_listed(pieces, lang), count=len(pieces))
        )
    told += [say("words.twice", lang, count=twice, first=_listed([first], lang))] if twice else []
    return say("views.between_sentences", lang).join(told)


def _rows(title: str, first: Picture | None, spread: Spread | None, reading: str, stamp: str, lang: str | None) -> Rows:
    parts = [] if first is None else [first]
    return Rows(title=title, parts=(*parts, *([_plane(spread, lang)] if spread else [])), reading=reading, check=stamp)


def _plane(spread: Spread, lang: str | None, *, along: bool = False) -> Marks:
    """Words on the plane on which they are spread most, or (`along`) on one whose first axis is a direction."""
    spots, shares = spread
    groups = [[spot for spot in spots if spot.group == group] for group in GROUPS]
    several = sum(map(bool, groups)) > 1
    series = [each for group in groups if group for each in _series(group, several, lang)]
    axes = [say("words.axis", lang, at=at, share=number(100 * share, 0)) for at, share in enumerate(shares, start=1)]
    axes = [say("words.along_axis", lang), say("words.across_axis", lang)] if along else axes
    title = say("words.across_title" if along else "words.plane_title", lang)
    return Marks(title=title, series=tuple(series), x_axis=axes[0], y_axis=axes[1])


def _series(spots: Sequence[Spot], several: bool, lang: str | None) -> list[Series]:
    name = say(f"words.{spots[0].group}_group", lang) if several else ""
    runs = [spots[at : at + 2] for at in range(0, len(spots), 2)] if spots[0].group == "pair" else [spots]
    kind = "line" if spots[0].group == "pair" else "points"
    return [
        Series(
            name,
            tuple(spot.x for spot in run),
            tuple(spot.y for spot in run),
            "line" if kind == "line" else "points",
            labels=tuple(shortened(spot.name) for spot in run),
        )
        for run in runs
    ]


def _listed(words: Iterable[str], lang: str | None) -> str:
    return say("words.comma", lang).join(say("words.quoted", lang, word=shortened(word)) for word in words)
