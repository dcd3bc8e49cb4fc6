"""The score recipe: how one attention makes weights of queries and keys, as plain tensors of the size O(n).

With q and k as they entered the kernel it gives any row of the weights, exactly, when somebody looks.

    scores = q·k (or v·tanh(q + k))
    scaled = scores · scale, capped, + bias
    masked = scaled where the query may see the key, −inf elsewhere
    weights = softmax(masked); a sink takes its share and gives nothing
"""

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from regard.core.attend import softmax

Rows = slice | Tensor
"""Which queries: a slice, or their numbers."""

ALL = slice(None)


@dataclass(frozen=True)
class Recipe:
    """All that makes weights, beside queries (heads, queries, d) and keys (heads or kv_heads, keys, d).

    Attributes:
        scale: factor of the scores.
        vector: v of the additive scorer, (d,); None where scores are q·k.
        softcap: scaled scores are cap·tanh(scaled / cap) (Gemma 2, 2024, §2); None leaves them.
        bias: added to the scaled scores: (heads, queries + keys − 1) where it depends on key − query alone, the entry
            for that difference at `queries − 1 + key − query`; else (heads, queries, keys).
        visible: (queries, 2): the first key each query may see and the one after its last; or bool (queries, keys);
            None: all see all.
        sinks: (heads,), a score that takes weight and gives nothing (gpt-oss 2025); None: none.
    """

    scale: float = 1.0
    vector: Tensor | None = None
    softcap: float | None = None
    bias: Tensor | None = None
    visible: Tensor | None = None
    sinks: Tensor | None = None

    def of_head(self, head: int) -> "Recipe":
        """The recipe of one head alone."""
        return self.of_heads(slice(head, head + 1))

    def of_heads(self, heads: slice) -> "Recipe":
        """The recipe of some heads alone."""
        bias, sinks = (None if each is None else each[heads] for each in (self.bias, self.sinks))
        return replace(self, bias=bias, sinks=sinks)


def shared(key: Tensor, n_heads: int) -> Tensor:
    """Grouped keys or values (kv_heads, keys, d), one for each of `n_heads` queries' heads."""
    return key if len(key) in (1, n_heads) else key.repeat_interleave(n_heads // len(key), dim=0)


def seen(recipe: Recipe, n_keys: int, rows: Rows = ALL) -> Tensor | None:
    """Which keys these queries may see: bool (rows, keys); None: all."""
    if recipe.visible is None:
        return None
    chosen = recipe.visible[rows]
    if chosen.dtype == torch.bool:
        return chosen
    key = torch.arange(n_keys, device=chosen.device, dtype=chosen.dtype)
    return (key >= chosen[:, :1]) & (key < chosen[:, 1:])


def biased(recipe: Recipe, n_queries: int, n_keys: int, rows: Rows = ALL) -> Tensor | None:
    """What is added to the scaled scores of these queries: (heads, rows, keys); None: nothing."""
    bias = recipe.bias
    if bias is None or bias.ndim == 3:
        return None if bias is None else bias[:, rows]
    query = torch.arange(n_queries, device=bias.device)[rows]
    return bias[:, (n_queries - 1 - query)[:, None] + torch.arange(n_keys, device=bias.device)]


def steps(recipe: Recipe, query: Tensor, key: Tensor, rows: Rows = ALL) -> dict[str, Tensor]:
    """`scores`, `scaled`, `masked` and `weights` of these queries, each (heads, rows, keys), as `attend` names them.

    >>> x = torch.eye(2)[None]
    >>> steps(Recipe(visible=torch.tensor([[0, 1], [0, 2]])), x, x)["weights"]
    tensor([[[1.0000, 0.0000],
             [0.2689, 0.7311]]])
    """
    asked, key = query[:, rows].to(key.dtype), shared(key, len(query))
    if recipe.vector is None:
        scores = asked @ key.transpose(-1, -2)
    else:
        scores = torch.tanh(asked.unsqueeze(-2) + key.unsqueeze(-3)) @ recipe.vector.to(key.dtype)
    scaled = scores * recipe.scale
    if recipe.softcap is not None:
        scaled = recipe.softcap * torch.tanh(scaled / recipe.softcap)
    bias = biased(recipe, query.shape[1], key.shape[1], rows)
    scaled = scaled if bias is None else scaled + bias
    allowed = seen(recipe, key.shape[1], rows)
    masked = scaled if allowed is None else scaled.masked_fill(~allowed, float("-inf"))
    return {"scores": scores, "scaled": scaled, "masked": masked, "weights": normalised(masked, recipe.sinks)}


def weights(recipe: Recipe, query: Tensor, key: Tensor, rows: Rows = ALL) -> Tensor:
    """The weights of these queries, (heads, rows, keys): those of `steps`, made in one place of memory."""
    if recipe.vector is not None or torch.is_grad_enabled():
        return steps(recipe, query, key, rows)["weights"]
    asked = query[:, rows].to(key.dtype)
    scaled = (asked @ shared(key, len(query)).transpose(-1, -2)).mul_(recipe.scale)
    if recipe.softcap is not None:
        scaled.div_(recipe.softcap).tanh_().mul_(recipe.softcap)
    bias = biased(recipe, query.shape[1], key.shape[1], rows)
    scaled = scaled if bias is None else scaled.add_(bias)
    allowed = seen(recipe, key.shape[1], rows)
    masked = scaled if allowed is None else scaled.masked_fill_(~allowed, float("-inf"))
    if recipe.sinks is not None or _some_see_nothing(recipe, rows, masked):
        return normalised(masked, recipe.sinks)
    return torch.softmax(masked, dim=-1)


def _some_see_nothing(recipe: Recipe, rows: Rows, masked: Tensor) -> bool:
    """Whether weights of some queries are all 0; told from the mask, unless a bias may hide keys, too."""
    if recipe.bias is not None:
        return bool((masked.amax(-1) == float("-inf")).any())
    if recipe.visible is None:
        return False
    chosen = recipe.visible[rows]
    some = chosen.any(-1) if chosen.dtype == torch.bool else chosen[:, 1] > chosen[:, 0]
    return not bool(some.all())


def normalised(masked: Tensor, sinks: Tensor | None) -> Tensor:
    """Weights: each query's sum to 1, to less where a sink takes its share, to 0 where nothing may be seen."""
    if sinks is None:
        return softmax(masked)
    sink = sinks[:, None, None].expand(*masked.shape[:-1], 1)
    return torch.softmax(torch.cat([masked, sink], dim=-1), dim=-1)[..., :-1]
