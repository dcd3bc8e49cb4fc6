"""The data doctor: what is wrong with parallel text is counted, named by line and dropped *as pairs*, before training.

Nothing is mended but the form: outer spaces go, and the same character is written one way (Unicode NFC; never NFKC,
which would turn ① into 1 and ﬁ into fi).
"""

import re
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from hashlib import blake2b
from typing import Any

import numpy as np

from regard.core.errors import BadInput
from regard.text.pairs import Pairs
from regard.text.scripts import SPACELESS, unspaced

_UNITS = re.compile(rf"[{SPACELESS}]|[^\s{SPACELESS}]+")
# Controls, line and paragraph separators, a byte order mark amid the text, and what an earlier reader could not decode.
_STRANGE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\ufeff\ufffd]")
_LETTERS = 20  # a word counts for one up to so many characters on average; beyond, the line is no sentence
_SHOWN = 5
_SENTENCES = {
    "empty": "training.report_empty",
    "long": "training.report_long",
    "ratio": "training.report_ratio",
    "overlap": "training.report_overlap",
    "duplicate": "training.report_duplicate",
    "same_source": "training.report_same_source",
    "control": "training.report_control",
}


@dataclass(frozen=True)
class Finding:
    """One kind of fault: how many pairs have it, whether they were dropped for it, the first lines they stood in."""

    name: str
    count: int
    dropped: bool
    lines: tuple[int, ...]


@dataclass(frozen=True)
class Report:
    """What `clean` found. Each dropped pair is counted once, under the first fault it has: read = kept + dropped."""

    read: int
    kept: int
    max_words: int
    max_ratio: float
    findings: tuple[Finding, ...]

    def json(self) -> dict[str, Any]:
        """The report as plain data for a JSON file."""
        return asdict(self)

    def statements(self) -> list[tuple[str, dict[str, Any]]]:
        """What a command says before training, as codes and facts for `language.say`: only of faults that there are."""
        found = [f for f in self.findings if f.count]
        limits = {"max_words": self.max_words, "max_ratio": f"{self.max_ratio:g}"}
        return [
            ("training.report_kept", {"read": self.read, "kept": self.kept}),
            *((_SENTENCES[f.name], limits | {"count": f.count, "lines": _some(f)}) for f in found),
        ]


def _some(finding: Finding) -> str:
    return ", ".join(map(str, finding.lines)) + " …" * (finding.count > len(finding.lines))


def clean(
    pairs: Pairs, *, max_words: int = 100, max_ratio: float = 6.0, validation: Pairs | None = None
) -> tuple[Pairs, Report]:
    """The pairs that are fit for training, and what was wrong with the others. No pair is ever re-paired.

    Dropped are pairs with an empty side (`empty`); a side of more than `max_words` words (`long`); one side more than
    `max_ratio` times as long as the other (`ratio`); in `validation` with the same source and target (`overlap`); seen
    before with the same source and target (`duplicate`). Only counted, among the kept: sources that `validation` has
    with another translation (`same_source`), control characters and their like (`control`).

    Args:
        max_words: a letter of a script written without spaces counts as a word.
        max_ratio: 6 takes none of Tatoeba's 160,000 English–French and English–Chinese pairs.
        validation: the pairs that will judge the model.

    Raises:
        BadInput: `pairs_none_left`, with the counts.
    """
    whole = _tidied(pairs)
    held_out = set() if validation is None else set(_both(_tidied(validation)))
    kept, findings = _sift(whole.line, _faults(whole, max_words, max_ratio, held_out))
    left = whole.take(kept)
    findings += _remarks(left, {text for text, _ in held_out})
    if not len(left):
        raise BadInput("pairs_none_left", read=len(pairs), **{f.name: f.count for f in findings})
    return left, Report(len(pairs), len(left), max_words, max_ratio, tuple(findings))


def tidy(text: str) -> str:
    """A text in the form that is compared and trained on: NFC, without outer spaces."""
    return unicodedata.normalize("NFC", text).strip()


