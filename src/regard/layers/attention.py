"""Attention layers: where queries, keys and values come from, a scorer, heads. The rest is `core.attend`.

| maker | query | key | value | scorer | source |
|---|---|---|---|---|---|
| `bahdanau` | W·s | U·h | h | additive | Bahdanau et al. 2015, §3.1 and A.1.2 |
| `luong("dot")` | s | h | h | dot | Luong et al. 2015, §3.1 |
| `luong("general")` | s | W·h | h | dot | the same |
| `luong("concat")` | W_q·s | W_k·h | h | additive | the same; W[s; h] = W_q·s + W_k·h |
| `multi_head` | W_q·x | W_k·h | W_v·h | scaled dot, per head | Vaswani et al. 2017, §3.2.2 |
| `fixed` | – | – | final state | – | Cho et al. 2014: one context for all |
"""

from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor, nn

from regard.core.attend import StepTap
from regard.core.biases import Bias
from regard.core.masks import Mask, together
from regard.core.memory import Memory
from regard.core.path import attended
from regard.core.scorers import Additive, Scorer, dot, scaled_dot
from regard.layers.heads import join, shared, split

Kind = Literal["none", "additive", "dot", "general", "concat"]

Turn = Callable[[Tensor], Tensor]
"""Turns queries and keys (batch, heads, n, d_head) by their positions (`positions.Rotary`)."""


class Attention(nn.Module):
    """Looks from states at a memory of states. Final; made by `bahdanau`, `luong` and `multi_head`."""

    def __init__(
        self,
        to_query: nn.Module,
        to_key: nn.Module,
        scorer: Scorer,
        *,
        to_value: nn.Module | None = None,
        to_output: nn.Module | None = None,
        n_heads: int | None = None,
        n_kv_heads: int | None = None,
    ) -> None:
        super().__init__()
        self.to_query, self.to_key, self.scorer = to_query, to_key, scorer
        self.to_value, self.to_output = to_value or nn.Identity(), to_output or nn.Identity()
        self.n_heads, self.n_kv_heads = n_heads, n_kv_heads or n_heads

    def remember(
        self, states: Tensor, real: Tensor | None = None, final: Tensor | None = None, *, turn: Turn | None = None
    ) -> Memory:
        """States (batch, n, d) as keys and values, computed once for all queries. `final` is for `Fixed` alone."""
        key, value = self.to_key(states), self.to_value(states)
        if self.n_kv_heads:
            key, value = split(key, self.n_kv_heads), split(value, self.n_kv_heads)
        return Memory(turn(key) if turn else key, value, real)

    def forward(
        self,
        states: Tensor,
        memory: Memory,
        *,
        mask: Mask | None = None,
        bias: Bias | None = None,
        turn: Turn | None = None,
        tap: StepTap | None = None,
    ) -> Tensor:
        """What each state finds: (batch, queries, d_state) → (batch, queries, d_output).

        Args:
            memory: what it looks at; its padding is never seen.
            mask, bias: as `core.attend` takes them.
            turn: what turned the memory's keys, for the queries.
            tap: sees the eight steps and `output`; an `Observer` sees what enters and leaves the fused kernel.
        """
        query, key, value = self.to_query(states), memory.key, memory.value
        seen = together(mask, memory.mask)
        if self.n_heads is None:
            return self.to_output(attended(query, key, value, scorer=self.scorer, mask=seen, bias=bias, tap=tap))
        query = split(query, self.n_heads)
        query, key, value = turn(query) if turn else query, shared(key, self.n_heads), shared(value, self.n_heads)
        context = attended(query, key, value, scorer=self.scorer, mask=seen, bias=bias, tap=tap)
        output = self.to_output(join(context))
        return output if tap is None else tap("output", output)


class Fixed(nn.Module):
    """No attention: every decoder state is handed the encoder's final state (the bottleneck of 2014). Final."""

    def remember(self, states: Tensor, real: Tensor, final: Tensor) -> Memory:
        """The final state (batch, d) as the one thing that is remembered."""
        whole = final[:, None]
        return Memory(whole, whole, torch.ones_like(whole[..., 0], dtype=torch.bool))

    def forward(self, state: Tensor, memory: Memory, *, tap: StepTap | None = None) -> Tensor:
        """The final encoder state for each decoder state: (batch, target, d_memory). Nothing is looked at."""
        return memory.value.expand(-1, state.shape[1], -1)


def bahdanau(d_state: int, d_memory: int, d_hidden: int) -> Attention:
    """v·tanh(W·s + U·h)."""
    return Attention(
        nn.Linear(d_state, d_hidden, bias=False), nn.Linear(d_memory, d_hidden, bias=False), Additive(d_hidden)
    )


def luong(kind: Literal["dot", "general", "concat"], d_state: int, d_memory: int) -> Attention:
    """s·h, s·W·h, or v·tanh(W[s; h]). `dot` needs d_state = d_memory."""
    if kind == "concat":
        return bahdanau(d_state, d_memory, d_state)
    to_key = nn.Identity() if kind == "dot" else nn.Linear(d_memory, d_state, bias=False)
    return Attention(nn.Identity(), to_key, dot)


def between(kind: Kind, d_state: int, d_memory: int) -> Attention | Fixed:
    """The layer of this name between decoder states and encoder states."""
    if kind == "none":
        return Fixed()
    if kind == "additive":
        return bahdanau(d_state, d_memory, d_state)
    return luong(kind, d_state, d_memory)


def multi_head(
    d_model: int,
    n_heads: int,
    *,
    n_kv_heads: int | None = None,
    d_head: int | None = None,
    d_memory: int | None = None,
    bias: bool = True,
    scorer: Scorer = scaled_dot,
) -> Attention:
    """softmax(W_q·x · W_k·h / √d_head) W_v·h in each head, joined, through W_o.

    Args:
        n_heads: how many patterns; each sees d_head entries of queries, keys and values.
        n_kv_heads: how many heads of keys and values: fewer are shared by groups, 1 is multi-query (Shazeer 2019).
        d_head: None for d_model / n_heads.
        d_memory: width of what is looked at; None for d_model.
        bias: whether the four projections add one.
    """
    d_head, n_kv_heads, d_memory = d_head or d_model // n_heads, n_kv_heads or n_heads, d_memory or d_model
    return Attention(
        nn.Linear(d_model, n_heads * d_head, bias=bias),
        nn.Linear(d_memory, n_kv_heads * d_head, bias=bias),
        scorer,
        to_value=nn.Linear(d_memory, n_kv_heads * d_head, bias=bias),
        to_output=nn.Linear(n_heads * d_head, d_model, bias=bias),
        n_heads=n_heads,
        n_kv_heads=n_kv_heads,
    )
