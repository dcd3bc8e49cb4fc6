"""What a training run was told, as `run.json` holds it: all that decides its numbers."""

import math
from collections.abc import Callable
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag

from regard.models.gpt import GptConfig
from regard.models.rnn import RnnConfig
from regard.models.transformer import TransformerConfig

Schedule = Literal["linear", "cosine", "wsd"]


def _model_type(config: Any) -> Any:
    """Of a config or its fields; a run of the first versions names none and is an RNN's."""
    return config.get("model_type", "regard-rnn") if isinstance(config, dict) else getattr(config, "model_type", None)


Rnn = Annotated[RnnConfig, Tag("regard-rnn")]
Transformer = Annotated[TransformerConfig, Tag("regard-transformer")]
TranslatorConfig = Annotated[Rnn | Transformer, Discriminator(_model_type)]
ModelConfig = Annotated[Rnn | Transformer | Annotated[GptConfig, Tag("regard-gpt")], Discriminator(_model_type)]


class Settings(BaseModel):
    """Choices of one run. Two runs with equal settings, data and thread count end with the same bits."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    model: ModelConfig
    steps: int = Field(ge=1)
    accumulate: int = Field(1, ge=1, le=100_000)
    optimizer: Literal["adamw", "muon"] = "adamw"
    learning_rate: float = Field(2e-3, gt=0)
    schedule: Schedule = "linear"
    warmup: int = Field(400, ge=0)
    weight_decay: float = Field(0.01, ge=0)
    decayed: Literal["all", "matrices"] = "all"
    beta1: float = Field(0.9, ge=0, lt=1)
    beta2: float = Field(0.98, ge=0, lt=1)
    label_smoothing: float = Field(0.1, ge=0, lt=1)
    clip: float = Field(1.0, gt=0)
    seed: int = Field(1, ge=0, lt=2**31)
    evaluate_every: int = Field(500, ge=1)
    patience: int = Field(10, ge=1)
    save_every: int = Field(200, ge=1)
    precision: Literal["fp32", "bf16"] = "fp32"
    compile: bool = False
    threads: int = Field(2, ge=1, le=1024)
    device: Literal["cpu", "cuda", "mps"] = "cpu"
    watch: str | None = None
    """A text, or a pair with a tab between, whose patterns are recorded at every validation."""


class TranslationSettings(Settings):
    """Of a translator: its batches are filled up to a number of tokens."""

    model: TranslatorConfig
    batch_tokens: int = Field(2000, ge=1)


class LmSettings(Settings):
    """Of a language model: its batches are windows of the text, as long as the model reads."""

    model: GptConfig
    form: Literal["gpt2", "llama"] = "gpt2"
    batch_size: int = Field(16, ge=1, le=1_000_000)
    learning_rate: float = Field(1e-3, gt=0)
    schedule: Schedule = "cosine"
    weight_decay: float = Field(0.1, ge=0)
    decayed: Literal["all", "matrices"] = "matrices"
    beta2: float = Field(0.99, ge=0, lt=1)
    label_smoothing: float = Field(0.0, ge=0, lt=1)


LEAST = 0.01
"""The rate never falls below this share of the highest one."""

FALL = 0.2
"""The last share of the steps, in which the rate of `wsd` falls (Hu et al. 2024, §4)."""

_COURSES: dict[str, Callable[[float], float]] = {
    "linear": lambda left: max(LEAST, left),
    "cosine": lambda left: LEAST + (1 - LEAST) * (1 - math.cos(math.pi * left)) / 2,
    "wsd": lambda left: max(LEAST, min(1.0, left / FALL)),
}


def rate(step: int, settings: Settings) -> float:
    """The learning rate of step 0, 1, …: a straight rise, then the schedule's fall to a hundredth at the last step.

    Schedules: `linear`; `cosine` (Loshchilov & Hutter 2017); `wsd` (warm-up, stable, decay: Hu et al. 2024).
    """
    if step < settings.warmup:
        return settings.learning_rate * (step + 1) / settings.warmup
    left = (settings.steps - step) / max(1, settings.steps - settings.warmup)
    return settings.learning_rate * _COURSES[settings.schedule](left)
