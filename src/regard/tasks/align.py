"""Word alignments of given pairs, read from what a translator attends to when it writes the target; and their score."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np

from regard.core.errors import BadInput
from regard.inspection.alignment import Reading, readings, word_weights
from regard.inspection.trace import Trace
from regard.language import say
from regard.tasks.generation import Generator
from regard.tasks.recording import opened, record
from regard.text.alignments import Gold, Score, Symmetry, balanced, both_ways, score, symmetrised
from regard.text.pairs import Pairs
from regard.text.words import Link, pharaoh
from regard.views.agreement import agreement
from regard.views.picture import Picture, Text

CHOSEN = {
    "e42b7c55afb78ecab433302c4276f40b6fd205ef6f0e282bdf0ad61885e37f67": Reading(layer=1, head=2, shift=True),
}
"""By fingerprint, what `choose` takes for bundled models on ALIBI's Master Cat (docs/alignment.md); of others, and
where it is the same, the mean over the last layer's heads."""

_EMPTY, _LONG = ("text_empty", "look_empty"), ("look_too_long",)


@dataclass(frozen=True)
class Way:
    """How links are made of weights between words. Each default is better than without it on the choosing story.

    Attributes:
        symmetry: how two directions are made one; see `text.alignments.symmetrised`.
        balance: source words that everything looks at a little count for less; see `text.alignments.balanced`.
        threshold: a link needs at least this weight.
    """

    symmetry: Symmetry = "grow-diag"
    balance: bool = True
    threshold: float = 0.2

    def __post_init__(self) -> None:
        if not 0 <= self.threshold <= 1:
            raise BadInput("align_threshold", came=self.threshold)


@dataclass(frozen=True)
class Alignment:
    """One pair aligned.

    Attributes:
        source, target: the pair.
        links: (source word, target word), over words between spaces, from 0.
        weights: (target words, source words), what they were read from; None where there was nothing to read.
        passed: why there was not: `empty`, `long`, or nothing.
    """

    source: str
    target: str
    links: tuple[Link, ...] = ()
    weights: np.ndarray | None = field(default=None, repr=False, compare=False)
    passed: str = ""

    def __str__(self) -> str:
        """Its links in Pharaoh's format."""
        return pharaoh(self.links)


class Aligner:
    """A translator whose attention is read as word alignments. Final.

    Args:
        model: as `regard.record` takes it; ours or a translator of `transformers`.
        reading: which weights are read; None: what is known to be best for this model, else the plainest.

    Raises:
        BadInput: `not_a_translator`; what `regard.record` raises of a model.
    """

    def __init__(self, model: Any, reading: Reading | None = None) -> None:
        self.model = opened(model)
        self.name: str = self.model.name
        if isinstance(self.model, Generator) or not getattr(self.model, "two_sided", True):
            raise BadInput("not_a_translator", name=self.name)
        self.reading = reading or CHOSEN.get(self.model.fingerprint, Reading())

    def trace(self, source: str, target: str) -> Trace:
        """What the model attends to in the source when it writes the target.

        Raises:
            BadInput: `no_attention`; one of the texts is empty or longer than the model reads.
        """
        if not (source.strip() and target.strip()):
            raise BadInput("text_empty")
        trace: Trace = record(self.model, source, target=target, keep="weights", parts=["cross"])
        if not trace.sites:
            raise BadInput("no_attention", name=self.name)
        return trace


def align(
    model: Any,
    pairs: Sequence[tuple[str, str]],
    *,
    reverse_model: Any = None,
    layer: int | None = None,
    head: int | None = None,
    shift: bool | None = None,
    end: Literal["ignored", "kept"] = "ignored",
    way: Way | None = None,
) -> list[Alignment]:
    """Word alignments of sentences and their translations, as `regard align` reads them.

    Args:
        model: a translator, as `regard.record` takes it.
        pairs: of each the source and the target.
        reverse_model: a translator the other way, for the second direction; None: both are read from one.
        layer, head, shift: whose weights, and of which query; None for all three: what was chosen for a bundled model,
            else the mean over the last layer's heads.
        end: weight on the end of the sentence is `ignored`, or `kept`: a word that looks there most has no link.
        way: how links are made of weights; None: `Way()`.

    Raises:
        BadInput: `align_no_pair`, `not_a_translator`, `no_attention`, a layer or head that is not there.

    >>> [str(each) for each in align("en-fr", [("the black cat", "le chat noir")])]
    ['0-0 1-2 2-1']
    """
    _refuse_unless_pairs(pairs)
    one, *other = aligners(model, reverse_model, layer, head, shift, end)
    read = Pairs([source for source, _ in pairs], [target for _, target in pairs], range(1, len(pairs) + 1))
    return list(alignments(read, one, reverse=other[0] if other else None, way=way))


