"""`regard.senses`: one word in several sentences, and how its senses part on the way through a model."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np

from regard.core.errors import BadInput
from regard.core.nearest import one_of
from regard.inspection.parting import Joined, parting
from regard.inspection.senses_choice import Chosen, choose
from regard.inspection.trace import Sequence as Side
from regard.inspection.vectors import Reader, at_once
from regard.inspection.way import Parting, Way
from regard.models import catalogue
from regard.tasks.looking import stamp
from regard.tasks.reader import reader
from regard.text import occurrences as table
from regard.text.occurrences import Occurrence
from regard.views import terminal
from regard.views.picture import Rows
from regard.views.senses import senses as drawn

LOOKED = 24
"""Of more occurrences it is told only where it is asked for what they looked at."""

SHOWN = 60
"""So many occurrences have all their cosines shown."""

HIDES = ("foreign_blind", "foreign_bypass")
"""Why a model does not tell what it looks at; its vectors can be had."""

JOINS = ("mean", "last")
Done = Callable[[int], None]


class Senses(Way):
    """Occurrences of words on their way through a model, to be shown."""

    def picture(self, lang: str | None = None, similarity: Sequence[int] = ()) -> Rows:
        """Layers as a table, the ways, what was looked at, and what it comes to in words.

        Args:
            similarity: the layers of which the cosine of each two occurrences is shown.

        Raises:
            BadInput: `senses_layer`: no such layer; `senses_many`: more than `SHOWN` occurrences.
        """
        if similarity and len(self.occurrences) > SHOWN:
            raise BadInput("senses_many", count=len(self.occurrences), most=SHOWN)
        return drawn(self, similarity, "" if self.parting is None else stamp(self.parting.check, lang), lang)

    def __str__(self) -> str:
        return terminal.render(self.picture())


def cases() -> list[str]:
    """The words that come with sentences: the notes' own, and some more of each sense."""
    return sorted(path.name.removesuffix(".tsv") for path in _shelf().iterdir() if path.name.endswith(".tsv"))


def _shelf() -> Path:
    return Path(str(files("regard"))) / "examples" / "senses"


def gathered(
    word: str | None, sentences: Sequence[str] = (), path: str | Path | None = None, *, encoding: str = "utf-8"
) -> list[Occurrence]:
    """The occurrences that are meant: in sentences, in a table, or those that come with the package.

    Args:
        word: of a table the only one that counts; None for all of them.

    Raises:
        BadInput: `senses_nothing`: neither sentences nor a table, and no case of this word; `senses_absent`: a sentence
            without the word; `senses_once`: no word stands twice; what `text.occurrences.read` refuses.
    """
    if path is not None or not sentences:
        if path is None and (word or "").casefold() not in cases():
            raise BadInput("senses_nothing", word=word or "–", known=", ".join(cases()))
        found = table.read(path if path is not None else _shelf() / f"{(word or '').casefold()}.tsv", encoding=encoding)
        found = found if word is None else table.of_word(found, word)
    else:
        found = [each for sentence in sentences for each in _present(word or "", sentence)]
    counts = Counter(each.word.casefold() for each in found)
    if max(counts.values(), default=0) < 2:
        raise BadInput("senses_once", word=word or ", ".join(counts), count=len(found) if word else 1)
    return found


def _present(word: str, sentence: str) -> list[Occurrence]:
    found = table.found(word, sentence)
    if not found:
        raise BadInput("senses_absent", word=word, text=sentence[:80])
    return found


def senses(
    word: str | None = None,
    sentences: str | Sequence[str] = (),
    *,
    labels: Sequence[str] | None = None,
    path: str | Path | None = None,
    model: Any = catalogue.DEFAULTS["generation"],
    tokenizer: Any = None,
    join: str | None = None,
    looks: bool | None = None,
    layer: int | None = None,
    choosing: bool = False,
    done: Done | None = None,
) -> Senses:
    """How the occurrences of a word are alike on their way through a model, and where its senses part.

    Args:
        word: without sentences and without a table, one of `cases()`.
        sentences: one, or several; each place of the word in each of them counts.
        labels: of each occurrence its sense; without, nothing tells senses apart but the sentences.
        path: a table `word, index, label, sentence`; see `text.occurrences`.
        model, tokenizer: as `regard.record` takes them; of a translator its encoder.
        join: how the vectors of a word's pieces become one: their `mean`, or the `last`; None: the mean where pieces
            see each other, the last where it alone has read the others.
        looks: whether to tell what occurrences looked at, and hide it from them; None: of at most `LOOKED`.
        layer: the one of which it is told, from 1; None: where senses part.
        choosing: choose a layer on half of the words, and try it on the others.
        done: told how many more occurrences are finished.

    Raises:
        BadInput: as `gathered`; `senses_labels`: not a label for each; `senses_long`: a sentence that the model does
            not read whole; `senses_layers`, `senses_hidden`: a model without such layers; `senses_choose`: too few
            words.

    >>> found = senses("can", "I can can a can.")
    >>> found.start.every, found.layers[-1].every < 0.9
    (1.0, True)
    """
    several = [sentences] if isinstance(sentences, str) else list(sentences)
    found = _labelled(gathered(word, several, path), labels)
    return of_occurrences(
        found, reader(model, tokenizer), join=join, looks=looks, layer=layer, choosing=choosing, done=done
    )


