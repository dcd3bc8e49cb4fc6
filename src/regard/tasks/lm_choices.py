"""The choices of a language model's run: what was asked for, and what suits the text and the machine."""

import math
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from regard.core.errors import BadInput
from regard.models.gpt import GptConfig, gpt2, llama
from regard.tasks.run_choices import Asked, chosen_for, drafted
from regard.text.corpus import Tokens
from regard.training.settings import LmSettings

LONGEST, SHORTEST = 256, 8
"""The context that is chosen for much text, and for the least."""

EPOCHS, FEWEST = 10, 500
"""How often a text is seen, and the fewest steps that teach a small model anything of a short one."""

BYTES = 257

SIZES = ((0, 4, 4, 128), (1_500_000, 6, 6, 192), (5_000_000, 6, 8, 256), (30_000_000, 8, 8, 384))
"""From so many tokens on: layers, heads, width. Larger ones learn such texts by heart, or take days on a processor."""


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
    chosen = with_form(Asked(asked.data, {**suited(tokens), **asked.model}, asked.run))
    draft = drafted(LmSettings, GptConfig, chosen, vocab_size)
    per_step = draft.batch_size * draft.accumulate * draft.model.max_len
    per_epoch = max(1, math.ceil(len(tokens.training) / per_step))
    epochs = data.epochs if data.epochs is not None else max(EPOCHS, FEWEST / per_epoch)
    settings = chosen_for(asked, draft, per_epoch, epochs)
    every = max(1, min(settings.steps, max(25, settings.steps // 20), 1000))
    return settings.model_copy(update={"evaluate_every": every} | asked.run)


def suited(tokens: Tokens) -> dict[str, Any]:
    """Sizes for so much text."""
    _, n_layers, n_heads, d_model = max(size for size in SIZES if size[0] <= len(tokens.training))
    context = LONGEST
    while context > SHORTEST and 4 * context > min(len(tokens.training), len(tokens.validation)):
        context //= 2
    return {"n_layers": n_layers, "n_heads": n_heads, "d_model": d_model, "max_len": context, "dropout": 0.1}


def with_form(asked: Asked) -> Asked:
    """What was asked for, with all that `--form` says of the model.

    Raises:
        BadInput: `heads_divide`, `heads_odd`, `heads_grouped`: heads that do not come out even.
    """
    model = dict(asked.model)
    d_model, n_heads = model.get("d_model", 256), model.get("n_heads", 4)
    n_kv_heads = model.get("n_kv_heads") or n_heads
    form = asked.run.get("form", "gpt2")
    if min(d_model, n_heads, n_kv_heads) < 1 or not math.isfinite(d_model):
        return asked  # refused by its rule, by name
    if d_model % n_heads:
        raise BadInput("heads_divide", d_model=d_model, n_heads=n_heads)
    if n_heads % n_kv_heads:
        raise BadInput("heads_grouped", n_heads=n_heads, n_kv_heads=n_kv_heads)
    if form == "llama" and (d_model // n_heads) % 2:
        raise BadInput("heads_odd", d_head=d_model // n_heads, d_model=d_model, n_heads=n_heads)
    if form == "gpt2" and n_kv_heads != n_heads:
        raise BadInput("form_lacks_groups", n_kv_heads=n_kv_heads)
    sizes = {"vocab_size": 1, **model}
    sizes = {name: value for name, value in sizes.items() if name in ("vocab_size", "d_model", "n_heads")}
    # exact GELU: the tanh formula is a seventh of a step's time on a processor
    config = llama(**sizes) if form == "llama" else gpt2(**sizes, activation="gelu_exact")
    rules = {name: getattr(config, name) for name in ("norm", "positions", "activation", "bias")}
    hidden = {"d_ff": config.hidden} if model.get("d_ff") is None else {}
    return Asked(asked.data, {**rules, **model, **hidden}, asked.run)


def refuse_small_vocabulary(data: LmData) -> None:
    """A byte-level BPE needs every byte, and the end of a text."""
    if data.tokenizer == "bpe" and data.tokenizer_from is None and (data.vocab_size or BYTES) < BYTES:
        facts = {"name": "vocab_size", "option": "--vocab-size", "came": str(data.vocab_size)}
        raise BadInput("setting_bound", **facts, rule=f"≥ {BYTES}")


def vocabulary(characters: int) -> int:
    """How many tokens a byte-level BPE may have for so much text: a power of two from 512 to 16384."""
    return 2 ** max(9, min(14, round(math.log2(max(1, characters) / 500))))
