"""Attention layers: where queries, keys and values come from, and a scorer. The rest is `core.attend`.

| maker | query | key | value | scorer | source |
|---|---|---|---|---|---|
| `bahdanau` | W·s | U·h | h | additive | Bahdanau et al. 2015, §3.1 and A.1.2 |
| `luong("dot")` | s | h | h | dot | Luong et al. 2015, §3.1 |
| `luong("general")` | s | W·h | h | dot | the same |
| `luong("concat")` | W_q·s | W_k·h | h | additive | the same; W[s; h] = W_q·s + W_k·h |
| `fixed` | – | – | final state | – | Cho et al. 2014: one context for all |
"""

from typing import Literal

import torch
from torch import Tensor, nn

from regard.core.attend import StepTap, attend
from regard.core.memory import Memory
from regard.core.scorers import Additive, Scorer, dot

Kind = Literal["none", "additive", "dot", "general", "concat"]


class Attention(nn.Module):
    """Looks from decoder states at a memory of encoder states. Final; made by `bahdanau` and `luong`."""

    def __init__(self, to_query: nn.Module, to_key: nn.Module, scorer: Scorer) -> None:
        super().__init__()
        self.to_query, self.to_key, self.scorer = to_query, to_key, scorer

    def remember(self, states: Tensor, final: Tensor, real: Tensor) -> Memory:
        """Encoder states (batch, source, d) as keys and values, computed once for all queries."""
        return Memory(self.to_key(states), states, real)

    def forward(self, state: Tensor, memory: Memory, *, tap: StepTap | None = None) -> Tensor:
        """The context of each decoder state: (batch, target, d_state) → (batch, target, d_memory)."""
        return attend(self.to_query(state), memory.key, memory.value, scorer=self.scorer, mask=memory.mask, tap=tap)


class Fixed(nn.Module):
    """No attention: every decoder state is handed the encoder's final state (the bottleneck of 2014). Final."""

    def remember(self, states: Tensor, final: Tensor, real: Tensor) -> Memory:
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
