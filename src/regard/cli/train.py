"""`regard train translation`: a translator from the user's own pairs."""

from typing import Any

import typer

from regard.cli.train_lm import lm
from regard.cli.training_options import Files, Number, Options, Share, Word, choice, run, text, training

app = typer.Typer()
app.command()(lm)

DATA: Options = {
    "pairs": Files,
    "columns": text("I,J"),
    "encoding": Word,
    "held_out": Number,
    "joined": Share,
    "tokenizer": choice("bpe", "words", "characters"),
    "vocab_size": Number,
}
MODEL: Options = {
    "model": choice("rnn", "transformer"),
    "attention": choice("none", "additive", "dot", "general", "concat"),
    "input_feeding": choice("none", "luong", "bahdanau"),
    "cell": choice("gru", "lstm"),
    **dict.fromkeys(("d_embedding", "d_model", "n_layers", "n_decoder_layers", "n_heads", "d_ff"), Number),
    "activation": choice("relu", "swish", "gelu", "gelu_exact"),
    "max_len": Number,
    "dropout": Share,
}


@app.callback(invoke_without_command=True)
def train(context: typer.Context) -> None:
    if context.invoked_subcommand is None:
        print(context.get_help())


@app.command()
@training(DATA, MODEL, batch="batch_tokens")
def translation(given: dict[str, Any]) -> None:
    from regard.cli.progress import TranslationTraining
    from regard.tasks.run_choices import Data
    from regard.tasks.training import train_translation
    from regard.text.pairs import parse_columns
    from regard.training.settings import TranslationSettings

    if "columns" in given:
        given["columns"] = parse_columns(given["columns"])
    if "model" in given:
        given["model_type"] = f"regard-{given.pop('model')}"
    run(train_translation, TranslationTraining(), given, Data, TranslationSettings)
