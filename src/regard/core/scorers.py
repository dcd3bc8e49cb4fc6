"""Scorers: how well a query and a key match. Each gives a whole matrix, raw, for any leading axes.

| name | score of q and k | source |
|---|---|---|
| `dot` | q·k | Luong et al. 2015, §3.1 |
| `scaled_dot` | q·k, with scale 1/√d_head | Vaswani et al. 2017, §3.2.1 |
| `General` | q·Wk | Luong et al. 2015, §3.1 |
| `Additive` | v·tanh(q + k), q and k already projected | Bahdanau et al. 2015, A.1.2 |
| `Concat` | v·tanh(W[q; k]) | Luong et al. 2015, §3.1 |
"""

from abc import abstractmethod

import torch
from jaxtyping import Float
from torch import Tensor, nn

Query = Float[Tensor, "*#batch queries d_query"]
Key = Float[Tensor, "*#batch keys d_key"]
Scores = Float[Tensor, "*#batch queries keys"]


class Scorer(nn.Module):
    """How queries and keys are compared. Abstract."""

    @abstractmethod
    def forward(self, query: Query, key: Key) -> Scores:
        """Raw scores, (..., queries, keys)."""

    def scale(self, d_query: int) -> float:
        """The factor that this scorer's authors put on its scores."""
        return 1.0

    def widths(self, d_query: int) -> tuple[int, int] | None:
        """(d_query, d_key) that this scorer can compare, given the query's; None: it can tell only by trying."""
        return None


class Dot(Scorer):
    """q·k: as far along the same direction as they are long."""

    def forward(self, query: Query, key: Key) -> Scores:
        return query @ key.transpose(-1, -2)

    def widths(self, d_query: int) -> tuple[int, int]:
        return max(d_query, 1), max(d_query, 1)


class ScaledDot(Dot):
    """q·k with the scale 1/√d_head, which keeps the variance of the scores at that of the entries."""

    def scale(self, d_query: int) -> float:
        return d_query**-0.5


class General(Scorer):
    """q·Wk: a learned matrix says which directions of the key answer which of the query."""

    def __init__(self, d_query: int, d_key: int) -> None:
        super().__init__()
        self.key_to_query = nn.Linear(d_key, d_query, bias=False)

    def forward(self, query: Query, key: Key) -> Scores:
        return query @ self.key_to_query(key).transpose(-1, -2)

    def widths(self, d_query: int) -> tuple[int, int]:
        return self.key_to_query.out_features, self.key_to_query.in_features


class Additive(Scorer):
    """v·tanh(q + k) for q and k of one width: Bahdanau's, where the layer has projected both before."""

    def __init__(self, d_hidden: int) -> None:
        super().__init__()
        self.v = nn.Parameter(torch.empty(d_hidden).uniform_(-1, 1) * d_hidden**-0.5)

    def forward(self, query: Query, key: Key) -> Scores:
        return torch.tanh(query.unsqueeze(-2) + key.unsqueeze(-3)) @ self.v

    def widths(self, d_query: int) -> tuple[int, int]:
        return len(self.v), len(self.v)


class Concat(Scorer):
    """v·tanh(W[q; k]): Luong's concat; W[q; k] = W_q·q + W_k·k, so both sides are projected once."""

    def __init__(self, d_query: int, d_key: int, d_hidden: int) -> None:
        super().__init__()
        self.query_part = nn.Linear(d_query, d_hidden, bias=False)
        self.key_part = nn.Linear(d_key, d_hidden, bias=False)
        self.additive = Additive(d_hidden)

    def forward(self, query: Query, key: Key) -> Scores:
        return self.additive(self.query_part(query), self.key_part(key))

    def widths(self, d_query: int) -> tuple[int, int]:
        return self.query_part.in_features, self.key_part.in_features


dot = Dot()
scaled_dot = ScaledDot()
