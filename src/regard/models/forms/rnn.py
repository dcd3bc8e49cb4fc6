"""The RNN translator's form, our own: config and tensors as they are, and always a manifest."""

from regard.models.forms.form import CONFIG, Fields, Form
from regard.models.rnn import RnnConfig, RnnTranslator
from regard.text import tokenizers


def read_config(fields: Fields) -> RnnConfig:
    """The config, as it was written."""
    return RnnConfig.model_validate(fields)


RNN = Form(
    model_type="regard-rnn",
    config=RnnConfig,
    build=RnnTranslator,
    read_config=read_config,
    files=lambda config, tokenizer: {CONFIG: config.model_dump()},
    read_tensors=lambda tensors, config: tensors,
    write_tensors=lambda tensors, config: tensors,
    read_tokenizer=lambda path, ends: tokenizers.load(path),
    sealed=True,
)
