"""Windows of a text: the right places, the same at every asking, and never beyond the end."""

import numpy as np
import pytest
import torch

from regard.core.errors import BadInput
from regard.training.windows import Windows

IDS = np.random.default_rng(0).integers(0, 97, 101).astype(np.uint16)


def test_each_place_expects_the_id_after_it() -> None:
    windows = Windows(IDS, 7)
    batch = windows.batch(3, size=5, seed=11)
    assert batch.real is None
    assert batch.tokens == 35
    for row, start in enumerate(batch.examples):
        assert batch.inputs[0][row].tolist() == IDS[start : start + 7].tolist()
        assert batch.expected[row].tolist() == IDS[start + 1 : start + 8].tolist()


def test_a_batch_is_a_pure_function_of_seed_and_number() -> None:
    def drawn(number: int, seed: int) -> torch.Tensor:
        return Windows(IDS, 7).batch(number, size=13, seed=seed).inputs[0]

    assert torch.equal(drawn(2, 5), drawn(2, 5))
    assert not torch.equal(drawn(2, 5), drawn(3, 5))
    assert not torch.equal(drawn(2, 5), drawn(2, 6))


def test_every_place_is_drawn_the_first_and_the_last_too() -> None:
    starts = Windows(IDS, 7).batch(0, size=10_000, seed=1).examples
    assert set(starts.tolist()) == set(range(101 - 7))


def test_windows_one_after_another_expect_each_id_once() -> None:
    windows = Windows(IDS, 7)
    assert len(windows) == 14
    batch = windows.number(np.arange(14))
    assert batch.expected.flatten().tolist() == IDS[1:99].tolist()


def test_a_text_of_one_window_and_one_id_is_enough_and_less_is_not() -> None:
    assert len(Windows(IDS[:8], 7)) == 1
    with pytest.raises(BadInput) as caught:
        Windows(IDS[:7], 7, "validation")
    assert caught.value.code == "text_too_small"
    assert caught.value.facts == {"side": "validation", "tokens": 7, "needed": 8, "context": 7}
