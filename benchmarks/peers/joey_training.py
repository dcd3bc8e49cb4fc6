"""JoeyNMT's training step, rebuilt: random batches by a token budget, log-probabilities of every position, Adam.

What its own form costs is kept: no length buckets ("no bucketing" in its loader), the output layer and the
log-softmax over padding too, the count of right tokens at each step. What would only slow it down for reasons beside
the model is left out, in its favour: it cuts each line into tokens twice an epoch, here ids are ready beforehand.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils import clip_grad_norm_

from peers.joey_rnn import JoeyRnn
from regard.text.tokenizers import END, PAD, START
from regard.training.examples import Examples


@dataclass(frozen=True)
class JoeyRecipe:
    """Its training choices: Adam's rate as in its `iwslt_deen_bahdanau`, clipping as in its `rnn_reverse`."""

    learning_rate: float = 1e-3
    clip: float = 1.0
    label_smoothing: float = 0.0


@dataclass(frozen=True)
class JoeyBatch:
    """Sources, longest first, with their lengths; targets as read and as expected."""

    source: Tensor
    lengths: Tensor
    read: Tensor
    expected: Tensor

    @property
    def tokens(self) -> int:
        """Real target tokens, end tokens counted."""
        return int((self.expected != PAD).sum())


def batches(source: Sequence[int], target: Sequence[int], *, tokens: int, seed: int) -> Iterator[list[int]]:
    """Examples in random order, cut where examples × longest side (end token counted) reaches the budget.

    Args:
        source, target: lengths without start and end tokens.
    """
    batch, longest = [], 0
    for index in np.random.default_rng(seed).permutation(len(source)).tolist():
        batch.append(index)
        longest = max(longest, source[index] + 1, target[index] + 1)
        if longest * len(batch) >= tokens:
            yield batch
            batch, longest = [], 0
    if batch:
        yield batch


def epochs(examples: Examples, *, tokens: int) -> Iterator[JoeyBatch]:
    """Batches without end, a new order each epoch (its seed is 42 and the number of the epoch)."""
    source, target = [row[:-1] for row in examples.source], [row[1:-1] for row in examples.target]
    lengths = [len(row) for row in source], [len(row) for row in target]
    for epoch in count(1):
        for batch in batches(*lengths, tokens=tokens, seed=42 + epoch):
            yield collated([source[i] for i in batch], [target[i] for i in batch])


def collated(source: Sequence[Sequence[int]], target: Sequence[Sequence[int]]) -> JoeyBatch:
    """Rows of ids (no start, no end) as one padded batch; its decoder reads padding where a sentence has ended."""
    sources = _filled([[*row, END] for row in source])
    targets = _filled([[START, *row, END] for row in target])
    lengths = torch.tensor([len(row) + 1 for row in source])
    lengths, order = lengths.sort(descending=True)
    sources, targets = sources[order], targets[order]
    read = torch.where(targets == END, PAD, targets)[:, :-1]
    return JoeyBatch(sources, lengths, read, targets[:, 1:])


def _filled(rows: list[list[int]]) -> Tensor:
    longest = max(map(len, rows))
    return torch.tensor([[*row, *[PAD] * (longest - len(row))] for row in rows])


def loss(log_probs: Tensor, expected: Tensor, smoothing: float) -> Tensor:
    """The sum over real tokens: negative log-likelihood, or with smoothing the divergence from a smoothed distribution.

    The rest of the mass is spread over all tokens but the right one and padding.
    """
    vocab_size = log_probs.shape[-1]
    flat, ids = log_probs.reshape(-1, vocab_size), expected.reshape(-1)
    if smoothing == 0:
        return nn.functional.nll_loss(flat, ids, ignore_index=PAD, reduction="sum")
    wanted = torch.full_like(flat, smoothing / (vocab_size - 2), requires_grad=False)
    wanted.scatter_(1, ids.unsqueeze(1), 1 - smoothing)
    wanted[:, PAD] = 0
    wanted[ids == PAD] = 0
    return nn.functional.kl_div(flat, wanted, reduction="sum")


def optimizer(model: JoeyRnn, recipe: JoeyRecipe) -> torch.optim.Optimizer:
    """Adam as JoeyNMT makes it: torch's defaults but for the rate."""
    return torch.optim.Adam(model.parameters(), lr=recipe.learning_rate)


def measured(model: JoeyRnn, batch: JoeyBatch, smoothing: float) -> tuple[Tensor, int]:
    """The loss a token, and how many tokens the model would have got right."""
    logits, _ = model(batch.source, batch.lengths, batch.read)
    log_probs = torch.log_softmax(logits, dim=-1)
    total = loss(log_probs, batch.expected, smoothing)
    real = batch.expected != PAD
    right = log_probs.argmax(-1).masked_select(real).eq(batch.expected.masked_select(real)).sum()
    return total / real.sum().item(), int(right.item())


def step(model: JoeyRnn, adam: torch.optim.Optimizer, batch: JoeyBatch, recipe: JoeyRecipe) -> float:
    """One step of training; its loss."""
    model.train()
    value, _ = measured(model, batch, recipe.label_smoothing)
    value.backward()
    clip_grad_norm_(model.parameters(), recipe.clip)
    adam.step()
    model.zero_grad()
    return value.item()
