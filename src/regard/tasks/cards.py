"""Model cards: what a model is, what it learnt from, how well it does, in the README of its folder."""

from typing import Any

from regard.language import say
from regard.training.settings import LmSettings, Settings


def training_card(settings: Settings, facts: dict[str, Any], pairs: int) -> str:
    """The card of a model that a user trained: choices and validation scores, nothing that was not measured."""
    model: Any = settings.model
    title, made = made_of(model)
    return say(
        "cards.trained",
        title=title,
        made=made,
        pairs=pairs,
        step=facts["step"],
        steps=settings.steps,
        seed=settings.seed,
        bleu=f"{facts['bleu']:.2f}",
        chrf=f"{facts['chrf']:.2f}",
        bleu_signature=facts["signatures"]["bleu"],
        chrf_signature=facts["signatures"]["chrf"],
    )


def made_of(model: Any) -> tuple[str, str]:
    """What a translator is called, and what it is made of."""
    if model.model_type == "regard-rnn":
        facts = {"attention": model.attention, "cell": model.cell.upper(), "d_model": model.d_model}
        return say("cards.rnn_title"), say("cards.rnn_made", **facts)
    sizes = {name: getattr(model, name) for name in ("n_layers", "decoder_layers", "n_heads", "d_model", "hidden")}
    return say("cards.transformer_title"), say("cards.transformer_made", **sizes)


def lm_card(settings: LmSettings, facts: dict[str, Any], text: dict[str, Any]) -> str:
    """The card of a language model that a user trained."""
    model = settings.model
    return say(
        "cards.trained_lm",
        form=settings.form,
        n_layers=model.n_layers,
        n_heads=model.n_heads,
        d_model=model.d_model,
        context=model.max_len,
        vocab_size=model.vocab_size,
        tokens=text["tokens"],
        validation=text["validation"],
        step=facts["step"],
        steps=settings.steps,
        seed=settings.seed,
        loss=f"{facts['loss']:.4f}",
        bits=f"{facts['bits_per_byte']:.4f}",
        perplexity=f"{facts['perplexity']:.2f}",
    )
