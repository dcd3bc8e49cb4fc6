"""What a trace holds of a run: tensors as the model computed them, numpy in float32 as soon as somebody looks.

A model in 16 bits is held in 16 bits: half of the memory; while it runs only what lies in a larger tensor is copied.
"""

from collections.abc import Iterator, Mapping

import numpy as np
import torch
from torch import Tensor

BRIEF = (torch.bfloat16, torch.float16)


class Held(Mapping[str, np.ndarray]):
    """Tensors by name.

    >>> held = Held()
    >>> held.add("query", torch.ones(1, 2, dtype=torch.bfloat16))
    >>> held["query"]
    array([[1., 1.]], dtype=float32)
    """

    def __init__(self) -> None:
        self._tensors: dict[str, Tensor | np.ndarray] = {}

    def add(self, name: str, tensor: Tensor) -> None:
        """Hold one more, alone: where it lies in a larger tensor, the rest of that is let go.

        From another device it comes here at once.
        """
        tensor = tensor.detach()
        if not (tensor.is_cpu and tensor.dtype in BRIEF):
            self._tensors[name] = _array(tensor)
        else:
            self._tensors[name] = tensor if tensor.untyped_storage().nbytes() == tensor.nbytes else tensor.clone()

    def __getitem__(self, name: str) -> np.ndarray:
        found = self._tensors[name]
        if not isinstance(found, np.ndarray):
            found = self._tensors[name] = _array(found)
        return found

    def __iter__(self) -> Iterator[str]:
        return iter(self._tensors)

    def __len__(self) -> int:
        return len(self._tensors)

    def __repr__(self) -> str:
        return f"Held({', '.join(f'{name} {tuple(each.shape)}' for name, each in self._tensors.items())})"


def _array(tensor: Tensor) -> np.ndarray:
    """In float32 if it is no whole number, and alone."""
    tensor = (tensor.float() if tensor.is_floating_point() else tensor).cpu()
    whole, numbers = tensor.untyped_storage().nbytes(), tensor.numpy()
    return numbers.copy() if whole > numbers.nbytes else numbers
