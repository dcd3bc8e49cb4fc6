"""What a foreign model reads: texts, or inputs that are ready, as tensors and as the sequences of a trace."""

import copy
import inspect
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from regard.core.errors import BadInput
from regard.core.protocols import Site
from regard.inspection.foreign.run import Foreign, told
from regard.inspection.foreign.switching import switched, unchanged
from regard.inspection.foreign.tokens import Tokens, cut, padded, side_of, written
from regard.inspection.trace import READ, SOURCE, TARGET
from regard.inspection.trace import Sequence as Side

Sides = dict[str, Side]

ENOUGH = 256
"""Tokens that a model writes at most where no target is given."""


@dataclass(frozen=True)
class Reading:
    """What a model is given, and what it means.

    Attributes:
        inputs: as the model's `forward` takes them.
        sequences: of each text of the batch.
    """

    inputs: dict[str, Any]
    sequences: tuple[Sides, ...]


def of_texts(foreign: Foreign, texts: Sequence[str], targets: Sequence[str] | None = None) -> Reading:
    """Texts, padded where they differ in length, on the side that the tokenizer pads.

    Args:
        targets: of a model with two sides, what it is to write; None for what it writes by itself, greedily.

    Raises:
        BadInput: `foreign_untold`: no tokenizer; `target_unread`: a target for a model with one side; `look_empty`,
            `look_too_long`.
    """
    tokenizer = foreign.tokenizer
    if tokenizer is None:
        raise BadInput("foreign_untold", name=foreign.name)
    if targets is not None and not foreign.two_sided:
        raise BadInput("target_unread", name=foreign.name)
    if not texts:
        raise BadInput("look_empty")
    read = [_limited(foreign, cut(tokenizer, text)) for text in texts]
    inputs, sources = padded(tokenizer, read, left=tokenizer.padding_side == "left")
    if not foreign.two_sided:
        if "attention_mask" in inputs and tokenizer.padding_side == "left":
            inputs |= _positions(foreign, inputs["attention_mask"])
        return Reading(inputs, tuple({SOURCE: side, READ: side} for side in sources))
    wrote = _generated(foreign, inputs) if targets is None else _labels(foreign, targets)
    decoder, pairs = target_sides(foreign, wrote)
    both = ({SOURCE: source, **pair} for source, pair in zip(sources, pairs, strict=True))
    return Reading({**inputs, **decoder}, tuple(both))


def of_prompt(foreign: Foreign, text: str) -> Reading:
    """A text after which a model is to write: of one with two sides the source.

    Raises:
        BadInput: `foreign_untold`, `look_empty`, `look_too_long`.
    """
    if foreign.tokenizer is None:
        raise BadInput("foreign_untold", name=foreign.name)
    inputs, sides = padded(foreign.tokenizer, [_limited(foreign, cut(foreign.tokenizer, text))], left=False)
    return Reading(inputs, ({SOURCE: sides[0], READ: sides[0]},))


def longer(foreign: Foreign, read: Reading, more: Sequence[int]) -> Reading:
    """One text of a model with one side, and these ids after it."""
    ids = [*read.inputs["input_ids"][0].tolist(), *more]
    return of_inputs(foreign, {"input_ids": torch.tensor([ids])})


def of_inputs(foreign: Foreign, inputs: Mapping[str, Any]) -> Reading:
    """Inputs that are ready: `input_ids` (batch, n), and what else the model's `forward` takes."""
    tensors = {name: each for name, each in inputs.items() if isinstance(each, Tensor)}
    batch = len(next(iter(tensors.values())))
    found: tuple[Sides, ...] = tuple({} for _ in range(batch))
    if "input_ids" in tensors:
        read = _ready(foreign, tensors["input_ids"], tensors.get("attention_mask"))
        names = (SOURCE,) if foreign.two_sided else (SOURCE, READ)
        found = tuple(dict.fromkeys(names, side) for side in read)
    if "decoder_input_ids" in tensors:
        ids = tensors["decoder_input_ids"]
        end = _first(getattr(foreign.model.config, "eos_token_id", None), 0)
        after = torch.cat([ids[:, 1:], torch.full_like(ids[:, :1], end)], dim=1)
        for name, each in ((READ, ids), (TARGET, after)):
            real = tensors.get("decoder_attention_mask")
            found = tuple({**sides, name: side} for sides, side in zip(found, _ready(foreign, each, real), strict=True))
    return Reading(dict(inputs), found)


def sides(given: Sides, sites: Iterable[Site], sizes: Mapping[str, int]) -> Sides:
    """The sequences that places have to do with, in order; what is no text (audio) has its positions for tokens."""
    used = {name for site in sites for name in (site.queries, site.keys)}
    used |= {READ} if TARGET in used and READ in given else set()
    found = {}
    for name in (SOURCE, READ, TARGET):
        if name in used:
            side, size = given.get(name), sizes.get(name)
            found[name] = side if side is not None and size in (None, len(side.ids)) else numbered(size or 0)
    return found


