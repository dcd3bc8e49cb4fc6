"""What a foreign model reads: texts, or inputs that are ready, as tensors and as the sequences of a trace."""

import inspect
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor

from regard.core.errors import BadInput
from regard.core.protocols import Site
from regard.inspection.foreign.run import Foreign
from regard.inspection.foreign.switching import switched, unchanged
from regard.inspection.trace import READ, SOURCE, TARGET
from regard.inspection.trace import Sequence as Side
from regard.text.words import word_groups

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


@dataclass(frozen=True)
class Tokens:
    """One text as a tokenizer cuts it; `more` are other inputs of the same length (token types)."""

    text: str
    ids: list[int]
    spans: list[tuple[int, int]]
    more: dict[str, list[int]]


def of_texts(foreign: Foreign, texts: Sequence[str], targets: Sequence[str] | None = None) -> Reading:
    """Texts, padded where they differ in length, on the side that the tokenizer pads.

    Args:
        targets: of a model with two sides, what it is to write; None for what it writes by itself, greedily.

    Raises:
        BadInput: `foreign_untold`: no tokenizer; `look_empty`, `look_too_long`.
    """
    tokenizer = foreign.tokenizer
    if tokenizer is None:
        raise BadInput("foreign_untold", name=foreign.name)
    read = [_limited(foreign, _cut(tokenizer, text)) for text in texts]
    inputs, sources = _padded(tokenizer, read, left=tokenizer.padding_side == "left")
    if not foreign.two_sided:
        if "attention_mask" in inputs and tokenizer.padding_side == "left":
            inputs |= _positions(foreign, inputs["attention_mask"])
        return Reading(inputs, tuple({SOURCE: side, READ: side} for side in sources))
    written = _generated(foreign, inputs) if targets is None else _labels(foreign, targets)
    decoder, pairs = _target_sides(foreign, written)
    both = ({SOURCE: source, **pair} for source, pair in zip(sources, pairs, strict=True))
    return Reading({**inputs, **decoder}, tuple(both))


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
        end = _first(foreign.model.config.eos_token_id, 0)
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


def side_of(tokenizer: Any, tokens: Tokens, real: Sequence[bool]) -> Side:
    """Tokens as a sequence of a trace."""
    ids = tokens.ids
    names = [str(id_) for id_ in ids] if tokenizer is None else tokenizer.convert_ids_to_tokens(ids)
    kinds = tuple(_kind(tokenizer, id_) if seen else "padding" for id_, seen in zip(ids, real, strict=True))
    words = word_groups(tokens.text, tokens.spans).tolist()
    return Side(tokens.text, tuple(map(str, names)), tuple(ids), tuple(words), tuple(tokens.spans), kinds)


def _kind(tokenizer: Any, id_: int) -> str:
    if tokenizer is None:
        return "text"
    ends = (tokenizer.eos_token_id, tokenizer.bos_token_id)
    if id_ == tokenizer.unk_token_id and id_ not in ends:
        return "unknown"
    return "special" if id_ in tokenizer.all_special_ids else "text"


def _cut(tokenizer: Any, text: str, *, target: bool = False) -> Tokens:
    """A text in tokens, with those that the model begins and ends texts with."""
    fast = tokenizer.is_fast
    found = tokenizer(**{"text_target" if target else "text": text}, return_offsets_mapping=fast, verbose=False)
    ids = list(found["input_ids"])
    names = [] if fast else tokenizer.convert_ids_to_tokens(ids)
    spans = [tuple(pair) for pair in found["offset_mapping"]] if fast else _found(names, text)
    beside = {name: list(each) for name, each in found.items() if name in tokenizer.model_input_names}
    return Tokens(text, ids, spans, {name: each for name, each in beside.items() if name not in _OWN})


_OWN = ("input_ids", "attention_mask")


def _found(tokens: Sequence[str], text: str) -> list[tuple[int, int]]:
    """Where tokens stand in a text, for tokenizers that do not say it: one after the other."""
    spans, at = [], 0
    for token in tokens:
        plain = token.lstrip("▁Ġ").removeprefix("##")
        start = text.find(plain, at) if plain else -1
        spans.append((start, start + len(plain)) if start >= 0 else (at, at))
        at = spans[-1][1]
    return spans


def _limited(foreign: Foreign, tokens: Tokens) -> Tokens:
    longest, count = most_tokens(foreign), len(tokens.ids)
    if not tokens.text.strip():
        raise BadInput("look_empty")
    if longest is not None and count > longest:
        raise BadInput("look_too_long", tokens=count, name=foreign.name, longest=longest)
    return tokens


def most_tokens(foreign: Foreign) -> int | None:
    """How many tokens a model reads; None where it does not say."""
    limits = [getattr(foreign.model.config.get_text_config(), "max_position_embeddings", None)]
    limits.append(getattr(foreign.tokenizer, "model_max_length", None))
    for name, module in foreign.model.named_modules():
        if name.endswith("position_embeddings") and getattr(module, "padding_idx", None) is not None:
            limits.append(module.num_embeddings - module.padding_idx - 1)  # RoBERTa counts from beyond the padding
    return min((limit for limit in limits if limit and limit < 10**9), default=None)


