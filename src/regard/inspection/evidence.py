"""Evidence: what an edge, a head or a span does to what a model says. Gradients rank, knockouts tell.

"Attention is not explanation" until the edge is cut and somebody looks (Jain & Wallace 2019; Wiegreffe & Pinter 2019).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
import torch
from scipy.stats import spearmanr
from torch import Tensor

from regard.inspection.knockout import How, Knockout
from regard.inspection.ranking import ranked
from regard.inspection.subject import Subject

HEAVY, LIGHT = 0.5, 0.1
"""From this weight on an edge is heavy; up to that one it is light."""

GREAT, SMALL = 0.1, 0.01
"""From this change of the log-probability on, in nats, an effect is great; up to that one it is none to speak of."""

TURNED_FAR, TURNED_LITTLE = 0.01, 0.0005
"""The same of the cosine of a vector with what it was."""


class Goal(Protocol):
    """What counts of what a subject says.

    Attributes:
        rows: along so many directions gradients are asked for.
    """

    rows: int

    def gain(self, said: Tensor) -> Tensor:
        """What edges are ranked by: (rows, places, size) → (rows,)."""

    def told(self, base: Tensor, said: Tensor) -> list[dict[str, Any]]:
        """What `Effect` says of each run: base is (places, size), said (runs, places, size)."""


@dataclass(frozen=True)
class Target:
    """The gain is the log-probability of these ids at the subject's places, summed.

    Attributes:
        ids: one for each place that the subject is asked at.
    """

    ids: tuple[int, ...]
    rows = 1

    def log_prob(self, logits: Tensor) -> Tensor:
        """Of each run, (…, places, vocab_size) → (…)."""
        return self._at(logits.log_softmax(-1)).sum(-1)

    gain = log_prob

    def logit(self, logits: Tensor) -> Tensor:
        """The raw logits of the ids, summed."""
        return self._at(logits).sum(-1)

    def rank(self, logits: Tensor) -> Tensor:
        """Where it stands among all tokens, from 1, at the place where it stands worst."""
        return 1 + (logits > self._at(logits)[..., None]).sum(-1).amax(-1)

    def told(self, base: Tensor, said: Tensor) -> list[dict[str, Any]]:
        """Changes of logit and log-probability, Kullback–Leibler divergence, rank."""
        base, said = base.float(), said.float()
        kl = (base.softmax(-1) * (base.log_softmax(-1) - said.log_softmax(-1))).sum((-1, -2)).clamp(min=0)
        found = {
            "delta_logit": self.logit(said) - self.logit(base),
            "delta_log_prob": self.log_prob(said) - self.log_prob(base),
            "kl": kl,
            "rank": self.rank(said),
        }
        return [dict(zip(found, each, strict=True)) for each in zip(*(f.tolist() for f in found.values()), strict=True)]

    def _at(self, values: Tensor) -> Tensor:
        ids = torch.tensor(self.ids, device=values.device).expand(values.shape[:-1])
        return values.gather(-1, ids[..., None])[..., 0]


class Vector:
    """The gain is the cosine of a vector, the mean over the subject's places, with what it is when nothing is cut.

    Args:
        base: what is said then, (places, d_model).
    """

    rows = 32

    def __init__(self, base: Tensor) -> None:
        self._base = base.detach().clone().float().mean(-2)
        unit = self._base / self._base.norm()
        drawn = torch.randn(self.rows, len(unit), generator=torch.Generator().manual_seed(0)).to(unit)
        self._across = (drawn - (drawn @ unit)[:, None] * unit) / self._base.norm()

    def gain(self, said: Tensor) -> Tensor:
        """How far it goes in random directions across itself, each run in one; see `ranking`."""
        return (said.float().mean(-2) * self._across).sum(-1)

    def told(self, base: Tensor, said: Tensor) -> list[dict[str, Any]]:
        """The cosine."""
        found = torch.cosine_similarity(said.double().mean(-2), self._base.double(), dim=-1)
        return [{"cosine": each} for each in found.tolist()]


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
        cosine: of the vector with what it was, where a vector counts; the four above are None then.
        estimate: of `change` by gradients, where there is one.
    """

    knockout: Knockout
    weight: float | None = None
    delta_logit: float | None = None
    delta_log_prob: float | None = None
    kl: float | None = None
    rank: int | None = None
    cosine: float | None = None
    estimate: float | None = None

    @property
    def change(self) -> float:
        """Of what counts: the log-probability, or the cosine, which was 1."""
        return self.cosine - 1 if self.cosine is not None else self.delta_log_prob or 0.0

    @property
    def flag(self) -> str | None:
        """`heavy_idle`: high weight, no effect; `light_strong`: low weight, great effect; None: neither."""
        small, great = (SMALL, GREAT) if self.cosine is None else (TURNED_LITTLE, TURNED_FAR)
        if self.weight is None:
            return None
        if self.weight >= HEAVY and abs(self.change) <= small:
            return "heavy_idle"
        return "light_strong" if self.weight <= LIGHT and abs(self.change) >= great else None


