"""Models of `transformers` from a folder or the hub: everything is looked at before their library is.

A config may name programs to fetch and run, and weights may be programs; such folders are refused, and so are weights
that do not match the config. From the hub only data is fetched, and the folder is then read like any other.
"""

import hashlib
import logging
import math
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

import torch

from regard.core.errors import BadInput
from regard.inspection.foreign.run import Foreign, first_line
from regard.models import catalogue
from regard.models.tensors import Weights, listed

CONFIG, TOKENIZER_CONFIG = "config.json", "tokenizer_config.json"
KERNELS = (None, "eager", "sdpa", "flash_attention_2", "flash_attention_3", "flash_attention_4", "flex_attention")
"""What a config may say of how attention is computed; it is not obeyed."""

DETOURS, ADAPTER = ("transformers_weights", "fusion_config"), "adapter_config.json"
"""What makes their library read other weights than were looked at, or build other layers."""

DATA = ["*.json", "*.safetensors", "*.txt", "*.model", "*.spm"]
_HUB = re.compile(r"[\w.-]+(/[\w.-]+)?")
_KERNEL = re.compile(r"(attn|attention|experts)_implementation")
_LAYER = re.compile(r"\.\d+\.")
_LAYERS = re.compile(r"n_layers?|num_(hidden_|decoder_)?layers|(encoder|decoder)_layers")
_HEADS = re.compile(r"(\w*_)?heads|n_heads?")
_SIZES = re.compile(r"(\w*_)?(size|dim|heads)|n_(embd|head|inner)|d_(model|ff|kv|inner)")
_TABLES = re.compile(r"(position_ids|masked_bias|attn\.bias|inv_freq|attention\.bias)$")
"""What older programs wrote beside the weights, and newer ones compute."""


def located(name: str) -> Path:
    """The folder of a bundled model, a model folder, a training run, or an id of the hub.

    Raises:
        BadInput: `unknown_model`, `no_model_folder`.
    """
    try:
        return catalogue.find(name)
    except BadInput as error:
        found = fetched(name) if error.code == "unknown_model" else None
        if found is None:
            raise
        return found


def shortened(name: str) -> str:
    """What a model is called: of a folder its last name."""
    return Path(name).resolve().name if os.path.exists(name) else name


def fetched(name: str) -> Path | None:
    """The folder of a model of the hub: the local cache first, then the network, if it may be used; None if there is
    none of this name."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.constants import HF_HUB_OFFLINE
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    if not _HUB.fullmatch(name) or ".." in name:
        return None
    for local in (True,) if HF_HUB_OFFLINE else (True, False):
        try:
            return Path(snapshot_download(name, local_files_only=local, allow_patterns=DATA))
        except (LocalEntryNotFoundError, HfHubHTTPError, ValueError, OSError):
            continue
    return None


def opened(folder: Path, name: str) -> Foreign:
    """The model of a folder with its tokenizer.

    Raises:
        BadInput: what the folder holds could run a program (`foreign_code`, `foreign_kernels`, `weights_pickled`) or
            lead past what was looked at (`foreign_detour`), is not whole (`no_model_folder`, `weights_absent`,
            `weights_elsewhere`), does not match (`weights_missing`, `weights_unexpected`, `weights_layers`,
            `config_field`, `foreign_unreadable`), or is compressed (`foreign_quantized`).
    """
    fields = fields_of(folder)
    refuse_tricks(folder)
    if (folder / ADAPTER).exists():
        raise BadInput("foreign_detour", path=str(folder), field=ADAPTER)
    weights = listed(folder)
    _refuse_giants(fields, weights)
    with _quiet():
        model = _model(folder, fields, weights)
        tokenizer = _tokenizer(folder)
    rows = model.get_input_embeddings()
    size = getattr(rows, "num_embeddings", None)
    if tokenizer is not None and size is not None and len(tokenizer) > size:
        raise BadInput("vocab_mismatch", path=str(folder), tokenizer=len(tokenizer), config=size)
    return Foreign(model, tokenizer, name, weights.fingerprint)


def held(model: Any, tokenizer: Any = None) -> Foreign:
    """A model that somebody holds already: one of `transformers`, or what was opened before.

    Raises:
        BadInput: `record_what`: it is no model that can be recorded.
    """
    import transformers

    if isinstance(model, Foreign):
        return model
    if not isinstance(model, transformers.PreTrainedModel):
        raise BadInput("record_what", came=type(model).__name__)
    name = Path(str(getattr(model, "name_or_path", "") or type(model).__name__)).name
    return Foreign(model, tokenizer, name, fingerprint(model))


def fingerprint(model: Any) -> str:
    """The sha256 of a model's weights as they lie in memory, remembered while nobody writes into them."""
    tensors = sorted(model.state_dict().items())
    versions = [0 if each.is_inference() else each._version for _, each in tensors]
    state = tuple((name, each.data_ptr(), n, _some(each)) for (name, each), n in zip(tensors, versions, strict=True))
    if model not in _prints or _prints[model][0] != state:
        digest = hashlib.sha256()
        for name, each in tensors:
            digest.update(f"{name} {tuple(each.shape)} {each.dtype}\n".encode())
            digest.update(each.detach().cpu().contiguous().flatten().view(torch.uint8).numpy())
        _prints[model] = (state, digest.hexdigest())
    return _prints[model][1]


