"""What words were found to say, as every face shows it: data, and pictures."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from regard.inspection.analogies import Score
from regard.inspection.directions import Near, Point, plane
from regard.inspection.meaning import cosines
from regard.inspection.pairs import Direction
from regard.text.vectors import Vectors
from regard.views import words as views
from regard.views.notebook import image
from regard.views.picture import Rows
from regard.views.words import Spot


@dataclass(frozen=True)
class About:
    """What was asked, and how.

    Attributes:
        vectors: of which words.
        unit: whether vectors were made of unit length before they were added.
        lowered: whether questions were asked in small letters.
        points: the sums that were asked about, by their words.
    """

    vectors: Vectors
    unit: bool
    lowered: bool
    points: Mapping[str, Point]

    @property
    def joined(self) -> dict[str, tuple[str, ...]]:
        """Words that a model's tokenizer cuts, with the pieces whose mean stands for them."""
        found = (pair for point in self.points.values() for pair in point.words.items())
        return {word: each.pieces for word, each in found if each.pieces}

    def json(self) -> dict[str, Any]:
        """`vectors`, `unit`, `lower_cased`, `joined`, as in every JSON of the command."""
        vectors = {"name": self.vectors.name, "words": len(self.vectors), "width": self.vectors.width}
        joined = {word: list(pieces) for word, pieces in self.joined.items()}
        return {"vectors": vectors, "unit": self.unit, "lower_cased": self.lowered, "joined": joined}

    def stamp(self, lang: str | None) -> str:
        """The same in words, for under a picture."""
        twice, first = self.vectors.doubled
        facts = (self.vectors.name, len(self.vectors), self.vectors.width)
        return views.about(*facts, self.unit, self.lowered, self.joined, twice, first, lang)


class Shown(ABC):
    """What shows itself in a notebook. Abstract."""

    about: About

    @abstractmethod
    def json(self) -> dict[str, Any]:
        """What the command prints with `--format json`."""

    @abstractmethod
    def picture(self, lang: str | None = None, *, drawn: bool = False) -> Rows:
        """What the command prints, or with `drawn` writes into a file."""

    def _repr_html_(self) -> str:
        return image(self.picture(drawn=True))


@dataclass(frozen=True)
class Answers(Shown):
    """The words nearest to a sum, the nearest first; those of the sum are left out.

    Attributes:
        expression: what was asked.
        answers: each with `word` and `cosine`.
    """

    about: About = field(repr=False)
    expression: str
    answers: tuple[Near, ...]

    def __iter__(self) -> Iterator[Near]:
        return iter(self.answers)

    def __len__(self) -> int:
        return len(self.answers)

    def json(self) -> dict[str, Any]:
        """`expression`, `answers`, `left_out` and what `About.json` has."""
        out = list(self.about.points[self.expression].words)
        return {"expression": self.expression, "answers": _told(self.answers), "left_out": out, **self.about.json()}

    def picture(self, lang: str | None = None, *, drawn: bool = False) -> Rows:
        """The answers as a table; `drawn`: and on the plane on which they and the question are spread most."""
        point = self.about.points[self.expression]
        asked = [(word, each.vector, "asked") for word, each in point.words.items()]
        total = [(self.expression, point.vector, "sum")] if len(asked) > 1 else []
        index = self.about.vectors.index
        vectors = self.about.vectors.take([index[each.word] for each in self.answers])
        near = [(each.word, vector, "answer") for each, vector in zip(self.answers, vectors, strict=True)]
        spread = _spread([*asked, *total, *near]) if drawn else None
        out = tuple(point.words)
        return views.answers(self.expression, self.answers, out, spread, self.about.stamp(lang), lang)


@dataclass(frozen=True)
class Similar(Shown):
    """The cosine between each two of some words or sums.

    Attributes:
        expressions: what was asked.
        cosines: (n, n), in float64.
    """

    about: About = field(repr=False)
    expressions: tuple[str, ...]
    cosines: np.ndarray

    def json(self) -> dict[str, Any]:
        """`expressions`, `cosines`, of two also `cosine`."""
        two = {"cosine": float(self.cosines[0, 1])} if len(self.expressions) == 2 else {}
        told = {"expressions": list(self.expressions), **two, "cosines": self.cosines.tolist()}
        return {**told, **self.about.json()}

    def picture(self, lang: str | None = None, *, drawn: bool = False) -> Rows:
        """The cosines as a grid; `drawn`: and the plane on which all are spread most."""
        points = [(each, self.about.points[each].vector, "asked") for each in self.expressions]
        spread = _spread(points) if drawn and len(points) > 2 else None
        return views.similarity(self.expressions, self.cosines, spread, self.about.stamp(lang), lang)


