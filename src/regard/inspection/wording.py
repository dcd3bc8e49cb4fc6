"""A trace read in words instead of tokens: what each word's tokens look at, summed over the tokens of each key word."""

from collections.abc import Sequence as Many
from dataclasses import replace

import numpy as np

from regard.core.errors import BadInput
from regard.core.protocols import Site
from regard.inspection.trace import Sequence, Trace
from regard.text.scripts import unspaced
from regard.text.words import to_words

MOST_BYTES = 2**29
"""At most so many bytes of weights are made at once."""


def worded(trace: Trace, places: Many[tuple[Site, int]]) -> Trace:
    """The trace of these heads between words: weights are summed over a key's tokens, averaged over a query's.

    Each word's weights still sum to what its tokens' did. Tokens that are no text are words of their own, and what is
    written without spaces keeps its tokens.

    Raises:
        BadInput: `words_too_many`: the weights of so many heads do not fit; `no_rows_kept`: statistics alone were.
    """
    needed = 4 * sum(len(trace.sequences[s.queries].ids) * len(trace.sequences[s.keys].ids) for s, _ in places)
    if needed > MOST_BYTES:
        raise BadInput("words_too_many", heads=len(places), needed=needed >> 20, most=MOST_BYTES >> 20)
    groups = {name: _groups(side) for name, side in trace.sequences.items()}
    sides = {name: _side(side, groups[name]) for name, side in trace.sequences.items()}
    tensors, kept = {}, tuple(sorted({head for _, head in places}))  # the same heads in every place, as a trace has it
    for site in dict.fromkeys(site for site, _ in places):
        if not trace.computes(site) and f"{site.address}/weights" not in trace.tensors:
            raise BadInput("no_rows_kept", address=site.address)
        into = (groups[site.keys], groups[site.queries])
        found = [to_words(trace.weights(part=site.part, layer=site.layer, head=head), *into) for head in kept]
        tensors[f"{site.address}/weights"] = np.stack(found).astype(np.float32)
    sites = tuple(site for site in trace.sites if f"{site.address}/weights" in tensors)
    return replace(trace, sequences=sides, sites=sites, tensors=tensors, recipes={}, heads=kept)


def _groups(side: Sequence) -> np.ndarray:
    """The word of each token, numbered in the order in which words begin; without spaces each token is one."""
    spaceless = {
        word for word, (start, end) in zip(side.words, side.spans, strict=True) if unspaced(side.text[start:end])
    }
    own = ((word, at if word in spaceless else -1) for at, word in enumerate(side.words))
    numbers: dict[tuple[int, int], int] = {}
    return np.array([numbers.setdefault(word, len(numbers)) for word in own], dtype=np.int64)


def _side(side: Sequence, groups: np.ndarray) -> Sequence:
    """The words as if they were tokens."""
    members = [np.flatnonzero(groups == number).tolist() for number in range(int(groups.max(initial=-1)) + 1)]
    spans = tuple(_span([side.spans[at] for at in group]) for group in members)
    tokens = tuple(
        side.text[start:end].strip() or side.tokens[at[0]] for (start, end), at in zip(spans, members, strict=True)
    )
    kinds = tuple(_kind([side.kinds[at] for at in group]) for group in members) if side.kinds else ()
    count = tuple(range(len(members)))
    return Sequence(side.text, tokens, tuple(side.ids[at[0]] for at in members), count, spans, kinds)


def _span(spans: list[tuple[int, int]]) -> tuple[int, int]:
    full = [(start, end) for start, end in spans if end > start]
    return (min(start for start, _ in full), max(end for _, end in full)) if full else spans[0]


def _kind(kinds: list[str]) -> str:
    """What a word is: unknown where a token of it is, else as its first token."""
    return "unknown" if "unknown" in kinds else kinds[0]
