"""Where words point, by hand and against a slow twin."""

import math
from collections.abc import Sequence

import numpy as np
import pytest

from regard.core.errors import BadInput
from regard.inspection.analogies import METHODS, answered, best
from regard.inspection.directions import cosine, near, plane, point, resolved, spellings
from regard.inspection.pairs import direction, pairs_of
from regard.text import vectors as vectors_module
from regard.text.analogies import Section
from regard.text.vectors import Vectors

HAND = Vectors(
    ["man", "woman", "king", "queen", "new_york", "nothing"],
    np.array([[2, 0, 0], [0, 3, 0], [4, 0, 3], [0, 4, 3], [0, 0, 1], [0, 0, 0]], dtype=np.float32),
    name="hand",
)


def made(count: int = 211, width: int = 13, seed: int = 1) -> Vectors:
    table = np.random.default_rng(seed).normal(size=(count, width)).astype(np.float32)
    return Vectors([f"w{at}" for at in range(count)], table)


def slow_cosine(one: Sequence[float], other: Sequence[float]) -> float:
    """By the definition, in plain Python."""
    product = sum(a * b for a, b in zip(one, other, strict=True))
    return product / math.sqrt(sum(a * a for a in one)) / math.sqrt(sum(b * b for b in other))


@pytest.fixture(autouse=True)
def _small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Searches cross the borders of blocks."""
    monkeypatch.setattr(vectors_module, "BLOCK", 13 * 17)


def test_king_minus_man_plus_woman_by_hand() -> None:
    found = point(HAND, "king - man + woman")
    assert found.vector.tolist() == pytest.approx([0.8 - 1, 1, 0.6])
    answers = near(HAND, found.vector, 9, found.numbers)
    assert [each.word for each in answers] == ["queen", "new_york"]  # and never the word of length 0
    assert answers[0].cosine == pytest.approx((0.8 + 0.36) / math.sqrt(0.04 + 1 + 0.36))


def test_vectors_at_their_own_lengths() -> None:
    assert point(HAND, "king - man + woman", unit=False).vector.tolist() == [2, 3, 3]
    assert point(HAND, "0.5*king").vector.tolist() == pytest.approx([0.4, 0, 0.3])


def test_how_a_word_is_found() -> None:
    assert resolved(HAND, "New York").numbers == (4,)
    assert resolved(HAND, "KING").numbers == (2,)
    with pytest.raises(BadInput, match=r"written most like it: king"):
        resolved(HAND, "KING", lower=False)
    with pytest.raises(BadInput, match=r"queen"):
        resolved(HAND, "quen")
    with pytest.raises(BadInput, match=r"king - man"):
        resolved(HAND, "king-man")
    with pytest.raises(BadInput, match=r"nor is any written like it"):
        resolved(HAND, "☃")
    with pytest.raises(BadInput, match=r"zero"):
        resolved(HAND, "nothing")
    with pytest.raises(BadInput) as caught:
        resolved(HAND, "king" * 1000)
    assert len(caught.value.facts["word"]) == 81
    capital = Vectors(["Paris", "paris"], np.eye(2))
    assert [resolved(capital, word).numbers for word in ("Paris", "paris")] == [(0,), (1,)]


@pytest.mark.parametrize("text", ["king - king", "man + 2(woman - woman) - man", "0*king"])
def test_nothing_left(text: str) -> None:
    with pytest.raises(BadInput, match="Nothing is left"):
        point(HAND, text)


def test_spellings_of_many_words() -> None:
    words = [f"word{at}" for at in range(50_000)] + ["neighbour"]
    assert spellings(words, "nieghbour")[0] == "neighbour"
    assert spellings(["skin", "sign", "king"], "kign")[0] == "king"
    assert spellings([], "x") == []


@pytest.mark.parametrize("count", [1, 7, 211, 500])
def test_neighbours_as_a_slow_twin_finds_them(count: int) -> None:
    vectors = made()
    asked = point(vectors, "w3 - 0.5*w100")
    slow = {
        w: slow_cosine(row, asked.vector.tolist()) for w, row in zip(vectors.words, vectors.table.tolist(), strict=True)
    }
    order = sorted((w for w in slow if w not in ("w3", "w100")), key=lambda w: -slow[w])
    found = near(vectors, asked.vector, count, asked.numbers)
    assert [each.word for each in found] == order[:count]
    assert [each.cosine for each in found] == pytest.approx([slow[w] for w in order[:count]], abs=1e-12)


def test_of_equals_the_earlier_comes_first() -> None:
    vectors = Vectors(["a", "b", "c"], np.array([[1, 0], [2, 0], [3, 0]], dtype=np.float32))
    assert [each.word for each in near(vectors, np.array([1.0, 0]), 3)] == ["a", "b", "c"]


def test_some_rows_of_a_table_in_half_precision() -> None:
    table = np.random.default_rng(0).normal(size=(23, 5)).astype(np.float16)
    rows = np.array([2, 3, 5, 7, 11, 13, 17, 19])
    some = Vectors([f"w{row}" for row in rows], table, rows)
    same = Vectors(some.words, table[rows].astype(np.float32))
    asked = point(same, "w5 - w19")
    assert np.array_equal(point(some, "w5 - w19").vector, asked.vector)
    assert near(some, asked.vector, 4) == near(same, asked.vector, 4)
    assert some.first(3).words == ["w2", "w3", "w5"]
    assert np.array_equal(some.first(3).take([2]), same.take([2]))


def test_a_direction_by_hand() -> None:
    found = direction(HAND, [("man", "woman"), ("king", "queen")])
    assert found.vector.tolist() == pytest.approx([-math.sqrt(0.5), math.sqrt(0.5), 0])
    assert [pair.cosine for pair in found.pairs] == pytest.approx([1, 1])
    assert direction(HAND, [("man", "woman")]).pairs[0].cosine is None
    along, against = found.ends(HAND, 5)
    assert [each.word for each in along] == ["new_york"]
    assert along[0].cosine == against[0].cosine == 0


def test_each_pair_is_held_against_the_others() -> None:
    vectors = made()
    pairs = [("w0", "w1"), ("w2", "w3"), ("w5", "w7")]
    units = {word: vectors.take([vectors.index[word]])[0].astype(float) for pair in pairs for word in pair}
    steps = [units[b] / np.linalg.norm(units[b]) - units[a] / np.linalg.norm(units[a]) for a, b in pairs]
    expected = [slow_cosine(steps[at], sum(steps) - steps[at]) for at in range(3)]
    assert [pair.cosine for pair in direction(vectors, pairs).pairs] == pytest.approx(expected)


@pytest.mark.parametrize(
    ("pairs", "complaint"),
    [
        ([], "at least one pair"),
        ([("man", "man")], "one vector"),
        ([("man", "king"), ("king", "man")], "take each other"),
    ],
)
def test_no_direction(pairs: list[tuple[str, str]], complaint: str) -> None:
    with pytest.raises(BadInput, match=complaint):
        direction(HAND, pairs)


def test_pairs_as_they_are_typed() -> None:
    assert pairs_of("man:woman，small ： big") == [("man", "woman"), ("small", "big")]
    for text in ("man", "man:", "a:b:c", "a:b,"):
        with pytest.raises(BadInput, match="no pair"):
            pairs_of(text)


def slow_answer(table: np.ndarray, question: Sequence[int], method: str, unit: bool) -> int:
    """One question at a time, every word in turn, in float64."""
    rows = table.astype(np.float64)
    ready = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    a, b, c = (ready[at] if unit or method == "mul" else rows[at] for at in question)
    scores = []
    for at, word in enumerate(ready):
        if method == "add":
            score = word @ (b - a + c)
        else:
            score = (word @ b + 1) / 2 * (word @ c + 1) / 2 / ((word @ a + 1) / 2 + 0.001)
        scores.append(-np.inf if at in question else score)
    return int(np.argmax(scores))


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("unit", [True, False])
@pytest.mark.parametrize("most", [19, 307])
def test_analogies_as_a_slow_twin_answers_them(
    method: str, unit: bool, most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of few words, each in many questions, and of more words than questions."""
    monkeypatch.setattr("regard.inspection.analogies._CELLS", 500)
    monkeypatch.setattr("regard.inspection.analogies._ROWS", 256)
    vectors = made(307, 5)
    asked = np.random.default_rng(2).integers(0, most, size=(61, 3))
    slow = [slow_answer(vectors.table, question, method, unit) for question in asked.tolist()]
    assert best(vectors, asked, method, unit).tolist() == slow