def _tidied(pairs: Pairs) -> Pairs:
    return Pairs([tidy(text) for text in pairs.source], [tidy(text) for text in pairs.target], pairs.line)


def _both(pairs: Pairs) -> list[tuple[str, str]]:
    return list(zip(pairs.source, pairs.target, strict=True))


def words(text: str) -> int:
    """The length of a text in words; a letter of a script written without spaces is one.

    >>> words("the black cat"), words("黑貓"), words("GPT 是黑貓")
    (3, 2, 4)
    """
    if not unspaced(text):
        return len(text.split())
    return len(_UNITS.findall(text))


def _faults(pairs: Pairs, max_words: int, max_ratio: float, held_out: set[tuple[str, str]]) -> dict[str, np.ndarray]:
    """For each fault, in the order in which they count, which pairs have it."""
    size = np.array([_counts(pairs.source, words), _counts(pairs.target, words)])
    letters = np.array([_counts(pairs.source, len), _counts(pairs.target, len)])
    both = _both(pairs)
    return {
        "empty": letters.min(axis=0) == 0,
        "long": (size.max(axis=0) > max_words) | (letters.max(axis=0) > _LETTERS * max_words),
        "ratio": size.max(axis=0) > max_ratio * size.min(axis=0),
        "overlap": np.array([pair in held_out for pair in both], dtype=bool),
        "duplicate": _repeated(both),
    }


def _counts(texts: Iterable[str], measure: Callable[[str], int]) -> list[int]:
    return [measure(text) for text in texts]


def _repeated(items: Sequence[tuple[str, str]]) -> np.ndarray:
    """Which items stood already further up."""
    first = {item: index for index, item in reversed(list(enumerate(items)))}
    return np.array([first[item] != index for index, item in enumerate(items)], dtype=bool)


def _sift(lines: Sequence[int], faults: dict[str, np.ndarray]) -> tuple[np.ndarray, list[Finding]]:
    """The indices without a fault; the others, each under its first one."""
    free, found = np.ones(len(lines), dtype=bool), []
    for name, has in faults.items():
        found.append(_finding(name, np.flatnonzero(has & free), lines, dropped=True))
        free &= ~has
    return np.flatnonzero(free), found


def _remarks(pairs: Pairs, sources: set[str]) -> list[Finding]:
    same = [i for i, text in enumerate(pairs.source) if text in sources]
    strange = [i for i, both in enumerate(_both(pairs)) if any(map(_STRANGE.search, both))]
    return [
        _finding("same_source", same, pairs.line, dropped=False),
        _finding("control", strange, pairs.line, dropped=False),
    ]


def _finding(name: str, indices: Sequence[int] | np.ndarray, lines: Sequence[int], *, dropped: bool) -> Finding:
    return Finding(name, len(indices), dropped, tuple(lines[i] for i in indices[:_SHOWN]))


def split(pairs: Pairs, *, validation: int | float, seed: int) -> tuple[Pairs, Pairs]:
    """Training pairs and held-out validation pairs; no source sentence is on both sides.

    A pure function of the sentences and the seed: the order of the lines plays no part in the choice.

    Args:
        validation: at most so many pairs, or this share of them if below 1.

    Raises:
        BadInput: `split_impossible`: one side would be empty.
    """
    wanted = round(validation * len(pairs)) if 0 < validation < 1 else validation
    groups: dict[str, list[int]] = {}
    for index, text in enumerate(pairs.source):
        groups.setdefault(tidy(text), []).append(index)
    held: set[int] = set()
    for text in sorted(groups, key=lambda text: _lot(text, seed)):
        if len(held) + len(groups[text]) <= wanted:
            held.update(groups[text])
    if not 0 < len(held) < len(pairs):
        raise BadInput("split_impossible", validation=validation, pairs=len(pairs), sources=len(groups))
    return pairs.take(i for i in range(len(pairs)) if i not in held), pairs.take(sorted(held))


def _lot(text: str, seed: int) -> bytes:
    return blake2b(text.encode(), digest_size=16, key=str(seed).encode()).digest()
