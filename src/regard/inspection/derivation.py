"""One attention with every number in view, as plain data: numpy and strings, no torch."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from regard.inspection.matrices import Matrices


class Sign(NamedTuple):
    """A symbol or a formula, for pages and papers and for terminals."""

    latex: str
    plain: str


NO_FORMULA = Sign("", "")


@dataclass(frozen=True)
class Step:
    """One named matrix of the derivation.

    Attributes:
        name: as in JSON: `x`, `query_raw`, `scores` …
        symbol: as in formulas: X, Q_raw, S_raw …
        values: float64, (rows, columns), or (heads, rows, columns) where every head has its own; −inf where hidden.
        axes: what rows and columns are: `queries`, `keys`, `one`, or a width (`d_model`, `d_query` …).
        formula: how it is made; empty for what was given.
        operands: names of the steps it is made from.
        operator: what stands between two operands: `·`, `+` or `/`; empty where it is no sum, product or quotient.
    """

    name: str
    symbol: Sign
    values: np.ndarray
    axes: tuple[str, str]
    formula: Sign = NO_FORMULA
    operands: tuple[str, ...] = ()
    operator: str = ""

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns (of one head)."""
        return self.values.shape[-2], self.values.shape[-1]

    @property
    def per_head(self) -> bool:
        """Every head has its own values."""
        return self.values.ndim == 3


class Look(NamedTuple):
    """Where one query looks most; `key_index` is None where it may see nothing."""

    head: int
    query_index: int
    key_index: int | None
    weight: float


@dataclass(frozen=True)
class Derivation:
    """The steps of one attention in the order of computation, and what they were made from.

    Attributes:
        matrices: what was given.
        steps: what a reader follows, by name; `masked` is among them only where something is hidden.
        scale: the factor of the scores, 1/√d_k where none was given.
        example: the name of the bundled example, if it is one.
    """

    matrices: Matrices
    steps: dict[str, Step]
    scale: float
    example: str = ""

    @property
    def tokens(self) -> tuple[str, ...]:
        """The words that ask, one a query."""
        return self.matrices.tokens

    @property
    def key_tokens(self) -> tuple[str, ...]:
        """The words that are looked at, one a key."""
        return self.matrices.key_tokens

    @property
    def n_heads(self) -> int:
        """Attentions side by side."""
        return self.matrices.n_heads

    @property
    def weights(self) -> np.ndarray:
        """(heads, queries, keys)."""
        return self.steps["weights"].values

    def looks(self) -> list[Look]:
        """The largest weight of each query: over all heads, the first of equals."""
        heads, queries, keys = self.weights.shape
        flat = self.weights.transpose(1, 0, 2).reshape(queries, heads * keys)
        return [self._look(query, *divmod(int(at), keys)) for query, at in enumerate(flat.argmax(-1))]

    def _look(self, query: int, head: int, key: int) -> Look:
        weight = float(self.weights[head, query, key])
        return Look(head, query, key if weight > 0 else None, weight)
