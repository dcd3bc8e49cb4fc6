"""Model cards: what a model is, what it learnt from, how well it does, in the README of its folder."""

from typing import Any

from regard.language import say
from regard.training.settings import Settings


def training_card(settings: Settings, facts: dict[str, Any], pairs: int) -> str:
    """The card of a model that a user trained: choices and validation scores, nothing that was not measured."""
    model: Any = settings.model
    return say(
        "cards.trained",
        attention=model.attention,
        cell=model.cell.upper(),
        d_model=model.d_model,
        pairs=pairs,
        step=facts["step"],
        steps=settings.steps,
        seed=settings.seed,
        bleu=f"{facts['bleu']:.2f}",
        chrf=f"{facts['chrf']:.2f}",
        bleu_signature=facts["signatures"]["bleu"],
        chrf_signature=facts["signatures"]["chrf"],
    )
