"""`attend` against torch's own attention, which others wrote."""

import pytest
import torch
from drawn import law, masks, qkv
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention

from regard.core.attend import attend, steps
from regard.core.masks import allowed, causal, of, padding

TOLERANCE = {torch.float32: 1e-5, torch.float64: 1e-12}


def close(a: Tensor, b: Tensor) -> None:
    torch.testing.assert_close(a, b, atol=TOLERANCE[a.dtype], rtol=0)


@pytest.mark.parametrize("dtype", TOLERANCE)
@law
@given(data=st.data(), scale=st.none() | st.floats(0, 2))
def test_equals_scaled_dot_product_attention(dtype: torch.dtype, data: st.DataObject, scale: float | None) -> None:
    """With any mask, blind queries included (torch gives zeros for them too), with its gradients."""
    query, key, value = data.draw(qkv(dtype=dtype))
    mask = data.draw(masks(query.shape[-2], key.shape[-2]))()
    matrix = allowed(mask, (query.shape[-2], key.shape[-2]), query.device)
    ours, theirs = ([t.clone().requires_grad_() for t in (query, key, value)] for _ in range(2))
    context = attend(*ours, mask=mask, scale=scale)
    foreign = scaled_dot_product_attention(*theirs, attn_mask=matrix, scale=scale)
    close(context, foreign)
    gradients = torch.autograd.grad(context.sin().sum(), ours)
    for ours_, theirs_ in zip(gradients, torch.autograd.grad(foreign.sin().sum(), theirs), strict=True):
        close(ours_, theirs_)


@pytest.mark.parametrize("dtype", TOLERANCE)
def test_causal_equals_torchs_is_causal(dtype: torch.dtype) -> None:
    query, key, value = (torch.randn(2, 3, 7, d, dtype=dtype) for d in (5, 5, 11))
    close(attend(query, key, value, mask=causal()), scaled_dot_product_attention(query, key, value, is_causal=True))


def heads(module: nn.MultiheadAttention, x: Tensor, part: int) -> Tensor:
    """Part 0 query, 1 key, 2 value: projected by the module's own weights, (batch, heads, positions, d_head)."""
    width = module.embed_dim
    if module.in_proj_weight is not None:
        weight = module.in_proj_weight[part * width : (part + 1) * width]
    else:
        weight = (module.q_proj_weight, module.k_proj_weight, module.v_proj_weight)[part]
    projected = nn.functional.linear(x, weight, module.in_proj_bias[part * width : (part + 1) * width])
    return projected.unflatten(-1, (module.num_heads, -1)).transpose(-2, -3)


def forbidden(mask: Tensor) -> Tensor:
    """The one border to `nn.MultiheadAttention`, where True means may *not*."""
    return ~mask


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("widths", [(15, 15), (7, 11)], ids=["self", "cross"])
@pytest.mark.parametrize("hidden", ["nothing", "matrix", "padding", "both"])
def test_equals_multihead_attention(dtype: torch.dtype, widths: tuple[int, int], hidden: str) -> None:
    """Its output and each head's weights, from the same parameters."""
    torch.manual_seed(43)
    module = nn.MultiheadAttention(15, 3, kdim=widths[0], vdim=widths[1], batch_first=True, dtype=dtype).eval()
    nn.init.normal_(module.in_proj_bias)
    nn.init.normal_(module.out_proj.bias)
    x, source, told = (torch.randn(2, n, d, dtype=dtype) for n, d in ((5, 15), (7, widths[0]), (7, widths[1])))
    matrix = torch.rand(5, 7) > 0.4
    real = torch.arange(7) < torch.tensor([[4], [7]])
    matrix[:, 0] = True  # no blind query here: torch's module gives NaN for those
    matrix, real = (
        matrix if hidden in ("matrix", "both") else torch.ones(5, 7, dtype=torch.bool),
        real if hidden in ("padding", "both") else torch.ones(2, 7, dtype=torch.bool),
    )
    output, weights = module(
        x, source, told, attn_mask=forbidden(matrix), key_padding_mask=forbidden(real), average_attn_weights=False
    )
    mask = of(matrix) & padding(real[:, None])
    seen = steps(heads(module, x, 0), heads(module, source, 1), heads(module, told, 2), mask=mask)
    close(seen.weights, weights)
    close(module.out_proj(seen.context.transpose(-2, -3).flatten(-2)), output)
