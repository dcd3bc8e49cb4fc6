"""What heads are told to do, by hand."""

import numpy as np
import pytest

from regard.inspection.heads import moved, previous_token


def uniform(n: int) -> np.ndarray:
    return np.tril(np.ones((n, n))) / np.arange(1, n + 1)[:, None]


def test_a_head_that_looks_at_the_token_before_alone_has_1() -> None:
    pattern = np.eye(7, k=-1)
    pattern[0, 0] = 1
    assert previous_token(pattern) == 1
    assert previous_token(np.eye(7)) == 0


def test_an_even_head_has_the_mean_of_its_fractions() -> None:
    np.testing.assert_allclose(previous_token(uniform(5)), (1 / 2 + 1 / 3 + 1 / 4 + 1 / 5) / 4)
    assert float(previous_token(uniform(30))) == pytest.approx(0.1032, abs=1e-4)


def test_heads_are_told_apart_by_a_slow_twin() -> None:
    weights = np.random.default_rng(1).dirichlet(np.ones(7), size=(2, 3, 7)).astype(np.float32)
    slow = [[sum(float(w[i, i - 1]) for i in range(1, 7)) / 6 for w in layer] for layer in weights]
    np.testing.assert_allclose(previous_token(weights), slow, rtol=1e-6)


def test_a_single_token_has_none_before_it_and_an_oblong_is_refused() -> None:
    assert np.isnan(previous_token(np.ones((2, 1, 1)))).all()
    with pytest.raises(ValueError, match=r"\(3, 5\)"):
        previous_token(np.zeros((3, 5)))


def test_what_moved_is_a_share() -> None:
    before, after = np.eye(3), np.roll(np.eye(3), 1, axis=-1)
    assert moved(before, before) == 0
    assert moved(before, after) == 1
    np.testing.assert_allclose(moved(before, (before + after) / 2), 0.5)
