"""Readings equal numbers computed by hand on a toy of two layers and two tokens."""

import pytest
import torch

from regard.inspection.readings import Mixing, flow, norm, relevance, rollout, weight

HALF = slice(0, 2)


def layer(weights: list, gradient: list | None = None, columns: slice = HALF, rows: slice = HALF) -> Mixing:
    """One head, whose values are 3 and 4 along the first axis, 0 and 4 along the second."""
    value = torch.tensor([[[3.0, 0.0], [3.0, 4.0]]])
    return Mixing(rows, columns, torch.tensor([weights]), value, None if gradient is None else torch.tensor([gradient]))


TWO = [
    layer([[1.0, 0.0], [0.5, 0.5]], [[1.0, 1.0], [2.0, -1.0]]),
    layer([[1.0, 0.0], [0.25, 0.75]], [[0.0, 0.0], [4.0, 2.0]]),
]


def test_weight_and_norm() -> None:
    """Norms of the values are 3 and 5."""
    assert weight(TWO, 1).tolist() == [0.375, 0.625]
    assert norm(TWO, 1).tolist() == pytest.approx([0.375 * 3, 0.625 * 5])


def test_heads_that_cancel_have_no_norm() -> None:
    """Heads are added within the norm, after their values and the output matrix."""
    weights, value = torch.full((2, 1, 1), 0.5), torch.tensor([[[2.0, 0.0]], [[-2.0, 0.0]]])
    joined, unknown = (Mixing(slice(0, 1), slice(0, 1), weights, each) for each in (value, None))
    assert norm([joined], 0).tolist() == [0]
    assert norm([joined, unknown], 0) is None


def test_rollout() -> None:
    """½A + ½I: (1 0, ¼ ¾) and then (1 0, ⅛ ⅞): the last token has ⅛ + ⅞·¼ of the first."""
    assert rollout(TWO, 2).tolist() == [[1, 0], [0.34375, 0.65625]]


def test_flow() -> None:
    """To the first: ⅛ through it, and ¼ at most through the second. To the second: ¾ of the ⅞ that go on."""
    assert flow(TWO, 2, 1, [0, 1]).tolist() == pytest.approx([0.375, 0.75], abs=1e-8)
    assert flow(TWO, 2, 0, [0, 1]).tolist() == [1, 0]


def test_a_flow_through_too_many_edges_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three weights and two that stay, in each of two layers, to two keys: 20."""
    monkeypatch.setattr("regard.inspection.readings.MOST_FLOW", 19)
    assert flow(TWO, 2, 1, [0, 1]) is None
    monkeypatch.setattr("regard.inspection.readings.MOST_FLOW", 20)
    assert flow(TWO, 2, 1, [0, 1]) is not None


def test_gradients() -> None:
    """A∘∂ without negatives: (1 0, 1 0), then (0 0, 1 1½). R: (2 0, 1 1); then (1 1) + (2 0) + 1½·(1 1)."""
    assert relevance(TWO, 2).tolist() == [[2, 0], [4.5, 2.5]]


def test_a_translator_takes_from_its_source() -> None:
    """Two source tokens, one that is written: an encoder's attention, the written one's own, and the cross one."""
    encoder = layer([[1.0, 0.0], [0.5, 0.5]], [[0.0, 0.0], [4.0, 0.0]])
    one, value = slice(2, 3), torch.ones(1, 1, 2)
    own = Mixing(one, one, torch.ones(1, 1, 1), value, torch.full((1, 1, 1), 3.0))
    cross = Mixing(one, HALF, torch.tensor([[[0.25, 0.75]]]), torch.ones(1, 2, 2), torch.tensor([[[8.0, 4.0]]]))
    mixed = rollout([encoder, own, cross], 3)[2]
    assert mixed.tolist() == pytest.approx([(0.25 + 0.75 * 0.25) / 2, 0.75 * 0.75 / 2, 0.5])
    # both ways to the first: ⅛ and at most ¼ of the ⅜ that reach the second; to the second ⅜, no more than ¾
    assert flow([encoder, own, cross], 3, 2, [0, 1, 2]).tolist() == pytest.approx([0.375, 0.375, 0.5], abs=1e-8)
    # R of the source: (1 0, 2 1), made even: (1 0, 1 1); of the written one 4, made even 2; Ā = (2 3)
    assert relevance([encoder, own, cross], 3)[2].tolist() == [10, 6, 4]
