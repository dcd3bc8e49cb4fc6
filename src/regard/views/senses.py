"""How the senses of a word part: layer by layer as a table and a curve, what was looked at, and in words."""

import math
from collections.abc import Sequence

from regard.inspection.senses import Layer
from regard.inspection.way import ALONE, Look, Way
from regard.language import say
from regard.views.picture import Marks, Picture, Rows, Series, Table
from regard.views.senses_reading import reading
from regard.views.signs import number, shortened, told_apart

FEW = 6
"""So many pairs have a column each."""

SHOWN = 3
"""So many words that an occurrence looked at are named."""

LONGEST = 44
"""Characters of a sentence that a table shows."""


def senses(way: Way, check: str, lang: str | None = None) -> Rows:
    """All that is to be seen of occurrences on their way.

    Args:
        check: the stamp of the trace that looks were read from.
    """
    parts: list[Picture] = [_layers(way, lang), *_curve(way, lang)]
    if way.parting is not None:
        parts.append(_looks(way, lang))
    words = way.pairs.words
    named = words[0] if len(words) == 1 else say("senses.words", lang, count=len(words))
    title = say("senses.title", lang, word=named, model=way.name, count=len(way.occurrences))
    return Rows(title=title, parts=tuple(parts), reading=reading(way, lang), check=check)


def stage(layer: int, lang: str | None) -> str:
    """What a layer is called."""
    if layer == ALONE:
        return say("senses.alone", lang)
    return say("senses.before", lang) if layer == 0 else say("senses.after", lang, layer=layer)


def _layers(way: Way, lang: str | None) -> Table:
    """A row a layer; columns that say nothing are left out."""
    told = (way.start, *way.layers)
    names = [name for name in ("auc", "same", "different", "every") if _says(told, name)]
    names = names if "different" not in names else [name for name in names if name != "every"]
    columns, pairs = [say(f"senses.{name}_column", lang) for name in names], _pairs(way)
    rows: list[tuple[str | int | float, ...]] = [
        (
            stage(layer.layer, lang),
            *(_cell(getattr(layer, name)) for name in names),
            *(values[at] for values in pairs[1]),
        )
        for at, layer in enumerate(told)
    ]
    return Table(head=(say("senses.stage_column", lang), *columns, *pairs[0]), rows=tuple(rows), digits=3)


def _says(layers: Sequence[Layer], name: str) -> bool:
    return any(getattr(layer, name) is not None for layer in layers)


def _cell(value: float | None) -> float:
    return math.nan if value is None else value


def _pairs(way: Way) -> tuple[list[str], list[list[float]]]:
    """Where pairs are few, the name and the cosines of each."""
    of = way.pairs
    if len(of.first) > FEW:
        return [], []
    names = told_apart(tuple(each.word for each in way.occurrences))
    columns = [f"{names[one]} · {names[other]}" for one, other in zip(of.first, of.second, strict=True)]
    alone = [float(way.similarity(ALONE)[pair]) for pair in zip(of.first, of.second, strict=True)]
    return columns, [[first, *way.cosines[:, at].tolist()] for at, first in enumerate(alone)]


def _curve(way: Way, lang: str | None) -> list[Marks]:
    """The AUC by layer; nothing where it is undefined."""
    known = [(layer.layer, layer.auc) for layer in way.layers if layer.auc is not None]
    if len(known) < 2:
        return []
    x, y = zip(*known, strict=True)
    series = Series(say("senses.auc_column", lang), tuple(map(str, x)), y, "line")
    title = say("senses.curve_title", lang)
    return [Marks(title=title, series=(series,), x_axis=say("senses.layer_axis", lang), y_axis="AUC", digits=3)]


def _looks(way: Way, lang: str | None) -> Table:
    """A row an occurrence: the words that it looked at most, and what hiding the first of them does."""
    parting = way.parting
    assert parting is not None
    rows = []
    for occurrence, looks, rest in zip(way.occurrences, parting.looks, parting.rest, strict=True):
        change = looks[0].effect if looks and looks[0].weight > 0 else math.nan
        sentence = shortened(occurrence.sentence, LONGEST)
        rows.append((occurrence.label, sentence, _named(looks), number(rest, 2), number(change, 3)))
    kinds = ("label", "sentence", "looks", "rest", "change")
    head = [say(f"senses.{name}_column", lang) for name in kinds]
    kept = [at for at, name in enumerate(kinds) if name != "label" or any(row[0] for row in rows)]
    title = say("senses.looks_title", lang, layer=parting.layer)
    picked = tuple(tuple(row[at] for at in kept) for row in rows)
    return Table(title=title, head=tuple(head[at] for at in kept), rows=picked)


def _named(looks: Sequence[Look]) -> str:
    seen = [look for look in looks if look.weight >= 0.005][:SHOWN]
    return ", ".join(f"{shortened(look.word)} {number(look.weight, 2)}" for look in seen) or "–"