@dataclass(frozen=True)
class Evidence:
    """What counts most for a target.

    Attributes:
        goal: a `Target`, whose log-probability counts, or a `Vector`.
        log_prob: of the target, with all edges; None for a vector.
        effects: exact, the greatest first.
        agreement: Spearman's rank correlation of estimate and truth over these edges; NaN below three.
        weight_agreement: the same of the weight and the size of the effect.
    """

    goal: Goal
    log_prob: float | None
    effects: tuple[Effect, ...]
    agreement: float = math.nan
    weight_agreement: float = math.nan


class Runs(Protocol):
    """Whatever runs knockouts: a subject, or one of which only a part is computed again."""

    def said(self, knockouts: Sequence[Knockout], how: How = "renormalised") -> Tensor:
        """(knockouts, places, vocab_size)."""


def effects(runs: Runs, base: Tensor, goal: Goal, knockouts: Sequence[Knockout], how: How) -> list[Effect]:
    """What each knockout changes.

    Args:
        base: what is said without any, (places, vocab_size).
    """
    if not knockouts:
        return []
    told = goal.told(base, runs.said(knockouts, how))
    return [Effect(knockout, **numbers) for knockout, numbers in zip(knockouts, told, strict=True)]


def goal_of(subject: Subject, base: Tensor) -> Goal:
    """What counts where nothing is named: what the subject finds likeliest, or where its vector points."""
    return Vector(base) if subject.vectors else likeliest(base)


def log_prob_of(goal: Goal, base: Tensor) -> float | None:
    """Of a target when nothing is cut."""
    return float(goal.log_prob(base.float())) if isinstance(goal, Target) else None


def evidence(
    subject: Subject,
    goal: Goal | None = None,
    *,
    most: int = 50,
    how: How = "renormalised",
    runs: Runs | None = None,
    within: Knockout | None = None,
) -> Evidence:
    """The edges that change a target most: ranked by gradients, the first `most` cut one by one.

    Args:
        goal: None for `goal_of`.
        runs: what runs the knockouts; None for the subject.
        within: only these edges; None for all.
    """
    base = subject.said([[]])[0]
    goal = goal or goal_of(subject, base)
    visits, gradients = subject.graded(goal.gain, goal.rows)
    chosen = ranked(visits, gradients, most=most, how=how, within=within)
    found = effects(runs or subject, base, goal, [[each.edge] for each in chosen], how)
    told = [
        replace(effect, weight=guess.weight, estimate=guess.change) for effect, guess in zip(found, chosen, strict=True)
    ]
    told.sort(key=lambda each: -abs(each.change))
    true = [each.change for each in told]
    by_gradient = agreement([each.estimate or 0.0 for each in told], true)
    by_weight = agreement([each.weight or 0.0 for each in told], [abs(each) for each in true])
    return Evidence(goal, log_prob_of(goal, base), tuple(told), by_gradient, by_weight)


def agreement(one: Sequence[float], other: Sequence[float]) -> float:
    """Spearman's rank correlation; NaN for fewer than three, or where one side is all equal."""
    if len(one) < 3 or len(set(one)) < 2 or len(set(other)) < 2:
        return float("nan")
    return float(np.asarray(spearmanr(one, other).statistic))