def _some(tensor: torch.Tensor) -> bytes:
    """Numbers from all over a tensor: who writes through `.data` leaves no other trace."""
    flat = tensor.detach().flatten()
    return flat[:: len(flat) // 256 + 1].cpu().contiguous().view(torch.uint8).numpy().tobytes()


_prints: WeakKeyDictionary[Any, tuple[Any, str]] = WeakKeyDictionary()


def fields_of(folder: Path) -> dict[str, Any]:
    """The config of a folder, as it stands in its file."""
    if not (folder / CONFIG).is_file():
        raise BadInput("no_model_folder", path=str(folder))
    return catalogue.fields_of(folder / CONFIG)


def refuse_tricks(folder: Path) -> None:
    """Programs to fetch, kernels, other weights, named anywhere in a folder's configs: by whomever it is then read.

    Raises:
        BadInput: `foreign_code`, `foreign_kernels`, `foreign_quantized`, `foreign_detour`.
    """
    for path in (folder / CONFIG, folder / TOKENIZER_CONFIG):
        _refuse_tricks(catalogue.fields_of(path) if path.is_file() else {}, path)


def _refuse_tricks(fields: Any, path: Path) -> None:
    for key, value in _pairs(fields):
        if key in ("auto_map", "custom_pipelines") and value:
            raise BadInput("foreign_code", path=str(path), field=key)
        if _KERNEL.search(key) and not (isinstance(value, str | None) and value in KERNELS):
            raise BadInput("foreign_kernels", path=str(path), field=key, came=value)
        if key == "quantization_config" and value:
            raise BadInput("foreign_quantized", path=str(path))
        if key in DETOURS and value:
            raise BadInput("foreign_detour", path=str(path), field=key)


def _pairs(fields: Any) -> Iterator[tuple[str, Any]]:
    """Every key with its value, however deep; what JSON nests is never deeper than its reader."""
    waiting = [fields]
    while waiting:
        each = waiting.pop()
        if isinstance(each, dict):
            yield from each.items()
            waiting += each.values()
        elif isinstance(each, list):
            waiting += each


def _refuse_giants(fields: dict[str, Any], weights: Weights) -> None:
    """Sizes that these weights cannot have: a config that lies, and would be built at length before it is found out."""
    path, tensors = str(weights.folder), len(weights.entries)
    numbers = sum(math.prod(shape) for _, shape, _ in weights.entries.values())
    for key, value in _pairs(fields):
        if _LAYERS.fullmatch(key) and value is None:
            if "decoder" in key:  # T5's way to say: as many as the encoder
                continue
            raise BadInput("config_field", path=str(weights.folder / CONFIG), field=key, reason=f"null; 1 … {tensors}")
        if _LAYERS.fullmatch(key) and not (type(value) is int and 0 <= value <= tensors):
            raise BadInput("weights_layers", path=path, n_layers=value, tensors=tensors)
        if type(value) is int and (
            (_SIZES.fullmatch(key) and value > numbers) or (_HEADS.fullmatch(key) and value < 1)
        ):
            raise BadInput("config_field", path=str(weights.folder / CONFIG), field=key, reason=f"1 … {numbers}")


def _model(folder: Path, fields: dict[str, Any], weights: Weights) -> Any:
    import transformers

    try:
        config = transformers.AutoConfig.from_pretrained(folder, trust_remote_code=False, local_files_only=True)
        kind = _class(transformers, config, fields)
        kernel = "sdpa" if getattr(kind, "_supports_sdpa", False) else "eager"
        model, told = kind.from_pretrained(
            folder,
            config=config,
            trust_remote_code=False,
            use_safetensors=True,
            local_files_only=True,
            output_loading_info=True,
            ignore_mismatched_sizes=True,  # they are told, and refused below by name
            attn_implementation=kernel,
        )
    except Exception as error:  # whatever a config can make another library say
        raise BadInput("foreign_unreadable", path=str(folder), reason=first_line(error)) from error
    _refuse_other_weights(told, weights)
    return model.eval()


def _class(transformers: Any, config: Any, fields: dict[str, Any]) -> Any:
    """The class that the config names, where it is one of theirs and of this config."""
    names = fields.get("architectures")
    name = names[0] if isinstance(names, list) and names and isinstance(names[0], str) else ""
    kind: Any = getattr(transformers, name, None)
    if isinstance(kind, type) and issubclass(kind, transformers.PreTrainedModel):
        wanted = getattr(kind, "config_class", None)
        if wanted is not None and isinstance(config, wanted):
            return kind
    return transformers.AutoModel


def _refuse_other_weights(told: dict[str, Any], weights: Weights) -> None:
    """Missing weights would be random numbers; unexpected ones in layers mean that the model has more than was built.

    What stands in no layer may be the head of another task, as published models often have.
    """
    path = str(weights.folder)
    for name in sorted(told["missing_keys"]):
        raise BadInput("weights_missing", path=path, name=name)
    for name in sorted(told["unexpected_keys"]):
        if _LAYER.search(name) and not _TABLES.search(name):
            raise BadInput("weights_unexpected", path=path, name=name)
    for name, came, expected in sorted(told["mismatched_keys"]):
        raise BadInput("weights_mismatch", path=path, name=name, expected=tuple(expected), came=tuple(came))


def _tokenizer(folder: Path) -> Any:
    """The tokenizer of a folder; None where it has none."""
    import transformers

    present = ("tokenizer.json", TOKENIZER_CONFIG, "vocab.txt", "vocab.json", "spiece.model", "tokenizer.model")
    if not any((folder / name).is_file() for name in present):
        return None
    try:
        return transformers.AutoTokenizer.from_pretrained(
            folder, use_fast=True, trust_remote_code=False, local_files_only=True
        )
    except BaseException as error:  # the engine's panics are no Exceptions
        if isinstance(error, KeyboardInterrupt | SystemExit):
            raise
        raise BadInput("tokenizer_broken", path=str(folder), reason=first_line(error)) from error


@contextmanager
def _quiet() -> Iterator[None]:
    """Reports and progress bars of their library say what we say, or nothing to the point."""
    from transformers.utils import logging as theirs

    level, bars = theirs.get_verbosity(), theirs.is_progress_bar_enabled()
    theirs.set_verbosity(logging.CRITICAL)
    theirs.disable_progress_bar()
    try:
        yield
    finally:
        theirs.set_verbosity(level)
        if bars:
            theirs.enable_progress_bar()
