"""The one door to models: a name, and what comes is ready to translate or to write, as its family can."""

from pathlib import Path

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
