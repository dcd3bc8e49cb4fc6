"""Windows of a text as batches: number → batch, a pure function of the tokens and the seed."""

import numpy as np
import torch

from regard.core.errors import BadInput
from regard.training.batch import Batch


class Windows:
    """A row of ids, read in windows of `context` tokens; each place is expected to say the id after it. Final.

    Args:
        ids: (n,) whole numbers, usually mapped from a file.
        side: `training` or `validation`, for the error.

    Raises:
        BadInput: `text_too_small`: fewer ids than one window and the id after it.
    """

    def __init__(self, ids: np.ndarray, context: int, side: str = "training") -> None:
        if len(ids) < context + 1:
            raise BadInput("text_too_small", side=side, tokens=len(ids), needed=context + 1, context=context)
        self.ids, self.context = ids, context

    def batch(self, number: int, *, size: int, seed: int) -> Batch:
        """The batch 0, 1, …: `size` windows at places that (seed, number) decides."""
        random = np.random.default_rng([seed, number])
        return self.at(random.integers(0, len(self.ids) - self.context, size))

    def __len__(self) -> int:
        """How many windows stand one after another: what the last of one expects is what the next one reads first."""
        return (len(self.ids) - 1) // self.context

    def number(self, windows: np.ndarray) -> Batch:
        """The windows 0, 1, … of those."""
        return self.at(windows * self.context)

    def at(self, starts: np.ndarray) -> Batch:
        """The windows that begin at these ids."""
        rows = self.ids[starts[:, None] + np.arange(self.context + 1)]
        whole = torch.from_numpy(rows.astype(np.int64))
        return Batch((whole[:, :-1],), whole[:, 1:], None, starts)
