"""Forms: how each family of models stands in a folder of Hugging Face's layout."""

from pathlib import Path
from typing import Any

from regard.core.errors import BadInput
from regard.models.forms.form import Form
from regard.models.forms.gpt2 import GPT2
from regard.models.forms.llama import LLAMA
from regard.models.forms.marian import MARIAN
from regard.models.forms.rnn import RNN
from regard.models.gpt import GptConfig

FORMS = (RNN, MARIAN, GPT2, LLAMA)


def form_named(model_type: Any, path: Path) -> Form:
    """The form of what a `config.json` calls its `model_type`.

    Raises:
        BadInput: `model_type_unknown`.
    """
    for form in FORMS:
        if form.model_type == model_type:
            return form
    known = ", ".join(form.model_type for form in FORMS)
    raise BadInput("model_type_unknown", path=str(path), came=model_type, known=known)


def form_of(config: Any) -> Form:
    """The form that a model of this config is saved in; ask before training it.

    Raises:
        BadInput: `config_without_form`: it has a choice that no other program could read.
    """
    if isinstance(config, GptConfig):
        form = LLAMA if config.positions == "rotary" or config.norm == "rms" else GPT2
    else:
        form = next(form for form in FORMS if isinstance(config, form.config))
    form.suits(config)
    return form
