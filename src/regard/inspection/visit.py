"""One run of one place's kernel, as it was seen: what entered, what came out, and how weights are made in it.

Models of ours (through an `Observer`) and foreign ones (through their attention interface) both hand visits to a sink;
from there on nobody asks whose model it was.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from regard.core.attend import STEPS
from regard.core.biases import Bias, matrix
from regard.core.masks import Mask, visible
from regard.core.recipe import ALL, Recipe, Rows, shared, steps
from regard.core.recipe import weights as weights_of
from regard.core.scorers import Additive, Scorer
from regard.core.tap import Observer

SAMPLED = 32
"""Queries a head that the check `rows` looks at: evenly spaced, the first and the last among them."""

LEAST = 1e-3
"""Weights below it are taken for it where scores are compared: in 16 bits they tell nothing."""

_SCRATCH = 2**24
"""Bytes of weights that are made at once where every row is wanted."""

_PIECE = 2**20
"""Bytes of sampled weights that are made at once; so the values widened for them are few, too."""

SIDES = ("query", "key", "value", "context")
"""What enters a kernel, and what leaves it."""


@dataclass(frozen=True)
class Visit:
    """What one place did in one run, for a whole batch.

    Attributes:
        query: (batch, heads, queries, d), as it entered the kernel: with bias, norm and rotation.
        key, value: (batch, kv_heads, keys, d); fewer heads than queries are shared by groups.
        context: (batch, heads, queries, d_value), what the kernel gave.
        recipe: how weights are made, but for what may be seen.
        mask: who may see whom, in any text of the batch.
        weights: (batch, heads, queries, keys), where the kernel gave them itself.
    """

    query: Tensor
    key: Tensor
    value: Tensor
    context: Tensor
    recipe: Recipe
    mask: Mask | Tensor | None = None
    weights: Tensor | None = None

    def row(self, at: int) -> "Text":
        """What was seen of one text of the batch, in the numbers of the kernel."""
        q, k = self.query.shape[-2], self.key.shape[-2]
        seen = visible(self.mask, q, k, at)
        recipe = replace(self.recipe, visible=None if seen is None else seen.to(self.query.device))
        sides = {name: getattr(self, name)[at] for name in SIDES}
        weights = None if self.weights is None else self.weights[at].float()
        return Text(**sides, recipe=recipe, exact=self.query.dtype == torch.float32, weights=weights)


@dataclass(frozen=True)
class Text:
    """A visit's part of one text: (heads, n, d), and the whole recipe.

    Attributes:
        exact: the kernel computed in float32, not in 16 bits.
        weights: (heads, queries, keys) of the kernel itself, where it gave them; else they are made of q and k.
    """

    query: Tensor
    key: Tensor
    value: Tensor
    context: Tensor
    recipe: Recipe
    exact: bool = True
    weights: Tensor | None = None

    def wide(self) -> "Text":
        """The same in float32."""
        return replace(self, **{name: getattr(self, name).float() for name in SIDES})

    def steps(self, rows: Rows = ALL) -> dict[str, Tensor]:
        """`scores`, `scaled`, `masked`, `weights` of these queries, made of q and k as they are here."""
        return steps(self.recipe, self.query, self.key, rows)

    def deviation(self, *, every: bool = False) -> float:
        """How far weights made from q, k and the recipe are from what the kernel made of the same values.

        The largest of max|weights·V − context| / max|context|, and where the kernel gave weights, of how far these are
        from ours, and from summing to 1 or 0 for a query (with a sink: to at most 1); ours do so by their making.

        Args:
            every: all queries, in blocks; else `SAMPLED` of them.
        """
        count = self.query.shape[-2]
        if not count:
            return 0.0
        blocks = self._blocks(count) if every else [sampled(count)]
        size = max(_largest(self.context), 1e-30)
        found = (some._row_deviation(rows, size) for some in self._some_heads() for rows in blocks)
        return max(found, key=lambda far: (far != far, far))

    def _some_heads(self) -> Iterator["Text"]:
        """The heads, in groups that share keys, as many at once as `_PIECE` allows; keys and values in float32."""
        n_heads, n_shared, n_keys = len(self.query), len(self.key), self.key.shape[-2]
        group = n_heads // n_shared
        at_once = max(1, _PIECE // (4 * SAMPLED * group * max(1, n_keys)))
        for first in range(0, n_shared, at_once):
            keys, heads = slice(first, first + at_once), slice(first * group, (first + at_once) * group)
            weights = None if self.weights is None else self.weights[heads]
            yield Text(
                self.query[heads], self.key[keys].float(), self.value[keys].float(), self.context[heads],
                self.recipe.of_heads(heads), self.exact, weights,
            )  # fmt: skip

    def _blocks(self, count: int) -> list[Rows]:
        at_once = max(1, _SCRATCH // (4 * len(self.query) * max(1, self.key.shape[-2])))
        return [slice(start, start + at_once) for start in range(0, count, at_once)]

    def _row_deviation(self, rows: Rows, size: float) -> float:
        if self.weights is None:
            return self._far(weights_of(self.recipe, self.query, self.key, rows), rows) / size
        made, given = self.steps(rows), self.weights[:, rows]
        weights = made["weights"] if self.exact else given
        total = weights.sum(-1)
        whole = (total - (total > 0.5).float()).abs() if self.recipe.sinks is None else (total - 1).clamp(min=0)
        apart = _apart(made, given, exact=self.exact)
        far = apart.new_tensor(self._far(weights, rows) / size)
        return float(torch.stack([whole.max(), far, apart]).max())  # NaN stays NaN

    def _far(self, weights: Tensor, rows: Rows) -> float:
        """max|weights·V − context| of these queries."""
        mixed = weights @ shared(self.value, len(weights))
        return float((mixed - self.context[:, rows]).abs().max())


def sampled(count: int) -> Tensor:
    """The numbers of `SAMPLED` of so many queries, or of all.

    >>> sampled(100)[[0, 1, 2, -1]]
    tensor([ 0,  3,  6, 99])
    """
    return torch.linspace(0, count - 1, min(SAMPLED, count)).round().long()


def _largest(tensor: Tensor) -> float:
    """The largest size of a number in it, read as it lies in memory: nothing is copied for that."""
    lying = sorted(range(tensor.ndim), key=tensor.stride, reverse=True)
    low, high = tensor.permute(lying).aminmax()
    return max(-float(low), float(high))  # both are NaN where one is


def _apart(made: dict[str, Tensor], given: Tensor, *, exact: bool) -> Tensor:
    """How far weights that we made are from those that the kernel gave.

    A kernel that rounds its scores to 16 bits is off by a part of them, however small the weights' own errors are: then
    the scores are compared, as far as weights tell them, in parts of the largest.
    """
    if exact:
        return (made["weights"] - given).abs().max()
    scores = [weights.clamp(min=LEAST).log() for weights in (made["weights"], given)]
    return (scores[0] - scores[1]).abs().max() / made["scaled"].abs().max().clamp(min=1)


Sink = Callable[[str, Visit], None]
"""Is handed the address and the visit, each time a place has run."""


class Watcher(Observer):
    """Hands a sink every visit of our own models, and shows vectors beside the attentions to `vectors`."""

    def __init__(self, sink: Sink, vectors: Callable[[str, str, Tensor], None] | None = None) -> None:
        self._sink, self._vectors = sink, vectors
        self._parts: dict[str, Tensor] = {}
        self._how: tuple[Scorer, Bias | Tensor | None, Mask | None]

    def scored(self, address: str, scorer: Scorer, bias: Bias | Tensor | None, mask: Mask | None) -> Mask | None:
        """Remember how the attention that now begins makes its weights."""
        self._parts, self._how = {}, (scorer, bias, mask)
        return mask

    def __call__(self, address: str, step: str, tensor: Tensor) -> Tensor:
        """Gather what enters and leaves; with the context a visit is whole."""
        if step in ("query", "key", "value", "context"):
            self._parts[step] = tensor if tensor.ndim == 4 else tensor[:, None]
        elif step not in STEPS and self._vectors is not None:
            self._vectors(address, step, tensor)
        if step == "context":
            self._sink(address, self._visit())
        return tensor

    def _visit(self) -> Visit:
        scorer, bias, mask = self._how
        query, key = self._parts["query"], self._parts["key"]
        vector = scorer.v if isinstance(scorer, Additive) else None
        added = None if bias is None else diagonals(matrix(bias, query.shape[-2], key.shape[-2], query))
        return Visit(**self._parts, recipe=Recipe(scorer.scale(query.shape[-1]), vector, None, added), mask=mask)


def diagonals(bias: Tensor | None) -> Tensor | None:
    """A bias (heads, queries, keys) as (heads, queries + keys − 1), where it depends on key − query alone; else itself.

    >>> diagonals(torch.tensor([[[0.0, 1.0], [-1.0, 0.0]]]))
    tensor([[-1.,  0.,  1.]])
    """
    if bias is None:
        return None
    found = torch.cat([bias[:, 1:, 0].flip(1), bias[:, 0]], dim=1)
    spread = found.unfold(1, bias.shape[2], 1).flip(1)  # row i of a Toeplitz matrix begins at queries − 1 − i
    return found if torch.equal(spread, bias) else bias