def _labelled(found: list[Occurrence], labels: Sequence[str] | None) -> list[Occurrence]:
    if labels is None:
        return found
    if len(labels) != len(found):
        raise BadInput("senses_labels", labels=len(labels), count=len(found))
    pairs = zip(found, labels, strict=True)
    return [Occurrence(each.word, each.index, label, each.sentence, each.span) for each, label in pairs]


def of_occurrences(
    found: Sequence[Occurrence],
    by: Reader,
    *,
    join: str | None = None,
    looks: bool | None = None,
    layer: int | None = None,
    choosing: bool = False,
    done: Done | None = None,
) -> Senses:
    """The same, of occurrences that were found already, by a reader that is open."""
    sides = _sides(found, by)
    ahead = _sees_ahead(by, sides[0])
    joined = Joined(one_of(join, JOINS, "--join") if join else JOINS[0] if ahead else JOINS[1])
    tokens = [side.within(*each.span) for each, side in zip(found, sides, strict=True)]
    alone, vectors = _vectors(sides, [joined.places(own) for own in tokens], by, done)
    unknown = sum(_unknown(side, own) for side, own in zip(sides, tokens, strict=True))
    made = Senses(by.name, tuple(found), joined.kind, tuple(map(len, tokens)), alone, vectors, ahead, unknown)
    made = replace(made, chosen=_chosen(made)) if choosing else made
    if looks is False or (looks is None and len(found) > LOOKED):
        return made
    return replace(made, parting=_parting(made, by, sides, layer, joined, done, asked=looks is True))


def _parting(
    made: Way, by: Reader, sides: Sequence[Side], layer: int | None, joined: Joined, done: Done | None, *, asked: bool
) -> Parting | None:
    """What was looked at; None of a model that does not tell, unless it was asked for."""
    at = layer or made.parted
    if not 1 <= at < len(made.vectors):
        raise BadInput("senses_layer", layer=at, last=len(made.vectors) - 1, name=by.name)
    try:
        return parting(by, made.occurrences, sides, made.vectors[at], made.pairs, layer=at, joined=joined, done=done)
    except BadInput as error:
        if asked or error.code not in HIDES:
            raise
        return None


def _unknown(side: Side, tokens: Sequence[int]) -> bool:
    """Whether the model does not know one of these tokens."""
    return any(side.kinds[at] == "unknown" for at in tokens) if side.kinds else False


def _chosen(made: Way) -> Chosen:
    found = choose(made.cosines, made.pairs)
    if found is None:
        raise BadInput("senses_choose", words=len(made.pairs.words))
    return found


def _sides(found: Sequence[Occurrence], by: Reader) -> list[Side]:
    """The sentence of each, as the model reads it; each sentence is read once."""
    sides = {sentence: by.side(sentence) for sentence in dict.fromkeys(each.sentence for each in found)}
    for each in found:
        side, text = sides[each.sentence], each.sentence[:60]
        if by.longest is not None and len(side.ids) > by.longest:
            raise BadInput("senses_long", text=text, tokens=len(side.ids), longest=by.longest, name=by.name)
        if not side.within(*each.span):
            raise BadInput("senses_unread", word=each.word, text=text, name=by.name)
    return [sides[each.sentence] for each in found]


def _sees_ahead(by: Reader, side: Side) -> bool:
    """Whether the first token's vector changes with the last token."""
    if len(side.ids) < 2:
        return False
    other = next(id_ for id_ in (*side.ids, 0, 1) if id_ != side.ids[-1])
    one, two = by.stages([side.ids, [*side.ids[:-1], other]]).layers[-1][:, 0]
    return not bool(np.allclose(one, two, rtol=1e-4, atol=1e-5))


def _vectors(
    sides: Sequence[Side], places: Sequence[Sequence[int]], by: Reader, done: Done | None
) -> tuple[np.ndarray, np.ndarray]:
    """Words alone, and before attention and after each layer; sentences of one length run together."""
    order = sorted(range(len(sides)), key=lambda at: (len(sides[at].ids), sides[at].text))
    rows: dict[int, tuple[np.ndarray, np.ndarray]] = {}
    for group in _groups(order, [len(side.ids) for side in sides]):
        stages = by.stages([sides[at].ids for at in group])
        for row, at in enumerate(group):
            own = list(places[at])
            rows[at] = stages.alone[row, own].mean(0).numpy(), stages.layers[:, row, own].mean(1).numpy()
        if done:
            done(len(group))
    alone, layers = zip(*(rows[at] for at in range(len(sides))), strict=True)
    return np.stack(alone), np.stack(layers, axis=1)


def _groups(order: Sequence[int], lengths: Sequence[int]) -> list[list[int]]:
    """Runs of one length, at most `at_once` each."""
    groups: list[list[int]] = []
    for at in order:
        if groups and lengths[groups[-1][0]] == lengths[at] and len(groups[-1]) < at_once(lengths[at]):
            groups[-1].append(at)
        else:
            groups.append([at])
    return groups