@pytest.mark.parametrize("method", METHODS)
def test_of_equal_answers_the_earlier_counts(method: str) -> None:
    vectors = made()
    table = np.vstack([vectors.table[:3], np.repeat(vectors.table[3:5], 101, axis=0)])
    twice = Vectors([f"w{at}" for at in range(len(table))], table)
    assert set(best(twice, np.array([[0, 1, 2], [2, 1, 0], [0, 0, 0]]), method, True).tolist()) <= {0, 1, 2, 3, 104}


def test_a_word_without_length_is_no_answer_and_asks_nothing() -> None:
    vectors = Vectors(HAND.words, HAND.table)
    assert best(vectors, np.array([[0, 1, 2], [5, 1, 2]]), "add", True).tolist() == [3, -1]
    assert best(vectors, np.array([[0, 1, 2]]), "mul", True).tolist() == [3]


def test_scores_by_section() -> None:
    sections = [
        Section("royal", [("man", "woman", "king", "queen"), ("woman", "man", "queen", "new_york")]),
        Section("unknown", [("man", "woman", "uncle", "aunt")]),
    ]
    one, other = answered(HAND, sections)
    assert (one.questions, one.asked, one.right, one.accuracy) == (2, 2, 1, 0.5)
    assert (other.questions, other.asked, other.right, other.accuracy) == (1, 0, 0, None)
    with pytest.raises(BadInput, match="none is of words"):
        answered(HAND, sections[1:])


