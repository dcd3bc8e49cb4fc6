"""The output matrices of a foreign model's attentions, found by what is handed to them; names differ by family."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from transformers.pytorch_utils import Conv1D

from regard.inspection.foreign.reading import Reading
from regard.inspection.foreign.record import Looker, looking
from regard.inspection.foreign.run import Foreign, run


class _Joined(Looker):
    """Knows which layer is handed what the heads of an attention hand on, joined and otherwise as it is."""

    def __init__(self, model: Any) -> None:
        super().__init__(model)
        self._handed: Tensor | None = None
        self.found: dict[str, Tensor] = {}

    def saw(self, module: nn.Module, given: dict[str, Any], output: Tensor, weights: Tensor | None) -> Tensor:
        """What heads hand on, (batch, queries, heads, d_value)."""
        self._handed = output
        return output

    def given(self, layer: nn.Module, came: tuple[Any, ...]) -> None:
        """A linear layer is about to run."""
        handed = self._handed
        if handed is None or not came or not isinstance(came[0], Tensor) or came[0].numel() != handed.numel():
            return
        if torch.equal(came[0].reshape(-1), handed.reshape(-1)):
            weight: Tensor = layer.weight if isinstance(layer, Conv1D) else layer.weight.T  # type: ignore[assignment]
            self.found[self.address] = weight.detach().float().reshape(handed.shape[2], -1, weight.shape[1])
            self._handed = None


def outputs(foreign: Foreign, reading: Reading) -> dict[str, Tensor]:
    """The output matrix of each attention, a slice a head: (heads, d_value, d_model), by address.

    What a family does otherwise (a norm or a gate between heads and matrix) is not among them.
    """
    joined = _Joined(foreign.model)
    with looking(foreign, joined), _heard(foreign.model, joined), torch.inference_mode():
        run(foreign, reading.inputs)
    return joined.found


@contextmanager
def _heard(model: Any, joined: _Joined) -> Iterator[None]:
    hooks = [
        layer.register_forward_pre_hook(joined.given)
        for layer in model.modules()
        if isinstance(layer, nn.Linear | Conv1D)
    ]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()
