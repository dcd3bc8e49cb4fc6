"""Readings side by side: how much each token counts for one query, by what people take for it.

All take attentions as steps in which the tokens of the queries take from the tokens of the keys. Tokens of both sides
of a translator stand in one line, the source first: self-attention mixes within a side, cross-attention takes the
written side's from the source's. Under a causal mask nothing more is needed: hidden weights are 0 in every product.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from scipy.sparse import coo_array, csr_array
from scipy.sparse.csgraph import maximum_flow
from torch import Tensor

SCALE = 2**28
"""Capacities of flow are whole numbers: weights times this, so that each edge is off by at most 2⁻²⁹."""

MOST_FLOW = 2**28
"""At most so many edges times keys have a flow: a quarter of a minute on one core, a GPT of 12 layers on 350 tokens."""

SOURCES = {
    "weight": "",
    "norm": "Kobayashi et al. 2020, 2.2",
    "rollout": "Abnar & Zuidema 2020, 3",
    "flow": "Abnar & Zuidema 2020, 3",
    "gradient": "Chefer et al. 2021, 3.1",
    "knockout": "",
}
"""Where each reading is from: Attention is Not Only a Weight; Quantifying Attention Flow; Generic Explainability."""


@dataclass(frozen=True)
class Mixing:
    """One attention.

    Attributes:
        rows, columns: where its queries and its keys stand among all tokens.
        weights: (heads, queries, keys), those of the heads that are asked for.
        value: (heads, keys, d): what a unit of weight on each key hands on, through value and output matrix, so that
            heads may be added; None where the output matrix is not known.
        gradient: of the gain with respect to the weights, (heads, queries, keys); None where there is none.
    """

    rows: slice
    columns: slice
    weights: Tensor
    value: Tensor | None
    gradient: Tensor | None = None

    @property
    def itself(self) -> bool:
        """Whether queries and keys are the same tokens."""
        return self.rows == self.columns


def weight(mixings: Sequence[Mixing], query: int) -> Tensor:
    """The weights of one query, mean over heads and attentions: (keys,).

    Args:
        mixings: of the same keys.
        query: its number among the queries.
    """
    return torch.stack([each.weights[:, query].mean(0) for each in mixings]).mean(0)


def norm(mixings: Sequence[Mixing], query: int) -> Tensor | None:
    """‖Σ αᵢⱼ·f(xⱼ)‖ summed over heads within the norm, f being value and output matrix; mean over attentions: (keys,).

    None where an output matrix is not known.
    """
    found = []
    for each in mixings:
        if each.value is None:
            return None
        found.append((each.weights[:, query, :, None] * each.value).sum(0).norm(dim=-1))
    return torch.stack(found).mean(0)


def rollout(mixings: Sequence[Mixing], count: int) -> Tensor:
    """The product of ½·A + ½·I over attentions in order, heads averaged: (count, count), what each token has of each.

    In cross-attention ½ of a query stays, and ½ is what it takes from the source as the encoder has mixed it.

    Args:
        count: how many tokens there are in all.
    """
    found = torch.eye(count, dtype=torch.float64)
    for each in mixings:
        mixed = found.clone()
        mixed[each.rows] = (found[each.rows] + each.weights.mean(0).double() @ found[each.columns]) / 2
        found = mixed
    return found


def flow(mixings: Sequence[Mixing], count: int, query: int, keys: Sequence[int]) -> Tensor | None:
    """The largest flow from a query to each of these tokens as they entered: (keys,). Edges hold what ½·A + ½·I says.

    None where edges times keys are more than `MOST_FLOW`: each key is a flow of its own.

    Args:
        query, keys: among all tokens.
    """
    now, top, edges = np.arange(count), count, list[tuple[np.ndarray, np.ndarray, np.ndarray]]()
    for each in mixings:
        before, sources = now[each.rows].copy(), now[each.columns].copy()
        weights = each.weights.mean(0).double().numpy() / 2
        fresh = np.arange(top, top + len(before))
        at, key = np.nonzero(weights)
        edges += [(fresh[at], sources[key], weights[at, key]), (fresh, before, np.full(len(before), 0.5))]
        now[each.rows], top = fresh, top + len(before)
    if sum(len(start) for start, _, _ in edges) * len(keys) > MOST_FLOW:
        return None
    graph = _graph(edges, top)
    return torch.tensor([_flow(graph, int(now[query]), key) for key in keys], dtype=torch.float64)


def relevance(mixings: Sequence[Mixing], count: int) -> Tensor:
    """Gradient × attention, positive parts averaged over heads, carried on from attention to attention: (count, count).

    Self-attention: R ← R + Ā·R. Cross-attention, with the side that asks t and the source s: Rᵗˢ ← Rᵗˢ + R̄ᵗᵗᵀ·Ā·R̄ˢˢ,
    R̄ being R − 1 with rows that sum to one, and 1 again (their equations 8 to 10).
    """
    found = torch.eye(count, dtype=torch.float64)
    for each in mixings:
        assert each.gradient is not None
        mean = (each.weights * each.gradient).clamp(min=0).mean(0).double()
        rows, columns = each.rows, each.columns
        more = found.clone()
        if each.itself:
            more[rows] += mean @ found[rows]
        else:
            more[rows, columns] += _level(found[rows, rows]).T @ mean @ _level(found[columns, columns])
        found = more
    return found


def _level(found: Tensor) -> Tensor:
    """R̄ of R: rows of what was added sum to 1, or to 0."""
    one = torch.eye(len(found), dtype=found.dtype)
    added = found - one
    total = added.sum(-1, keepdim=True)
    return torch.where(total > 0, added / total.where(total > 0, torch.ones_like(total)), 0.0) + one


def _graph(edges: list[tuple[np.ndarray, np.ndarray, np.ndarray]], count: int) -> csr_array:
    start, end, share = (np.concatenate(each) for each in zip(*edges, strict=True))
    whole = coo_array((share, (start, end)), shape=(count, count)).tocsr()  # what runs twice is added
    capacity = np.rint(whole.data * SCALE).astype(np.int32)
    return csr_array((capacity, whole.indices.astype(np.int32), whole.indptr.astype(np.int32)), shape=whole.shape)


def _flow(graph: csr_array, start: int, end: int) -> float:
    return 1.0 if start == end else float(maximum_flow(graph, start, end).flow_value) / SCALE
