"""Translate, and say where the model looked. What the command line and Python show is made here, once."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypedDict, Unpack

import numpy as np

from regard.core.attend import STEPS
from regard.core.errors import BadInput
from regard.core.nearest import one_of
from regard.generation.search import Rules
from regard.generation.sentences import NEVER_WRITTEN, Draws, Output, Translated, longest, rules, translate
from regard.inspection import record as recording
from regard.inspection.alignment import aligned
from regard.inspection.trace import Sequence as Side
from regard.inspection.trace import Trace
from regard.models import catalogue, folder
from regard.models.gpt import Gpt
from regard.tasks.looking import picture
from regard.tasks.manners import Chances, option
from regard.tasks.run_choices import valid
from regard.text.doctor import tidy
from regard.text.lines import typed
from regard.text.pieces import lacking
from regard.text.shortlist import pieces
from regard.text.tokenizers import END, SPACE, SPECIAL, START, Encoded, Tokenizer, kinds
from regard.text.words import pharaoh, strongest, to_words, token_groups, word_groups
from regard.views.picture import Picture

WIDEST, STEEPEST, MOST = 100, 10.0, 1000
"""The largest beam, the largest length penalty either way, and the most samples of a sentence."""


@dataclass(frozen=True)
class Translation:
    """One sentence translated.

    Attributes:
        source, translation: the sentence, and what the model made of it.
        score: log-probability of the translation, divided by its length; None for an empty sentence.
        trace: what the model looked at; None where there was nothing to translate.
        unread: how many tokens of the source were too many to be read.
        n_best: the best translations with their scores, the one above first, where more than one was asked for.
        seed: what decided the draws; None where nothing was drawn.
        unknown: characters of the source that the tokenizer lacks.
    """

    source: str
    translation: str
    score: float | None
    trace: Trace | None = field(repr=False)
    unread: int = 0
    n_best: tuple[tuple[str, float], ...] = ()
    seed: int | None = None
    unknown: tuple[str, ...] = field(default=(), repr=False)

    @property
    def weights(self) -> np.ndarray | None:
        """(target tokens, source tokens), each target's sum to 1, of many heads their mean: see `inspection.alignment`.

        None for a model without attention.
        """
        found = aligned(self.trace) if self.trace else None
        return found.weights if found else None

    @property
    def alignment(self) -> str:
        """Each target word with the source word that it looks at most, as `i-j` over words between spaces, from 0."""
        if self.trace is None or self.weights is None:
            return ""
        source, target = self.trace.sequences["source"], self.trace.sequences["target"]
        between = to_words(self.weights, np.array(source.words), np.array(target.words))
        counts = {"n_source": len(source.text.split()), "n_target": len(target.text.split())}  # as far as it was read
        return pharaoh(strongest(between, **counts))

    def json(self) -> dict[str, Any]:
        """The translation as the command's JSON holds it."""
        more: dict[str, Any] = {} if self.seed is None else {"seed": self.seed}
        if self.n_best:
            more["n_best"] = [{"translation": text, "score": score} for text, score in self.n_best]
        tokens = {name: self.trace.sequences[name].tokens if self.trace else () for name in ("source", "target")}
        return {
            "source": self.source,
            "translation": self.translation,
            "score": self.score,
            "source_tokens": list(tokens["source"]),
            "target_tokens": list(tokens["target"]),
            "attention": None if self.weights is None else self.weights.astype(float).tolist(),
            "alignment": self.alignment,
            **more,
        }

    def picture(self, lang: str | None = None) -> Picture | None:
        """The alignment in words, as links and as a grid; None for a model without attention."""
        return None if self.trace is None or self.weights is None else picture(self.trace, lang)


class How(TypedDict, total=False):
    """How to translate.

    Attributes:
        beam: how many hypotheses the search keeps; 1 is greedy; default 5.
        length_penalty: hypotheses are compared by log-probability / length**length_penalty; default 1.
        n_best: so many translations of each sentence, best first, at most as many as the beam; default 1.
        sample: draw them by chance, and search not; the rest shapes the draws, see `Chances`; temperature is 1.
    """

    beam: int | None
    length_penalty: float
    n_best: int
    sample: bool
    temperature: float | None
    top_k: int | None
    top_p: float | None
    min_p: float | None
    repetition_penalty: float | None
    seed: int | None


