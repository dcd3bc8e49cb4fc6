"""Evidence as a picture: each cut with its weight beside its effect, and what that says in words."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from regard.language import say
from regard.views.picture import Rows, Table
from regard.views.signs import number, shortened

NAMED = 24
"""Tokens of a target that a title names, at most."""


@dataclass(frozen=True)
class Cut:
    """One row: what was cut, in words, and what came of it.

    Attributes:
        part, layer, head: where; empty where it is everywhere.
        query, key: the tokens of an edge; of a word that nobody may look at only `key`; empty otherwise.
        weight: of the edge; NaN for more than one edge.
        change, kl: of the target's log-probability, and of all that is said, in nats.
        rank: of the target afterwards; 1 is the likeliest.
        flag: `heavy_idle`, `light_strong` or nothing.
    """

    part: str
    layer: str
    head: str
    query: str
    key: str
    weight: float
    change: float
    kl: float
    rank: int
    flag: str | None = None


def evidence(
    cuts: Sequence[Cut], target: Sequence[str], log_prob: float, agreement: float, *, how: str, lang: str | None
) -> Rows:
    """A table, the greatest effect first, and what it says.

    Args:
        target: the tokens whose log-probability counts.
        agreement: rank correlation of the gradients' ranking with these effects; NaN where nothing was ranked.
        how: `renormalised` or `zeroed`.
    """
    edges = any(cut.query for cut in cuts)
    told_of = ("part", "layer", "head", "query", "key")
    columns = [f"{name}_column" for name in told_of if any(getattr(cut, name) for cut in cuts)]
    columns += ["weight_column"] if edges else []
    head = [say(f"evidence.{name}", lang) for name in (*columns, "change_column", "kl_column", "rank_column")]
    rows = [[*_named(cut, columns), cut.change, cut.kl, cut.rank, _flag(cut, lang)] for cut in cuts]
    told = " ".join([*(shortened(token) for token in target[:NAMED]), *["…"] * (len(target) > NAMED)])
    title = say("evidence.title", lang, target=told, log_prob=number(log_prob, 3))
    table = Table(head=(*head, ""), rows=tuple(map(tuple, rows)), digits=3)
    sentences = [_first(cuts[0], lang)] if cuts else [say("evidence.nothing", lang)]
    sentences.append(say(f"evidence.how_{how}", lang))
    if not math.isnan(agreement):
        sentences.append(say("evidence.agreement", lang, agreement=number(agreement, 2), count=len(cuts)))
    return Rows(title=title, parts=(table,), reading=say("views.between_sentences", lang).join(sentences))


def _named(cut: Cut, columns: Sequence[str]) -> list[str | float]:
    known: dict[str, str | float] = {
        "part_column": cut.part,
        "layer_column": cut.layer,
        "head_column": cut.head,
        "query_column": shortened(cut.query),
        "key_column": shortened(cut.key),
        "weight_column": cut.weight,
    }
    return [known[name] for name in columns]


def _flag(cut: Cut, lang: str | None) -> str:
    return "" if cut.flag is None else say(f"evidence.{cut.flag}", lang)


def _first(cut: Cut, lang: str | None) -> str:
    """The greatest effect in words (note 003: it looks most at X; and without X?)."""
    way = "falls" if cut.change < 0 else "rises"
    facts = {"change": number(abs(cut.change), 2), "place": _place(cut, lang)}
    if cut.query:
        weight = number(cut.weight, 2)
        kind = "edge" if cut.key and weight else "look"
        return say(f"evidence.{kind}_{way}", lang, query=cut.query.strip(), key=cut.key.strip(), weight=weight, **facts)
    return say(f"evidence.{'word' if cut.key else 'place'}_{way}", lang, key=cut.key, **facts)


def _place(cut: Cut, lang: str | None) -> str:
    """Where, in words: *cross layer 0 head 3*."""
    if cut.head:
        where = say("views.layer_head", lang, layer=cut.layer, head=cut.head)
    else:
        where = say("evidence.layer", lang, layer=cut.layer) if cut.layer else ""
    return " ".join(filter(None, (cut.part, where)))
