"""The fused path: the same context as `attend`, from torch's own kernel, with no step in view."""

import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention

from regard.core.biases import Bias, matrix
from regard.core.checks import check_shapes
from regard.core.masks import Mask, allowed, causal
from regard.core.scorers import scaled_dot

SHORT = 512
"""Up to so many keys, bf16 products on a processor are learned faster one by one than in torch's kernel (0.8 against
5.1 ms at 48 × 64 × 32, 16 against 32 ms at 96 × 256 × 64, forward and backward). Without gradients the kernel is the
faster one, three times at 12 × 512 × 64, and does not round scores to 16 bits."""


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
        if 1 < queries == keys and _quicker_by_products(query, key, value):
            hidden = torch.full((keys, keys), float("-inf"), dtype=query.dtype, device=query.device).triu(1)
            return _by_products(query, key, value, scale, hidden)
        return scaled_dot_product_attention(query, key, value, is_causal=queries == keys > 1, scale=scale)
    leading = torch.broadcast_shapes(query.shape[:-2], key.shape[:-2])
    seen = allowed(mask, (*leading, queries, keys), query.device)
    if seen is None:
        return scaled_dot_product_attention(query, key, value, attn_mask=added, scale=scale)
    blind = ~seen.any(-1, keepdim=True)  # kernels differ on such rows: they look everywhere, then are zeroed
    open_ = seen | blind
    if added is not None:
        open_ = torch.where(open_, added, float("-inf"))
    if _quicker_by_products(query, key, value):
        hidden = torch.where(open_, 0.0, float("-inf")) if added is None else open_
        context = _by_products(query, key, value, scale, hidden.to(query.dtype))
    else:
        context = scaled_dot_product_attention(query, key, value, attn_mask=open_, scale=scale)
    return context.masked_fill(blind, 0.0)


def _quicker_by_products(query: Tensor, key: Tensor, value: Tensor) -> bool:
    """Whether torch's kernel is the slower way: its backward is what takes long."""
    if not (torch.is_grad_enabled() and any(each.requires_grad for each in (query, key, value))):
        return False
    same = query.shape[:-2] == key.shape[:-2] == value.shape[:-2]
    some = min(query.numel(), key.numel(), value.numel()) > 0
    return same and some and key.shape[-2] <= SHORT and query.dtype == torch.bfloat16 and query.is_cpu


def _by_products(query: Tensor, key: Tensor, value: Tensor, scale: float | None, hidden: Tensor) -> Tensor:
    """Two batched products; `hidden` (…, queries, keys), −inf where nothing may be seen, is what the first adds to."""
    factor = query.shape[-1] ** -0.5 if scale is None else scale
    if hidden.ndim > 2:
        hidden = hidden.expand(*query.shape[:-2], *hidden.shape[-2:]).flatten(0, -3)
    flat = [each.reshape(-1, *each.shape[-2:]) for each in (query, key, value)]
    weights = torch.baddbmm(hidden, flat[0], flat[1].transpose(1, 2), alpha=factor).softmax(-1)
    return torch.bmm(weights, flat[2]).view(*query.shape[:-1], value.shape[-1])