class Translator:
    """A translation model, ready to run. Final; made by `load`."""

    def __init__(self, loaded: folder.Loaded) -> None:
        self.model, self.tokenizer = loaded.model, loaded.tokenizer
        self.name, self.fingerprint = loaded.name, loaded.fingerprint
        self.only: list[int] | None = None
        self.longest = longest(self.model)
        """How many tokens of a sentence are read."""

    def translate(
        self,
        texts: str | Sequence[str],
        *,
        look: bool = True,
        done: Callable[[int], None] | None = None,
        **how: Unpack[How],
    ) -> Any:
        """Translate a sentence, or each of a list.

        Args:
            look: record what the model looked at (costs one more pass over the result).
            done: told how many more sentences are finished, as they are.
            how: `beam`, `n_best`, `sample` … as `How` says.

        Returns:
            A `Translation`, or a list of them, one for each text.
        """
        if isinstance(texts, str) or not isinstance(texts, Iterable):
            return self.translate([texts], look=look, done=done, **how)[0]
        plan, n_best = checked(**how), how.get("n_best", 1)
        read = [typed(text).text for text in texts]
        found = translate(self.model, self.tokenizer, read, plan, done=done, only=self.only)
        seed = plan.seed if isinstance(plan, Draws) else None
        return [self._made(text, each, look, n_best, seed) for text, each in zip(read, found, strict=True)]

    def limit(self, shortlist: str | Path, *, encoding: str = "utf-8") -> int:
        """From now on write only with the pieces that occur in this file of target text; how many they are."""
        self.only = pieces(shortlist, self.tokenizer, encoding=encoding)
        return len(self.only)

    def record(self, source: str, target: str, *, keep: Sequence[str] = ("weights",)) -> Trace:
        """What the model attends to when it writes `target` for `source`."""
        texts = (tidy(typed(text).text) for text in (source, target))
        read, written = (given_side(text, self.tokenizer.encode(text)) for text in texts)
        for step in keep:
            one_of(step, STEPS, "keep")
        if min(len(read.ids), len(written.ids)) < 2:
            raise BadInput("text_empty")
        return self._trace(read, written, keep)

    def _made(self, text: str, result: Translated, look: bool, n_best: int, seed: int | None) -> Translation:
        read = given_side(tidy(text), result.source)
        unknown = lacking(read.text, read.spans, read.kinds).signs
        if not result.outputs:
            return Translation(text, "", None, None, seed=seed, unknown=unknown)
        best: Output = result.outputs[0]
        trace = self._trace(read, written_side(best.text, best.ids, self.tokenizer)) if look else None
        several = tuple((each.text, each.score) for each in result.outputs[:n_best]) if n_best > 1 else ()
        return Translation(text, best.text, best.score, trace, result.unread, several, seed, unknown)

    def _trace(self, source: Side, target: Side, keep: Sequence[str] = ("weights",)) -> Trace:
        sides = recording.teacher_forced(source, target, START)
        return recording.record(
            self.model, sides, name=self.name, fingerprint=self.fingerprint, keep=keep, check="full"
        )


def checked_rules(beam: int, length_penalty: float) -> Rules:
    """How to search, if it can be searched so.

    Raises:
        BadInput: `beam_size`, `length_penalty`: out of range, or no number.
    """
    if not 1 <= beam <= WIDEST:
        raise BadInput("beam_size", beam=beam, most=WIDEST)
    if not -STEEPEST <= length_penalty <= STEEPEST:
        raise BadInput("length_penalty", came=length_penalty, most=STEEPEST)
    return rules(beam, length_penalty)


def checked(
    *, beam: int | None = None, length_penalty: float = 1.0, n_best: int = 1, sample: bool = False, **shape: Any
) -> Rules | Draws:
    """How to translate, if it can be done so.

    Raises:
        BadInput: a choice out of range; one that has no effect beside another; more of the best than the search keeps.
    """
    searched = checked_rules(5 if beam is None else beam, length_penalty)
    chances = valid(Chances, shape)
    most = MOST if sample else searched.beam
    if not 1 <= n_best <= most:
        raise BadInput("n_best", n_best=n_best, beam=most)
    if not sample:
        for name, given in chances:
            if given is not None:
                raise BadInput("sample_missing", option=option(name))
        return searched
    if beam is not None:
        raise BadInput("options_apart", one="--beam", other="--sample")
    return Draws(chances.choice(forbidden=NEVER_WRITTEN), n_best, chances.seeded(), length_penalty)


def given_side(text: str, encoded: Encoded) -> Side:
    """One side of a trace that a person wrote, as far as `encoded` goes, with its end token."""
    read = text[: encoded.offsets[-1][1]] if encoded.offsets else ""
    spans = [*encoded.offsets, (len(read), len(read))]
    words = word_groups(read, spans).tolist()
    ids = (*encoded.ids, END)
    return Side(read, (*encoded.tokens, SPECIAL[END]), ids, tuple(words), tuple(spans), tuple(kinds(ids)))


def written_side(text: str, ids: Sequence[int], tokenizer: Tokenizer) -> Side:
    """One side of a trace that a model wrote: its tokens, joined, are the text."""
    tokens = tokenizer.tokens(ids)
    words = token_groups(tokens, space=SPACE, special={SPECIAL[END]}).tolist()
    return Side(text, tuple(tokens), tuple(ids), tuple(words), tuple(_spans(tokens, text)), tuple(kinds(ids)))


def _spans(tokens: Sequence[str], text: str) -> Iterator[tuple[int, int]]:
    """The characters of `text` that each token wrote; the text has lost its outer spaces."""
    plain = ["" if token == SPECIAL[END] else token.replace(SPACE, " ") for token in tokens]
    whole = "".join(plain)
    at = len(whole.lstrip()) - len(whole)
    for part in plain:
        start, at = at, at + len(part)
        yield min(len(text), max(0, start)), min(len(text), max(0, at))


def load(name: str | Path) -> Translator:
    """A translation model: a bundled name, a model folder, or the folder of a training run (its best model).

    Raises:
        BadInput: `not_a_translator`: the model is of another family.
    """
    loaded = folder.load(catalogue.find(str(name)), Path(name).name)
    if isinstance(loaded.model, Gpt):
        raise BadInput("not_a_translator", name=loaded.name)
    return Translator(loaded)
