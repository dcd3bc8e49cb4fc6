"""Evidence: what an edge, a head or a span does to what a model says. Gradients rank, knockouts tell.

"Attention is not explanation" until the edge is cut and somebody looks (Jain & Wallace 2019; Wiegreffe & Pinter 2019).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from scipy.stats import spearmanr
from torch import Tensor

from regard.inspection.knockout import How, Knockout
from regard.inspection.ranking import Estimate, ranked
from regard.inspection.subject import Subject

HEAVY, LIGHT = 0.5, 0.1
"""From this weight on an edge is heavy; up to that one it is light."""

GREAT, SMALL = 0.1, 0.01
"""From this change of the log-probability on, in nats, an effect is great; up to that one it is none to speak of."""


@dataclass(frozen=True)
class Target:
    """What the gain is: the log-probability of these ids at the subject's places, summed.

    Attributes:
        ids: one for each place that the subject is asked at.
    """

    ids: tuple[int, ...]

    def log_prob(self, logits: Tensor) -> Tensor:
        """Of each run, (…, places, vocab_size) → (…)."""
        return self._at(logits.log_softmax(-1)).sum(-1)

    def logit(self, logits: Tensor) -> Tensor:
        """The raw logits of the ids, summed."""
        return self._at(logits).sum(-1)

    def rank(self, logits: Tensor) -> Tensor:
        """Where it stands among all tokens, from 1, at the place where it stands worst."""
        return 1 + (logits > self._at(logits)[..., None]).sum(-1).amax(-1)

    def _at(self, values: Tensor) -> Tensor:
        ids = torch.tensor(self.ids, device=values.device).expand(values.shape[:-1])
        return values.gather(-1, ids[..., None])[..., 0]


def likeliest(logits: Tensor) -> Target:
    """The subject's own choice at each place; logits (places, vocab_size)."""
    return Target(tuple(logits.argmax(-1).tolist()))


@dataclass(frozen=True)
class Effect:
    """What a knockout changed.

    Attributes:
        knockout: what was cut.
        weight: of the edge, where one alone was cut.
        delta_logit, delta_log_prob: of the target; negative where the cut took something from it.
        kl: of what the model says without from what it says with, in nats, summed over places.
        rank: of the target afterwards, among all tokens; 1 is the likeliest.
        estimate: of delta_log_prob by gradients, where there is one.
    """

    knockout: Knockout
    weight: float | None
    delta_logit: float
    delta_log_prob: float
    kl: float
    rank: int
    estimate: float | None = None

    @property
    def flag(self) -> str | None:
        """`heavy_idle`: high weight, no effect; `light_strong`: low weight, great effect; None: neither."""
        change = abs(self.delta_log_prob)
        if self.weight is None:
            return None
        if self.weight >= HEAVY and change <= SMALL:
            return "heavy_idle"
        return "light_strong" if self.weight <= LIGHT and change >= GREAT else None


@dataclass(frozen=True)
class Evidence:
    """The edges that count most for a target.

    Attributes:
        target: whose log-probability counts.
        log_prob: with all edges.
        effects: exact, the greatest first.
        agreement: Spearman's rank correlation of estimate and truth over these edges; NaN below three.
        weight_agreement: the same of the weight and the size of the effect.
    """

    target: Target
    log_prob: float
    effects: tuple[Effect, ...]
    agreement: float
    weight_agreement: float


class Runs(Protocol):
    """Whatever runs knockouts: a subject, or one of which only a part is computed again."""

    def logits(self, knockouts: Sequence[Knockout], how: How = "renormalised") -> Tensor:
        """(knockouts, places, vocab_size)."""


def effects(runs: Runs, base: Tensor, target: Target, knockouts: Sequence[Knockout], how: How) -> list[Effect]:
    """What each knockout changes.

    Args:
        base: what is said without any, (places, vocab_size).
    """
    said = runs.logits(knockouts, how).float()
    base = base.float()
    logit = target.logit(said) - target.logit(base)
    log_prob = target.log_prob(said) - target.log_prob(base)
    kl = (base.softmax(-1) * (base.log_softmax(-1) - said.log_softmax(-1))).sum((-1, -2)).clamp(min=0)
    facts = zip(knockouts, logit.tolist(), log_prob.tolist(), kl.tolist(), target.rank(said).tolist(), strict=True)
    return [Effect(knockout, None, *numbers) for knockout, *numbers in facts]


def evidence(
    subject: Subject,
    target: Target | None = None,
    *,
    most: int = 50,
    how: How = "renormalised",
    runs: Runs | None = None,
) -> Evidence:
    """The edges that change a target most: ranked by gradients, the first `most` cut one by one.

    Args:
        target: None for what the subject itself finds likeliest.
        runs: what runs the knockouts; None for the subject.
    """
    base = subject.logits([[]])[0]
    target = target or likeliest(base)
    visits, gradients = subject.graded(target.log_prob)
    chosen = ranked(visits, gradients, most=most, how=how)
    found = effects(runs or subject, base, target, [[each.edge] for each in chosen], how) if chosen else []
    told = [_told(effect, estimate) for effect, estimate in zip(found, chosen, strict=True)]
    told.sort(key=lambda each: -abs(each.delta_log_prob))
    true = [each.delta_log_prob for each in told]
    by_gradient = agreement([each.estimate or 0.0 for each in told], true)
    by_weight = agreement([each.weight or 0.0 for each in told], [abs(each) for each in true])
    return Evidence(target, float(target.log_prob(base)), tuple(told), by_gradient, by_weight)


def agreement(one: Sequence[float], other: Sequence[float]) -> float:
    """Spearman's rank correlation; NaN for fewer than three, or where one side is all equal."""
    if len(one) < 3 or len(set(one)) < 2 or len(set(other)) < 2:
        return float("nan")
    return float(np.asarray(spearmanr(one, other).statistic))


def _told(effect: Effect, estimate: Estimate) -> Effect:
    numbers = (effect.delta_logit, effect.delta_log_prob, effect.kl, effect.rank)
    return Effect([estimate.edge], estimate.weight, *numbers, estimate.change)
