"""What a tokenizer of `transformers` makes of texts: ids, where each stands in the text, and what it stands for."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor

from regard.core.errors import BadInput
from regard.inspection.foreign.run import first_line
from regard.inspection.trace import Sequence as Side
from regard.text.words import word_groups

LONGEST = 1024
"""Of more tokens it is not told where each stands in their text: that is found by writing it again and again."""


@dataclass(frozen=True)
class Tokens:
    """One text as a tokenizer cuts it; `more` are other inputs of the same length (token types)."""

    text: str
    ids: list[int]
    spans: list[tuple[int, int]]
    more: dict[str, list[int]]


_OWN = ("input_ids", "attention_mask")


def cut(tokenizer: Any, text: str, *, target: bool = False) -> Tokens:
    """A text in tokens, with those that the model begins and ends texts with.

    Raises:
        BadInput: `tokenizer_broken`: its rules break off on this text.
    """
    fast = tokenizer.is_fast
    asked = {"text_target" if target else "text": text, "return_offsets_mapping": fast, "verbose": False}
    try:
        found = tokenizer(**asked)
    except BaseException as error:  # the engine's panics are no Exceptions
        if isinstance(error, KeyboardInterrupt | SystemExit):
            raise
        raise BadInput("tokenizer_broken", path=str(tokenizer.name_or_path), reason=first_line(error)) from error
    ids = list(found["input_ids"])
    names = [] if fast else tokenizer.convert_ids_to_tokens(ids)
    spans = [tuple(pair) for pair in found["offset_mapping"]] if fast else _found(names, text)
    beside = {name: list(each) for name, each in found.items() if name in tokenizer.model_input_names}
    return Tokens(text, ids, spans, {name: each for name, each in beside.items() if name not in _OWN})


def written(tokenizer: Any, ids: Sequence[int]) -> Tokens:
    """Ids as a model wrote them, with the text that they come to."""
    if tokenizer is None:
        return Tokens(" ".join(map(str, ids)), list(ids), list(_numbers(ids)), {})
    if len(ids) > LONGEST:
        return Tokens("", list(ids), [(0, 0)] * len(ids), {})
    so_far = [tokenizer.decode(ids[:count], skip_special_tokens=True) for count in range(len(ids) + 1)]
    return Tokens(so_far[-1], list(ids), list(pairwise(map(len, so_far))), {})


def _numbers(ids: Sequence[int]) -> Iterable[tuple[int, int]]:
    """Where each id stands in a line of them."""
    at = 0
    for id_ in ids:
        yield at, at + len(str(id_))
        at += len(str(id_)) + 1


def padded(tokenizer: Any, read: Sequence[Tokens], *, left: bool) -> tuple[dict[str, Tensor], list[Side]]:
    """Texts of one length, as inputs (batch, n) and as sequences; what was filled up is said in the mask."""
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


def _found(tokens: Sequence[str], text: str) -> list[tuple[int, int]]:
    """Where tokens stand in a text, for tokenizers that do not say it: one after the other."""
    spans, at = [], 0
    for token in tokens:
        plain = token.lstrip("▁Ġ").removeprefix("##")
        start = text.find(plain, at) if plain else -1
        spans.append((start, start + len(plain)) if start >= 0 else (at, at))
        at = spans[-1][1]
    return spans
