"""The choices of a language model's run: what was asked for, and what suits the text and the machine."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, create_model

from regard.core.errors import BadInput
from regard.models.gpt import GptConfig, gpt2, llama
from regard.tasks.run_choices import Asked, chosen_for, drafted, valid
from regard.text.corpus import Tokens
from regard.training.settings import LmSettings

LONGEST, SHORTEST = 256, 8
"""The context that is chosen for much text, and for the least."""

EPOCHS, FEWEST = 10, 500
"""How often a text is seen, and the fewest steps that teach a small model anything of a short one."""

BYTES = 257

SIZES = ((0, 4, 4, 128), (1_500_000, 6, 6, 192), (5_000_000, 6, 8, 256), (30_000_000, 8, 8, 384))
"""From so many tokens on: layers, heads, width. Larger ones learn such texts by heart, or take days on a processor."""

HEADS = ("d_model", "n_heads", "n_kv_heads")

Heads = create_model(  # the bounds of each alone
    "Heads",
    __config__=GptConfig.model_config,
    **{name: (GptConfig.model_fields[name].annotation, GptConfig.model_fields[name]) for name in HEADS},
)  # type: ignore[call-overload]


class LmData(BaseModel):
    """Which text a run is trained on, and how often, as `run.json` holds it."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    text: list[Path]
    validation: list[Path] | None = None
    field: str | None = None
    encoding: str = "utf-8"
    held_out: float = Field(0.1, gt=0, lt=1)
    tokenizer: Literal["bpe", "characters"] = "bpe"
    tokenizer_from: Path | None = None
    vocab_size: int | None = Field(None, ge=3, le=1_000_000)
    epochs: float | None = Field(None, gt=0, le=100_000)
    minutes: float | None = Field(None, gt=0, le=1_000_000)


def settled(asked: Asked, data: LmData, vocab_size: int, tokens: Tokens) -> LmSettings:
    """Every choice of the run: what was given, else what suits the text and the machine."""
    chosen = with_form(asked, suited(tokens))
    draft = drafted(LmSettings, GptConfig, chosen, vocab_size)
    per_step = draft.batch_size * draft.accumulate * draft.model.max_len
    per_epoch = max(1, math.ceil(len(tokens.training) / per_step))
    epochs = data.epochs if data.epochs is not None else max(EPOCHS, FEWEST / per_epoch)
    settings = chosen_for(asked, draft, per_epoch, epochs)
    every = max(1, min(settings.steps, max(25, settings.steps // 20), 1000))
    return settings.model_copy(update={"evaluate_every": every} | asked.run)


def suited(tokens: Tokens) -> dict[str, Any]:
    """Sizes for so much text."""
    _, *sizes = max(size for size in SIZES if size[0] <= len(tokens.training))
    context = LONGEST
    while context > SHORTEST and 4 * context > min(len(tokens.training), len(tokens.validation)):
        context //= 2
    return {**dict(zip(("n_layers", "n_heads", "d_model"), sizes, strict=True)), "max_len": context, "dropout": 0.1}


def with_form(asked: Asked, suited: Mapping[str, Any] | None = None) -> Asked:
    """What was asked for, what suits the text (None: not known yet), and all that `--form` says of the model.

    Raises:
        BadInput: `heads_divide`, `heads_odd`, `heads_grouped`: heads that do not come out even.
    """
    valid(Heads, {name: asked.model[name] for name in HEADS if name in asked.model})
    form = asked.run.get("form", "gpt2")
    suits = suited or {"n_heads": SIZES[0][2], "d_model": SIZES[0][3]}
    model = {**suits, **asked.model, **_even(asked.model, suits, 2 if form == "llama" else 1)}
    _refuse_uneven(model["d_model"], model["n_heads"], model.get("n_kv_heads") or model["n_heads"], form)
    sizes = {"vocab_size": 1, "d_model": model["d_model"], "n_heads": model["n_heads"]}
    # exact GELU: the tanh formula is a seventh of a step's time on a processor
    config = llama(**sizes) if form == "llama" else gpt2(**sizes, activation="gelu_exact")
    rules = {name: getattr(config, name) for name in ("norm", "positions", "activation", "bias")}
    hidden = {"d_ff": config.hidden} if model.get("d_ff") is None else {}
    return Asked(asked.data, {**rules, **model, **hidden}, asked.run)


def _even(given: Mapping[str, Any], suits: Mapping[str, Any], unit: int) -> dict[str, int]:
    """Heads and width: those that were given; else near what suits, so that they come out even, in this unit."""
    groups, d_model = given.get("n_kv_heads") or 1, given.get("d_model")
    counts = range(groups, max(groups, suits["n_heads"]) + 1, groups)
    fitting = [count for count in counts if d_model is None or d_model % (unit * count) == 0]
    n_heads = given.get("n_heads") or max(fitting, default=groups)
    wide = 8 * n_heads  # heads of a width that processors like
    return {"n_heads": n_heads, "d_model": d_model or -(-suits["d_model"] // wide) * wide}


def _refuse_uneven(d_model: int, n_heads: int, n_kv_heads: int, form: str) -> None:
    if d_model % n_heads:
        raise BadInput("heads_divide", d_model=d_model, n_heads=n_heads)
    if n_heads % n_kv_heads:
        raise BadInput("heads_grouped", n_heads=n_heads, n_kv_heads=n_kv_heads)
    if form == "llama" and (d_model // n_heads) % 2:
        raise BadInput("heads_odd", d_head=d_model // n_heads, d_model=d_model, n_heads=n_heads)
    if form == "gpt2" and n_kv_heads != n_heads:
        raise BadInput("form_lacks_groups", n_kv_heads=n_kv_heads)


def refuse_small_vocabulary(data: LmData) -> None:
    """A byte-level BPE needs every byte, and the end of a text."""
    if data.tokenizer == "bpe" and data.tokenizer_from is None and (data.vocab_size or BYTES) < BYTES:
        facts = {"name": "vocab_size", "option": "--vocab-size", "came": str(data.vocab_size)}
        raise BadInput("setting_bound", **facts, rule=f"≥ {BYTES}")


def vocabulary(characters: int) -> int:
    """How many tokens a byte-level BPE may have for so much text: a power of two from 512 to 16384."""
    return 2 ** max(9, min(14, round(math.log2(max(1, characters) / 500))))
