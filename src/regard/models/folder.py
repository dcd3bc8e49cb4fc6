"""A model as a folder in Hugging Face's layout: `config.json`, `model.safetensors`, `tokenizer.json`, a README card,
and a manifest with the sha256 of each. No pickle, in or out.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from pydantic import ValidationError
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from regard.core.errors import BadInput
from regard.core.files import sha256, verify, whole_folder
from regard.models.catalogue import CARD, CONFIG
from regard.models.rnn import RnnConfig, RnnTranslator
from regard.text import tokenizers
from regard.text.tokenizers import Tokenizer

WEIGHTS, TOKENIZER = "model.safetensors", "tokenizer.json"


@dataclass(frozen=True)
class Loaded:
    """A model with its tokenizer, ready to run, and who it is: its name and the sha256 of its weights."""

    model: RnnTranslator
    tokenizer: Tokenizer
    name: str
    fingerprint: str


def save(
    folder: Path, model: RnnTranslator, tokenizer: Tokenizer, card: str, *, dtype: torch.dtype = torch.float32
) -> None:
    """Write the model folder, whole or not at all. `dtype` float16 halves it, at three decimal digits a weight."""
    with whole_folder(folder, format="regard-model-1") as temporary:
        write_parts(temporary, model, tokenizer, dtype=dtype)
        (temporary / CARD).write_text(card, encoding="utf-8")


def write_parts(folder: Path, model: RnnTranslator, tokenizer: Tokenizer, *, dtype: torch.dtype) -> None:
    """Config, weights and tokenizer into an open folder."""
    (folder / CONFIG).write_text(model.config.model_dump_json(indent=1) + "\n", encoding="utf-8")
    (folder / TOKENIZER).write_text(tokenizer.json(), encoding="utf-8")
    tensors = {name: tensor.to(dtype).contiguous() for name, tensor in model.state_dict().items()}
    save_file(tensors, folder / WEIGHTS, metadata={"format": "pt"})


def load(folder: Path, name: str | None = None) -> Loaded:
    """The model of a folder, after its files were held against the manifest.

    Raises:
        BadInput: no model folder, a file altered, a config that lies, weights that do not match it.
    """
    if not (folder / CONFIG).is_file():
        raise BadInput("no_model_folder", path=str(folder))
    verify(folder)
    config = _config(folder / CONFIG)
    tokenizer = tokenizers.load(folder / TOKENIZER)
    if tokenizer.vocab_size != config.vocab_size:
        raise BadInput("vocab_mismatch", path=str(folder), tokenizer=tokenizer.vocab_size, config=config.vocab_size)
    model = _with_weights(config, folder / WEIGHTS)
    return Loaded(model.eval(), tokenizer, name or folder.name, sha256(folder / WEIGHTS))


def _config(path: Path) -> RnnConfig:
    try:
        fields: Any = json.loads(path.read_text(encoding="utf-8"))
        return RnnConfig.model_validate_json(json.dumps(fields))
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(map(str, first["loc"])) or "config"
        raise BadInput("config_field", path=str(path), field=field, reason=first["msg"]) from error
    except (ValueError, RecursionError) as error:
        raise BadInput("config_broken", path=str(path), reason=str(error)) from error


def _with_weights(config: RnnConfig, path: Path) -> RnnTranslator:
    """The model of a config with the weights of a file: every tensor accounted for, sizes compared first."""
    with torch.device("meta"):
        model = RnnTranslator(config)
    expected = {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}
    try:
        tensors = load_file(path)
    except (SafetensorError, OSError, ValueError) as error:
        raise BadInput("weights_broken", path=str(path), reason=str(error)) from error
    for name in sorted(expected.keys() | tensors.keys()):
        came = tuple(tensors[name].shape) if name in tensors else None
        if came != expected.get(name):
            raise BadInput("weights_mismatch", path=str(path), name=name, expected=expected.get(name), came=came)
    model.to_empty(device="cpu").load_state_dict(tensors)  # copied: a file's bytes lie askew, and sums then differ
    return model
