"""A text as a language model reads it, its tokens as a person does, and what of it the model does not know."""

from collections.abc import Iterable
from typing import Any

from regard.inspection.trace import Sequence
from regard.language import say
from regard.text import pieces
from regard.text.words import word_groups
from regard.views.signs import shortened

NAMED = 12
"""At most so many signs that a model does not know are named."""


def text_side(text: str, tokenizer: Any) -> Sequence:
    """A text as a language model reads it: after the token that begins every text, where the tokenizer has one."""
    encoded, start = tokenizer.encode(text), getattr(tokenizer, "start", None)
    first = [] if start is None else [start]
    ids, spans = [*first, *encoded.ids], [(0, 0)] * len(first) + encoded.offsets
    tokens, kinds = [*tokenizer.tokens(first), *encoded.tokens], tuple(tokenizer.kinds(ids))
    return Sequence(text, tuple(tokens), tuple(ids), tuple(word_groups(text, spans).tolist()), tuple(spans), kinds)


def shown(side: Sequence) -> tuple[str, ...]:
    """Each token as people read it; see `text.pieces`. Spaces stand in it as they are: `views` draws them."""
    return tuple(piece.shown for piece in pieces.pieces(side.text, side.tokens, side.spans, side.kinds))


def alone(ids: Iterable[int], tokenizer: Any) -> tuple[str, ...]:
    """Tokens that cover no text yet (those that may be written next), as people read them."""
    ids = list(ids)
    return tuple(
        pieces.alone(name, tokenizer.decode([id_])) for name, id_ in zip(tokenizer.tokens(ids), ids, strict=True)
    )


def unknown(sides: Iterable[Sequence], lang: str | None = None) -> str:
    """What of these texts the model does not know, as a sentence; empty where it knows all."""
    read = list({side.text: side for side in sides}.values())  # a decoder reads what it writes
    found = [pieces.lacking(side.text, side.spans, side.kinds) for side in read]
    count = sum(each.count for each in found)
    if not count:
        return ""
    signs = list(dict.fromkeys(sign for each in found for sign in each.signs))
    named = " ".join(shortened(sign) for sign in signs[:NAMED]) + " …" * (len(signs) > NAMED)
    return say("views.unknown_tokens", lang, count=count, total=sum(len(side.ids) for side in read), signs=named)
