"""Sizes of models as `transformers` builds them: without memory for a single weight, or those that somebody holds."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

from regard.core.errors import BadInput
from regard.core.nearest import nearest
from regard.inspection.foreign.run import first_line
from regard.inspection.size.fields import Fields
from regard.inspection.size.parts import Heads, Side, Size
from regard.inspection.size.tensors import Known, of_tensors

MOST_LAYERS = 1000
"""More are not built: no published model has as many."""


def built(fields: Fields) -> tuple[Size, str]:
    """The size of the model that a config describes, and the class that was counted.

    The class is the one that the config names; where it names none, the one its family is trained as. Programs that a
    config brings are never run.

    Raises:
        BadInput: `size_family`: no such family; `size_field`: an absurd number of layers; `foreign_unreadable`: what
            the library says of the config.
    """
    import transformers
    from transformers import CONFIG_MAPPING

    family = fields.word("model_type")
    if family not in CONFIG_MAPPING:
        if not family:
            raise fields.missing("model_type")
        raise BadInput("size_family", path=fields.path, family=family, nearest=nearest(family, CONFIG_MAPPING))
    _refuse(fields, CONFIG_MAPPING[family])
    told = {name: value for name, value in fields.values.items() if name not in _LEFT_OUT}
    with _quietly():
        try:
            config = CONFIG_MAPPING[family](**told)
            kind = _class(transformers, config, fields.values.get("architectures"))
            with torch.device("meta"):
                model = kind(config)
        except Exception as error:  # whatever a config can make another library say
            raise BadInput("foreign_unreadable", path=fields.path, reason=first_line(error)) from error
    return of_module(model), kind.__name__


def _refuse(fields: Fields, kind: Any) -> None:
    """A config that leaves sizes out would be built with those of some other model; one that has too many, for long."""
    nested = list(getattr(kind, "sub_configs", {}))
    if nested and not any(isinstance(fields.values.get(name), dict) for name in nested):
        raise fields.missing(nested[0])
    for name in _NEEDED if not nested else ():
        theirs = getattr(kind, "attribute_map", {}).get(name, name)
        if hasattr(kind, theirs):
            fields.size(name if name in fields.values else theirs)
    for name, value in fields.values.items():
        if "layers" in name and type(value) is int:
            fields.size(name, least=0, most=MOST_LAYERS)


_NEEDED = ("vocab_size", "hidden_size", "num_hidden_layers", "num_attention_heads")
_LEFT_OUT = ("model_type", "architectures", "auto_map", "quantization_config", "transformers_version")


def of_module(model: nn.Module) -> Size:
    """The size of a model that is held: one of `transformers`, or any module of torch.

    Parameters that are used twice are counted once; buffers are not counted.
    """
    shapes = {name: tuple(each.shape) for name, each in model.named_parameters()}
    config = getattr(model, "config", None)
    known = Known() if config is None else _known(model, config)
    return of_tensors(shapes, known)


def _class(transformers: Any, config: Any, named: Any) -> Any:
    name = named[0] if isinstance(named, list) and named and isinstance(named[0], str) else ""
    kind: Any = getattr(transformers, name, None)
    if isinstance(kind, type) and issubclass(kind, transformers.PreTrainedModel):
        return kind
    both = ("ForSeq2SeqLM", "ForSpeechSeq2Seq") if getattr(config, "is_encoder_decoder", False) else ()
    for task in (*both, "ForPreTraining", "ForCausalLM", "ForMaskedLM", ""):
        mapping = getattr(transformers, f"AutoModel{task}")._model_mapping
        if type(config) in mapping:
            return mapping[type(config)]
    raise ValueError(type(config).__name__)


def _known(model: Any, config: Any) -> Known:
    """What the config says of heads, experts and lengths, by the names that the library gives to all families."""
    text = config.get_text_config() if hasattr(config, "get_text_config") else config
    both = bool(getattr(config, "is_encoder_decoder", False))
    experts = _number(text, "num_local_experts", "num_experts", "n_routed_experts")
    longest = _number(text, "max_position_embeddings") or None
    writes = hasattr(model, "can_generate") and model.can_generate()
    heads = _heads(text, both, writes) if _alike(config) and _alike(text) else None
    return Known(heads, experts, _number(text, "num_experts_per_tok"), _tied(model), longest, both)


def _heads(config: Any, both: bool, writes: bool) -> tuple[Heads, ...] | None:
    """Of one stack of layers; None where the config says too little, or means more than one stack of them.

    Layers that share their weights, latent keys and pictures are such: their work does not follow from these numbers.
    """
    n_layers, n_heads = _number(config, "num_hidden_layers"), _number(config, "num_attention_heads")
    width = _number(config, "hidden_size")
    d_head = _number(config, "head_dim") or (width // n_heads if n_heads else 0)
    if both or not (n_layers and n_heads and d_head):
        return None
    kept: Side | None = "token" if writes else None
    return (Heads(n_layers, n_heads, d_head, _number(config, "num_key_value_heads") or n_heads, kept=kept),)


_ELSEWHERE = (
    "kv_lora_rank",
    "num_hidden_groups",
    "vision_config",
    "audio_config",
    "image_size",
    "attention_window",
    "attn_layer_period",
)
"""Fields of configs whose layers share weights, keep something else, look elsewhere, or read no text."""


def _alike(config: Any) -> bool:
    """All its layers attend, to text."""
    kinds = getattr(config, "layer_types", None) or ()
    return not any(getattr(config, name, None) for name in _ELSEWHERE) and all("attention" in each for each in kinds)


def _number(config: Any, *names: str) -> int:
    """The first that is a whole number; 0 where none is."""
    found = (getattr(config, name, None) for name in names)
    return next((each for each in found if type(each) is int and each > 0), 0)


def _tied(model: Any) -> int:
    """Products of a head that is the embedding itself."""
    try:
        bottom, top = model.get_input_embeddings(), model.get_output_embeddings()
    except (AttributeError, NotImplementedError):
        return 0
    weight: Any = getattr(top, "weight", None)
    tied = weight is not None and weight is getattr(bottom, "weight", None)
    return int(weight.numel()) if tied else 0


@contextmanager
def _quietly() -> Iterator[None]:
    """What their library says of a config is no news here."""
    from transformers.utils import logging as theirs

    level = theirs.get_verbosity()
    theirs.set_verbosity(logging.CRITICAL)
    try:
        yield
    finally:
        theirs.set_verbosity(level)
