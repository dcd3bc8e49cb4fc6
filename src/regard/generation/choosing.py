"""Which token comes next: the likeliest, or one drawn by chance.

The steps stand in `transformers`' order: repetition penalty, temperature, top-k, top-p, min-p, so that the same numbers
give the same probabilities there and here.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

_LEAST = 1e-300
"""Of what is drawn: the luck of 0 would be without end, even for what is never chosen."""

_COLDEST = 1e-30
"""Logits divided by less may be without end, all alike; long before that only the likeliest is drawn."""

NEVER = float("-inf")


@dataclass(frozen=True)
class Choice:
    """How the next token is chosen.

    Attributes:
        greedy: the likeliest, always; temperature, top_k, top_p and min_p then change nothing.
        temperature: logits are divided by it; below 1 the likely becomes likelier.
        top_k: only the k likeliest (Fan et al. 2018, §5.4); those as likely as the last of them stay too.
        top_p: only the likeliest that together have at least this probability (Holtzman et al. 2020, §3.1).
        min_p: only those at least this share as likely as the likeliest (Nguyen et al. 2024, §3).
        repetition_penalty: logits of tokens that were read or written are divided by it where positive, else
            multiplied (Keskar et al. 2019, §4.1; for negative ones as `transformers` does).
        forbidden: ids that are never chosen.
    """

    greedy: bool = False
    temperature: float = 1.0
    top_k: int | None = None
    top_p: float = 1.0
    min_p: float = 0.0
    repetition_penalty: float = 1.0
    forbidden: tuple[int, ...] = ()

    def adjusted(self, logits: Tensor, seen: Tensor | None = None) -> Tensor:
        """Logits (rows, vocab_size) after all steps; −inf where a token cannot be chosen.

        Args:
            seen: (rows, vocab_size), True for tokens that were read or written; needed for the repetition penalty.

        >>> Choice(temperature=0.5, top_k=2).adjusted(torch.tensor([[1.0, 3.0, 2.0]]))
        tensor([[-inf, 6., 4.]])
        """
        scores = logits.float()
        if self.forbidden:
            scores = scores.index_fill(1, torch.tensor(self.forbidden, device=scores.device), NEVER)
        if self.repetition_penalty != 1.0 and seen is not None:
            punished = torch.where(scores < 0, scores * self.repetition_penalty, scores / self.repetition_penalty)
            scores = torch.where(seen, punished, scores)
        if self.greedy:
            return scores
        scores = scores / max(self.temperature, _COLDEST)
        for cut in (self._top_k, self._top_p, self._min_p):
            scores = cut(scores)
        return scores

    def luck(self, chances: Sequence[np.random.Generator], like: Tensor) -> Tensor | None:
        """What chance adds to each token's logit (rows, vocab_size), if it has a say; row i asks `chances[i]`."""
        if self.greedy:
            return None
        drawn = np.stack([chance.standard_exponential(like.shape[-1]) for chance in chances])
        return torch.from_numpy(drawn).to(like.device).clamp_(min=_LEAST).log_().neg_()

    def pick(self, logits: Tensor, luck: Tensor | None, seen: Tensor | None = None) -> Tensor:
        """The id (rows,) that each row writes: the largest after all steps, with its luck.

        −log of an exponential draw, added to logits, makes each token the largest as often as softmax says (Gumbel
        1954). Logits that differ a little then choose the same token nearly always, which `speculation` lives from.
        """
        scores = self.adjusted(logits, seen)
        scores = scores if luck is None else luck + scores
        return scores.max(-1).indices  # of equals the first, as argmax, in less than half its time

    def _top_k(self, scores: Tensor) -> Tensor:
        if self.top_k is None or self.top_k >= scores.shape[-1]:
            return scores
        return scores.masked_fill(scores < scores.topk(self.top_k).values[:, -1:], NEVER)

    def _top_p(self, scores: Tensor) -> Tensor:
        """Beginning with the least likely: all whose sum stays within 1 − p go, but never the likeliest."""
        if self.top_p >= 1.0:
            return scores
        ordered, places = scores.sort(dim=-1)
        gone = ordered.softmax(-1).cumsum(-1) <= 1 - self.top_p
        gone[:, -1] = False
        return scores.masked_fill(gone.scatter(1, places, gone), NEVER)

    def _min_p(self, scores: Tensor) -> Tensor:
        if self.min_p <= 0.0:
            return scores
        likely = scores.softmax(-1)
        return scores.masked_fill(likely < self.min_p * likely.amax(-1, keepdim=True), NEVER)


def chance(seed: int, number: int = 0) -> np.random.Generator:
    """The source of chance of a prompt's sample `number`: the same for the same seed, whatever else runs beside it."""
    return np.random.default_rng([seed, number])
