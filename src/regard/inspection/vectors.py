"""The vectors of tokens on their way through a model, with edges cut where asked."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor

from regard.core.tap import tapped
from regard.inspection.knockout import Knife, Knockout
from regard.inspection.record import VECTORS
from regard.inspection.trace import Sequence as Side
from regard.inspection.trace import Trace

AT_ONCE, TOKENS = 64, 2048
"""Texts in a batch, and tokens of them all, at most: the vectors of every layer are held."""


def at_once(length: int) -> int:
    """How many texts of so many tokens run together."""
    return max(1, min(AT_ONCE, TOKENS // max(1, length)))


@dataclass(frozen=True)
class Stages:
    """The vectors of some texts of one length on their way through a model.

    Attributes:
        alone: (texts, tokens, d): words alone.
        layers: (layers + 1, texts, tokens, d_model): before attention (with positions, where a model adds them), then
            after each layer.
    """

    alone: Tensor
    layers: Tensor


class Reader(Protocol):
    """A model that reads texts: a language model, an encoder, the encoder of a translator.

    Attributes:
        name: of the model.
        longest: how many tokens it reads; None where positions are counted without end.
    """

    name: str
    longest: int | None

    def side(self, text: str) -> Side:
        """A text as it reads it."""

    def stages(self, ids: Sequence[Sequence[int]], knockouts: Sequence[Knockout] = ()) -> Stages:
        """The vectors of texts of one length on their way through it; each row with its own knockout."""

    def trace(self, side: Side) -> Trace:
        """What it attends to when it reads a text: the weights of each layer."""


class _Seen(Knife):
    """A knife that keeps the vectors of one stack, too."""

    def __init__(self, knockouts: Sequence[Knockout], n_heads: dict[str, int], stack: str) -> None:
        super().__init__(knockouts, n_heads)
        self._stack = stack
        self.vectors: list[Tensor] = []

    def __call__(self, address: str, step: str, tensor: Tensor) -> Tensor:
        """The tensor that goes on."""
        if step in VECTORS and address.startswith(self._stack):
            self.vectors.append(tensor.float().cpu())
        return super().__call__(address, step, tensor)


@torch.inference_mode()
def stages(
    model: Any, inputs: Sequence[Tensor], stack: str = "decoder", *, knockouts: Sequence[Knockout] = ()
) -> Stages:
    """The vectors of texts on their way through a model of ours.

    Args:
        model: a `Gpt`, or a `Transformer`.
        inputs: what its `features` takes: ids (batch, n), of one length.
        stack: `encoder` or `decoder`.
        knockouts: what is cut in each row; none: nothing.
    """
    n_heads = {site.address: site.n_heads for site in model.sites}
    seen = _Seen(knockouts or [()] * len(inputs[0]), n_heads, stack)
    with tapped(seen):
        model.features(*inputs)
    alone, *layers = seen.vectors
    return Stages(alone, torch.stack(layers))
