"""Fused equals plain: the same function from another kernel, with the same mask value."""

import pytest
import torch
from drawn import law, masks, qkv
from hypothesis import given
from hypothesis import strategies as st
from refused import refused
from torch import Tensor

from regard.core import fused as module
from regard.core.attend import attend
from regard.core.errors import BadInput
from regard.core.fused import fused
from regard.core.masks import Mask, causal, window

TOLERANCE = {torch.float16: 5e-3, torch.bfloat16: 4e-2, torch.float32: 1e-5, torch.float64: 1e-12}


def close(a: Tensor, b: Tensor) -> None:
    assert a.dtype == b.dtype
    torch.testing.assert_close(a, b, atol=TOLERANCE[a.dtype], rtol=0)


@pytest.mark.parametrize("dtype", TOLERANCE)
@law
@given(data=st.data(), scale=st.none() | st.floats(0, 1))
def test_fused_equals_plain(dtype: torch.dtype, data: st.DataObject, scale: float | None) -> None:
    """With any mask and any leading axes; nothing to ask and nothing to see included."""
    query, key, value = data.draw(qkv(dtype=dtype, least=0))
    sizes = query.shape[-2], key.shape[-2]
    mask = data.draw(masks(*sizes))() if min(sizes) else data.draw(st.sampled_from([None, causal()]))
    close(fused(query, key, value, scale=scale, mask=mask), attend(query, key, value, scale=scale, mask=mask))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@law
@given(data=st.data())
def test_gradients_are_the_same(dtype: torch.dtype, data: st.DataObject) -> None:
    given_ = [t.requires_grad_() for t in data.draw(qkv(dtype=dtype))]
    mask = data.draw(masks(given_[0].shape[-2], given_[1].shape[-2]))()
    plain, fast = (torch.autograd.grad(path(*given_, mask=mask).sin().sum(), given_) for path in (attend, fused))
    for a, b in zip(plain, fast, strict=True):
        close(a, b)


@pytest.mark.parametrize("leading", [(), (2,), (2, 3), (2, 3, 5), (0,)])
@pytest.mark.parametrize("mask", [None, causal(), window(2)])
def test_leading_axes_of_any_number(leading: tuple[int, ...], mask: Mask | None) -> None:
    query, key, value = (torch.randn(*leading, n, 5) for n in (7, 7, 7))
    close(fused(query, key, value, mask=mask), attend(query, key, value, mask=mask))


@pytest.mark.parametrize("mask", [None, causal(), window(2)])
def test_one_memory_for_all(mask: Mask | None) -> None:
    query, key, value = torch.randn(2, 3, 7, 5), torch.randn(3, 7, 5), torch.randn(1, 7, 11)
    close(fused(query, key, value, mask=mask), attend(query, key, value, mask=mask))


def test_causal_builds_no_matrix(monkeypatch: pytest.MonkeyPatch) -> None:
    """As long as queries and keys are the same; a cached step needs its row."""
    query, key = torch.randn(2, 7, 5), torch.randn(2, 7, 5)
    expected, step = attend(query, key, key, mask=causal()), attend(query[:, :3], key, key, mask=causal())
    close(fused(query[:, :3], key, key, mask=causal()), step)
    monkeypatch.setattr(type(causal()), "allows", lambda *_: pytest.fail("a matrix was built"))
    close(fused(query, key, key, mask=causal()), expected)


def test_blind_queries_give_zero_whatever_the_kernel_does(monkeypatch: pytest.MonkeyPatch) -> None:
    """Kernels for other devices differ on such rows; this one gives NaN."""

    def naive(query: Tensor, key: Tensor, value: Tensor, *, attn_mask: Tensor, scale: float | None) -> Tensor:
        return torch.softmax((query @ key.mT).masked_fill(~attn_mask, float("-inf")), dim=-1) @ value

    monkeypatch.setattr(module, "scaled_dot_product_attention", naive)
    given_ = [torch.randn(n, 5, requires_grad=True) for n in (3, 7, 7)]
    sees = torch.tensor([True, False, True])
    context = fused(*given_, mask=sees[:, None])
    close(context, attend(*given_, scale=1.0, mask=sees[:, None]))
    for gradient in torch.autograd.grad(context.sum(), given_):
        assert gradient.isfinite().all()


def test_fused_refuses_what_plain_refuses() -> None:
    query, key = torch.randn(3, 5), torch.randn(7, 5)
    with refused("attend_keys", BadInput, key=[7, 5], value=[6, 5]):
        fused(query, key, key[:6])
    with refused("attend_widths", BadInput, query=[3, 4], key=[7, 5]):
        fused(query[:, :4], key, key)
    with refused("mask_not_bool", BadInput, dtype="float32"):
        fused(query, key, key, mask=torch.zeros(3, 7))
    with refused("mask_shape", BadInput, mask=[7, 3], scores=[3, 7]):
        fused(query, key, key, mask=torch.ones(7, 3, dtype=torch.bool))


@pytest.mark.parametrize("mask", [causal(), window(31)])
def test_where_nothing_is_learned_16_bits_do_not_round_scores(mask: Mask) -> None:
    """Scores of 60 are off by a quarter in bf16, and weights by as much: nobody who looks could tell what was seen."""
    torch.manual_seed(7)
    query, key, value = (torch.randn(3, 97, 13).bfloat16() for _ in range(3))
    query *= 8
    exact = attend(*(each.double() for each in (query, key, value)), mask=mask)
    with torch.inference_mode():
        came = fused(query, key, value, mask=mask)
    assert (came - exact).abs().max() / exact.abs().max() < 6e-3
    learned = fused(query.requires_grad_(), key, value, mask=mask)
    torch.testing.assert_close(learned.double(), exact, atol=0.2, rtol=0)
