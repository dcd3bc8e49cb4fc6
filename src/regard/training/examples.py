"""Sentence pairs as batches: number → batch, a pure function of the data and the seed."""

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import torch

from regard.text.batches import batches, padded
from regard.text.tokenizers import END, PAD, START, Tokenizer
from regard.training.batch import Batch


class Examples:
    """Encoded pairs, cut into batches by a token budget. Final."""

    def __init__(self, sources: Sequence[str], targets: Sequence[str], tokenizer: Tokenizer) -> None:
        self.source = [[*e.ids, END] for e in tokenizer.encode_batch(sources)]
        self.target = [[START, *e.ids, END] for e in tokenizer.encode_batch(targets)]

    def __len__(self) -> int:
        return len(self.source)

    def batch(self, number: int, *, tokens: int, seed: int) -> Batch:
        """The batch 0, 1, …, over as many epochs as it takes."""
        per_epoch = self.batches_per_epoch(tokens)
        epoch, index = divmod(number, per_epoch)
        return self.of(self._order(tokens, seed, epoch)[index])

    def batches_per_epoch(self, tokens: int) -> int:
        """Batches an epoch: the same for each, since lengths alone decide the cuts."""
        return len(self._order(tokens, 0, 0))

    def of(self, examples: np.ndarray) -> Batch:
        """These examples as one padded batch: the model reads source and target, the latter without its end."""
        source = torch.from_numpy(padded([self.source[i] for i in examples], PAD))
        target = torch.from_numpy(padded([self.target[i] for i in examples], PAD))
        expected = target[:, 1:]
        return Batch((source, target[:, :-1]), expected, expected != PAD, examples)

    @lru_cache(maxsize=2)  # noqa: B019 — one run, one object; it lives as long as the run
    def _order(self, tokens: int, seed: int, epoch: int) -> list[np.ndarray]:
        lengths = [len(row) for row in self.source], [len(row) - 1 for row in self.target]
        return batches(*lengths, tokens=tokens, seed=seed, epoch=epoch)
