"""Evidence as a picture: each cut with its weight beside its effect, and what that says in words."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from regard.language import say
from regard.views.picture import Rows, Table
from regard.views.signs import number, shortened, visible

NAMED = 24
"""Tokens of a target that a title names, at most."""

MARKS = {"heavy_idle": "○", "light_strong": "●"}
"""Of edges whose weight says something else than their effect."""


@dataclass(frozen=True)
class Line:
    """One row: what was cut, in words, and what came of it.

    Attributes:
        part, layer, head: where; empty where it is everywhere.
        query, key: the tokens of an edge; empty for all.
        weight: of the edge; NaN for more than one edge.
        change: of the target's log-probability, in nats, or of the cosine.
        kl: of all that is said, in nats; None for a vector.
        rank: of the target afterwards; 1 is the likeliest; None for a vector.
        cosine: of the vector with what it was; None for a target.
        flag: `heavy_idle`, `light_strong` or nothing.
    """

    part: str
    layer: str
    head: str
    query: str
    key: str
    weight: float
    change: float
    kl: float | None
    rank: int | None
    cosine: float | None = None
    flag: str | None = None


Patch = tuple[Sequence[str], float | None]
"""The tokens of the text that was patched from, and the target's log-probability there."""


def evidence(
    lines: Sequence[Line],
    target: Sequence[str],
    log_prob: float | None,
    agreement: float,
    *,
    how: str,
    patch: Patch | None = None,
    lang: str | None,
) -> Rows:
    """A table, the greatest effect first, and what it says.

    Args:
        target: the tokens whose log-probability counts; without one, those whose vector does (none: their mean's).
        agreement: rank correlation of the gradients' ranking with these effects; NaN where nothing was ranked.
        how: `renormalised`, `zeroed`, `mean` or `patched`.
    """
    told_of = ("part", "layer", "head", "query", "key")
    columns = [f"{name}_column" for name in told_of if any(getattr(line, name) for line in lines)]
    columns += ["weight_column"] * any(not math.isnan(line.weight) for line in lines)
    effect = ("cosine",) if log_prob is None else ("change", "kl", "rank")
    head = [say(f"evidence.{name}", lang) for name in (*columns, *(f"{name}_column" for name in effect))]
    rows = [[*_named(line, columns), *_effect(line, effect), MARKS.get(line.flag or "", "")] for line in lines]
    table = Table(head=(*head, ""), rows=tuple(map(tuple, rows)), digits=3 if log_prob is not None else 4)
    sentences = [_first(lines[0], how, lang)] if lines else [say("evidence.nothing", lang)]
    sentences += [*_marks(lines, lang), say(f"evidence.how_{how}", lang)]
    sentences += [] if patch is None else _patched(patch, lang)
    if not math.isnan(agreement):
        sentences.append(say("evidence.agreement", lang, agreement=number(agreement, 2), count=len(lines)))
    reading = say("views.between_sentences", lang).join(sentences)
    return Rows(title=_title(target, log_prob, lang), parts=(table,), reading=reading)


def _title(target: Sequence[str], log_prob: float | None, lang: str | None) -> str:
    told = _shortly(target)
    if log_prob is not None:
        return say("evidence.title", lang, target=told, log_prob=number(log_prob, 3))
    return say("evidence.title_vector", lang, target=told) if target else say("evidence.title_mean", lang)


def _shortly(tokens: Sequence[str]) -> str:
    told = "".join(token.replace("Ġ", " ").replace("▁", " ") for token in tokens[:NAMED])
    return visible(told.strip(" ") or told) + " …" * (len(tokens) > NAMED)


def _patched(patch: Patch, lang: str | None) -> list[str]:
    tokens, log_prob = patch
    told = say("evidence.patch", lang, text=_shortly(tokens))
    return [told] if log_prob is None else [told, say("evidence.patch_there", lang, log_prob=number(log_prob, 3))]


def _named(line: Line, columns: Sequence[str]) -> list[str | float]:
    known: dict[str, str | float] = {
        "part_column": line.part,
        "layer_column": line.layer,
        "head_column": line.head,
        "query_column": shortened(line.query),
        "key_column": shortened(line.key),
        "weight_column": line.weight,
    }
    return [known[name] for name in columns]


def _effect(line: Line, names: Sequence[str]) -> list[str | int | float]:
    return [math.nan if (found := getattr(line, name)) is None else found for name in names]


def _marks(lines: Sequence[Line], lang: str | None) -> list[str]:
    """What the marks in the table mean, of those that stand there."""
    flags = {line.flag for line in lines}
    return [say(f"evidence.{flag}", lang, mark=mark) for flag, mark in MARKS.items() if flag in flags]


def _first(line: Line, how: str, lang: str | None) -> str:
    """The greatest effect in words (note 003: it looks most at X; and without X?)."""
    facts = {"query": line.query.strip(), "key": line.key.strip(), "place": _place(line, lang)}
    facts["weight"] = "" if math.isnan(line.weight) else number(line.weight, 2)
    if how in ("mean", "patched"):
        kind = "replaced_there" if line.query else "replaced"
    elif facts["weight"]:
        kind = "edge"
    else:
        kind = {(True, True): "pair", (True, False): "query", (False, True): "word"}.get(
            (bool(line.query), bool(line.key)), "place"
        )
    return say(f"evidence.{kind}", lang, **facts, effect=_outcome(line, lang))


def _outcome(line: Line, lang: str | None) -> str:
    if line.cosine is not None:
        return say("evidence.turns", lang, cosine=number(line.cosine, 4))
    return say("evidence.falls" if line.change < 0 else "evidence.rises", lang, change=number(abs(line.change), 2))


def _place(line: Line, lang: str | None) -> str:
    """Where, in words: *cross layer 0 head 3*."""
    if line.head and line.layer:
        where = say("views.layer_head", lang, layer=line.layer, head=line.head)
    elif line.layer or line.head:
        name = "layer" if line.layer else "head"
        where = say(f"evidence.{name}", lang, layer=line.layer, head=line.head)
    else:
        where = say("evidence.everywhere", lang)
    return " ".join(filter(None, (line.part, where)))
