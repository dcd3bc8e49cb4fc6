"""Following a decoder while it writes: in which row of each step's batch the text that was kept was read.

Beams move between rows, and lines that are done leave: a trail goes with each, so that the visits of a cached run can
be stitched into the one matrix of its final text.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class Trail:
    """A decoder's state, and how each row came here.

    Attributes:
        state: the model's own.
        rows: (batch, steps), the row of each step's batch in which this text was read.
        ids: (batch, steps), what it read there.
    """

    state: Any
    rows: Tensor
    ids: Tensor

    def select(self, rows: Tensor) -> "Trail":
        """The states of these batch rows, in this order."""
        return Trail(self.state.select(rows), self.rows[rows], self.ids[rows])


class Followed(nn.Module):
    """A decoder that whoever drives it drives as before, and that remembers the trails. Final."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model, self.config = model, getattr(model, "config", None)
        self._steps: list[tuple[Tensor, Tensor]] = []

    def start(self, source: Tensor, real: Tensor | None = None) -> Trail:
        """As the model's."""
        nothing = torch.empty(len(source), 0, dtype=torch.long, device=source.device)
        return Trail(self.model.start(source, real), nothing, nothing)

    def step(self, trail: Trail, ids: Tensor) -> tuple[Tensor, Trail]:
        """As the model's, and one step more of each trail."""
        logits, state = self.model.step(trail.state, ids)
        here = torch.arange(len(ids), device=ids.device)
        rows, read = (torch.cat(pair, dim=1) for pair in ((trail.rows, here[:, None]), (trail.ids, ids[:, None])))
        self._steps.append((rows, read))
        return logits, Trail(state, rows, read)

    def rows_of(self, read: Sequence[int]) -> list[int]:
        """The row of each step's batch in which these ids were read, step by step."""
        rows, ids = self._steps[len(read) - 1]
        found = (ids == torch.tensor(list(read), device=ids.device)).all(1).nonzero()
        return [int(row) for row in rows[int(found[0])]]
