"""A text as ids of its characters, split as nanoGPT splits it, and our training on it beside nanoGPT's settings."""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from measuring.report import ROOT
from peers.nanogpt import NanoSettings, NanoSizes
from regard.core import freed
from regard.models.gpt import Gpt, GptConfig, gpt2
from regard.training import optimizers, precision, trial
from regard.training.checkpoint import Standing
from regard.training.loop import Run, compute_of, machine, one_step
from regard.training.settings import LmSettings
from regard.training.windows import Windows

SHAKESPEARE = ROOT.parent / "shared" / "data" / "text" / "tiny-shakespeare.txt"


@dataclass(frozen=True)
class Written:
    """Files of 16-bit ids: the first nine tenths of the text, the rest, and how many different characters it has."""

    training: Path
    validation: Path
    vocab_size: int


def written_as_ids(text: Path, folder: Path) -> Written:
    """The text's characters as their places in the sorted alphabet."""
    characters = text.read_text(encoding="utf-8")
    place = {character: number for number, character in enumerate(sorted(set(characters)))}
    ids = np.array([place[character] for character in characters], dtype=np.uint16)
    found = Written(folder / "training.bin", folder / "validation.bin", len(place))
    ids[: len(ids) * 9 // 10].tofile(found.training)
    ids[len(ids) * 9 // 10 :].tofile(found.validation)
    return found


def config_of(sizes: NanoSizes) -> GptConfig:
    """Our model of these sizes, as `regard train lm` makes it: GPT-2's form with exact GELU, biases too."""
    shape = {"n_layers": sizes.n_layers, "n_heads": sizes.n_heads, "d_model": sizes.d_model, "max_len": sizes.max_len}
    return gpt2(vocab_size=sizes.vocab_size, activation="gelu_exact", dropout=sizes.dropout, **shape)


def settings_of(sizes: NanoSizes, like: NanoSettings, **choices: Any) -> LmSettings:
    """Our training with as many steps of as many windows; the other choices are the shipped ones, or these."""
    chosen = {"precision": precision.best(), "warmup": like.warmup, "learning_rate": like.rate, "steps": like.steps}
    return LmSettings(model=config_of(sizes), batch_size=like.batch, **{**chosen, **choices})


class Training:
    """The shipped training, step by step: one call is one step."""

    def __init__(self, path: Path, settings: LmSettings) -> None:
        freed.keep_freed()
        torch.manual_seed(settings.seed)
        windows = Windows(np.memmap(path, dtype=np.uint16, mode="r"), settings.model.max_len)
        self.settings, self.model, self.standing = settings, Gpt(settings.model), Standing()
        self.steppers, self.compute = optimizers.make(self.model, settings), compute_of(settings)

        def batch(number: int) -> Any:
            return windows.batch(number, size=settings.batch_size, seed=settings.seed)

        # No tokenizer, validation or folder is needed where neither validation nor checkpoint is come to.
        nothing: Any = None
        self.run = Run(settings, self.model, nothing, batch, nothing, nothing, nothing, self._hear)
        self.loss = float("nan")

    def __call__(self) -> float:
        """Take one step; its loss."""
        with machine(self.settings):
            one_step(self.run, self.steppers, self.standing, self.compute)
        return self.loss

    def _hear(self, kind: str, facts: dict[str, Any]) -> None:
        self.loss = facts["loss"]


def tried(path: Path, settings: LmSettings) -> Training:
    """The shipped training of a long run: what a trial on this machine says is chosen, and told on stderr."""
    found = trial.quickest(lambda each: Training(path, each).run, settings, trial.CHOICES)
    chosen = found.taken.choices if found else {}
    print(f"trial: {chosen or 'none'} of {found.ways if found else 'nothing'}", file=sys.stderr, flush=True)
    return Training(path, settings.model_copy(update=chosen))


@torch.inference_mode()
def validation_loss(logits: Callable[[torch.Tensor], torch.Tensor], path: Path, context: int) -> float:
    """Nats a character over a whole file, in windows one after another: the same judge for all, in fp32."""
    windows = Windows(np.memmap(path, dtype=np.uint16, mode="r"), context)
    total = 0.0
    for some in np.array_split(np.arange(len(windows)), max(1, len(windows) * context // 8192)):
        batch = windows.number(some)
        found = logits(*batch.inputs).flatten(0, 1)
        total += float(torch.nn.functional.cross_entropy(found, batch.expected.flatten(), reduction="sum"))
    return total / (len(windows) * context)
