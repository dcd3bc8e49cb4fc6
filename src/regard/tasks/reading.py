"""A text as a language model reads it, and its tokens as a person does."""

from collections import Counter
from typing import Any

from regard.inspection.trace import Sequence
from regard.text.words import word_groups


def text_side(text: str, tokenizer: Any) -> Sequence:
    """A text as a language model reads it: after the token that begins every text, where the tokenizer has one."""
    encoded, start = tokenizer.encode(text), getattr(tokenizer, "start", None)
    first = [] if start is None else [start]
    ids, spans = [*first, *encoded.ids], [(0, 0)] * len(first) + encoded.offsets
    tokens = [*tokenizer.tokens(first), *encoded.tokens]
    return Sequence(text, tuple(tokens), tuple(ids), tuple(word_groups(text, spans).tolist()), tuple(spans))


def shown(side: Sequence) -> tuple[str, ...]:
    """Each token as the signs that it covers; by its own name where it covers none, or a part of one."""
    covers = Counter(side.spans)
    return tuple(
        side.text[start:end] if end > start and covers[start, end] == 1 else token
        for token, (start, end) in zip(side.tokens, side.spans, strict=True)
    )
