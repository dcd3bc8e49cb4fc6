"""Pairs, AUC, ways and choices, held against slow twins and against numbers made by hand."""

from itertools import combinations

import numpy as np
import pytest

from regard.inspection.meaning import cosines
from regard.inspection.senses import Labels, Layer, alike, auc, layer_of, pairs, parted, paths
from regard.inspection.senses_choice import chance, choose
from regard.text.occurrences import Occurrence

RANDOM = np.random.default_rng(7)


def occurrences(*told: tuple[str, str]) -> list[Occurrence]:
    return [Occurrence(word, 0, label, word, (0, len(word))) for word, label in told]


def same(one: str, other: str) -> int:
    """The rule of labels, slowly."""
    if not one or not other or (one[0] == other[0] == "!"):
        return -1
    if "!" in (one[0], other[0]):
        return 0 if one.strip("!") == other.strip("!") else -1
    return int(one == other)


def test_pairs_are_of_one_word_and_labels_tell() -> None:
    told = [
        ("a", "x"),
        ("B", "x"),
        ("A", "x"),
        ("b", "!x"),
        ("a", ""),
        ("a", "y"),
        ("a", "!y"),
        ("c", "x"),
        ("b", "!x"),
    ]
    found = pairs(occurrences(*told))
    expected = {
        (one, other): same(told[one][1], told[other][1])
        for one, other in combinations(range(len(told)), 2)
        if told[one][0].lower() == told[other][0].lower()
    }
    assert dict(zip(zip(found.first.tolist(), found.second.tolist(), strict=True), found.same, strict=True)) == expected
    assert found.words == ("a", "b", "c")
    assert found.told == (1, 5)


def test_auc_is_a_count_of_comparisons() -> None:
    values, kinds = RANDOM.integers(0, 5, 41).astype(float), RANDOM.integers(-1, 2, 41)
    wins = [(one > other) + 0.5 * (one == other) for one in values[kinds == 1] for other in values[kinds == 0]]
    assert auc(values, kinds) == pytest.approx(np.mean(wins), abs=1e-12)
    assert auc(values, np.ones(41)) is None
    assert auc(values, -np.ones(41)) is None
    assert auc(np.array([np.nan, 0.5, 0.1]), np.array([1, 1, 0])) == 1.0


def test_equal_vectors_are_a_tie() -> None:
    """In 32 bits the cosine of a vector with itself is not quite 1; that must tell nothing."""
    vectors = np.repeat(RANDOM.normal(size=(1, 13)).astype(np.float32), 4, axis=0)
    of = pairs(occurrences(("a", "x"), ("a", "x"), ("a", "y"), ("a", "y")))
    assert (alike(vectors, of) == 1).all()
    assert auc(alike(vectors, of), of.same) == 0.5


def test_a_layer_by_hand() -> None:
    vectors = np.array([[1.0, 0.0], [2.0, 0.0], [0.0, 3.0], [4.0, 4.0]])
    of = pairs(occurrences(("a", "x"), ("a", "x"), ("a", "y"), ("a", "")))
    layer = layer_of(2, alike(vectors, of), of.same)
    assert (layer.auc, layer.same, layer.different) == (1.0, 1.0, 0.0)
    assert layer.every == pytest.approx((1 + 3 * np.sqrt(0.5)) / 6)
    assert layer.apart == 1.0
    bare = layer_of(2, alike(vectors, of), np.full(6, -1))
    assert (bare.auc, bare.same, bare.different) == (None, None, None)
    assert bare.apart == pytest.approx(1 - layer.every)


def test_where_senses_part() -> None:
    told = [
        Layer(n, each, 0.9, 0.9 - far, 0.5)
        for n, (each, far) in enumerate([(0.5, 0), (0.6, 0.1), (0.9, 0.2), (1, 0.7)])
    ]
    assert parted(told) == 2
    assert parted([Layer(n, None, None, None, each) for n, each in enumerate([1.0, 0.2, 0.1])]) == 1


def test_ways_begin_at_one_point_and_keep_their_distances() -> None:
    start, rest = np.ones((1, 5, 3)), RANDOM.normal(size=(4, 5, 3))
    rest[..., 2] = 0.0
    found = paths(np.concatenate([start, rest]))
    assert np.abs(found.points[0]).max() < 1e-12
    assert found.points.shape == (5, 5, 2)
    assert sum(found.shares) == pytest.approx(1)  # three numbers, one of them nothing: a plane shows all
    unit = rest / np.linalg.norm(rest, axis=-1, keepdims=True)
    for stage, points in zip(unit, found.points[1:], strict=True):
        apart = np.sqrt(np.maximum(0, 2 - 2 * cosines(stage)))
        shown = np.linalg.norm(points[:, None] - points[None], axis=-1)
        np.testing.assert_allclose(shown, apart, atol=1e-9)
    assert not paths(start).points.any()


def planted(words: int, strength: float) -> tuple[list[Occurrence], np.ndarray]:
    """Words of two senses, six occurrences each; only the second of three layers knows the senses."""
    told = occurrences(*((f"w{word:02d}", "xy"[at % 2]) for word in range(words) for at in range(6)))
    vectors = RANDOM.normal(size=(4, len(told), 17))
    vectors[2] += np.outer([1 if each.label == "x" else -1 for each in told], np.ones(17)) * strength
    return told, vectors


def test_a_layer_is_chosen_on_half_of_the_words() -> None:
    told, vectors = planted(23, 1.5)
    of = pairs(told)
    found = choose(np.stack([alike(each, of) for each in vectors]), of)
    assert found is not None
    assert (found.layer, found.choosing.words, found.held.words) == (2, 12, 11)
    assert (found.held.same, found.held.different) == (11 * 6, 11 * 9)
    assert found.held.auc > 0.95
    assert abs(found.before - 0.5) < 0.1
    assert found.interval[0] < found.held.auc - found.before < found.interval[1]
    odd = {word for at, word in enumerate(of.words) if at % 2}
    kept = [at for at, each in enumerate(told) if each.word in odd]
    alone = pairs([told[at] for at in kept])
    before, after = (auc(alike(vectors[layer][kept], alone), alone.same) for layer in (0, 2))
    assert (found.before, found.held.auc) == (before, after)


def test_one_word_has_no_halves() -> None:
    told, vectors = planted(1, 1.0)
    of = pairs(told)
    assert choose(np.stack([alike(each, of) for each in vectors]), of) is None


@pytest.mark.parametrize(("strength", "low", "high"), [(1.5, 0.0, 0.01), (0.0, 0.05, 1.0)])
def test_chance_is_told(strength: float, low: float, high: float) -> None:
    told, vectors = planted(5, strength)
    of = pairs(told)
    found = chance(np.stack([alike(each, of) for each in vectors]), of, [each.label for each in told])
    assert found is not None
    assert low < found <= high


def test_labels_are_shuffled_within_a_word_alone() -> None:
    """Where a word has one sense only, no shuffle changes anything: p is 1."""
    told = occurrences(*((word, word) for word in "aaabbb"))
    of = pairs([*told, *occurrences(("c", "x"), ("c", "y"))])
    cosines_ = np.stack([RANDOM.random(len(of.same)) for _ in range(3)])
    assert chance(cosines_, of, [*(each.label for each in told), "x", "y"]) == 1.0
    assert chance(cosines_, of, [""] * 8) is not None


def test_labels_drawn_again() -> None:
    labels = Labels.of(["x", "y", "!x"])
    assert labels.drawn(np.array([2, 0, 1])).same(np.array([0, 1]), np.array([1, 2])).tolist() == [0, 0]