def test_small_letters_are_asked_where_no_word_has_a_capital() -> None:
    section = [Section("", [("Man", "Woman", "King", "Queen")])]
    assert answered(HAND, section)[0].right == 1
    with pytest.raises(BadInput):
        answered(HAND, section, lower=False)


def test_a_plane_keeps_distances_that_lie_in_it() -> None:
    flat = (
        np.random.default_rng(4).normal(size=(11, 2))
        @ np.linalg.qr(np.random.default_rng(5).normal(size=(7, 7)))[0][:2]
    )
    found, shares = plane(flat)
    apart = np.linalg.norm(flat[:, None] - flat[None], axis=-1)
    assert np.linalg.norm(found[:, None] - found[None], axis=-1) == pytest.approx(apart)
    assert sum(shares) == pytest.approx(1)
    assert plane(np.ones((1, 5)))[0].tolist() == [[0, 0]]
    assert plane(np.ones((3, 5)))[1] == (0, 0)


def test_cosine_stays_within_its_bounds() -> None:
    long = np.full(7, 1 / 3)
    assert cosine(long, long * 7) == 1.0


def test_what_is_not_finite_is_no_answer_and_cannot_be_asked() -> None:
    table = np.array([[1, 0], [np.nan, 1], [np.inf, 0], [1, 1]], dtype=np.float32)
    vectors = Vectors(["a", "b", "c", "d"], table)
    assert [each.word for each in near(vectors, np.array([1.0, 0]), 9)] == ["a", "d"]
    for word in ("b", "c"):
        with pytest.raises(BadInput, match="only finite"):
            resolved(vectors, word)
    assert best(vectors, np.array([[0, 0, 0], [1, 0, 0]]), "add", True).tolist() == [3, -1]


@pytest.mark.parametrize("size", [1e-30, 1e30])
def test_vectors_of_any_size_point_somewhere(size: float) -> None:
    vectors = Vectors(["a", "b"], np.array([[3, 4], [4, 3]], dtype=np.float32) * np.float32(size))
    assert near(vectors, np.array([3.0, 4.0]), 2) == [("a", pytest.approx(1)), ("b", pytest.approx(0.96))]
