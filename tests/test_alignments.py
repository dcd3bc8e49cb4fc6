"""Alignments as sets of links: scores by hand, symmetrisation against a slow twin, gold that does not fit."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from regard.core.errors import BadInput
from regard.text.alignments import (
    SYMMETRIES,
    Gold,
    Score,
    balanced,
    both_ways,
    read_gold,
    score,
    symmetrised,
    turned_gold,
    unnumbered,
)
from regard.text.pairs import Pairs

Links = set[tuple[int, int]]
LINKS = st.sets(st.tuples(st.integers(0, 4), st.integers(0, 6)), max_size=14)


def gold(sure: Links, possible: Links) -> Gold:
    return Gold(frozenset(sure), frozenset(sure | possible))


def test_the_score_by_hand() -> None:
    """Four links found, one of three sure ones and one possible: AER = 1 − (1 + 2) / (4 + 3)."""
    found = {(0, 0), (1, 2), (3, 3), (4, 4)}
    whole = score(found, gold({(0, 0), (1, 1), (2, 2)}, {(1, 2)}))
    assert whole == Score(links=4, sure=3, found_sure=1, found_possible=2)
    assert whole.aer == pytest.approx(4 / 7)
    assert (whole.precision, whole.recall) == (2 / 4, 1 / 3)


def test_scores_of_pairs_are_added_as_counts_not_averaged() -> None:
    one = score({(0, 0)}, gold({(0, 0)}, set()))
    other = score({(0, 0), (0, 1), (0, 2)}, gold({(1, 1)}, set()))
    assert (one + other).aer == pytest.approx(1 - (1 + 1) / (4 + 2))
    assert (one + other).json() == {"aer": pytest.approx(4 / 6), "precision": 1 / 4, "recall": 1 / 2}


def test_what_cannot_be_divided_is_no_number() -> None:
    assert Score().json() == {"aer": None, "precision": None, "recall": None}
    assert score(set(), gold({(0, 0)}, set())).json() == {"aer": 1.0, "precision": None, "recall": 0.0}


def test_growing_by_hand() -> None:
    """(2, 1) touches (1, 0) by a corner and brings word 2; (4, 4) touches nothing and both its words are free."""
    forward, backward = {(0, 0), (2, 1), (4, 4)}, {(0, 0), (1, 0), (2, 1), (4, 5)}
    assert symmetrised(forward, backward, "intersection") == [(0, 0), (2, 1)]
    assert symmetrised(forward, backward, "union") == [(0, 0), (1, 0), (2, 1), (4, 4), (4, 5)]
    assert symmetrised(forward, backward, "grow-diag") == [(0, 0), (1, 0), (2, 1)]
    assert symmetrised(forward, backward, "grow-diag-final-and") == [(0, 0), (1, 0), (2, 1), (4, 4)]
    assert symmetrised(backward, forward, "grow-diag-final-and")[-1] == (4, 5)
    assert symmetrised(forward, backward, "none") == sorted(forward)


def twin(forward: Links, backward: Links) -> Links:
    """Moses' manual, word by word: e is the target, f the source."""
    neighbouring = ((-1, 0), (0, -1), (1, 0), (0, 1), (-1, -1), (-1, 1), (1, -1), (1, 1))
    alignment = forward & backward
    added = True
    while added:
        added = False
        for e in range(7):
            for f in range(5):
                if (f, e) not in alignment:
                    continue
                for de, df in neighbouring:
                    new = (f + df, e + de)
                    free = all(a != new[0] for a, _ in alignment) or all(b != new[1] for _, b in alignment)
                    if free and new in forward | backward:
                        alignment = alignment | {new}
                        added = True
    for links in (forward, backward):
        for e in range(7):
            for f in range(5):
                free = all(a != f for a, _ in alignment) and all(b != e for _, b in alignment)
                if free and (f, e) in links:
                    alignment = alignment | {(f, e)}
    return alignment


@given(LINKS, LINKS)
def test_growing_is_the_twins(forward: Links, backward: Links) -> None:
    assert set(symmetrised(forward, backward, "grow-diag-final-and")) == twin(set(forward), set(backward))


@given(LINKS, LINKS)
def test_each_way_of_joining_lies_between_intersection_and_union(forward: Links, backward: Links) -> None:
    found = {how: set(symmetrised(forward, backward, how)) for how in SYMMETRIES}
    assert found["intersection"] <= found["grow-diag"] <= found["grow-diag-final-and"] <= found["union"]


def test_a_source_word_that_all_look_at_counts_for_less() -> None:
    weights = np.array([[0.6, 0.4, 0.0], [0.9, 0.1, 0.0], [0.8, 0.0, 0.2]])
    once = weights / np.array([2.3, 0.5, 0.2])
    np.testing.assert_allclose(balanced(weights), once / once.sum(axis=1, keepdims=True))
    assert balanced(weights)[[0, 2]].argmax(axis=1).tolist() == [1, 2]
    assert np.isfinite(balanced(np.zeros((2, 3)))).all()


def test_one_matrix_is_read_from_both_sides() -> None:
    weights = np.array([[0.7, 0.3], [0.6, 0.4], [0.95, 0.05]])
    assert both_ways(weights) == ([(0, 0), (0, 1), (0, 2)], [(0, 2), (1, 1)])
    assert both_ways(weights, threshold=0.65) == ([(0, 0), (0, 2)], [(0, 2)])


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "gold.txt"
    path.write_text(text)
    return path


def test_gold_with_numbers_and_turned_round(tmp_path: Path) -> None:
    path = written(tmp_path, "7\t0-1 2p0 \n8\t\n")
    expected = gold({(1, 0)}, {(0, 2)})
    assert read_gold(path, [(2, 3), (5, 5)], reverse=True) == [expected, gold(set(), set())]
    assert turned_gold(read_gold(path, [(3, 2), (5, 5)])) == [expected, gold(set(), set())]


@pytest.mark.parametrize(
    ("text", "code", "facts"),
    [
        ("0-0\n", "gold_lines", {"lines": 1, "pairs": 2}),
        ("0-0\n1-2 3p0\n", "gold_outside", {"line": 2, "item": "3-0", "source": 3, "target": 3}),
        ("0-0\n0-3\n", "gold_outside", {"line": 2, "item": "0-3"}),
        ("\n\n", "gold_empty", {}),
        ("0-0\n0–1\n", "pharaoh_malformed", {"line": 2}),
    ],
)
def test_gold_that_does_not_fit_is_refused(tmp_path: Path, text: str, code: str, facts: dict[str, object]) -> None:
    with pytest.raises(BadInput) as error:
        read_gold(written(tmp_path, text), [(2, 2), (3, 3)])
    assert error.value.code == code
    assert facts.items() <= error.value.facts.items()


def test_numbers_before_both_sides_go_and_others_stay() -> None:
    assert unnumbered(Pairs(["0\ta b", "1\tc"], ["0\tx", "1\t"], [1, 2])) == Pairs(["a b", "c"], ["x", ""], [1, 2])
    other = Pairs(["0\ta", "1\tc"], ["0\tx", "2\ty"], [1, 2])
    assert unnumbered(other) is other
