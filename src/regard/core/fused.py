"""The fused path: the same context as `attend`, from torch's own kernel, with no step in view."""

import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention

from regard.core.biases import Bias, matrix
from regard.core.checks import check_shapes
from regard.core.masks import Mask, allowed, causal
from regard.core.scorers import scaled_dot

SHORT = 512
"""Up to so many keys, bf16 products on a processor are faster one by one than in torch's kernel (0.8 against 5.1 ms
at 48 × 64 × 32, 16 against 32 ms at 96 × 256 × 64, forward and backward)."""


def fused(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    *,
    scale: float | None = None,
    bias: Bias | Tensor | None = None,
    mask: Mask | Tensor | None = None,
) -> Tensor:
    """Dot-product attention in one kernel; equals `attend` with `scaled_dot` within the float's precision.

    Args are those of `attend`; the mask is the same value, so that looking never changes what is computed.
    A query that may see nothing gets zeros, as in `attend`; hidden scores must be finite (`attend` allows any).
    """
    check_shapes(query, key, value, scaled_dot)
    queries, keys = query.shape[-2], key.shape[-2]
    added = matrix(bias, queries, keys, query)
    if added is None and isinstance(mask, Mask) and mask == causal() and queries in (1, keys):
        # the kernel's own rule: no matrix is built; one query at the end of the keys sees all of them
        short = 1 < queries == keys <= SHORT and query.shape == key.shape and key.shape[:-1] == value.shape[:-1]
        if short and query.dtype == torch.bfloat16 and query.is_cpu:
            return _by_products(query, key, value, scale)
        return scaled_dot_product_attention(query, key, value, is_causal=queries == keys > 1, scale=scale)
    leading = torch.broadcast_shapes(query.shape[:-2], key.shape[:-2])
    seen = allowed(mask, (*leading, queries, keys), query.device)
    if seen is None:
        return scaled_dot_product_attention(query, key, value, attn_mask=added, scale=scale)
    blind = ~seen.any(-1, keepdim=True)  # kernels differ on such rows: they look everywhere, then are zeroed
    open_ = seen | blind
    if added is not None:
        open_ = torch.where(open_, added, float("-inf"))
    context = scaled_dot_product_attention(query, key, value, attn_mask=open_, scale=scale)
    return context.masked_fill(blind, 0.0)


def _by_products(query: Tensor, key: Tensor, value: Tensor, scale: float | None) -> Tensor:
    """Causal attention of equal counts as two batched products with the mask as what the first one adds to."""
    n, factor = query.shape[-2], query.shape[-1] ** -0.5 if scale is None else scale
    hidden = torch.full((n, n), float("-inf"), dtype=query.dtype, device=query.device).triu(1)
    flat = [each.reshape(-1, n, each.shape[-1]) for each in (query, key, value)]
    weights = torch.baddbmm(hidden, flat[0], flat[1].transpose(1, 2), alpha=factor).softmax(-1)
    return torch.bmm(weights, flat[2]).view(*value.shape)
