"""Masks as values: which query may look at which key. True = may look. They combine with `&`, `|` and `~`.

A mask is a rule; its matrix exists only when `allows` is asked for one, for the sizes at hand.

>>> (causal() & window(2)).allows(1, 3)
tensor([[False,  True,  True]])
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache, reduce

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from regard.core.errors import BadInput

Allowed = Bool[Tensor, "*batch queries keys"]


class Mask(ABC):
    """A rule that says which query may look at which key. Abstract."""

    @abstractmethod
    def allows(self, queries: int, keys: int, device: torch.device | str | None = None) -> Allowed:
        """The rule as a matrix (..., queries, keys); True = this query may look at this key.

        Queries stand at the *end* of the keys: with 1 query and 5 keys, the query is position 4 (a cached step).
        """

    def spans(self, queries: int, keys: int, row: int = 0) -> Tensor | None:
        """The rule in O(queries): (queries, 2), the first key each may see and the one after its last.

        None where no such numbers are known without the matrix; `spanned` finds them there, if there are any.

        Args:
            row: which text of the batch.
        """
        return None

    def __and__(self, other: "Mask | Tensor") -> "Mask":
        return _Both(self, _rule(other))

    def __or__(self, other: "Mask | Tensor") -> "Mask":
        return _Either(self, _rule(other))

    def __invert__(self) -> "Mask":
        return _Not(self)


def _rule(mask: "Mask | Tensor") -> "Mask":
    return mask if isinstance(mask, Mask) else of(mask)


@dataclass(frozen=True)
class _Both(Mask):
    left: Mask
    right: Mask

    def allows(self, queries: int, keys: int, device: torch.device | str | None = None) -> Tensor:
        return self.left.allows(queries, keys, device) & self.right.allows(queries, keys, device)

    def spans(self, queries: int, keys: int, row: int = 0) -> Tensor | None:
        left, right = self.left.spans(queries, keys, row), self.right.spans(queries, keys, row)
        if left is None or right is None:
            return None
        first, last = torch.maximum(left[:, 0], right[:, 0]), torch.minimum(left[:, 1], right[:, 1])
        return torch.stack([first, torch.maximum(first, last)], dim=1)


@dataclass(frozen=True)
class _Either(Mask):
    left: Mask
    right: Mask

    def allows(self, queries: int, keys: int, device: torch.device | str | None = None) -> Tensor:
        return self.left.allows(queries, keys, device) | self.right.allows(queries, keys, device)


@dataclass(frozen=True)
class _Not(Mask):
    rule: Mask

    def allows(self, queries: int, keys: int, device: torch.device | str | None = None) -> Tensor:
        return ~self.rule.allows(queries, keys, device)


@dataclass(frozen=True)
class _Window(Mask):
    """Keys from `back` positions before the query (None: all) to the query itself."""

    back: int | None

    def allows(self, queries: int, keys: int, device: torch.device | str | None = None) -> Tensor:
        query = torch.arange(keys - queries, keys, device=device)[:, None]
        key = torch.arange(keys, device=device)[None, :]
        near = key <= query
        return near if self.back is None else near & (key >= query - self.back)

    def spans(self, queries: int, keys: int, row: int = 0) -> Tensor | None:
        return _window_spans(self.back, queries, keys)


@lru_cache(maxsize=8)
def _window_spans(back: int | None, queries: int, keys: int) -> Tensor:
    """The same for all layers: made once."""
    with torch.inference_mode(False):  # else gradients could not be taken through what is kept
        last = torch.arange(keys - queries, keys, dtype=torch.int32).clamp(min=-1) + 1
        first = torch.zeros_like(last) if back is None else (last - 1 - back).clamp(min=0)
        return torch.stack([torch.minimum(first, last), last], dim=1)


@dataclass(frozen=True, eq=False)
class _Matrix(Mask):
    matrix: Tensor

    def __post_init__(self) -> None:
        if self.matrix.dtype != torch.bool:
            raise BadInput("mask_not_bool", dtype=str(self.matrix.dtype).removeprefix("torch."))

    def allows(self, queries: int, keys: int, device: torch.device | str | None = None) -> Tensor:
        _check_fit(self.matrix.shape, (*self.matrix.shape[:-2], queries, keys))
        return self.matrix.to(device=device)

    def spans(self, queries: int, keys: int, row: int = 0) -> Tensor | None:
        found = spanned(_of_row(self.matrix, row, queries, keys))
        return found if found.dtype == torch.int32 else None


@dataclass(frozen=True)
class _Without(Mask):
    edges: tuple[tuple[int, int], ...]

    def allows(self, queries: int, keys: int, device: torch.device | str | None = None) -> Tensor:
        matrix = torch.ones(queries, keys, dtype=torch.bool)
        for query, key in self.edges:
            if not (0 <= query < queries and 0 <= key < keys):
                raise BadInput("edge_outside", query=query, key=key, queries=queries, keys=keys)
            matrix[query, key] = False
        return matrix.to(device=device)


def causal() -> Mask:
    """No query looks at what comes after it (Vaswani et al. 2017, §3.2.3). Aligned to the end of the keys."""
    return _Window(None)


def window(size: int) -> Mask:
    """Each query looks at itself and the `size − 1` keys before it (sliding window)."""
    if size < 1:
        raise BadInput("window_size", size=size)
    return _Window(size - 1)


def padding(real: Bool[Tensor, "*batch keys"]) -> Mask:
    """No query looks at padding. `real` is True where a key is a real token; heads get an axis by `[:, None]`."""
    return _Matrix(real[..., None, :])


def without(edges: Iterable[tuple[int, int]]) -> Mask:
    """A knockout: these (query, key) pairs may not look, all others may.

    They count from 0 in the matrix at hand; in a cached step, whose one query is row 0, count so too.
    """
    return _Without(tuple(edges))


def of(matrix: Tensor) -> Mask:
    """A ready bool matrix (..., queries, keys) as a mask; True = may look.

    Raises:
        BadInput: `mask_not_bool`. A float mask could mean 0 = may look (additive) or 1 = may look.
    """
    return _Matrix(torch.atleast_2d(matrix))


def together(*masks: Mask | None) -> Mask | None:
    """What all of these allow; None hides nothing.

    >>> together(None, causal()) == causal()
    True
    """
    given = [mask for mask in masks if mask is not None]
    return reduce(Mask.__and__, given) if given else None


def allowed(mask: Mask | Tensor | None, scores: Sequence[int], device: torch.device) -> Allowed | None:
    """The mask as a matrix for scores of this shape (..., queries, keys); None hides nothing.

    The plain and the fused path both ask here, before anything else is chosen: looking never changes the mask.

    Raises:
        BadInput: `mask_shape`: an axis of the mask is neither 1 nor the scores'.
    """
    if mask is None:
        return None
    rule = mask if isinstance(mask, Mask) else of(mask)
    matrix = rule.allows(scores[-2], scores[-1], device)
    _check_fit(matrix.shape, scores)
    return matrix


def visible(mask: Mask | Tensor | None, queries: int, keys: int, row: int = 0) -> Tensor | None:
    """A mask as data, of one text of a batch: what `Recipe.visible` holds. Heads share it.

    Returns:
        (queries, 2) int32 where every query sees one run of keys; else bool (queries, keys); None where all see all.
    """
    if mask is None:
        return None
    rule = mask if isinstance(mask, Mask) else of(mask)
    found = rule.spans(queries, keys, row)
    return spanned(_of_row(rule.allows(queries, keys), row, queries, keys)) if found is None else found


def spanned(matrix: Bool[Tensor, "queries keys"]) -> Tensor:
    """(queries, 2) int32 where every query sees one run of keys (or none); else the matrix itself.

    >>> spanned(torch.tensor([[True, False, False], [False, True, True]]))
    tensor([[0, 1],
            [1, 3]], dtype=torch.int32)
    """
    keys, count = matrix.shape[1], matrix.sum(1)
    if not keys:
        return count.new_zeros(len(matrix), 2).int()
    bits = matrix.contiguous().view(torch.uint8)
    first, last = bits.argmax(1), keys - bits.flip(1).argmax(1)
    first, last = (torch.where(count > 0, each, 0) for each in (first, last))
    return torch.stack([first, last], dim=1).int() if bool((last - first == count).all()) else matrix


def _of_row(matrix: Tensor, row: int, queries: int, keys: int) -> Tensor:
    """The mask of one text of the batch, (queries, keys).

    Raises:
        BadInput: `mask_of_heads`: heads have masks of their own.
    """
    while matrix.ndim > 3:
        if matrix.shape[1] > 1 and not bool((matrix == matrix[:, :1]).all()):
            raise BadInput("mask_of_heads", mask=list(matrix.shape))
        matrix = matrix[:, 0]
    matrix = matrix if matrix.ndim == 2 else matrix[row if len(matrix) > 1 else 0]
    return matrix.expand(queries, keys)


def _check_fit(mask: Sequence[int], scores: Sequence[int]) -> None:
    same = all(m in (1, s) for m, s in zip(reversed(mask), reversed(scores), strict=False))
    if len(mask) > len(scores) or not same:
        raise BadInput("mask_shape", mask=list(mask), scores=list(scores))


def hide(scaled: Float[Tensor, "*batch queries keys"], mask: Mask | Tensor | None) -> Tensor:
    """`scaled` where the mask allows, −inf elsewhere; None hides nothing."""
    seen = allowed(mask, scaled.shape, scaled.device)
    return scaled if seen is None else scaled.masked_fill(~seen, float("-inf"))
