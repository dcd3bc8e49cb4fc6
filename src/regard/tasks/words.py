"""`regard.words`: what the vectors of words say: sums, neighbours, analogies, directions. One door for every face."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from regard.core.errors import BadInput
from regard.core.nearest import one_of
from regard.inspection import analogies, directions, pairs
from regard.inspection.directions import Near, Point
from regard.inspection.pairs import Direction
from regard.tasks import word_vectors
from regard.tasks.word_answers import About, Answers, Placed, Scores, Similar, similar
from regard.text import analogies as questions
from regard.text.vector_files import Tell
from regard.text.vectors import Vectors

TOP = 10


@dataclass(frozen=True)
class Words:
    """Words and their vectors, ready to be asked. Made by `words`.

    Attributes:
        vectors: the words and their table.
        unit: vectors are made of unit length before they are added.
        lower: questions are asked in small letters; None: where no word of the vectors has a capital.
    """

    vectors: Vectors
    unit: bool = True
    lower: bool | None = None

    def __len__(self) -> int:
        return len(self.vectors)

    def __contains__(self, word: str) -> bool:
        return word in self.vectors.index

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.vectors.name}: {len(self)} × {self.vectors.width}>"

    @property
    def lowered(self) -> bool:
        """Whether questions are asked in small letters."""
        return self.vectors.small if self.lower is None else self.lower

    def point(self, expression: str) -> Point:
        """A sum such as `king - man + 0.5*woman`: its `vector`, (width,), and how each word was found."""
        return directions.point(self.vectors, expression, lower=self.lower, unit=self.unit)

    def vector(self, expression: str) -> np.ndarray:
        """The vector of a word or of a sum, (width,), in float64."""
        return self.point(expression).vector

    def nearest(self, expression: str, top: int = TOP) -> Answers:
        """The words that point most as a sum does; those of the sum itself are left out."""
        point = self.point(expression)
        found = directions.near(self.vectors, point.vector, top, point.numbers)
        return Answers(self._about({expression: point}), expression, tuple(found))

    def cosine(self, one: str, other: str) -> float:
        """The cosine between two words, or two sums."""
        return directions.cosine(self.vector(one), self.vector(other))

    def similarity(self, expressions: Sequence[str]) -> Similar:
        """The cosine between each two of some words or sums."""
        return similar(self._about({each: self.point(each) for each in expressions}), expressions)

    def direction(self, given: str | Path | Sequence[tuple[str, str]], *, encoding: str = "utf-8") -> Direction:
        """The direction from the first word of each pair to the second.

        Args:
            given: `man:woman, king:queen`; a file with a pair a line, a tab or a colon between; or pairs.
            encoding: of the file.
        """
        return pairs.direction(self.vectors, pairs_of(given, encoding), lower=self.lower, unit=self.unit)

    def along(
        self, given: str | Path | Sequence[tuple[str, str]] | Direction, expressions: Sequence[str] = (), top: int = TOP
    ) -> Placed:
        """Words, or sums, by how far they lie along a direction (a cosine); without any, the furthest of all words."""
        direction = given if isinstance(given, Direction) else self.direction(given)
        ends = [word for pair in direction.pairs for word in (pair.start, pair.end)]
        points = {each: self.point(each) for each in (*ends, *expressions)}
        places = [Near(each, directions.cosine(points[each].vector, direction.vector)) for each in expressions]
        places.sort(key=lambda each: -each.cosine)
        along, against = ([], []) if expressions else direction.ends(self.vectors, top)
        return Placed(self._about(points), direction, tuple(places), (tuple(along), tuple(against)))

    def analogies(
        self, path: Path | str, *, method: str = "add", encoding: str = "utf-8", tell: Tell = lambda count: None
    ) -> Scores:
        """The questions of a file in Mikolov's format, answered: see `inspection.analogies`.

        Args:
            method: `add` (3CosAdd) or `mul` (3CosMul).
        """
        one_of(method, analogies.METHODS, "--method")
        sections = questions.read(path, encoding=encoding)
        found = analogies.answered(self.vectors, sections, method=method, lower=self.lower, unit=self.unit, tell=tell)
        return Scores(self._about({}), method, tuple(found))

    def _about(self, points: Mapping[str, Point]) -> About:
        return About(self.vectors, self.unit, self.lowered, points)


def words(
    source: Any,
    *,
    embeddings: str = "input",
    pieces: bool = False,
    first: int | None = None,
    unit: bool = True,
    lower: bool | None = None,
    encoding: str = "utf-8",
    tell: Tell = lambda count: None,
) -> Words:
    """The vectors of words, from a file or a model.

    Args:
        source: a file: GloVe or word2vec as text (gz too), word2vec's binary form, safetensors; or a model: a bundled
            name, a model folder, an id of the Hugging Face hub (see `text.vector_files`, `tasks.word_vectors`).
        embeddings: of a model, those before its layers (`input`) or those that its output is compared with (`output`).
        pieces: of a model, all tokens instead of whole words.
        first: only so many words, from the first on; files put the frequent ones first.
        unit: add vectors of unit length.
        lower: ask in small letters; None: where no word of the vectors has a capital.
        encoding: of a text file.
        tell: is told how many words were read.

    Raises:
        BadInput: no such file or model; a file that is none of these, or broken, with the line.

    >>> moon = words("tang").nearest("月", top=3)
    >>> [each.word for each in moon]
    ['日', '雪', '水']
    >>> round(words("tang").cosine("月", "日"), 2)
    0.56
    """
    one_of(embeddings, word_vectors.SIDES, "--embeddings")
    vectors = _vectors(source, embeddings, pieces, encoding, tell)
    return Words(vectors if first is None else vectors.first(first), unit, lower)


def _vectors(source: Any, embeddings: str, pieces: bool, encoding: str, tell: Tell) -> Vectors:
    if isinstance(source, Vectors):
        return source
    if not isinstance(source, str | Path):
        from regard.tasks.foreign_models import held

        return word_vectors.of_opened(held(source), embeddings=embeddings, pieces=pieces)
    if Path(source).is_file():
        return word_vectors.of_file(source, encoding=encoding, tell=tell)
    return word_vectors.of_model(str(source), embeddings=embeddings, pieces=pieces)


def pairs_of(given: str | Path | Sequence[tuple[str, str]], encoding: str = "utf-8") -> Sequence[tuple[str, str]]:
    """Pairs as they were given: typed, in a file, or ready.

    Raises:
        BadInput: `direction_pair`; `direction_line`, the same of a file, with its line.
    """
    if not isinstance(given, str | Path):
        return [(str(one), str(other)) for one, other in given]
    if not _is_file(given):
        return pairs.pairs_of(str(given))
    from regard.text.lines import read_lines

    lines = enumerate(read_lines(given, encoding=encoding), start=1)
    return [pair for number, line in lines if line.strip() for pair in _pairs_in(line, number, given)]


def _pairs_in(line: str, number: int, path: str | Path) -> list[tuple[str, str]]:
    try:
        return pairs.pairs_of(line.replace("\t", ":"))
    except BadInput as error:
        raise BadInput("direction_line", path=str(path), line=number, came=error.facts["came"]) from None


def _is_file(name: str | Path) -> bool:
    try:
        return Path(name).is_file()
    except (OSError, ValueError):
        return False
