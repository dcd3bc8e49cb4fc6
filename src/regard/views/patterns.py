"""Patterns as pictures: all heads, one head, one token; of long texts maps of blocks, of short ones every number."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from regard.language import say
from regard.views.heads import Heads
from regard.views.picture import Grid, Layout, Marks, Picture, Rows, Series, Table, Text, Tiles
from regard.views.signs import number, shortened
from regard.views.telling import DIGITS, joined, name, named, on_average, standing, token

TOP = 8
"""So many keys of a query are named."""

LISTED = 48
"""At most so many tokens are listed over the tiles."""


def overview(heads: Heads, *, side: int, check: str = "", lang: str | None) -> Rows:
    """All heads as tiles, a row a layer, and in words which of them stand out.

    Args:
        side: at most so many cells a side of a tile.
    """
    layers, numbers = (sorted({place[part] for place in heads.names}) for part in (0, 1))
    drawn = [heads.map(at, side) for at in range(len(heads.places))]
    values = np.full((len(layers), len(numbers), *drawn[0].shape), np.nan)
    for (layer, head), tile in zip(heads.names, drawn, strict=True):
        values[layers.index(layer), numbers.index(head)] = tile
    tiles = Tiles(
        values=values,
        row_names=tuple(map(str, layers)),
        column_names=tuple(map(str, numbers)),
        row_axis=say("views.layer", lang),
        column_axis=say("views.head", lang),
        root=True,
    )
    reading = joined([standing(heads, lang), blocks(heads, drawn[0].shape, lang), say("views.root_shades", lang)], lang)
    parts = (_listed(heads, lang), tiles)
    return Rows(title=say("views.overview_title", lang), parts=parts, reading=reading, check=check)


def pattern(
    heads: Heads, at: int, *, most: int, side: int, check: str = "", layout: Layout, lang: str | None
) -> Picture:
    """One head: with all tokens and numbers where they are at most `most` a side, else as a map of `side` cells."""
    if heads.exact and max(len(heads.queries), len(heads.keys)) <= most:
        grid = _grid(heads, heads.weights(at), heads.queries, layout, lang)
        return _titled(grid, name(heads.names[at], lang), on_average(heads, at, lang), check)
    drawn = heads.map(at, side)
    sides = ("query", "key") if layout == "query-rows" else ("key", "query")
    axes = [say(f"views.{each}", lang) for each in sides]
    tile = (drawn if layout == "query-rows" else drawn.T)[None, None]
    hint = say("views.query_hint", lang, last=len(heads.queries) - 1)
    return Rows(
        title=name(heads.names[at], lang),
        parts=(Tiles(values=tile, row_axis=axes[0], column_axis=axes[1], root=True), received(heads, at, lang)),
        reading=joined([on_average(heads, at, lang), blocks(heads, drawn.shape, lang), hint], lang),
        check=check,
    )


def received(heads: Heads, at: int, lang: str | None) -> Table:
    """The keys that get the most weight from all queries of a head together."""
    weight = heads.statistics.received[at]
    rows = tuple(
        (int(key), shortened(heads.keys[key]), float(weight[key])) for key in np.argsort(-weight, kind="stable")[:TOP]
    )
    head = (say("views.number_column", lang), say("views.key", lang), say("views.received_column", lang))
    return Table(title=say("views.received_title", lang), head=head, rows=rows, digits=2)


def one_token(heads: Heads, at: int, query: int, *, check: str = "", lang: str | None) -> Marks:
    """Where one query of one head looks: its largest weights as bars, with their numbers."""
    weights = heads.weights(at, slice(query, query + 1))[0]
    top = _top(weights)
    labels = tuple(f"{key} {shortened(heads.keys[key], 12)}" for key in top)
    bars = Series(say("views.weight", lang), labels, tuple(float(weights[key]) for key in top), kind="bars")
    head, word = name(heads.names[at], lang), named(heads.queries, query, lang)
    return Marks(
        title=say("views.token_title", lang, head=head, query=word),
        series=(bars,),
        x_axis=say("views.key", lang),
        y_axis=say("views.weight", lang),
        digits=DIGITS,
        reading=joined([token(heads, query, weights, lang), _share(weights, top, lang)], lang),
        check=check,
    )


def some_rows(
    heads: Heads, at: int, rows: range, *, most: int, check: str = "", layout: Layout, lang: str | None
) -> Picture:
    """Some queries of one head: as a grid where keys are at most `most`, else each with its largest weights."""
    weights = heads.weights(at, slice(rows.start, rows.stop))
    title = name(heads.names[at], lang)
    if len(heads.keys) <= most:
        asked = heads.queries[rows.start : rows.stop]
        return _titled(_grid(heads, weights, asked, layout, lang), title, "", check)
    told = tuple(
        (query, shortened(heads.queries[query]), _line(heads, row)) for query, row in zip(rows, weights, strict=True)
    )
    head = (say("views.number_column", lang), say("views.query", lang), say("views.looks_column", lang))
    return Table(title=title, head=head, rows=told, check=check, reading=say("views.rows_top", lang, count=TOP))


def across_heads(heads: Heads, query: int, chosen: Sequence[int], *, check: str = "", lang: str | None) -> Table:
    """Where one query looks in each of these heads."""
    rows = slice(query, query + 1)
    told = tuple((*map(str, heads.names[at]), _line(heads, heads.weights(at, rows)[0])) for at in chosen)
    title = say("views.token_heads", lang, query=named(heads.queries, query, lang))
    head = tuple(say(f"views.{part}", lang) for part in ("layer", "head", "looks_column"))
    return Table(title=title, head=head, rows=told, check=check, reading=say("views.rows_top", lang, count=TOP))


def blocks(heads: Heads, shape: tuple[int, ...], lang: str | None) -> str:
    """What a cell of a map stands for; nothing where it is one weight."""
    fine = heads.statistics.pooled.shape[1:]
    high, wide = (size * -(-full // small) for size, full, small in zip(heads.block, fine, shape, strict=True))
    return "" if high == wide == 1 else say("views.map_pooled", lang, high=high, wide=wide)


def _grid(heads: Heads, weights: np.ndarray, rows: tuple[str, ...], layout: Layout, lang: str | None) -> Grid:
    by_query = layout == "query-rows"
    axes = say("views.query", lang), say("views.key", lang)
    names = rows, heads.keys
    return Grid(
        values=weights if by_query else weights.T,
        row_names=names[not by_query],
        column_names=names[by_query],
        row_axis=axes[not by_query],
        column_axis=axes[by_query],
    )


def _titled(grid: Grid, title: str, reading: str, check: str) -> Grid:
    return replace(grid, title=title, reading=reading, check=check)


def _top(weights: np.ndarray) -> list[int]:
    """The keys of the largest weights, at most `TOP`, without those of none."""
    order = np.argsort(-weights, kind="stable")[:TOP]
    return [int(key) for key in order if weights[key] > 0]


def _line(heads: Heads, weights: np.ndarray) -> str:
    """The largest weights of a query, one after the other."""
    seen = (key for key in _top(weights) if weights[key] >= 10**-DIGITS / 2)
    return " · ".join(f"{heads.labels[1][key]} {number(weights[key], DIGITS)}" for key in seen)


def _share(weights: np.ndarray, top: list[int], lang: str | None) -> str:
    """How much of all weight the largest are, where there are more."""
    if np.count_nonzero(weights) <= len(top):
        return ""
    return say("views.top_share", lang, count=len(top), share=number(float(weights[top].sum()), DIGITS))


def _listed(heads: Heads, lang: str | None) -> Text:
    def listed(tokens: tuple[str, ...]) -> str:
        some = [shortened(token) for token in tokens[:LISTED]]
        return " · ".join(some) + (
            say("views.and_more", lang, count=len(tokens) - LISTED) if len(tokens) > LISTED else ""
        )

    if heads.itself:
        return Text(text=say("views.tile_tokens", lang, tokens=listed(heads.queries)))
    return Text(text=say("views.tile_sides", lang, queries=listed(heads.queries), keys=listed(heads.keys)))
