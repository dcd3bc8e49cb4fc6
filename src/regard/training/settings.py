"""What a training run was told, as `run.json` holds it: all that decides its numbers."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from regard.models.rnn import RnnConfig


class Settings(BaseModel):
    """Choices of one run. Two runs with equal settings, data and thread count end with the same bits."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    model: RnnConfig
    steps: int = Field(ge=1)
    batch_tokens: int = Field(2000, ge=1)
    learning_rate: float = Field(2e-3, gt=0)
    warmup: int = Field(400, ge=0)
    label_smoothing: float = Field(0.1, ge=0, lt=1)
    clip: float = Field(1.0, gt=0)
    seed: int = Field(1, ge=0, lt=2**31)
    evaluate_every: int = Field(500, ge=1)
    patience: int = Field(10, ge=1)
    save_every: int = Field(200, ge=1)
    precision: Literal["fp32", "bf16"] = "fp32"
    threads: int = Field(2, ge=1, le=1024)
    device: Literal["cpu", "cuda", "mps"] = "cpu"


def rate(step: int, settings: Settings) -> float:
    """The learning rate of step 0, 1, …: a straight rise, then a straight fall to a hundredth at the last step."""
    if step < settings.warmup:
        return settings.learning_rate * (step + 1) / settings.warmup
    left = (settings.steps - step) / max(1, settings.steps - settings.warmup)
    return settings.learning_rate * max(0.01, left)
