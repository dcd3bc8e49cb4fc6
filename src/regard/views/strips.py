"""How patterns formed: a strip of the steps of a run that was watched, a row a head."""

from dataclasses import dataclass

import numpy as np

from regard.inspection.heads import moved, previous_token
from regard.language import say
from regard.views.picture import Grid, Picture, Rows, Text, Tiles
from regard.views.signs import number, shortened

COLUMNS, SIDE = 8, 128
"""At most so many steps are drawn beside each other, and so many cells a side of a tile."""


@dataclass(frozen=True)
class Moments:
    """Some heads of a model on one text, at one moment or several.

    Attributes:
        places: (layer, head) of each.
        values: (moments, heads, queries, keys).
        queries, keys: the tokens of both sides.
        itself: queries and keys are the same tokens.
    """

    places: tuple[tuple[int, int], ...]
    values: np.ndarray
    queries: tuple[str, ...]
    keys: tuple[str, ...]
    itself: bool


def strip(
    heads: Moments,
    steps: tuple[int, ...],
    *,
    columns: int = COLUMNS,
    side: int = SIDE,
    check: str = "",
    lang: str | None,
) -> Rows:
    """A row of tiles a head, a column a step; of a single head also its last pattern with all tokens.

    Args:
        columns: at most so many steps are drawn, evenly spaced, the first and the last among them.
        side: larger tiles are drawn in blocks of cells, each by its largest weight.
    """
    chosen = _spread(len(steps), columns)
    tiles = Tiles(
        values=np.moveaxis(_blocks(heads.values[chosen], side), 0, 1),
        row_names=tuple(_name(place, lang) for place in heads.places),
        column_names=tuple(f"{steps[at]}" for at in chosen),
        row_axis=say("views.head", lang),
        column_axis=say("views.step", lang),
    )
    parts: list[Picture] = [_tokens(heads, lang), tiles]
    if len(heads.places) == 1:
        parts.append(_last(heads, steps[-1], lang))
    reading = [
        *_formed(heads, steps, lang),
        _chosen_steps(len(chosen), len(steps), lang),
        _pooled(heads.values.shape[-2:], side, lang),
    ]
    return Rows(title=say("views.strip_title", lang), parts=tuple(parts), reading=_joined(reading, lang), check=check)


def _last(heads: Moments, step: int, lang: str | None) -> Grid:
    """One head at the end of the run, with all tokens and numbers."""
    return Grid(
        title=say("views.head_at_step", lang, head=_name(heads.places[0], lang), step=step),
        values=heads.values[-1, 0].astype(float),
        row_names=heads.queries,
        column_names=heads.keys,
        row_axis=say("views.query", lang),
        column_axis=say("views.key", lang),
    )


def _strongest(heads: Moments) -> tuple[int, int]:
    """The head that looks most at the token before; of cross-attention the first."""
    if not heads.itself or len(heads.queries) < 2:
        return heads.places[0]
    return heads.places[int(previous_token(heads.values[-1]).argmax())]


def _spread(count: int, most: int) -> list[int]:
    """At most `most` of `count`, evenly spaced, the first and the last among them.

    >>> _spread(9, 4)
    [0, 3, 5, 8]
    """
    return sorted(set(np.linspace(0, count - 1, max(1, min(count, most))).round().astype(int).tolist()) | {count - 1})


def _block(shape: tuple[int, ...], side: int) -> int:
    return -(-max(shape) // side)


def _blocks(values: np.ndarray, side: int) -> np.ndarray:
    """Tiles of at most `side` cells a side: blocks of cells by their largest."""
    size = _block(values.shape[-2:], side)
    if size <= 1:
        return values.astype(float)
    high, wide = (range(0, length, size) for length in values.shape[-2:])
    across = np.maximum.reduceat(values.astype(float), list(wide), axis=-1)
    return np.maximum.reduceat(across, list(high), axis=-2)


def _tokens(heads: Moments, lang: str | None) -> Text:
    def listed(tokens: tuple[str, ...]) -> str:
        return " · ".join(shortened(token) for token in tokens)

    if heads.itself:
        return Text(text=say("views.tile_tokens", lang, tokens=listed(heads.queries)))
    both = {"queries": listed(heads.queries), "keys": listed(heads.keys)}
    return Text(text=say("views.tile_sides", lang, **both))


def _formed(heads: Moments, steps: tuple[int, ...], lang: str | None) -> list[str]:
    """Which head changed most, and which now looks most at the token before, and how much it did at first."""
    if len(steps) < 2:
        return []
    alone = len(heads.places) == 1
    change = moved(heads.values[0], heads.values[-1])
    most = int(change.argmax())
    facts = {"head": _name(heads.places[most], lang), "share": number(float(change[most]), 2)}
    told = [
        say("views.changed_alone" if alone else "views.changed_most", lang, first=steps[0], last=steps[-1], **facts)
    ]
    if heads.itself and len(heads.queries) > 1:
        at = heads.places.index(_strongest(heads))
        begun, now = (number(float(previous_token(heads.values[moment, at])), 2) for moment in (0, -1))
        name = _name(heads.places[at], lang)
        sentence = "views.previous_alone" if alone else "views.previous_formed"
        told.append(say(sentence, lang, head=name, now=now, begun=begun, first=steps[0]))
    return told


def _chosen_steps(drawn: int, recorded: int, lang: str | None) -> str:
    return "" if drawn == recorded else say("views.steps_drawn", lang, drawn=drawn, recorded=recorded)


def _pooled(shape: tuple[int, ...], side: int, lang: str | None) -> str:
    size = _block(shape, side)
    return "" if size <= 1 else say("views.tiles_pooled", lang, size=size)


def _joined(sentences: list[str], lang: str | None) -> str:
    return say("views.between_sentences", lang).join(filter(None, sentences))


def _name(place: tuple[int, int], lang: str | None) -> str:
    return say("views.layer_head", lang, layer=place[0], head=place[1])
