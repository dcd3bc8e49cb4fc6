"""What heads do, as a table and in words."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from regard.language import say
from regard.views.picture import Rows, Table
from regard.views.signs import number

TOLD = 5
"""So many heads have a sentence."""


@dataclass(frozen=True)
class Row:
    """One head.

    Attributes:
        part, layer, head: where.
        role: which; None where it has none.
        share: of its weight on what the role wants.
        even: what an even head would have there.
        sharpness: within 0…1; None where it had no choice.
        effect: Δ log-probability without it; None where nothing was cut.
    """

    part: str
    layer: int
    head: int
    role: str | None
    share: float | None
    even: float | None
    sharpness: float | None
    effect: float | None


def roles(rows: Sequence[Row], most: int, texts: int, check: str, lang: str | None) -> Rows:
    """The first heads, in the order given.

    Args:
        most: so many.
        texts: over how many they are averaged.
        check: the stamp.
    """
    shown = rows[:most]
    columns = ["layer", "head", "role", "share", "even", "sharpness"]
    columns = ["part"] * (len({row.part for row in rows}) > 1) + columns
    columns += ["effect"] * any(row.effect is not None for row in rows)
    head = tuple(say(f"heads.{column}_column", lang) for column in columns)
    cells = tuple(tuple(_cell(row, column, lang) for column in columns) for row in shown)
    told = [_sentence(row, lang) for row in shown[:TOLD]]
    told += [say("heads.averaged", lang, texts=texts)] if texts > 1 else []
    told += [say("heads.more", lang, count=len(rows) - len(shown))] if len(shown) < len(rows) else []
    title = say("heads.title", lang, count=len(rows))
    table = Table(head=head, rows=cells)
    return Rows(title=title, parts=(table,), reading=say("views.between_sentences", lang).join(told), check=check)


def _cell(row: Row, column: str, lang: str | None) -> str | int | float:
    if column == "role":
        return say(f"heads.{row.role or 'none'}", lang)
    if column in ("part", "layer", "head"):
        return getattr(row, column)
    value = getattr(row, column)
    return math.nan if value is None else value


def _sentence(row: Row, lang: str | None) -> str:
    """What one head does, and what is lost without it."""
    place = say("views.layer_head", lang, layer=row.layer, head=row.head)
    facts = {"head": f"{row.part} {place}", "share": "" if row.share is None else number(row.share, 2)}
    told = say(f"heads.does_{row.role or 'none'}", lang, **facts)
    if row.effect is None:
        return told + say("heads.end", lang)
    way = "falls" if row.effect < 0 else "rises"
    return told + say(f"heads.{way}", lang, change=number(abs(row.effect), 2))
