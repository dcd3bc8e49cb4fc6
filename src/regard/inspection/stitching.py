"""Stitching: the visits of one place, step after step, as the one visit of a whole text.

Queries go under each other. Of a memory that grows (a cache) each visit holds what is new in it, so the keys of a line
are those of the rows that the line went through; a fixed memory (the source) is the same for all.
"""

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor
from torch.nn.functional import pad

from regard.core.recipe import biased
from regard.inspection.visit import Text, Visit


class Stitched:
    """Visits of one place while they come. Final.

    Attributes:
        visits: without their keys and values, but for their shapes: the next visit would hold them again.
    """

    def __init__(self) -> None:
        self.visits: list[Visit] = []
        self._memories: list[tuple[Tensor, Tensor]] = []

    @property
    def queries(self) -> int:
        """How many queries came."""
        return sum(visit.query.shape[-2] for visit in self.visits)

    def add(self, visit: Visit) -> None:
        """One more visit."""
        grown = visit.key.shape[-2] - (self.visits[-1].key.shape[-2] if self.visits else 0)
        if not self.visits:
            self._memories.append((visit.key, visit.value))
        elif grown > 0:
            self._memories.append((visit.key[..., -grown:, :].clone(), visit.value[..., -grown:, :].clone()))
        self.visits.append(replace(visit, key=_hollow(visit.key), value=_hollow(visit.value)))

    def text(self, rows: Sequence[int] | None = None) -> Text:
        """All of it as one text.

        Args:
            rows: in which row of the batch each visit is read; visits beyond are not. None: all, in the first.
        """
        rows = [0] * len(self.visits) if rows is None else list(rows)[: len(self.visits)]
        if len(self.visits) == 1:
            key, value = self._memories[0]
            return replace(self.visits[0], key=key, value=value).row(rows[0])
        texts = [visit.row(row) for visit, row in zip(self.visits, rows, strict=False)]
        key, value = (self._memory(part, rows) for part in (0, 1))
        query, context = (torch.cat([getattr(text, part) for text in texts], dim=1) for part in ("query", "context"))
        seen, bias = torch.cat([_spans(text) for text in texts]), _bias(texts)
        recipe = replace(texts[-1].recipe, visible=seen, bias=bias)
        return replace(texts[-1], query=query, key=key, value=value, context=context, recipe=recipe, weights=None)

    def _memory(self, part: int, rows: Sequence[int]) -> Tensor:
        parts = [memory[part] for memory in self._memories]
        if len(parts) == 1:  # fixed: of each text of a batch of beams the same
            return parts[0][0]
        return torch.cat([each[row] for each, row in zip(parts, rows, strict=False)], dim=1)


def _hollow(tensor: Tensor) -> Tensor:
    """A tensor of this shape that takes no memory."""
    return tensor.new_zeros(()).expand(tensor.shape)


def _spans(text: Text) -> Tensor:
    """What each query may see, as (queries, 2)."""
    visible, n_queries, n_keys = text.recipe.visible, text.query.shape[-2], text.key.shape[-2]
    return torch.tensor([[0, n_keys]] * n_queries, dtype=torch.int32) if visible is None else visible.cpu()


def _bias(texts: Sequence[Text]) -> Tensor | None:
    """Diagonals of the last step hold all that came before; matrices go under each other. Unseen keys have 0."""
    last, n_queries = texts[-1], sum(text.query.shape[-2] for text in texts)
    if last.recipe.bias is None:
        return None
    if all(text.recipe.bias is not None and text.recipe.bias.ndim == 2 for text in texts):
        return pad(last.recipe.bias, (0, n_queries - last.query.shape[-2]))
    blocks = [biased(text.recipe, text.query.shape[-2], text.key.shape[-2]) for text in texts]
    n_keys = last.key.shape[-2]
    return torch.cat([pad(each, (0, n_keys - each.shape[-1])) for each in blocks if each is not None], dim=1)