def _padded(tokenizer: Any, read: Sequence[Tokens], *, left: bool) -> tuple[dict[str, Tensor], list[Side]]:
    longest, pad = max(len(each.ids) for each in read), _pad(tokenizer)
    filled, masks = [], []
    for each in read:
        count = longest - len(each.ids)
        ids, spans = _filled(each.ids, pad, count, left), _filled(each.spans, (0, 0), count, left)
        more = {name: _filled(values, 0, count, left) for name, values in each.more.items()}
        filled.append(Tokens(each.text, ids, spans, more))
        masks.append(_filled([True] * len(each.ids), False, count, left))
    columns = {"input_ids": [each.ids for each in filled]}
    columns |= {name: [each.more[name] for each in filled] for name in filled[0].more}
    columns |= {} if all(map(all, masks)) else {"attention_mask": [[int(real) for real in mask] for mask in masks]}
    inputs = {name: torch.tensor(rows) for name, rows in columns.items()}
    return inputs, [side_of(tokenizer, each, mask) for each, mask in zip(filled, masks, strict=True)]


def _filled(values: Sequence[Any], blank: Any, count: int, left: bool) -> list[Any]:
    return [blank] * count + list(values) if left else list(values) + [blank] * count


def _pad(tokenizer: Any) -> int:
    found = (getattr(tokenizer, name, None) for name in ("pad_token_id", "eos_token_id", "unk_token_id"))
    return next((id_ for id_ in found if id_ is not None), 0)


def _positions(foreign: Foreign, mask: Tensor) -> dict[str, Tensor]:
    """Where each token stands when padding is not counted, as `generate` does it; for models that want to be told."""
    if "position_ids" not in inspect.signature(foreign.model.forward).parameters:
        return {}
    return {"position_ids": (mask.cumsum(1) - 1).clamp(min=0)}


def _labels(foreign: Foreign, targets: Sequence[str]) -> list[Tokens]:
    return [_limited(foreign, _cut(foreign.tokenizer, text, target=True)) for text in targets]


def _generated(foreign: Foreign, inputs: dict[str, Tensor]) -> list[Tokens]:
    """What the model writes by itself, greedily; the end token too, and nothing after it."""
    with switched(foreign.model, unchanged):
        placed = {name: each.to(foreign.model.device) for name, each in inputs.items()}
        most = min(ENOUGH, most_tokens(foreign) or ENOUGH)
        ids = foreign.model.generate(**placed, num_beams=1, do_sample=False, max_new_tokens=most)
    return [_written(foreign, row.tolist()[1:]) for row in ids]


def _written(foreign: Foreign, ids: list[int]) -> Tokens:
    tokenizer, end = foreign.tokenizer, foreign.tokenizer.eos_token_id
    ids = ids[: ids.index(end) + 1] if end in ids else ids
    text = tokenizer.decode(ids, skip_special_tokens=True)
    lengths = [len(tokenizer.decode(ids[:count], skip_special_tokens=True)) for count in range(len(ids) + 1)]
    return Tokens(text, ids, list(pairwise(lengths)), {})


def _target_sides(foreign: Foreign, written: Sequence[Tokens]) -> tuple[dict[str, Tensor], list[Sides]]:
    """What the decoder reads, one token later than what it writes."""
    start = _start(foreign)
    read = [Tokens(each.text, [start, *each.ids[:-1]], [(0, 0), *each.spans[:-1]], {}) for each in written]
    inputs, reads = _padded(foreign.tokenizer, read, left=False)
    _, targets = _padded(foreign.tokenizer, written, left=False)
    named = {f"decoder_{name}": each for name, each in inputs.items()}
    pairs = zip(reads, targets, strict=True)
    return named, [{READ: _begun(side, start), TARGET: target} for side, target in pairs]


def _begun(side: Side, start: int) -> Side:
    """The first token that a decoder reads is no text, whatever else it stands for."""
    return replace(side, kinds=("special", *side.kinds[1:])) if side.ids and side.ids[0] == start else side


def _start(foreign: Foreign) -> int:
    config = foreign.model.config
    for name in ("decoder_start_token_id", "bos_token_id", "pad_token_id"):
        for told in (getattr(foreign.model, "generation_config", None), config):
            found = getattr(told, name, None)
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
        if foreign.tokenizer is None:
            tokens = Tokens(" ".join(map(str, row)), row, list(_numbers(row)), {})
        else:
            tokens = _written(foreign, row)
            tokens = tokens if len(tokens.ids) == len(row) else Tokens("", row, [(0, 0)] * len(row), {})
        found.append(side_of(foreign.tokenizer, tokens, [bool(each) for each in mask]))
    return found


def _numbers(ids: Sequence[int]) -> Iterable[tuple[int, int]]:
    """Where each id stands in a line of them."""
    at = 0
    for id_ in ids:
        yield at, at + len(str(id_))
        at += len(str(id_)) + 1
