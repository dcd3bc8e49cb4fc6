"""One cell of a pattern as plain data: numpy and strings, no torch."""

from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from regard.core.protocols import Site
from regard.inspection.trace import Check

Hidden = Literal["", "later", "far", "mask"]
"""Why a query may not see a key: it stands after it, too far from it, or the model's mask says so."""


@dataclass(frozen=True)
class Cell:
    """How much one query looks at one key, and all that this number is made of and does.

    Attributes:
        model, fingerprint: whose it is.
        tokens, key_tokens: what asks and what is looked at, as people read it.
        query, key: which of them, from 0.
        numbers: by name, in the order of computation, float64; each is made of those before it, the first are given.
            `x_query`, `w_query`, `query_raw` (x·W), `b_query`, `query_biased`, `query_normed`, `query_turned`, `query`;
            likewise of `key` and `value`, each what one key has of it (all keys: `keys`, `values`); `terms`, and by key
            `scores`, `multiplied`, `capped`, `bias`, `scaled`, `masked`, `exponentials`, `weights`; `context`;
            `head_output`, `others`, `b_output`, `output`; `before`, `added`, `beside`, `after` of the residual stream;
            of a model that chooses words from contexts, `inspection.cell.words`.
        modules: what the model calls the maps of `query`, `key`, `value`, `output`, as far as they were found.
        hidden: why the query may not see the key; empty where it may.
        words: of `best`, what they are.
    """

    model: str
    fingerprint: str
    site: Site
    head: int
    tokens: tuple[str, ...]
    key_tokens: tuple[str, ...]
    query: int
    key: int
    numbers: dict[str, np.ndarray] = field(repr=False)
    check: Check
    modules: dict[str, str] = field(default_factory=dict)
    hidden: Hidden = ""
    words: tuple[str, ...] = ()

    def __getitem__(self, name: str) -> np.ndarray:
        return self.numbers[name]

    def __contains__(self, name: str) -> bool:
        return name in self.numbers

    def scalar(self, name: str) -> float:
        """A number that is one."""
        return float(self.numbers[name].reshape(-1)[0])

    @property
    def weight(self) -> float:
        """How much this query looks at this key."""
        return float(self["weights"][self.key])
