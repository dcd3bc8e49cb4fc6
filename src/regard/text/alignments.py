"""Word alignments as sets of links: two directions made one, and the score against what people marked. Pure numpy."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

import numpy as np

from regard.core.errors import BadInput
from regard.text.lines import shown_name
from regard.text.pairs import Pairs
from regard.text.words import Link, read_pharaoh, strongest

Symmetry = Literal["none", "intersection", "union", "grow-diag", "grow-diag-final-and"]
SYMMETRIES: tuple[Symmetry, ...] = get_args(Symmetry)

_NUMBERED = re.compile(r"([0-9]+)\t")
_NEIGHBOURS = ((0, -1), (-1, 0), (0, 1), (1, 0), (-1, -1), (1, -1), (-1, 1), (1, 1))


@dataclass(frozen=True)
class Gold:
    """What people marked in one pair: sure links, and possible ones, the sure among them (Och and Ney 2003, S ⊆ P)."""

    sure: frozenset[Link]
    possible: frozenset[Link]


@dataclass(frozen=True)
class Score:
    """An alignment against gold, as counts; scores of many pairs add up.

    Attributes:
        links, sure: how many were found, and how many are sure in the gold.
        found_sure, found_possible: how many of those found are sure, and how many are at least possible.
    """

    links: int = 0
    sure: int = 0
    found_sure: int = 0
    found_possible: int = 0

    def __add__(self, other: "Score") -> "Score":
        return Score(*(getattr(self, name) + getattr(other, name) for name in self.__dataclass_fields__))

    @property
    def aer(self) -> float | None:
        """Alignment error rate, 1 − (|A∩S| + |A∩P|) / (|A| + |S|); None where both are empty."""
        return _share(self.links + self.sure - self.found_sure - self.found_possible, self.links + self.sure)

    @property
    def precision(self) -> float | None:
        """The share of the links found that are possible; None where none was found."""
        return _share(self.found_possible, self.links)

    @property
    def recall(self) -> float | None:
        """The share of the sure links that were found; None where there is none."""
        return _share(self.found_sure, self.sure)

    def json(self) -> dict[str, float | None]:
        """The three figures, as fractions."""
        return {"aer": self.aer, "precision": self.precision, "recall": self.recall}


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def score(found: Iterable[Link], gold: Gold) -> Score:
    """One pair's alignment against its gold (Och and Ney 2003, section 6).

    >>> score([(0, 0), (1, 2)], Gold(frozenset({(0, 0)}), frozenset({(0, 0), (1, 1)}))).json()
    {'aer': 0.3333333333333333, 'precision': 0.5, 'recall': 1.0}
    """
    links = set(found)
    return Score(len(links), len(gold.sure), len(links & gold.sure), len(links & gold.possible))


def read_gold(path: Path | str, sizes: Sequence[tuple[int, int]], *, reverse: bool = False) -> list[Gold]:
    """The gold of a file, a line a pair.

    Args:
        sizes: how many words source and target of each pair have.
        reverse: the file counts target before source.

    Raises:
        BadInput: `gold_lines`: more or fewer lines than pairs; `gold_outside`: a link to a word that is not there;
            `gold_empty`: no link at all; `pharaoh_malformed`.
    """
    read, name = read_pharaoh(path), shown_name(path)
    if len(read) != len(sizes):
        raise BadInput("gold_lines", path=name, lines=len(read), pairs=len(sizes))
    found = [Gold(*(frozenset(_turned(links, reverse)) for links in both)) for both in read]
    for line, (gold, size) in enumerate(zip(found, sizes, strict=True), start=1):
        for link in sorted(gold.possible):
            if link[0] >= size[0] or link[1] >= size[1]:
                item = "-".join(map(str, reversed(link) if reverse else link))
                facts = {"source": size[0], "target": size[1], "reverse": reverse}
                raise BadInput("gold_outside", path=name, line=line, item=item, **facts)
    if not any(gold.possible for gold in found):
        raise BadInput("gold_empty", path=name)
    return found


def _turned(links: Iterable[Link], reverse: bool) -> Iterable[Link]:
    return ((target, source) for source, target in links) if reverse else links


def balanced(weights: np.ndarray) -> np.ndarray:
    """Weights in which each source word is looked at as much as any other: what all look at a little counts for less.

    One round of Sinkhorn and Knopp (1967): each column is divided by its sum, then each row by its own.

    Args:
        weights: (target words, source words).

    >>> balanced(np.array([[0.6, 0.4], [0.9, 0.1]])).round(2).tolist()
    [[0.33, 0.67], [0.75, 0.25]]
    """
    return _even(_even(np.asarray(weights, dtype=np.float64), 0), 1)


def _even(weights: np.ndarray, axis: int) -> np.ndarray:
    total = weights.sum(axis=axis, keepdims=True)
    return np.divide(weights, total, out=np.zeros_like(weights), where=total > 0)


def both_ways(weights: np.ndarray, threshold: float = 0.0) -> tuple[list[Link], list[Link]]:
    """Links read from both sides of one matrix: each target word's source word, each source word's target word.

    Args:
        weights: (target words, source words).
        threshold: a link needs at least this weight.
    """
    n_target, n_source = np.shape(weights)
    forward = strongest(weights, n_source=n_source, n_target=n_target, threshold=threshold)
    backward = strongest(np.transpose(weights), n_source=n_target, n_target=n_source, threshold=threshold)
    return forward, sorted((source, target) for target, source in backward)


def symmetrised(forward: Iterable[Link], backward: Iterable[Link], how: Symmetry) -> list[Link]:
    """Two alignments of a pair made one, both as (source word, target word).

    `grow-diag` takes what both have, then, target word by target word, what touches it and only one has, if one of its
    two words has no link yet; `-final-and` adds links whose two words have none, those of `forward` first
    (Koehn, Och and Marcu 2003; the algorithm as in Koehn et al. 2005). `none` takes `forward` alone.

    >>> symmetrised([(0, 0), (1, 1), (3, 3)], [(0, 0), (1, 0)], "grow-diag-final-and")
    [(0, 0), (1, 0), (1, 1), (3, 3)]
    """
    one, other = set(forward), set(backward)
    match how:
        case "none":
            return sorted(one)
        case "intersection":
            return sorted(one & other)
        case "union":
            return sorted(one | other)
    found = _grown(one & other, one | other)
    if how == "grow-diag-final-and":
        for links in (one, other):
            _finish(found, links)
    return sorted(found)


def _by_target(links: Iterable[Link]) -> list[Link]:
    return sorted(links, key=lambda link: (link[1], link[0]))


def _grown(start: set[Link], union: set[Link]) -> set[Link]:
    """`start` and the links of `union` that touch it and bring a word without a link, until there are no more."""
    found, before = set(start), -1
    sources, targets = {link[0] for link in found}, {link[1] for link in found}
    while len(found) != before:
        before = len(found)
        for source, target in _by_target(union):
            if (source, target) not in found:
                continue
            for more, further in _NEIGHBOURS:
                near = (source + more, target + further)
                if near in union and near not in found and (near[0] not in sources or near[1] not in targets):
                    found.add(near)
                    sources.add(near[0])
                    targets.add(near[1])
    return found


def _finish(found: set[Link], links: set[Link]) -> None:
    """Add the links whose two words have none."""
    sources, targets = {link[0] for link in found}, {link[1] for link in found}
    for source, target in _by_target(links):
        if source not in sources and target not in targets:
            found.add((source, target))
            sources.add(source)
            targets.add(target)


def unnumbered(pairs: Pairs) -> Pairs:
    """Pairs of two files that both begin each line with the same number and a tab: without these.

    >>> unnumbered(Pairs(["7\\tle chat"], ["7\\tthe cat"], [1])).source
    ['le chat']
    """
    sides = [[_NUMBERED.match(text) for text in side] for side in (pairs.source, pairs.target)]
    if not all(one and other and one[1] == other[1] for one, other in zip(*sides, strict=True)):
        return pairs
    source, target = ([text.partition("\t")[2] for text in side] for side in (pairs.source, pairs.target))
    return Pairs(source, target, pairs.line)


def turned_gold(gold: Iterable[Gold]) -> list[Gold]:
    """Gold with target and source changed places."""
    return [Gold(*(frozenset(_turned(links, True)) for links in (each.sure, each.possible))) for each in gold]
