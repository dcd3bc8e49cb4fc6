"""What is cut: named by part, layer, head, query and key; all of it at once, or one thing of a kind after the other."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from torch import Tensor

from regard.core.errors import BadInput
from regard.core.protocols import Site
from regard.inspection.knockout import At, Edge, Knockout, Output, at
from regard.inspection.subject import Subject
from regard.inspection.trace import READ, SOURCE
from regard.inspection.trace import Sequence as Side
from regard.text.scripts import unspaced

KINDS = ("edges", "queries", "words", "heads", "layers")
"""What may be cut one by one: edges; queries, which then look at nothing; words, which nothing then looks at; …"""

Named = At | str
"""Tokens: a number, several (`range(3, 8)`, or `3-7`), or a piece of the text."""

_NUMBERS = re.compile(r"([0-9]{1,9})(?:-([0-9]{1,9}))?")


@dataclass(frozen=True)
class Cut:
    """What is cut; None is all of them.

    A piece of text is looked for in the texts of each place. A number counts the tokens of a translator's
    cross-attention where no part is named, as in `regard look`.
    """

    part: str | None = None
    layer: int | None = None
    head: int | None = None
    query: Named = None
    key: Named = None

    def edges(self, subject: Subject) -> list[Edge]:
        """One a place.

        Raises:
            BadInput: `no_site`, `no_head`, `edge_outside`, `tokens_absent`, `tokens_twice`, `tokens_unnamed`.
        """
        sites = self._sites(subject)
        found = [
            Edge(site.address, self.head, *self._tokens(subject, site)) for site in sites if self._in(subject, site)
        ]
        if not found:
            named = next(each for each in (self.query, self.key) if isinstance(each, str))
            texts = dict.fromkeys(side.text for side in subject.sequences.values())
            raise BadInput("tokens_absent", tokens=named, texts=" / ".join(texts))
        return found

    def each(self, subject: Subject, kind: str) -> Iterator[list[Edge]]:
        """Of all this, one thing of a kind after the other.

        Args:
            kind: of `KINDS`, but for `edges`.
        """
        edges = self.edges(subject)
        if kind == "layers":
            yield from ([edge] for edge in edges)
        elif kind == "heads":
            for edge in edges:
                count = _site(subject, edge).n_heads
                yield from ([replace(edge, head=head)] for head in range(count)[at(edge.head)])
        elif kind == "queries":
            yield from _by_token(subject, edges, "query")
        else:
            yield from _by_token(subject, edges, "key")

    def _sites(self, subject: Subject) -> list[Site]:
        part = self.part
        if part is None and any(isinstance(_read(each), int | range) for each in (self.query, self.key)):
            part = next((site.part for site in subject.sites if site.part == "cross"), None)
        sites = [site for site in subject.sites if part in (None, site.part) and self.layer in (None, site.layer)]
        if not sites:
            known = ", ".join(site.address for site in subject.sites)
            raise BadInput("no_site", part=part or subject.sites[0].part, layer=self.layer, sites=known)
        for site in sites:
            if self.head is not None and not 0 <= self.head < site.n_heads:
                raise BadInput("no_head", head=self.head, n_heads=site.n_heads, address=site.address)
        return sites

    def _in(self, subject: Subject, site: Site) -> bool:
        """Whether the pieces of text that are named stand in the texts of a place."""
        asks, keys = (subject.sequences[name] for name in (site.queries, site.keys))
        named = ((self.query, asks), (self.key, keys))
        return all(not isinstance(found := _read(each), str) or _places(found, side) for each, side in named)

    def _tokens(self, subject: Subject, site: Site) -> tuple[At, At]:
        asks, keys = (subject.sequences[name] for name in (site.queries, site.keys))
        query, key = tokens(self.query, asks), tokens(self.key, keys)
        for each, side in ((query, asks), (key, keys)):
            if each is not None and not 0 <= (at(each).stop or 0) - 1 < len(side.ids):
                told = {"query": _said(query), "key": _said(key)}
                raise BadInput("edge_outside", **told, queries=len(asks.ids), keys=len(keys.ids))
        return query, key


def tokens(named: Named, side: Side) -> At:
    """The tokens of a text that are named.

    Raises:
        BadInput: `tokens_absent`, `tokens_twice`, `tokens_unnamed`.
    """
    found = _read(named)
    if not isinstance(found, str):
        return found
    places = _places(found, side)
    if not places:
        raise BadInput("tokens_absent", tokens=found, texts=side.text)
    if len(places) > 1:
        raise BadInput("tokens_twice", tokens=found, count=len(places), places=", ".join(map(_said, places)))
    return places[0]


def patched(edges: Knockout, values: Mapping[str, Tensor]) -> list[Output]:
    """What the heads of these edges hand on, replaced at their queries.

    Args:
        values: by address (heads, queries, d_value), or (heads, 1, d_value) for all queries.
    """
    found = []
    for edge in edges:
        assert isinstance(edge, Edge)
        value = values[edge.address]
        found.append(Output(edge.address, edge.head, value if edge.head is None else value[edge.head], edge.query))
    return found


def refuse_unaligned(subject: Subject, other: Subject, edges: Knockout) -> None:
    """Texts that cannot be laid on each other token by token, where tokens are not named.

    Raises:
        BadInput: `patch_lengths`, `patch_outside`.
    """
    for edge in edges:
        ours, theirs = (len(each.sequences[_site(each, edge).queries].ids) for each in (subject, other))
        asked = edge.query
        if asked is None and ours != theirs:
            raise BadInput("patch_lengths", tokens=ours, others=theirs)
        if asked is not None and at(asked).stop > theirs:
            raise BadInput("patch_outside", query=_said(asked), others=theirs)


def _by_token(subject: Subject, edges: list[Edge], name: str) -> Iterator[list[Edge]]:
    """Queries one by one, or keys word by word; of a translator the queries that write, and the words of the source."""
    last = _site(subject, edges[-1]).queries
    wanted = last if name == "query" else SOURCE if SOURCE in subject.sequences else READ
    side = subject.sequences[wanted]
    which = "queries" if name == "query" else "keys"
    edges = [edge for edge in edges if subject.sequences[getattr(_site(subject, edge), which)] is side]
    for some in _groups(side) if name == "key" else ([n] for n in range(len(side.ids))):
        found = [_at(edge, name, n) for edge in edges for n in some if _meant(getattr(edge, name), n)]
        if found:
            yield found


def _at(edge: Edge, name: str, number: int) -> Edge:
    return replace(edge, query=number) if name == "query" else replace(edge, key=number)


def _groups(side: Side) -> list[list[int]]:
    """The tokens of each word; where it is of a script without spaces, those of each place in the text."""
    spaceless = {word for word, span in zip(side.words, side.spans, strict=True) if unspaced(side.text[slice(*span)])}
    groups: dict[Any, list[int]] = {}
    for number, (word, span) in enumerate(zip(side.words, side.spans, strict=True)):
        groups.setdefault((word, span if word in spaceless else None), []).append(number)
    return list(groups.values())


def _meant(asked: At, number: int) -> bool:
    return asked is None or number == asked or (isinstance(asked, range) and number in asked)


def _read(named: Named) -> Named:
    """Numbers as numbers.

    Raises:
        BadInput: `tokens_unnamed`: no token has such a name, or what is named is not one beside the other.
    """
    found = _NUMBERS.fullmatch(named.strip()) if isinstance(named, str) else None
    if found is None:
        tokens: Any = named
    else:
        tokens = int(found[1]) if found[2] is None else range(int(found[1]), int(found[2]) + 1)
    if tokens is None or isinstance(tokens, str):
        return tokens
    if isinstance(tokens, range) and tokens.step == 1 and 0 <= tokens.start < tokens.stop:
        return tokens
    if isinstance(tokens, int | np.integer) and not isinstance(tokens, bool) and tokens >= 0:
        return int(tokens)
    raise BadInput("tokens_unnamed", came=str(named))


def _places(text: str, side: Side) -> list[int | range]:
    """Where a piece of text stands, as tokens: as whole words where it does, else anywhere."""
    text = text.strip()
    starts = [m.start() for m in re.finditer(rf"(?<!\w){re.escape(text)}(?!\w)", side.text)] if text else []
    starts = starts or ([m.start() for m in re.finditer(re.escape(text), side.text)] if text else [])
    found: list[int | range] = []
    for start in starts:
        inside = side.within(start, start + len(text))
        if inside:
            found.append(inside[0] if len(inside) == 1 else range(inside[0], inside[-1] + 1))
    return found


def _said(tokens: Any) -> str:
    """Numbers as a person reads them."""
    if isinstance(tokens, range):
        return f"{tokens.start}-{tokens.stop - 1}"
    return "–" if tokens is None else str(tokens)


def _site(subject: Subject, edge: Any) -> Site:
    return next(site for site in subject.sites if site.address == edge.address)