def numbered(count: int) -> Side:
    """A sequence of which nothing but the length is known."""
    tokens = tuple(str(number) for number in range(count))
    return Side("", tokens, tuple(range(count)), tuple(range(count)), ((0, 0),) * count, ("special",) * count)


def _limited(foreign: Foreign, tokens: Tokens) -> Tokens:
    longest, count = most_tokens(foreign), len(tokens.ids)
    if not tokens.text.strip():
        raise BadInput("look_empty")
    if longest is not None and count > longest:
        raise BadInput("look_too_long", tokens=count, name=foreign.name, longest=longest)
    return tokens


def most_tokens(foreign: Foreign) -> int | None:
    """How many tokens a model reads; None where positions are counted without end."""
    config = foreign.model.config
    config = config.get_text_config(encoder=True) if foreign.two_sided else config.get_text_config()
    limits = [getattr(config, "max_position_embeddings", None)]
    for name, module in foreign.model.named_modules():
        if name.endswith("position_embeddings") and getattr(module, "padding_idx", None) is not None:
            limits.append(module.num_embeddings - module.padding_idx - 1)  # RoBERTa counts from beyond the padding
    return min((limit for limit in limits if limit and limit > 0), default=None)


def _positions(foreign: Foreign, mask: Tensor) -> dict[str, Tensor]:
    """Where each token stands when padding is not counted, as `generate` does it; for models that want to be told."""
    if "position_ids" not in inspect.signature(foreign.model.forward).parameters:
        return {}
    return {"position_ids": (mask.cumsum(1) - 1).clamp(min=0)}


def _labels(foreign: Foreign, targets: Sequence[str]) -> list[Tokens]:
    return [_limited(foreign, cut(foreign.tokenizer, text, target=True)) for text in targets]


def _generated(foreign: Foreign, inputs: dict[str, Tensor]) -> list[Tokens]:
    """What the model writes by itself, greedily; the end token too, and nothing after it."""
    manner = copy.deepcopy(foreign.model.generation_config)
    most = min(ENOUGH, most_tokens(foreign) or ENOUGH)
    manner.update(max_length=most, max_new_tokens=None, num_beams=1, do_sample=False)
    with switched(foreign.model, unchanged), told(foreign):
        placed = {name: each.to(foreign.model.device) for name, each in inputs.items()}
        rows = foreign.model.generate(**placed, generation_config=manner).tolist()
    return [written(foreign.tokenizer, _ended(row[1:], foreign.tokenizer.eos_token_id)) for row in rows]


def _ended(ids: list[int], end: int | None) -> list[int]:
    """What was written up to the end token; after it a row waits for the others."""
    return ids[: ids.index(end) + 1] if end in ids else ids


def target_sides(foreign: Foreign, wrote: Sequence[Tokens]) -> tuple[dict[str, Tensor], list[Sides]]:
    """What the decoder reads, one token later than what it writes."""
    start = _start(foreign)
    read = [Tokens(each.text, [start, *each.ids[:-1]], [(0, 0), *each.spans[:-1]], {}) for each in wrote]
    inputs, reads = padded(foreign.tokenizer, read, left=False)
    _, targets = padded(foreign.tokenizer, wrote, left=False)
    named = {f"decoder_{name}": each for name, each in inputs.items()}
    pairs = zip(reads, targets, strict=True)
    return named, [{READ: _begun(side, start), TARGET: target} for side, target in pairs]


def _begun(side: Side, start: int) -> Side:
    """The first token that a decoder reads is no text, whatever else it stands for."""
    return replace(side, kinds=("special", *side.kinds[1:])) if side.ids and side.ids[0] == start else side


def _start(foreign: Foreign) -> int:
    config = foreign.model.config
    for name in ("decoder_start_token_id", "bos_token_id", "pad_token_id"):
        for said in (getattr(foreign.model, "generation_config", None), config):
            found = getattr(said, name, None)
            if found is not None:
                return int(_first(found, 0))
    return 0


def _first(value: Any, otherwise: int) -> int:
    found = value[0] if isinstance(value, list | tuple) and value else value
    return otherwise if found is None else int(found)


def _ready(foreign: Foreign, ids: Tensor, real: Tensor | None) -> list[Side]:
    if ids.ndim != 2:
        raise BadInput("foreign_inputs", name="input_ids", came=list(ids.shape))
    masks = torch.ones_like(ids) if real is None or real.ndim != 2 else real
    found = []
    for row, mask in zip(ids.tolist(), masks.tolist(), strict=True):
        tokens = written(foreign.tokenizer, row)
        found.append(side_of(foreign.tokenizer, tokens, [bool(each) for each in mask]))
    return found
