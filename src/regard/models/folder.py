"""A model as a folder in Hugging Face's layout: `config.json`, `model.safetensors`, `tokenizer.json`, a README card,
and a manifest with the sha256 of each. No pickle, in or out. What differs from family to family stands in `forms`.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from pydantic import ValidationError
from safetensors.torch import save_file
from torch import nn
from torch.overrides import TorchFunctionMode

from regard.core.errors import BadInput
from regard.core.files import MANIFEST, verify, whole_folder
from regard.models.catalogue import CARD, fields_of
from regard.models.forms import form_named, form_of
from regard.models.forms.form import CONFIG, GENERATION, Fields, Form
from regard.models.tensors import WEIGHTS, Weights, listed, shapes

TOKENIZER = "tokenizer.json"


@dataclass(frozen=True)
class Loaded:
    """A model with its tokenizer, ready to run, and who it is: its name and the sha256 of its weights."""

    model: Any
    tokenizer: Any
    name: str
    fingerprint: str


def save(folder: Path, model: Any, tokenizer: Any, card: str, *, dtype: torch.dtype = torch.float32) -> None:
    """Write the model folder, whole or not at all. `dtype` float16 halves it, at three decimal digits a weight.

    Raises:
        BadInput: `config_without_form`: no other program could read such a model.
    """
    with whole_folder(folder, format="regard-model-1") as temporary:
        write_parts(temporary, model, tokenizer, dtype=dtype)
        (temporary / CARD).write_text(card, encoding="utf-8")


def write_parts(folder: Path, model: Any, tokenizer: Any, *, dtype: torch.dtype) -> None:
    """Configs, weights and tokenizer into an open folder."""
    form = form_of(model.config)
    for name, fields in form.files(model.config, tokenizer).items():
        (folder / name).write_text(json.dumps(fields, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    (folder / TOKENIZER).write_text(form.write_tokenizer(tokenizer), encoding="utf-8")
    theirs = form.write_tensors(model.state_dict(), model.config)
    tensors = {name: tensor.detach().to("cpu", dtype).contiguous() for name, tensor in theirs.items()}
    save_file(tensors, folder / WEIGHTS, metadata={"format": "pt"})


def load(folder: Path, name: str | None = None) -> Loaded:
    """The model of a folder, after its files were held against the manifest; a foreign one need not have any.

    Raises:
        BadInput: no model folder, a file altered, a config that lies, weights that do not match it.
    """
    if not (folder / CONFIG).is_file():
        raise BadInput("no_model_folder", path=str(folder))
    if (folder / MANIFEST).is_file():
        verify(folder)
    fields = fields_of(folder / CONFIG)
    form = form_named(fields.get("model_type"), folder / CONFIG)
    if form.sealed:
        verify(folder)
    config = _config(form, fields, folder / CONFIG)
    weights = listed(folder)
    model = _with_weights(form, config, weights)
    tokenizer = form.read_tokenizer(folder / TOKENIZER, _ends(folder, fields, config.vocab_size))
    _refuse_other_sizes(folder, tokenizer.vocab_size, config.vocab_size, exactly=form.sealed)
    return Loaded(model.eval(), tokenizer, name or folder.name, weights.fingerprint)


def restore(folder: Path, model: Any) -> None:
    """Put the weights of a folder into a model of the same config."""
    form = form_of(model.config)
    model.load_state_dict(_tensors(form, model.config, listed(folder), model.state_dict()))


def _config(form: Form, fields: Fields, path: Path) -> Any:
    try:
        return form.read_config(fields)
    except ValidationError as error:
        first = error.errors()[0]
        names = [str(part) for part in first["loc"] if part not in ("int", "float") and "[" not in str(part)]
        field = ".".join(form.fields.get(name, name) for name in names) or "config"
        raise BadInput("config_field", path=str(path), field=field, reason=first["msg"]) from error


def _with_weights(form: Form, config: Any, weights: Weights) -> nn.Module:
    """The model of a config with the weights of a file; nothing large is built before all sizes are compared."""
    weights.refuse_far(config.n_layers, config.d_model)
    with _Shapes():
        model = form.build(config)
    found = _tensors(form, config, weights, model.state_dict())
    with _Undrawn():  # really built, for the tables that no file holds: waves, rates
        model = form.build(config)
    model.load_state_dict(found)  # copied: a file's bytes lie askew, and sums then differ
    return model


class _Undrawn(TorchFunctionMode):
    """Weights that are about to be replaced are not drawn first: no time, and no random number, is spent on them."""

    DRAWING = ("normal_", "uniform_", "kaiming_uniform_", "xavier_uniform_", "ones_", "zeros_")

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        named = kwargs or {}
        if getattr(func, "__name__", None) in self.DRAWING:
            return args[0] if args else named["tensor"]
        return func(*args, **named)


class _Shapes(_Undrawn):
    """Parameters without memory. Not the device `meta` for all: what is computed there loads torch's whole compiler."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        named = {**(kwargs or {}), "device": "meta"} if func is torch.empty else kwargs
        if func is torch.cat:
            return torch.empty(sum(len(part) for part in args[0]), *args[0][0].shape[1:], device="meta")
        return args[0] if func is torch.Tensor.roll else super().__torch_function__(func, types, args, named)


def _tensors(form: Form, config: Any, weights: Weights, ours: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """The tensors of a file under our names, every one accounted for."""
    with _Shapes():
        empty = {name: torch.empty(tensor.shape) for name, tensor in ours.items()}
        expected = shapes(form.write_tensors(empty, config))
    names: dict[str, str] = {}
    for theirs in weights.entries:
        if (name := form.known(theirs, config)) in names:
            weights.refuse_unless_same(theirs, names[name])
        elif name is not None:
            names[name] = theirs
    weights.refuse_unless(expected, names)
    return form.read_tensors(weights.read(names), config)


def _ends(folder: Path, fields: Fields, vocab_size: int) -> tuple[int, ...]:
    """The ids that end a text: as `transformers` has it, by the generation config, else by the config."""
    path = folder / GENERATION
    said = (fields_of(path) if path.is_file() else {}).get("eos_token_id")
    path, said = (folder / CONFIG, fields.get("eos_token_id")) if said is None else (path, said)
    ends = said if isinstance(said, list) else [] if said is None else [said]
    for each in ends:
        if type(each) is not int or not 0 <= each < vocab_size:
            raise BadInput("end_id", path=str(path), came=each, vocab_size=vocab_size)
    return tuple(ends)


def _refuse_other_sizes(folder: Path, tokenizer: int, config: int, *, exactly: bool) -> None:
    """Ids without a row; foreign models may have rows to spare."""
    if tokenizer > config or (exactly and tokenizer != config):
        raise BadInput("vocab_mismatch", path=str(folder), tokenizer=tokenizer, config=config)
