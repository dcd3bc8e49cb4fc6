"""A form: how a family of models stands in a folder of Hugging Face's layout."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import torch
from pydantic import BaseModel, ConfigDict, Field, model_validator
from torch import Tensor, nn

from regard.core.errors import BadInput

Fields = dict[str, Any]
Tensors = dict[str, Tensor]

CONFIG, GENERATION, TOKENIZER_CONFIG = "config.json", "generation_config.json", "tokenizer_config.json"


@dataclass(frozen=True)
class Form:
    """How a family of models stands in a folder.

    Attributes:
        model_type: what `config.json` says.
        config: our config class.
        build: config → model.
        read_config: the fields of `config.json` → our config; raises ValidationError where one breaks a rule.
        files: config and tokenizer → the fields of `config.json`, and of every other JSON file beside it.
        read_tensors, write_tensors: their tensors → ours, and back, for a config; names, shapes, order of rows.
        read_tokenizer: `tokenizer.json`, and the ids that end a text by the configs beside it → the tokenizer.
        write_tokenizer: our tokenizer → the content of `tokenizer.json`.
        suits: raises BadInput where a config has what this form cannot say.
        known: a tensor's name in a file → as `write_tensors` has it; None where it says nothing.
            Where two have one place, they must hold the same.
        fields: names of our config → theirs, to name them in errors.
        sealed: whether a folder without a manifest is refused.
    """

    model_type: str
    config: type[Any]
    build: Callable[[Any], nn.Module]
    read_config: Callable[[Fields], Any]
    files: Callable[[Any, Any], dict[str, Fields]]
    read_tensors: Callable[[Tensors, Any], Tensors]
    write_tensors: Callable[[Tensors, Any], Tensors]
    read_tokenizer: Callable[[Path, tuple[int, ...]], Any]
    write_tokenizer: Callable[[Any], str] = lambda tokenizer: tokenizer.json()
    suits: Callable[[Any], None] = lambda config: None
    known: Callable[[str, Any], str | None] = lambda name, config: name
    fields: Mapping[str, str] = field(default_factory=dict)
    sealed: bool = False


@dataclass(frozen=True)
class Piece:
    """One of their tensors: ours, one below the other; `turned` where they keep a matrix transposed."""

    theirs: str
    ours: tuple[str, ...]
    turned: bool = False


def written(tensors: Tensors, pieces: Iterable[Piece]) -> Tensors:
    """Our tensors as theirs."""
    found: Tensors = {}
    for piece in pieces:
        whole = torch.cat([tensors[name] for name in piece.ours])
        found[piece.theirs] = whole.T if piece.turned else whole
    return found


def taken(tensors: Tensors, pieces: Iterable[Piece]) -> Tensors:
    """Their tensors as ours; what one of theirs holds of several is cut into equal parts."""
    found: Tensors = {}
    for piece in pieces:
        whole = tensors[piece.theirs]
        parts = (whole.T if piece.turned else whole).chunk(len(piece.ours))
        found.update(zip(piece.ours, parts, strict=True))
    return found


Share = Annotated[float, Field(ge=0, lt=1)]
Id = Annotated[int, Field(ge=0)]


class Foreign(BaseModel):
    """Fields of any foreign `config.json`: what we compute otherwise than they mean is refused by its name."""

    model_config = ConfigDict(frozen=True, extra="ignore", strict=True, allow_inf_nan=False)

    auto_map: None = None
    quantization_config: None = None
    is_encoder_decoder: bool = Field(False, le=False)
    bos_token_id: Id | None = None
    eos_token_id: Id | list[Id] | None = None
    pad_token_id: Id | None = None
    decoder_start_token_id: Id | None = None
    forced_bos_token_id: Id | None = None
    forced_eos_token_id: Id | list[Id] | None = None

    @model_validator(mode="after")
    def _ids_have_rows(self) -> "Foreign":
        for name in (name for name in Foreign.model_fields if name.endswith("token_id")):
            said, rows = getattr(self, name), getattr(self, "vocab_size", None)
            for each in said if isinstance(said, list) else [said]:
                if None not in (each, rows) and each >= rows:
                    raise ValueError(f"{name} {each} ≥ vocab_size {rows}")
        return self


def refuse_unless(form: str, config: Any, rules: Mapping[str, Any]) -> None:
    """Refuse a config with a choice that a form cannot say.

    Raises:
        BadInput: `config_without_form`, naming the first such choice.
    """
    for name, allowed in rules.items():
        came = getattr(config, name)
        if came not in allowed:
            known = ", ".join(map(str, allowed))
            raise BadInput("config_without_form", form=form, field=name, came=came, known=known)
