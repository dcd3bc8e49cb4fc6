"""The doors to models, ready to translate or to write as their family can, and to traces, ready to be looked at."""

from pathlib import Path

from regard.inspection import trace
from regard.models import catalogue, folder
from regard.models.gpt import Gpt
from regard.tasks.generation import Generator
from regard.tasks.translation import Translator


def load(name: str | Path) -> Translator | Generator:
    """A model: a bundled name, a model folder, or the folder of a training run (its best model).

    Returns:
        A `Translator`, or for a language model a `Generator`.

    >>> load("en-fr").translate("Thank you.").translation  # doctest: +SKIP
    'Merci.'
    >>> load("tiny-gpt").generate("Once upon a time", seed=1).text  # doctest: +SKIP
    """
    loaded = folder.load(catalogue.find(str(name)), Path(name).name)
    return Generator(loaded) if isinstance(loaded.model, Gpt) else Translator(loaded)


def load_trace(path: str | Path) -> trace.Trace:
    """A trace, as `regard record` and `Trace.save` write it: without the model, on any machine.

    Args:
        path: a safetensors file (docs/trace-format.md).

    Returns:
        The trace: `.weights(layer=, head=)`, `.statistics(…)`, `.picture()`, `.html()`; a notebook shows it.

    Raises:
        BadInput: `file_missing`, `trace_broken` (cut short, altered, no trace), `trace_version`.

    >>> from regard.tasks.recording import record
    >>> record("tiny-gpt", "Once upon a time").save("once.safetensors")  # doctest: +SKIP
    >>> load_trace("once.safetensors").weights(layer=0, head=0).shape  # doctest: +SKIP
    (4, 4)
    """
    return trace.load(path)
