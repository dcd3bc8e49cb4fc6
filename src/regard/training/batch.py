"""What every model is trained on, and what every model must offer for it."""

from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor


class Trainable(Protocol):
    """What training asks of a model (an `nn.Module`): what each place says, and the logits of that."""

    config: Any

    def features(self, *inputs: Tensor) -> Tensor:
        """(batch, n, d): what each place says about the token expected there."""

    def head(self, features: Tensor) -> Tensor:
        """(..., d) → logits (..., vocab_size)."""


@dataclass(frozen=True)
class Batch:
    """One step's examples.

    Attributes:
        inputs: what the model reads, as its `features` takes them.
        expected: (batch, n) ids that it should say.
        real: (batch, n) True where `expected` is no padding; None where nothing is.
        examples: numbers of the examples, to name them when something is wrong.
    """

    inputs: tuple[Tensor, ...]
    expected: Tensor
    real: Tensor | None
    examples: np.ndarray

    @property
    def tokens(self) -> int:
        """How many tokens are expected."""
        return self.expected.numel() if self.real is None else int(self.real.sum())

    def to(self, device: torch.device) -> "Batch":
        """The same batch on another device."""
        real = None if self.real is None else self.real.to(device)
        inputs = tuple(each.to(device) for each in self.inputs)
        return replace(self, inputs=inputs, expected=self.expected.to(device), real=real)
