"""How well language models foretell a text: perplexity, in windows that slide over it.

    a b c d e f g h          windows of 4 tokens, each 2 further than the last: every token is foretold once,
    a b c d                  and all but the first from at least 2 before it
        c d e f              (of this window e and f are foretold)
            e f g h

A window that moves by all its length is fast, but half of its tokens are foretold from little; by one token, from as
much as the model can read, but each takes a whole reading.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from regard.core.errors import BadInput, Failure
from regard.language import say
from regard.tasks.generation import Generator
from regard.text import corpus
from regard.text.batches import in_order, padded
from regard.text.corpus import Corpus
from regard.training.batch import Batch
from regard.training.loss import validation_loss
from regard.views.picture import Picture, Table

AT_ONCE, LOGITS = 8192, 2**26
"""At most so many tokens are read at once, fewer where a large vocabulary would make more numbers than that of them."""

NAMES = (
    *("model", "documents", "tokens", "bytes", "nats_per_token", "bits_per_byte", "perplexity"),
    *("context", "stride"),
)

Progress = Callable[[int], AbstractContextManager[Callable[[int], None]]]
"""How many windows there are → whom to tell how many more are read."""


@dataclass(frozen=True)
class Foretold:
    """One model on one text.

    Attributes:
        documents: how many documents the text has.
        tokens: how many were foretold: all, but for the first of each document where no token begins texts.
        bytes: how many bytes of UTF-8 these stand for, a line end being one.
        nats_per_token: mean of −log p(token | those before it).
        context, stride: how many tokens a window has, and how many it is further than the last.
        unknown: the characters that the tokenizer lacks, each once.
    """

    model: str
    documents: int
    tokens: int
    bytes: int
    nats_per_token: float
    context: int
    stride: int
    unknown: tuple[str, ...] = field(default=(), repr=False)

    @property
    def bits_per_byte(self) -> float:
        """The same surprise over the text's own bytes: what compares models that cut text otherwise."""
        return self.nats_per_token * self.tokens / math.log(2) / self.bytes

    @property
    def perplexity(self) -> float:
        """As if it wavered between so many tokens, equally likely."""
        return math.exp(min(self.nats_per_token, 700.0))

    def json(self) -> dict[str, Any]:
        """The figures, as the command's JSON holds them."""
        return {name: getattr(self, name) for name in NAMES} | {"unknown": list(self.unknown)}


def foretell(
    model: Generator,
    text: Corpus,
    *,
    stride: int | None = None,
    name: str | None = None,
    progress: Progress = lambda total: nullcontext(lambda more: None),
) -> Foretold:
    """How likely a language model holds each token of a text after those before it.

    Args:
        text: what to read; each document by itself, after the token that begins every text where there is one.
        stride: how much further each window is; None for half of what the model reads.
        name: what the model is called in the result; None for its own name.
        progress: told of every window.

    Raises:
        BadInput: `stride_range`; `text_unscored`: not one token to foretell.
        Failure: `surprise_not_finite`.
    """
    longest = model.model.config.max_len
    stride = max(1, longest // 2) if stride is None else stride
    if not 1 <= stride <= longest:
        raise BadInput("stride_range", came=stride, name=model.name, longest=longest)
    read = list(_documents(text, model.tokenizer))
    tokens = sum(max(0, len(each.ids) - 1) for each in read)
    size = sum(int(each.bytes[1:].sum()) for each in read)
    if not size:
        raise BadInput("text_unscored", tokens=sum(len(each.ids) for each in read), name=model.name)
    every = [(each.ids, *window) for each in read for window in windows(len(each.ids) - 1, longest, stride)]
    with progress(len(every)) as done:
        room = min(AT_ONCE, LOGITS // model.model.config.vocab_size)
        surprise = validation_loss(model.model, _batches(every, room, done))
    if not math.isfinite(surprise):
        raise Failure("surprise_not_finite", name=model.name)
    unknown = tuple(dict.fromkeys(sign for each in read for sign in each.unknown))
    return Foretold(name or model.name, len(read), tokens, size, surprise, longest, stride, unknown)


class _Document(NamedTuple):
    """Ids with the token that begins every text; of each how many bytes it stands for; characters that are lacking."""

    ids: np.ndarray
    bytes: np.ndarray
    unknown: str


def _documents(text: Corpus, tokenizer: Any) -> Iterator[_Document]:
    begin = [] if tokenizer.start is None else [tokenizer.start]
    ids, sizes, unknown = [np.array(begin, int)], [np.zeros(len(begin), int)], ""
    for piece in (piece for path in text.training for piece in text.read(path)):
        found = tokenizer.encode(piece.text)
        ids.append(np.array(found.ids, int))
        sizes.append(corpus.bytes_of(piece.text, found.offsets))
        spans = zip(found.ids, found.offsets, strict=True)
        unknown += "".join(piece.text[start:end] for id_, (start, end) in spans if id_ == tokenizer.unknown)
        if piece.last:
            yield _Document(np.concatenate(ids), np.concatenate(sizes), unknown)
            ids, sizes, unknown = ids[:1], sizes[:1], ""


def windows(places: int, context: int, stride: int) -> Iterator[tuple[int, int, int]]:
    """Windows over so many places: from … to, and the first place in it that no window before had.

    >>> list(windows(7, 4, 2))
    [(0, 4, 0), (2, 6, 4), (3, 7, 6)]
    """
    said = 0
    while said < places:
        end = min(places, said + stride if said else context)
        yield max(0, end - context), end, said
        said = end


_Window = tuple[np.ndarray, int, int, int]
"""The ids of a document, and one of `windows` over it."""


def _batches(every: Sequence[_Window], tokens: int, done: Callable[[int], None]) -> Iterator[Batch]:
    """All windows, filled up on the right, where a decoder never looks; each place says the id after it."""
    for group in in_order([end - start for _, start, end, _ in every], tokens=tokens):
        rows = [every[n] for n in group]
        whole = torch.from_numpy(padded([ids[start : end + 1] for ids, start, end, _ in rows], 0))
        place = torch.arange(whole.shape[1] - 1)
        first, last = (torch.tensor([row[at] - row[1] for row in rows])[:, None] for at in (3, 2))
        yield Batch((whole[:, :-1],), whole[:, 1:], (first <= place) & (place < last), np.asarray(group))
        done(len(rows))


def material(paths: Sequence[str], *, field: str | None = None, encoding: str = "utf-8") -> Corpus:
    """The documents of files and folders, as `regard train lm` reads them."""
    return Corpus(corpus.files(map(Path, paths)), field=field, encoding=encoding)


def picture(found: Sequence[Foretold], lang: str | None = None) -> Picture:
    """The figures of all models as a table, and how they were measured in words."""
    names = [name for name in NAMES if name != "documents"]
    reading = [say("views.foretold_reading", lang)]
    if len({each.tokens for each in found}) > 1:
        reading.append(say("views.foretold_compared", lang))
    return Table(
        title=say("views.foretold_title", lang),
        head=tuple(say(f"views.{name}_column", lang) for name in names),
        rows=tuple(tuple(getattr(each, name) for name in names) for each in found),
        digits=4,
        reading=say("views.between_sentences", lang).join(reading),
    )
