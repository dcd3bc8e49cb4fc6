"""The loss of a batch: how surprised the model is by each real token that was expected."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from regard.training.batch import Batch

Compute = Callable[..., Tensor]


@dataclass(frozen=True)
class Measured:
    """A loss in nats a token, over so many real tokens; the share of padding among all that were computed."""

    loss: Tensor
    tokens: int
    padding: float


def surprise(
    model: Any, inputs: tuple[Tensor, ...], expected: Tensor, real: Tensor | None, label_smoothing: float
) -> Tensor:
    """Mean cross-entropy in nats over the real tokens; padding reaches neither the output layer nor the mean."""
    features = model.features(*inputs)
    if real is None:
        features, expected = features.flatten(0, -2), expected.flatten()
    else:
        features, expected = features[real], expected[real]
    return cross_entropy(model.head(features), expected, label_smoothing=label_smoothing)


def loss(model: Any, batch: Batch, label_smoothing: float = 0.0, compute: Compute = surprise) -> Measured:
    """The loss of a batch, with its gradient's graph. `compute` is `surprise`, or that compiled."""
    batch = batch.to(next(model.parameters()).device)
    value = compute(model, batch.inputs, batch.expected, batch.real, label_smoothing)
    tokens = batch.tokens
    return Measured(value, tokens, 1 - tokens / batch.expected.numel())


@torch.inference_mode()
def validation_loss(model: Any, batches: Iterable[Batch]) -> float:
    """Nats a token over all batches, without label smoothing."""
    total, count = 0.0, 0
    for batch in batches:
        measured = loss(model, batch)
        total, count = total + float(measured.loss) * measured.tokens, count + measured.tokens
    return total / max(1, count)
