"""How the senses of a word part: layer by layer as a table and a curve, what was looked at, and in words."""

import math
from collections.abc import Sequence

import numpy as np

from regard.inspection.senses import Layer
from regard.inspection.way import ALONE, Look, Way
from regard.language import say
from regard.views.picture import Grid, Marks, Picture, Rows, Series, Table
from regard.views.senses_reading import reading
from regard.views.signs import number, shortened, told_apart

FEW = 6
"""So many pairs have a column each."""

DRAWN = 24
"""So many occurrences have their ways drawn."""

SHOWN = 3
"""So many words that an occurrence looked at are named."""

LONGEST = 40
"""Characters of a sentence that a table shows."""


def senses(way: Way, similarity: Sequence[int], check: str, lang: str | None = None) -> Rows:
    """All that is to be seen of occurrences on their way.

    Args:
        similarity: the layers of which every cosine is shown.
        check: the stamp of the trace that looks were read from.
    """
    parts: list[Picture] = [_layers(way, lang), *_curve(way, lang), *_ways(way, lang)]
    parts += [_similarity(way, layer, lang) for layer in similarity]
    if way.parting is not None:
        parts.append(_looks(way, lang))
    words = way.pairs.words
    facts = {"model": way.name, "count": len(way.occurrences)}
    one = len(words) == 1
    title = say("senses.title" if one else "senses.title_words", lang, word=words[0], words=len(words), **facts)
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


def _ways(way: Way, lang: str | None) -> list[Marks]:
    """The way of each occurrence from words alone to the last layer, its number at the end."""
    if len(way.pairs.words) > 1 or len(way.occurrences) > DRAWN:
        return []
    found = way.paths
    stages = len(found.points)
    names = [("",) * (stages - 1) + (str(at),) for at in range(1, len(way.occurrences) + 1)]
    series = [
        Series(each.label, tuple(way_of[:, 0].tolist()), tuple(way_of[:, 1].tolist()), "line", labels=name)
        for each, way_of, name in zip(way.occurrences, np.swapaxes(found.points, 0, 1), names, strict=True)
    ]
    axes = [say("senses.axis", lang, share=number(100 * share, 0)) for share in found.shares]
    facts = {"layer": len(way.layers) - 1, "stage": stage(ALONE if stages > len(way.layers) else 0, lang)}
    told = say("senses.ways_reading", lang, **facts)
    title = say("senses.ways_title", lang)
    return [Marks(title=title, reading=told, series=tuple(series), x_axis=axes[0], y_axis=axes[1], digits=3)]


def _similarity(way: Way, layer: int, lang: str | None) -> Grid:
    """The cosine of each two occurrences, by their numbers and senses."""
    rows = tuple(f"{at} {each.label}".strip() for at, each in enumerate(way.occurrences, 1))
    columns = tuple(map(str, range(1, len(rows) + 1)))
    title = say("senses.similarity_title", lang, stage=stage(layer, lang))
    return Grid(title=title, values=way.similarity(layer), row_names=rows, column_names=columns)


def _looks(way: Way, lang: str | None) -> Table:
    """A row an occurrence: the words that it looked at most, and what hiding the first of them does."""
    parting = way.parting
    assert parting is not None
    rows: list[tuple[str | int | float, ...]] = []
    for at, (occurrence, looks, rest) in enumerate(zip(way.occurrences, parting.looks, parting.rest, strict=True), 1):
        change = _cell(looks[0].effect) if looks and looks[0].weight > 0 else math.nan
        sentence = shortened(occurrence.sentence, LONGEST)
        rows.append((at, occurrence.label, sentence, _named(looks), rest, change))
    kinds = ("number", "label", "sentence", "looks", "rest", "change")
    head = [say(f"senses.{name}_column", lang) for name in kinds]
    kept = [at for at, name in enumerate(kinds) if name != "label" or any(row[1] for row in rows)]
    picked = tuple(tuple(row[at] for at in kept) for row in rows)
    title, told = say("senses.looks_title", lang, layer=parting.layer), say("senses.looks_reading", lang)
    return Table(title=title, reading=told, head=tuple(head[at] for at in kept), rows=picked, digits=3)


def _named(looks: Sequence[Look]) -> str:
    seen = [look for look in looks if look.weight >= 0.005][:SHOWN]
    return ", ".join(f"{shortened(look.word)} {number(look.weight, 2)}" for look in seen) or "–"
