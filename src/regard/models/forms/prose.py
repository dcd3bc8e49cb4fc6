"""What the folders of language models share: GPT-2's form and Llama's say the rest."""

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from regard.models.forms.form import (
    CONFIG,
    GENERATION,
    TOKENIZER_CONFIG,
    Fields,
    Form,
    Piece,
    refuse_unless,
    taken,
    written,
)
from regard.models.gpt import Gpt, GptConfig
from regard.text import prose_tokenizers

HEAD = "lm_head.weight"


def prose_form(
    model_type: str,
    architecture: str,
    *,
    read_config: Callable[[Fields], GptConfig],
    write_config: Callable[[GptConfig], Fields],
    pieces: Callable[[GptConfig], Iterable[Piece]],
    rules: Callable[[GptConfig], Mapping[str, Any]],
    body: str,
    embedding: str,
    buffers: re.Pattern[str],
    fields: Mapping[str, str],
) -> Form:
    """The form of a family of language models.

    Args:
        architecture: the class of `transformers` that opens it.
        read_config, write_config: the fields of `config.json` that decide what is computed → our config, and back.
        pieces: which of their tensors hold which of ours.
        rules: field of our config → all that it may be; anything else has no word in this form.
        body: what the names of tensors begin with, where the file has a head, too.
        embedding: the tensor that a tied head shares.
        buffers: tensors that older versions wrote beside the weights, and that say nothing.
        fields: names of our config → theirs.
    """

    def known(name: str, config: GptConfig) -> str | None:
        whole = name if name.startswith((f"{body}.", HEAD)) else f"{body}.{name}"
        if config.tied and whole == HEAD:
            return embedding
        return None if buffers.fullmatch(whole) else whole

    return Form(
        model_type=model_type,
        config=GptConfig,
        build=Gpt,
        read_config=read_config,
        files=lambda config, tokenizer: _files(model_type, architecture, write_config(config), tokenizer),
        read_tensors=lambda tensors, config: taken(tensors, pieces(config)),
        write_tensors=lambda tensors, config: written(tensors, pieces(config)),
        read_tokenizer=prose_tokenizers.load,
        suits=lambda config: refuse_unless(model_type, config, rules(config)),
        known=known,
        fields=fields,
    )


def _files(model_type: str, architecture: str, fields: Fields, tokenizer: Any) -> dict[str, Fields]:
    """The JSON files of a language model, so that `transformers` finds its tokenizer and where a text ends."""
    begin = tokenizer.end if tokenizer.start is None else tokenizer.start
    ends = {"bos_token_id": begin, "eos_token_id": _one(tokenizer.ends)}
    names = {"bos_token": begin, "eos_token": tokenizer.end, "unk_token": tokenizer.unknown}
    special = {name: tokenizer.tokens([id_])[0] for name, id_ in names.items() if id_ is not None}
    longest = fields.get("n_positions", fields.get("max_position_embeddings"))
    return {
        CONFIG: {"architectures": [architecture], "model_type": model_type, "dtype": "float32", **fields, **ends},
        GENERATION: ends | ({} if tokenizer.unknown is None else {"suppress_tokens": [tokenizer.unknown]}),
        TOKENIZER_CONFIG: {
            "tokenizer_class": "TokenizersBackend",
            "model_max_length": longest,
            "clean_up_tokenization_spaces": False,
            **special,
        },
    }


def _one(ids: tuple[int, ...]) -> int | list[int] | None:
    """How transformers writes no, one, or several ids."""
    return list(ids) if len(ids) > 1 else next(iter(ids), None)
