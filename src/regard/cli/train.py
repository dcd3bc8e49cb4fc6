"""`regard train translation`: a translator from the user's own pairs."""

import json
import signal
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from regard.cli.parameters import Lang
from regard.cli.progress import Training
from regard.core.errors import BadInput
from regard.core.nearest import one_of
from regard.language import say

app = typer.Typer()

Number = Annotated[int | None, typer.Option(metavar="N", show_default=False)]
Share = Annotated[float | None, typer.Option(metavar="X", show_default=False)]
Files = Annotated[list[Path] | None, typer.Option(metavar="FILE", show_default=False)]
Word = Annotated[str | None, typer.Option(show_default=False)]

DATA = ("pairs", "validation", "columns", "encoding", "held_out", "tokenizer", "vocab_size", "joined", "epochs")
MODEL = ("attention", "cell", "d_embedding", "d_model", "n_layers", "dropout")
CHOICES = {
    "attention": ("none", "additive", "dot", "general", "concat"),
    "cell": ("gru", "lstm"),
    "tokenizer": ("bpe", "words", "characters"),
    "precision": ("fp32", "bf16"),
    "device": ("cpu", "cuda", "mps"),
}


@app.callback(invoke_without_command=True)
def train(context: typer.Context) -> None:
    if context.invoked_subcommand is None:
        print(context.get_help())


@app.command()
def translation(
    output: Annotated[Path | None, typer.Option("--output", "-o", metavar="DIR", show_default=False)] = None,
    pairs: Files = None,
    validation: Files = None,
    resume: Annotated[bool, typer.Option("--resume")] = False,
    columns: Annotated[str | None, typer.Option(metavar="I,J", show_default=False)] = None,
    encoding: Annotated[str | None, typer.Option(metavar="NAME", show_default=False)] = None,
    held_out: Number = None,
    joined: Share = None,
    tokenizer: Annotated[str | None, typer.Option(metavar="|".join(CHOICES["tokenizer"]), show_default=False)] = None,
    vocab_size: Number = None,
    attention: Annotated[str | None, typer.Option(metavar="|".join(CHOICES["attention"]), show_default=False)] = None,
    cell: Annotated[str | None, typer.Option(metavar="|".join(CHOICES["cell"]), show_default=False)] = None,
    d_embedding: Number = None,
    d_model: Number = None,
    n_layers: Number = None,
    dropout: Share = None,
    epochs: Share = None,
    steps: Number = None,
    batch_tokens: Number = None,
    learning_rate: Share = None,
    warmup: Number = None,
    label_smoothing: Share = None,
    clip: Share = None,
    seed: Number = None,
    evaluate_every: Number = None,
    patience: Number = None,
    save_every: Number = None,
    precision: Annotated[str | None, typer.Option(metavar="|".join(CHOICES["precision"]), show_default=False)] = None,
    threads: Number = None,
    device: Annotated[str | None, typer.Option(metavar="cpu|cuda|mps", show_default=False)] = None,
    form: Annotated[str, typer.Option("--format", metavar="text|json")] = "text",
    lang: Lang = None,
) -> None:
    given = {name: value for name, value in locals().items() if value is not None}
    one_of(form, ("text", "json"), "--format")
    for name, known in CHOICES.items():
        if name in given:
            one_of(given[name], known, f"--{name}")
    if output is None:
        raise BadInput("output_missing")
    if not pairs and not resume:
        raise BadInput("pairs_missing")
    outcome = _trained(output, given, resume)
    print(json.dumps(outcome, ensure_ascii=False) if form == "json" else _last_line(outcome))


def _trained(output: Path, given: dict[str, Any], resume: bool) -> dict[str, Any]:
    """Run the task; a signal's exit code is the shell's for that signal."""
    from regard.tasks.training import Asked, train_translation
    from regard.text.pairs import parse_columns
    from regard.training.loop import Stopped
    from regard.training.settings import TranslationSettings

    if "columns" in given:
        given["columns"] = parse_columns(given["columns"])
    run = tuple(name for name in TranslationSettings.model_fields if name != "model")
    chosen = [{name: given[name] for name in names if name in given} for names in (DATA, MODEL, run)]
    asked = Asked(chosen[0], chosen[1], chosen[2])
    tell = Training()
    try:
        return train_translation(output, asked, tell, resume=resume)
    except Stopped as stopped:
        tell.close()
        print(
            say("training.stopped", name=signal.Signals(stopped.number).name, checkpoint=stopped.path), file=sys.stderr
        )
        raise typer.Exit(128 + stopped.number) from None
    finally:
        tell.close()


def _last_line(outcome: dict[str, Any]) -> str:
    metrics = outcome["metrics"]
    figures = {"loss": f"{outcome['loss']:.3f}", "bleu": f"{metrics['bleu']:.2f}", "chrf": f"{metrics['chrf']:.2f}"}
    return say("training.done", steps=outcome["steps"], checkpoint=outcome["checkpoint"], **figures)
