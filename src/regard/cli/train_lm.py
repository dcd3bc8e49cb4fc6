"""`regard train lm`: a language model from any text."""

from pathlib import Path
from typing import Annotated, Any

import typer

from regard.cli.training_options import Files, Number, Options, Share, Word, choice, run, training

DATA: Options = {
    "text": Files,
    "field": Word,
    "encoding": Word,
    "held_out": Share,
    "tokenizer": choice("bpe", "characters"),
    "tokenizer_from": Annotated[Path | None, typer.Option(metavar="DIR", show_default=False)],
    "vocab_size": Number,
}
MODEL: Options = {
    "form": choice("gpt2", "llama"),
    **dict.fromkeys(("n_layers", "n_heads", "n_kv_heads", "d_model", "d_ff", "context"), Number),
    "dropout": Share,
}


@training(DATA, MODEL, batch="batch_size")
def lm(given: dict[str, Any]) -> None:
    from regard.cli.progress import LmTraining
    from regard.tasks.lm_choices import LmData
    from regard.tasks.training_lm import train_lm
    from regard.training.settings import LmSettings

    if "context" in given:
        given["max_len"] = given.pop("context")
    run(train_lm, LmTraining(), given, LmData, LmSettings)
