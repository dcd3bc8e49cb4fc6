"""A decoder that writes only some of its vocabulary: the head multiplies those rows alone, and search sorts fewer.

Marian's and Sockeye's shortlists are made for each sentence from a lexicon of word pairs; this one is made once, from
text of the user's domain, so nothing can be written whose pieces do not stand there.
"""

import copy
from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import linear

from regard.generation.search import Hypothesis
from regard.text.tokenizers import SPECIAL


class Shortlisted:
    """A translator over a part of its vocabulary: id i here is the model's `ids[i]`. Final.

    The special tokens keep their ids, so whoever drives a model drives this, in the same words; `widened` turns what
    was written into the model's ids.

    Args:
        model: has `embedding`, whose matrix is the head's, and `head_bias`. It stays as it is.
        pieces: the ids that may be written besides the special ones.
    """

    def __init__(self, model: Any, pieces: Iterable[int]) -> None:
        special = list(range(len(SPECIAL)))
        matrix = model.embedding.weight
        self.ids = torch.tensor([*special, *sorted(set(pieces) - set(special))], device=matrix.device)
        self.config = model.config
        self.model = copy.copy(model)  # the same weights; only its head is another
        self.model.__dict__["head"] = _head(matrix[self.ids], model.head_bias[self.ids])

    def start(self, source: Tensor, real: Tensor | None = None) -> Any:
        """As the model's: the source is read with the whole vocabulary."""
        return self.model.start(source, real)

    def step(self, state: Any, ids: Tensor) -> tuple[Tensor, Any]:
        """Logits (batch, n) of the shortlist's tokens."""
        return self.model.step(state, self.ids[ids])

    def widened(self, found: Hypothesis) -> Hypothesis:
        """A hypothesis in the model's ids."""
        return Hypothesis(self.ids[found.ids].tolist(), found.score, found.log_probs)


def _head(matrix: Tensor, bias: Tensor) -> Any:
    return lambda features: linear(features, matrix, bias)
