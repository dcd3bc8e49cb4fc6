"""Examples of a training run as tensors: step → batch, a pure function of the data and the seed."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from regard.text.batches import batches, padded
from regard.text.tokenizers import END, PAD, START, Tokenizer


@dataclass(frozen=True)
class Batch:
    """One step's sentence pairs: `source` (batch, source) with end; `target` (batch, target) with start and end."""

    source: Tensor
    target: Tensor
    examples: np.ndarray

    def to(self, device: torch.device) -> "Batch":
        """The same batch on another device."""
        return Batch(self.source.to(device), self.target.to(device), self.examples)

    @property
    def read(self) -> Tensor:
        """What the decoder reads: the target without its last token."""
        return self.target[:, :-1]

    @property
    def expected(self) -> Tensor:
        """What it should say next: the target without its first token."""
        return self.target[:, 1:]


class Examples:
    """Encoded pairs, cut into batches by a token budget. Final."""

    def __init__(self, sources: Sequence[str], targets: Sequence[str], tokenizer: Tokenizer) -> None:
        self.source = [[*e.ids, END] for e in tokenizer.encode_batch(sources)]
        self.target = [[START, *e.ids, END] for e in tokenizer.encode_batch(targets)]

    def __len__(self) -> int:
        return len(self.source)

    def batch(self, step: int, *, tokens: int, seed: int) -> Batch:
        """The batch of step 0, 1, …, over as many epochs as it takes."""
        per_epoch = self.batches_per_epoch(tokens)
        epoch, index = divmod(step, per_epoch)
        return self.of(self._order(tokens, seed, epoch)[index])

    def batches_per_epoch(self, tokens: int) -> int:
        """Steps an epoch: the same for each, since lengths alone decide the cuts."""
        return len(self._order(tokens, 0, 0))

    def of(self, examples: np.ndarray) -> Batch:
        """These examples as one padded batch."""
        source = padded([self.source[i] for i in examples], PAD)
        target = padded([self.target[i] for i in examples], PAD)
        return Batch(torch.from_numpy(source), torch.from_numpy(target), examples)

    @lru_cache(maxsize=2)  # noqa: B019 — one run, one object; it lives as long as the run
    def _order(self, tokens: int, seed: int, epoch: int) -> list[np.ndarray]:
        lengths = [len(row) for row in self.source], [len(row) - 1 for row in self.target]
        return batches(*lengths, tokens=tokens, seed=seed, epoch=epoch)
