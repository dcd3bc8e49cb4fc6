"""The loss of a batch: how surprised the model is by each real target token."""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from regard.models.rnn import RnnTranslator
from regard.text.tokenizers import PAD
from regard.training.examples import Batch, Examples


@dataclass(frozen=True)
class Measured:
    """A loss in nats a token, over so many real tokens; the share of padding among all that were computed."""

    loss: Tensor
    tokens: int
    padding: float


def loss(model: RnnTranslator, batch: Batch, label_smoothing: float = 0.0) -> Measured:
    """Cross-entropy over the real target tokens; padding reaches neither the output layer nor the mean."""
    batch = batch.to(next(model.parameters()).device)
    real = batch.expected != PAD
    logits = model.head(model.features(batch.source, batch.read)[real])
    value = cross_entropy(logits, batch.expected[real], label_smoothing=label_smoothing)
    tokens = int(real.sum())
    return Measured(value, tokens, 1 - tokens / real.numel())


@torch.inference_mode()
def validation_loss(model: RnnTranslator, examples: Examples, tokens: int) -> float:
    """Nats a token over all examples, without label smoothing."""
    total, count = 0.0, 0
    for step in range(examples.batches_per_epoch(tokens)):
        measured = loss(model, examples.batch(step, tokens=tokens, seed=0))
        total, count = total + float(measured.loss) * measured.tokens, count + measured.tokens
    return total / max(1, count)