@dataclass(frozen=True)
class Placed(Shown):
    """Words along a direction.

    Attributes:
        direction: made of pairs.
        words: those that were asked for, the furthest along it first, with the cosine between each and the direction.
        ends: where none was asked for: the words furthest along it, and furthest against it.
    """

    about: About = field(repr=False)
    direction: Direction
    words: tuple[Near, ...]
    ends: tuple[tuple[Near, ...], tuple[Near, ...]]

    def json(self) -> dict[str, Any]:
        """`pairs`, `words`, or `along` and `against`."""
        pairs = [{"from": each.start, "to": each.end, "cosine": each.cosine} for each in self.direction.pairs]
        ends = {"along": _told(self.ends[0]), "against": _told(self.ends[1])}
        found = {"words": _told(self.words)} if self.words else ends
        return {"pairs": pairs, **found, **self.about.json()}

    def picture(self, lang: str | None = None, *, drawn: bool = False) -> Rows:
        """Pairs and words as tables; `drawn`: and on a plane whose first axis is the direction, each pair as a line."""
        near = self.words or (*self.ends[0], *reversed(self.ends[1]))
        spread = _spread(self._points(near), self.direction.vector) if drawn else None
        found = [(each.start, each.end, each.cosine) for each in self.direction.pairs]
        return views.direction(found, near, bool(self.words), spread, self.about.stamp(lang), lang)

    def _points(self, near: Sequence[Near]) -> list[tuple[str, np.ndarray, str]]:
        known = self.about.points
        ends = [word for pair in self.direction.pairs for word in (pair.start, pair.end)]
        pairs = [(word, known[word].vector, "pair") for word in ends]
        vectors = self.about.vectors
        rest = [each.word for each in near if each.word not in ends]
        asked = [known[word].vector if word in known else vectors.take([vectors.index[word]])[0] for word in rest]
        group = "asked" if self.words else "answer"
        return [*pairs, *((word, vector, group) for word, vector in zip(rest, asked, strict=True))]


@dataclass(frozen=True)
class Scores(Shown):
    """Analogies answered.

    Attributes:
        method: `add` or `mul`.
        sections: what came of each section of the file.
    """

    about: About = field(repr=False)
    method: str
    sections: tuple[Score, ...]

    @property
    def asked(self) -> int:
        """Questions whose four words are all known."""
        return sum(each.asked for each in self.sections)

    @property
    def right(self) -> int:
        """Those answered as the file says."""
        return sum(each.right for each in self.sections)

    @property
    def questions(self) -> int:
        """All questions of the file."""
        return sum(each.questions for each in self.sections)

    @property
    def accuracy(self) -> float:
        """The share of the asked that is right."""
        return self.right / self.asked

    def json(self) -> dict[str, Any]:
        """`accuracy`, `right`, `asked`, `questions`, `method`, `sections`."""
        names = ("accuracy", "right", "asked", "questions")
        sections = [{"section": each.name, **{name: getattr(each, name) for name in names}} for each in self.sections]
        told = {name: getattr(self, name) for name in names}
        return {**told, "method": self.method, "sections": sections, **self.about.json()}

    def picture(self, lang: str | None = None, *, drawn: bool = False) -> Rows:
        """Sections as a table, and all together in words."""
        rows = [(each.name, each.right, each.asked, each.questions) for each in self.sections]
        return views.analogies(rows, self.method, self.about.stamp(lang), lang)


def similar(about: About, expressions: Sequence[str]) -> Similar:
    """The cosines between each two."""
    vectors = np.array([about.points[each].vector for each in expressions])
    return Similar(about, tuple(expressions), cosines(vectors).clip(-1, 1))


def _told(found: Sequence[Near]) -> list[dict[str, Any]]:
    return [{"word": each.word, "cosine": each.cosine} for each in found]


def _spread(
    points: Sequence[tuple[str, np.ndarray, str]], along: np.ndarray | None = None
) -> tuple[list[Spot], tuple[float, float]]:
    """Words of unit length on the plane on which they are spread most, and the share of each axis."""
    units = np.array([vector / np.linalg.norm(vector) for _, vector, _ in points], dtype=np.float64)
    places, shares = plane(units, along)
    spots = [Spot(name, role, float(x), float(y)) for (name, _, role), (x, y) in zip(points, places, strict=True)]
    return spots, shares
