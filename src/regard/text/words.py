"""From the pieces of a tokenizer to words, and word alignments in Pharaoh's format.

A word is what stands between spaces (`text.split()`), counted from 0; that is what aligners count too. Pure numpy.
"""

import re
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path

import numpy as np

from regard.core.errors import BadInput
from regard.text.lines import read_lines, shown_name

Link = tuple[int, int]  # (source word, target word)

_LINK = re.compile(r"([0-9]{1,9})([-p])([0-9]{1,9})")
_NUMBERED = re.compile(r"^[0-9]+\t")


def word_spans(text: str) -> list[tuple[int, int]]:
    """The characters, from … to, of each word.

    >>> word_spans("le  chat")
    [(0, 2), (4, 8)]
    """
    return [match.span() for match in re.finditer(r"\S+", text)]


def word_groups(text: str, offsets: Sequence[tuple[int, int]]) -> np.ndarray:
    """The number of the word that each piece belongs to.

    Args:
        text: what was cut into pieces.
        offsets: the characters, from … to, that each piece covers. Its first letter decides; a piece of spaces goes to
            the word after it (to the last one at the end). A piece that covers nothing (end of sentence) is a word of
            its own, numbered after those of the text.

    >>> word_groups("le chaton", [(0, 2), (2, 7), (7, 9), (9, 9)])
    array([0, 1, 1, 2])
    """
    ends = np.array([end for _, end in word_spans(text)], dtype=np.int64)
    place = np.array(offsets, dtype=np.int64).reshape(-1, 2)
    group = np.searchsorted(ends, place[:, 0], side="right").clip(max=max(0, len(ends) - 1))
    nothing = place[:, 0] == place[:, 1]
    first = len(ends) or int(not nothing.all())  # of a text of spaces alone the weights must go somewhere
    return np.where(nothing, first + np.cumsum(nothing) - 1, group)


def token_groups(tokens: Sequence[str], *, space: str, special: Collection[str]) -> np.ndarray:
    """The number of the word that each token belongs to, where joining the tokens gives the text.

    Args:
        space: the sign that stands for a space in a token.
        special: tokens that are no text; each is a word of its own, numbered after those of the text.

    >>> token_groups(["▁le", "▁chat", "on", "</s>"], space="▁", special={"</s>"})
    array([0, 1, 1, 2])
    """
    plain = ["" if token in special else token.replace(space, " ") for token in tokens]
    ends = np.cumsum([len(token) for token in plain]).tolist()
    return word_groups("".join(plain), [(end - len(token), end) for end, token in zip(ends, plain, strict=True)])


def to_words(weights: np.ndarray, source_groups: np.ndarray, target_groups: np.ndarray) -> np.ndarray:
    """Weights between words: the sum over a source word's pieces, the mean over a target word's.

    Each target word's weights sum to what its pieces' did, so to 1.

    Args:
        weights: (..., target pieces, source pieces).
        source_groups, target_groups: the word of each piece, from 0, as `word_groups` gives.

    Returns:
        (..., target words, source words), in float64.

    >>> to_words(np.array([[0.5, 0.25, 0.25], [0.1, 0.2, 0.7]]), np.array([0, 1, 1]), np.array([0, 0]))
    array([[0.3, 0.7]])
    """
    into_source, into_target = _membership(source_groups), _membership(target_groups)
    pieces = np.maximum(1, into_target.sum(axis=0))[:, None]
    return into_target.T @ np.asarray(weights, dtype=np.float64) @ into_source / pieces


def _membership(groups: np.ndarray) -> np.ndarray:
    """(pieces, words): 1 where the piece belongs to the word."""
    groups = np.asarray(groups, dtype=np.int64)
    return (groups[:, None] == np.arange(groups.max(initial=-1) + 1)).astype(np.float64)


def strongest(weights: np.ndarray, *, n_source: int, n_target: int, threshold: float = 0.0) -> list[Link]:
    """An alignment read from weights: each target word with the source word it looks at most.

    Args:
        weights: (target words, source words), as `to_words` gives.
        n_source, n_target: how many words the texts have; what is beyond (the ends of the sentences) is left out.
        threshold: a link needs at least this weight; one of weight 0 is never made.

    >>> strongest(np.array([[0.2, 0.1, 0.7], [0.1, 0.8, 0.1]]), n_source=2, n_target=2)
    [(0, 0), (1, 1)]
    """
    inner = np.asarray(weights)[:n_target, :n_source]
    if not inner.size:
        return []
    best = inner.argmax(axis=1)
    largest = inner.max(axis=1)
    kept = np.flatnonzero((largest > 0) & (largest >= threshold))
    return sorted((int(best[target]), int(target)) for target in kept)


def pharaoh(sure: Iterable[Link], possible: Iterable[Link] = ()) -> str:
    """Links as a line: `i-j` for a sure one, `ipj` for one that is only possible; source before target, from 0.

    >>> pharaoh([(1, 0), (0, 1)], possible=[(2, 2)])
    '0-1 1-0 2p2'
    """
    sure = set(sure)
    return " ".join(f"{i}{'-' if (i, j) in sure else 'p'}{j}" for i, j in sorted(sure | set(possible)))


def parse_pharaoh(line: str, *, path: str = "", number: int = 1) -> tuple[set[Link], set[Link]]:
    """The sure links of a line, and the possible ones, the sure among them (Och and Ney 2003, S ⊆ P).

    A sentence's number and a tab may stand before. `path` and `number` say, in an error, where the line stood.

    Raises:
        BadInput: `pharaoh_malformed`.

    >>> parse_pharaoh("1p2")
    (set(), {(1, 2)})
    """
    sure, possible = set(), set()
    for item in _NUMBERED.sub("", line, count=1).split():
        match = _LINK.fullmatch(item)
        if match is None:
            raise BadInput("pharaoh_malformed", path=path or "stdin", line=number, item=item[:40])
        link = (int(match[1]), int(match[3]))
        possible.add(link)
        if match[2] == "-":
            sure.add(link)
    return sure, possible


def read_pharaoh(path: Path | str) -> list[tuple[set[Link], set[Link]]]:
    """The alignments of a file, one a line; an empty line has no link."""
    lines = read_lines(path)
    return [parse_pharaoh(line, path=shown_name(path), number=number) for number, line in enumerate(lines, start=1)]
