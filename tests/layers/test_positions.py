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


def test_learned_is_one_hot_times_a_matrix() -> None:
    """Note 000: `W[x; p] = Wx·x + Wp·p`; with Wx the identity, Wp holds the learned vectors as columns."""
    one_hot, learned = positions.OneHot(5, 3), positions.Learned(5, 3)
    with torch.no_grad():
        one_hot.both.weight.copy_(torch.cat([torch.eye(3), learned.table.weight.T], dim=1))
    x, place = torch.randn(2, 4, 3), torch.tensor([[0, 1, 2, 3]])
    torch.testing.assert_close(one_hot(x, place), learned(x, place))
    w_x, w_p = one_hot.both.weight[:, :3], one_hot.both.weight[:, 3:]
    p = positions.one_hot(5)[2]
    torch.testing.assert_close(one_hot(x, place)[0, 2], w_x @ x[0, 2] + w_p @ p)


def test_halves_are_the_same_waves_in_another_order() -> None:
    turns, halves = positions.Sinusoidal(7, 6).wave, positions.Sinusoidal(7, 6, halves=True).wave
    assert torch.equal(halves, turns[:, [0, 2, 4, 1, 3, 5]])


@pytest.mark.parametrize("halves", [False, True])
def test_waves_of_a_model_that_reads_much_are_the_same_and_no_table_is_held(halves: bool) -> None:
    """A config may say a million positions without a gigabyte of waves that nobody reads."""
    held, computed = (positions.Sinusoidal(n, 6, halves=halves) for n in (4096, 1_000_000))
    place = torch.tensor([[0, 7, 4095], [3, 1, 4]])
    x = torch.randn(2, 3, 6)
    assert torch.equal(held(x, place), computed(x, place))
    assert (len(held.wave), len(computed.wave)) == (4096, 0)
    far = torch.tensor([[1_000_003]])
    assert math.isclose(computed(torch.zeros(1, 1, 6), far)[0, 0, 0].item(), math.sin(1_000_003), abs_tol=1e-6)


def test_rotary_by_hand() -> None:
    """d_head 4, place 3: pair (0, 2) is turned by 3 · 1, pair (1, 3) by 3 · 1/100."""
    turned = positions.Rotary(4)(torch.tensor([[3]]))(torch.tensor([[[[1.0, 2.0, 0.0, 0.0]]]])).flatten()
    expected = [math.cos(3), 2 * math.cos(0.03), math.sin(3), 2 * math.sin(0.03)]
    torch.testing.assert_close(turned, torch.tensor(expected))


def test_rotary_is_llamas() -> None:
    from transformers.models.llama.modeling_llama import apply_rotary_pos_emb

    torch.manual_seed(5)
    query, key, place = torch.randn(2, 3, 11, 6), torch.randn(2, 3, 11, 6), torch.arange(11)[None]
    angle = torch.cat([place[..., None] * positions.Rotary(6).rate] * 2, dim=-1)
    expected = apply_rotary_pos_emb(query, key, angle.cos(), angle.sin())
    turn = positions.Rotary(6)(place)
    torch.testing.assert_close((turn(query), turn(key)), expected)


def test_rotary_sees_distances_alone() -> None:
    torch.manual_seed(3)
    query, key, rotary = torch.randn(1, 1, 1, 10), torch.randn(1, 1, 1, 10), positions.Rotary(10, theta=500.0)

    def score(a: int, b: int) -> float:
        return float((rotary(torch.tensor([[a]]))(query) * rotary(torch.tensor([[b]]))(key)).sum())

    assert score(7, 4) == pytest.approx(score(103, 100), abs=1e-4)
    assert score(7, 4) != pytest.approx(score(7, 5), abs=1e-2)
