"""Readings side by side as a table, and how far they agree."""

import math
from collections.abc import Mapping, Sequence

from regard.language import say
from regard.views.picture import Rows, Table
from regard.views.signs import number, shortened


def readings(
    query: str,
    keys: Sequence[str],
    target: Sequence[str],
    found: Mapping[str, Sequence[float] | None],
    agreement: Mapping[str, Mapping[str, float | None]],
    lang: str | None,
) -> Rows:
    """A row a token, a column a reading; below it, rank agreement of each two.

    Args:
        target: the tokens whose log-probability counts; empty where the model says nothing.
    """
    names = [name for name, each in found.items() if each is not None]
    titles = [say(f"readings.{name}", lang) for name in names]
    columns = [found[name] or [] for name in names]
    rows: list[tuple[str | float, ...]] = [
        (shortened(key), *[each[at] for each in columns]) for at, key in enumerate(keys)
    ]
    table = Table(head=(say("readings.token", lang), *titles), rows=tuple(rows), digits=3)
    ranks = [[agreement[one][other] for other in names] for one in names]
    cells: list[tuple[str | float, ...]] = [
        (title, *[math.nan if rank is None else rank for rank in row]) for title, row in zip(titles, ranks, strict=True)
    ]
    agree = Table(title=say("readings.agreement", lang), head=("", *titles), rows=tuple(cells))
    facts = {"query": shortened(query), "target": " ".join(shortened(token) for token in target)}
    told = [say("readings.counts" if target else "readings.silent", lang, **facts)]
    told += [say(f"readings.no_{name}", lang) for name in ("norm", "flow") if found[name] is None]
    best = _closest(agreement)
    if best is not None:
        told.append(say("readings.closest", lang, name=say(f"readings.{best[0]}", lang), rank=number(best[1], 2)))
    title = say("readings.title", lang, query=shortened(query))
    return Rows(title=title, parts=(table, agree), reading=say("views.between_sentences", lang).join(told))


def _closest(agreement: Mapping[str, Mapping[str, float | None]]) -> tuple[str, float] | None:
    """The reading that orders tokens most as cutting does."""
    ranks = {
        name: rank for name, rank in agreement.get("knockout", {}).items() if name != "knockout" and rank is not None
    }
    return max(ranks.items(), key=lambda each: each[1]) if ranks else None
