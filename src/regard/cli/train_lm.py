"""`regard train lm`: a language model from any text."""

from pathlib import Path
from typing import Annotated

import typer

from regard.cli.parameters import Lang
from regard.cli.training_options import (
    Device,
    Files,
    Folder,
    Form,
    Number,
    Optimizer,
    Precision,
    Resume,
    Schedule,
    Share,
    Switch,
    Watch,
    Word,
    given_of,
    run,
)  # fmt: skip
from regard.core.errors import BadInput

DATA = (
    "text",
    "validation",
    "field",
    "encoding",
    "held_out",
    "tokenizer",
    "tokenizer_from",
    "vocab_size",
    "epochs",
    "minutes",
)
MODEL = {name: name for name in ("n_layers", "n_heads", "n_kv_heads", "d_model", "d_ff", "dropout")}
MODEL["context"] = "max_len"
CHOICES = {"form": ("gpt2", "llama"), "tokenizer": ("bpe", "characters")}


def lm(
    output: Folder = None,
    text: Files = None,
    validation: Files = None,
    resume: Resume = False,
    field: Word = None,
    encoding: Word = None,
    held_out: Share = None,
    tokenizer: Annotated[str | None, typer.Option(metavar="|".join(CHOICES["tokenizer"]), show_default=False)] = None,
    tokenizer_from: Annotated[Path | None, typer.Option(metavar="DIR", show_default=False)] = None,
    vocab_size: Number = None,
    form: Annotated[str | None, typer.Option(metavar="|".join(CHOICES["form"]), show_default=False)] = None,
    n_layers: Number = None,
    n_heads: Number = None,
    n_kv_heads: Number = None,
    d_model: Number = None,
    d_ff: Number = None,
    context: Number = None,
    dropout: Share = None,
    epochs: Share = None,
    minutes: Share = None,
    steps: Number = None,
    batch_size: Number = None,
    accumulate: Number = None,
    optimizer: Optimizer = None,
    learning_rate: Share = None,
    schedule: Schedule = None,
    warmup: Number = None,
    weight_decay: Share = None,
    decayed: Annotated[str | None, typer.Option(metavar="all|matrices", show_default=False)] = None,
    beta1: Share = None,
    beta2: Share = None,
    label_smoothing: Share = None,
    clip: Share = None,
    seed: Number = None,
    evaluate_every: Number = None,
    patience: Number = None,
    save_every: Number = None,
    watch: Watch = None,
    precision: Precision = None,
    compile: Switch = None,
    threads: Number = None,
    device: Device = None,
    form_of_result: Form = "text",
    lang: Lang = None,
) -> None:
    given = given_of(locals(), CHOICES)
    if not text and not resume:
        raise BadInput("text_missing")
    from regard.cli.progress import LmTraining
    from regard.tasks.training_lm import train_lm
    from regard.training.settings import LmSettings

    run(train_lm, LmTraining(), given, DATA, MODEL, LmSettings)