def _refuse_unless_pairs(pairs: Sequence[Any]) -> None:
    for number, pair in enumerate(pairs, start=1):
        if not (isinstance(pair, tuple | list) and len(pair) == 2 and all(isinstance(each, str) for each in pair)):
            raise BadInput("align_no_pair", number=number, came=repr(pair)[:60])


def aligners(
    model: Any,
    reverse_model: Any = None,
    layer: int | None = None,
    head: int | None = None,
    shift: bool | None = None,
    end: Literal["ignored", "kept"] = "ignored",
) -> list[Aligner]:
    """The model, and the one for the other direction where there is one; what is chosen by hand is the first's."""
    chosen = None if (layer, head, shift) == (None,) * 3 else Reading(layer, head, bool(shift))
    found = [Aligner(model, chosen), *([] if reverse_model is None else [Aligner(reverse_model)])]
    for each in found:
        each.reading = replace(each.reading, end=end)
    return found


def alignments(
    pairs: Pairs, aligner: Aligner, *, reverse: Aligner | None = None, way: Way | None = None
) -> Iterator[Alignment]:
    """The alignment of each pair, as they are read.

    Args:
        reverse: a translator the other way; without it both directions are read from the weights of `aligner`.
        way: how links are made; None: `Way()`.
    """
    way = way or Way()
    for source, target in zip(pairs.source, pairs.target, strict=True):
        try:
            weights = _weights(aligner.trace(source, target), aligner.reading, way)
            back = None if reverse is None else _weights(reverse.trace(target, source), reverse.reading, way)
        except BadInput as error:
            if error.code not in (*_EMPTY, *_LONG):
                raise
            yield Alignment(source, target, passed="empty" if error.code in _EMPTY else "long")
            continue
        yield Alignment(source, target, tuple(_links(weights, back, way)), weights)


def _weights(trace: Trace, reading: Reading, way: Way) -> np.ndarray:
    """(target words, source words); nothing for a word that looks most at what is no text, where this counts."""
    found = word_weights(trace, reading)
    found = balanced(found) if way.balance else found
    if reading.end == "ignored":
        return found
    inner, away = found[:, :-1], found[:, -1]
    return np.where((away > inner.max(axis=1, initial=0.0))[:, None], 0.0, inner)


def _links(weights: np.ndarray, back: np.ndarray | None, way: Way) -> list[Link]:
    forward, backward = both_ways(weights, way.threshold)
    if back is not None:
        backward = sorted((source, target) for target, source in both_ways(back, way.threshold)[0])
    return symmetrised(forward, backward, way.symmetry)


@dataclass(frozen=True)
class Tried:
    """A reading that was tried on gold, and its score."""

    reading: Reading
    score: Score


def choose(
    pairs: Pairs, gold: Sequence[Gold], aligner: Aligner, *, way: Way | None = None, done: Any = None
) -> list[Tried]:
    """Every layer, head, mean of heads and both queries, tried on gold: the best first, the plainer of equals.

    Args:
        done: told how many more pairs are finished, as they are.
    """
    way, scores = way or Way(), dict[Reading, Score]()
    for source, target, marked in zip(pairs.source, pairs.target, gold, strict=True):
        try:
            trace = aligner.trace(source, target)
        except BadInput as error:
            if error.code not in (*_EMPTY, *_LONG):
                raise
            continue
        for reading in readings(trace.sites, aligner.reading):
            found = score(_links(_weights(trace, reading, way), None, way), marked)
            scores[reading] = scores.get(reading, Score()) + found
        if done:
            done(1)
    if not scores:
        raise BadInput("text_empty")
    tried = [Tried(reading, found) for reading, found in scores.items()]
    return sorted(tried, key=lambda each: 1.0 if each.score.aer is None else each.score.aer)


def turned(pairs: Pairs) -> Pairs:
    """Target and source changed places."""
    return Pairs(pairs.target, pairs.source, pairs.line)


def sizes(pairs: Pairs) -> list[tuple[int, int]]:
    """How many words source and target of each pair have."""
    return [(len(s.split()), len(t.split())) for s, t in zip(pairs.source, pairs.target, strict=True)]


def picture(found: Alignment, gold: Gold | None = None, lang: str | None = None) -> Picture:
    """One pair: what was found, with what people marked on top of it."""
    if found.weights is None:
        return Text(text=say("views.agreement_none", lang))
    marked, check = None, ""
    if gold is not None:
        marked, own = gold.possible, score(found.links, gold)
        figures = {name: "–" if value is None else f"{value:.2f}" for name, value in own.json().items()}
        check = say("views.agreement_check", lang, links=own.links, **figures)
    words = (found.source.split(), found.target.split())
    return agreement(*words, found.weights, found=found.links, gold=marked, check=check, lang=lang)
