"""Biases: ALiBi's numbers by hand; added after the scale, in the plain and in the fused path alike."""

import pytest
import torch
from drawn import law, masks, qkv
from hypothesis import given
from hypothesis import strategies as st

from regard.core.attend import attend, steps
from regard.core.biases import alibi
from regard.core.fused import fused
from regard.core.masks import causal


def test_alibi_by_hand() -> None:
    """Four heads: slopes 1/4, 1/16, 1/64, 1/256; the last query of three keys is 2, 1 and 0 positions away."""
    values = alibi(4).values(1, 3)
    assert values.tolist() == [[[-2 * s, -s, 0]] for s in (1 / 4, 1 / 16, 1 / 64, 1 / 256)]


def test_a_count_that_is_no_power_of_two() -> None:
    """Press et al. §A: for 3 heads those of 2 (1/16, 1/256), then the first of 4's odd ones (1/4)."""
    assert [-float(each) for each in alibi(3).values(1, 2)[:, 0, 0]] == [1 / 16, 1 / 256, 1 / 4]


def test_bias_comes_after_the_scale() -> None:
    x = torch.eye(2)
    assert steps(x, x, x, scale=10.0, bias=torch.tensor([[0.0, 3.0]])).scaled.tolist() == [[10, 3], [0, 13]]


@pytest.mark.parametrize("mask", [None, causal()])
def test_a_large_bias_decides(mask: object) -> None:
    x = torch.randn(1, 4, 3, 2, dtype=torch.float64)
    near = attend(x, x, x, bias=alibi(4), mask=mask)
    assert not torch.equal(near, attend(x, x, x, mask=mask))


@law
@given(data=st.data())
def test_fused_equals_plain(data: st.DataObject) -> None:
    query, key, value = data.draw(qkv())
    sizes = query.shape[-2], key.shape[-2]
    bias, mask = torch.randn(sizes, dtype=torch.float64), data.draw(masks(*sizes))()
    plain = attend(query, key, value, bias=bias, mask=mask)
    torch.testing.assert_close(fused(query, key, value, bias=bias, mask=mask), plain, atol=1e-12, rtol=0)
