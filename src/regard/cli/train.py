"""`regard train translation`: a translator from the user's own pairs."""

from typing import Annotated

import typer

from regard.cli.parameters import Lang
from regard.cli.train_lm import lm
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

app = typer.Typer()
app.command()(lm)

DATA = ("pairs", "validation", "columns", "encoding", "held_out", "tokenizer", "vocab_size", "joined", "epochs",
        "minutes")  # fmt: skip
MODEL = (
    *("attention", "input_feeding", "cell", "d_embedding", "d_model", "n_layers", "dropout"),
    *("n_decoder_layers", "n_heads", "d_ff", "activation", "max_len"),
)
CHOICES = {
    "model": ("rnn", "transformer"),
    "activation": ("relu", "swish", "gelu", "gelu_exact"),
    "attention": ("none", "additive", "dot", "general", "concat"),
    "input_feeding": ("none", "luong", "bahdanau"),
    "cell": ("gru", "lstm"),
    "tokenizer": ("bpe", "words", "characters"),
}


@app.callback(invoke_without_command=True)
def train(context: typer.Context) -> None:
    if context.invoked_subcommand is None:
        print(context.get_help())


@app.command()
def translation(
    output: Folder = None,
    pairs: Files = None,
    validation: Files = None,
    resume: Resume = False,
    columns: Annotated[str | None, typer.Option(metavar="I,J", show_default=False)] = None,
    encoding: Word = None,
    held_out: Number = None,
    joined: Share = None,
    tokenizer: Annotated[str | None, typer.Option(metavar="|".join(CHOICES["tokenizer"]), show_default=False)] = None,
    vocab_size: Number = None,
    model: Annotated[str | None, typer.Option(metavar="|".join(CHOICES["model"]), show_default=False)] = None,
    attention: Annotated[str | None, typer.Option(metavar="|".join(CHOICES["attention"]), show_default=False)] = None,
    input_feeding: Annotated[
        str | None, typer.Option(metavar="|".join(CHOICES["input_feeding"]), show_default=False)
    ] = None,
    cell: Annotated[str | None, typer.Option(metavar="|".join(CHOICES["cell"]), show_default=False)] = None,
    d_embedding: Number = None,
    d_model: Number = None,
    n_layers: Number = None,
    n_decoder_layers: Number = None,
    n_heads: Number = None,
    d_ff: Number = None,
    activation: Annotated[str | None, typer.Option(metavar="|".join(CHOICES["activation"]), show_default=False)] = None,
    max_len: Number = None,
    dropout: Share = None,
    epochs: Share = None,
    minutes: Share = None,
    steps: Number = None,
    batch_tokens: Number = None,
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
    if not pairs and not resume:
        raise BadInput("pairs_missing")
    from regard.cli.progress import TranslationTraining
    from regard.tasks.training import train_translation
    from regard.text.pairs import parse_columns
    from regard.training.settings import TranslationSettings

    if columns is not None:
        given["columns"] = parse_columns(columns)
    if model is not None:
        given["model_type"] = f"regard-{model}"
    fields = {name: name for name in ("model_type", *MODEL)}
    run(train_translation, TranslationTraining(), given, DATA, fields, TranslationSettings)
