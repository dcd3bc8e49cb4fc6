"""`attend` against numbers that a reader can redo with a pencil."""

import math

import pytest
import torch
from torch import Tensor

from regard.core.attend import STEPS, attend, steps
from regard.core.masks import causal
from regard.core.scorers import Additive, Concat, General, Scorer, dot, scaled_dot

R = math.sqrt(0.5)
E = math.e
TANH_1 = 0.7615941559557649


def matrix(rows: list[list[float]]) -> Tensor:
    return torch.tensor(rows, dtype=torch.float64)


def test_note_003() -> None:
    """Returns, process, period: every step as the note writes it, to its six digits."""
    x = matrix([[1, 0], [0, 1], [1, 1]])
    key = x @ matrix([[R, R], [2 * R, 2 * R]]) - R
    seen = dict(steps(x, key, x))
    note = {
        "key": [[0, 0], [0.707107, 0.707107], [1.414214, 1.414214]],
        "scores": [[0, 0.707107, 1.414214], [0, 0.707107, 1.414214], [0, 1.414214, 2.828427]],
        "scaled": [[0, 0.5, 1], [0, 0.5, 1], [0, 1, 2]],
        "masked": [[0, 0.5, 1], [0, 0.5, 1], [0, 1, 2]],
        "weights": [[0.186324, 0.307196, 0.506480], [0.186324, 0.307196, 0.506480], [0.090031, 0.244728, 0.665241]],
        "context": [[0.692804, 0.813676], [0.692804, 0.813676], [0.755272, 0.909969]],
    }
    for step, rows in note.items():
        torch.testing.assert_close(seen[step], matrix(rows), atol=5e-7, rtol=0, msg=step)
    assert tuple(seen) == STEPS


def test_one_and_e() -> None:
    """Scores 0 and 1 give the weights [1, e] / (1 + e)."""
    seen = steps(matrix([[1]]), matrix([[0], [1]]), matrix([[1, 0], [0, 1]]))
    expected = matrix([[1 / (1 + E), E / (1 + E)]])
    torch.testing.assert_close(seen.weights, expected, atol=1e-15, rtol=0)
    torch.testing.assert_close(seen.context, expected, atol=1e-15, rtol=0)


def test_causal_by_hand() -> None:
    """Equal scores: each query takes the mean of what it may see."""
    context = attend(matrix([[0], [0], [0]]), matrix([[1], [2], [3]]), matrix([[6], [0], [3]]), mask=causal())
    torch.testing.assert_close(context, matrix([[6], [3], [3]]), atol=1e-15, rtol=0)


def general() -> Scorer:
    scorer = General(2, 3)
    scorer.key_to_query.weight.data = torch.tensor([[1.0, 2.0, 0.0], [0.0, 1.0, -1.0]])
    return scorer.double()


def additive() -> Scorer:
    scorer = Additive(2)
    scorer.v.data = torch.tensor([2.0, 3.0])
    return scorer.double()


def concat() -> Scorer:
    scorer = Concat(1, 2, 2)
    scorer.query_part.weight.data = torch.tensor([[1.0], [0.0]])
    scorer.key_part.weight.data = torch.tensor([[0.0, 0.0], [0.5, 0.0]])
    scorer.additive.v.data = torch.tensor([2.0, 3.0])
    return scorer.double()


@pytest.mark.parametrize(
    ("scorer", "query", "key", "score", "scale"),
    [
        (dot, [1, 2], [3, 4], 11, 1),  # 1·3 + 2·4
        (scaled_dot, [1, 2], [3, 4], 11, 1 / math.sqrt(2)),
        (general(), [3, 1], [1, 1, 2], 8, 1),  # Wk = [1 + 2, 1 − 2] = [3, −1]; 3·3 − 1·1
        (additive(), [1, 0], [0, 1], 5 * TANH_1, 1),  # 2·tanh 1 + 3·tanh 1
        (additive(), [1, 0], [-1, -1], -3 * TANH_1, 1),  # 2·tanh 0 + 3·tanh −1
        (concat(), [1], [2, 9], 5 * TANH_1, 1),  # W[q; k] = [1, ½·2]
        (concat(), [0], [-2, 9], -3 * TANH_1, 1),  # W[q; k] = [0, ½·−2]
    ],
)
def test_scorers(scorer: Scorer, query: list[float], key: list[float], score: float, scale: float) -> None:
    seen = steps(matrix([query]), matrix([key]), matrix([[1]]), scorer=scorer)
    torch.testing.assert_close(seen.scores, matrix([[score]]), atol=1e-14, rtol=0)
    torch.testing.assert_close(seen.scaled, matrix([[score * scale]]), atol=1e-14, rtol=0)


def test_a_scale_of_ones_own_replaces_the_scorers() -> None:
    query, key = matrix([[1, 2]]), matrix([[3, 4]])
    assert steps(query, key, key, scale=0.25).scaled.item() == 2.75
    assert steps(query, key, key, scale=0.0).scaled.item() == 0.0


def test_one_key_is_all_there_is() -> None:
    value = matrix([[2, 3, 5]])
    assert torch.equal(attend(matrix([[1e4], [-1e4]]), matrix([[7]]), value), value.expand(2, 3))
