"""Where to look: the heads of a model on some texts, each with its roles and what the prediction loses without it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from regard.core.errors import BadInput
from regard.inspection.evidence import effects, likeliest
from regard.inspection.heads import ROLES
from regard.inspection.knockout import Edge
from regard.inspection.roles import Head
from regard.inspection.roles import heads as roles_of
from regard.inspection.subject import Own, Resumed
from regard.inspection.trace import Check, Trace
from regard.models.gpt import Gpt
from regard.tasks.looked import stamp_json, tokens_json
from regard.tasks.looking import stamp
from regard.tasks.reading import shown
from regard.tasks.record_choices import refuse_unless_text
from regard.tasks.recording import opened, record
from regard.tasks.subjects import subject_of
from regard.views.picture import Rows
from regard.views.roles import Row, roles

MUTE = ("foreign_mute", "evidence_no_logits", "evidence_gradless")
"""Why a model says nothing that could be lost."""

BY = ("role", "effect", "sharpness", *ROLES)
"""What heads may be ordered by."""


@dataclass(frozen=True)
class Found:
    """The heads of a model on some texts, in the order asked for.

    Attributes:
        name: of the model.
        traces: of each text.
        heads: all of them.
        effects: Δ log-probability of what the model says, when the head looks nowhere; mean over the texts. None: of a
            model that says nothing, or not asked for.
    """

    name: str
    traces: tuple[Trace, ...]
    heads: tuple[Head, ...]
    effects: tuple[float | None, ...]

    @property
    def check(self) -> Check:
        """That of the trace that is furthest off."""
        return max((trace.check for trace in self.traces), key=lambda check: check.deviation)

    def json(self, most: int | None = None) -> dict[str, Any]:
        """`heads`, `tokens` (of the first text), `texts` (how many), `check`, as the command's JSON holds them."""
        trace = self.traces[0]
        asks, keys = (trace.sequences[getattr(trace.sites[-1], side)] for side in ("queries", "keys"))
        tokens = tokens_json(shown(asks), shown(keys), itself=asks is keys)
        told = [_json(head, effect) for head, effect in zip(self.heads, self.effects, strict=True)]
        return {"heads": told[:most], **tokens, "texts": len(self.traces), "check": stamp_json(self.check)}

    def picture(self, lang: str | None = None, *, most: int = 12) -> Rows:
        """The first heads as a table, and what they do in words."""
        rows = [_row(head, effect) for head, effect in zip(self.heads, self.effects, strict=True)]
        return roles(rows, most, len(self.traces), stamp(self.check, lang), lang)


def heads(
    model: Any, texts: str | Sequence[str], *, target: str | None = None, by: str = "role", effect: bool = True
) -> Found:
    """What each head of a model does on some texts; see `inspection.heads` for what a role is.

    Args:
        model: as `regard.record` takes it.
        target: of one text, the text whose log-probability counts; None for the model's own next token, or translation.
        by: of `BY`: the lead in the head's own role, the size of the effect, sharpness, or one role's share.
        effect: cut each head and see; without it nothing is run but the texts.

    Raises:
        BadInput: no text, one that is empty or too long, a model without attention.

    >>> found = heads("tiny-gpt", "Once upon a time", effect=False)
    >>> found.heads[0].role
    'previous'
    """
    refuse_unless_text(texts, target)
    read = [texts] if isinstance(texts, str) else [text for text in texts if text.strip()]
    if not read:
        raise BadInput("look_empty")
    of = opened(model)
    traces = [record(model, text, target=target) for text in read]
    if not traces[0].sites:
        raise BadInput("no_attention", name=of.name)
    found = roles_of(traces)
    lost = _effects(of, read, target, found) if effect else [None] * len(found)
    order = sorted(range(len(found)), key=lambda at: -_size(found[at], lost[at], by))
    return Found(of.name, tuple(traces), tuple(found[at] for at in order), tuple(lost[at] for at in order))


def _effects(of: Any, texts: Sequence[str], target: str | None, found: Sequence[Head]) -> list[float | None]:
    """Of each head, averaged over the texts."""
    try:
        told = [_of_text(of, text, target, found) for text in texts]
    except BadInput as error:
        if error.code not in MUTE:
            raise
        return [None] * len(found)
    return [float(each) for each in np.mean(told, axis=0)]


def _of_text(of: Any, text: str, target: str | None, found: Sequence[Head]) -> list[float]:
    subject, wanted = subject_of(of, text, target)
    base = subject.said([[]])[0]
    part = isinstance(subject, Own) and isinstance(subject.model, Gpt)
    cuts = [[Edge(head.site.address, head.head)] for head in found]
    runs = Resumed(subject) if part and isinstance(subject, Own) else subject
    told = effects(runs, base, wanted or likeliest(base), cuts, "renormalised")
    return [each.change for each in told]


def _size(head: Head, effect: float | None, by: str) -> float:
    """What heads are ordered by, the largest first."""
    if by == "effect":
        return abs(effect or 0.0)
    if by == "sharpness":
        return head.sharpness or 0.0
    if by != "role":
        return head.roles.get(by) or 0.0
    return head.lead(head.role) if head.role not in (None, "uniform") and head.role is not None else 0.0


def _json(head: Head, effect: float | None) -> dict[str, Any]:
    site = head.site
    place = {"address": site.address, "layer": site.layer, "head": head.head}
    return {**place, "role": head.role, "roles": head.roles, "sharpness": head.sharpness, "effect": effect}


def _row(head: Head, effect: float | None) -> Row:
    role = head.role
    share, even = (None, None) if role is None else (head.roles[role], head.even[role])
    return Row(head.site.part, head.site.layer, head.head, role, share, even, head.sharpness, effect)
