"""Positions: by hand, and by the formula of the paper written out number by number."""

import math

import pytest
import torch

from regard.layers import positions


def test_one_hot_by_hand() -> None:
    assert positions.one_hot(3).tolist() == [[1, 0, 0], [0, 1, 0], [0, 0, 1]]


def test_index_by_hand() -> None:
    assert positions.index(3).tolist() == [[0], [1], [2]]


def test_sinusoidal_by_hand() -> None:
    """d_model 4: wavelengths 2π and 100·2π (10000^(2/4) = 100)."""
    expected = [[0, 1, 0, 1], [0.841471, 0.540302, 0.010000, 0.999950], [0.909297, -0.416147, 0.019999, 0.999800]]
    got = positions.sinusoidal(3, 4, dtype=torch.float64)
    torch.testing.assert_close(got, torch.tensor(expected, dtype=torch.float64), atol=5e-7, rtol=0)


@pytest.mark.parametrize("d_model", [1, 2, 5, 7])
def test_sinusoidal_is_vaswanis(d_model: int) -> None:
    """§3.5: PE(pos, 2i) = sin(pos / 10000^(2i/d)), PE(pos, 2i+1) = cos of the same; also where d_model is odd."""
    got = positions.sinusoidal(11, d_model, dtype=torch.float64)
    for place in range(11):
        for at in range(d_model):
            angle = place / 10000 ** (2 * (at // 2) / d_model)
            assert math.isclose(got[place, at].item(), (math.sin, math.cos)[at % 2](angle), abs_tol=1e-12)


def test_far_positions_stay_exact() -> None:
    """In float32 the angle 1,000,003 itself would be off by 0.06."""
    assert math.isclose(positions.sinusoidal(1_000_004, 1)[-1, 0].item(), math.sin(1_000_003), abs_tol=1e-6)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_dtype_is_what_was_asked_for(dtype: torch.dtype) -> None:
    made = (positions.one_hot(2, dtype=dtype), positions.index(2, dtype=dtype), positions.sinusoidal(2, 3, dtype=dtype))
    assert {each.dtype for each in made} == {dtype}
