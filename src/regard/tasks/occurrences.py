"""One word several times in a text: how alike its vectors are before attention, and after each layer (note 000)."""

import re
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np

from regard.core.errors import BadInput
from regard.inspection import record as recording
from regard.inspection.meaning import cosines, stages
from regard.inspection.record import VECTORS
from regard.inspection.trace import READ, Trace
from regard.language import say
from regard.models import catalogue, folder
from regard.models.gpt import Gpt
from regard.tasks.looking import stamp
from regard.tasks.reading import text_side
from regard.text.scripts import unspaced
from regard.views import terminal
from regard.views.picture import Table
from regard.views.signs import number, told_apart


@dataclass(frozen=True)
class Occurrences:
    """The places of a word in a text, and how alike its vectors are there.

    Attributes:
        word: as asked for.
        places: the token that stands for each occurrence: of a word of several pieces the last, which has read the
            others.
        same_token: all of them are one token, so they start from one vector.
        similarity: stage → cosines (occurrences, occurrences). Stages: `embedded` (words alone), `positioned` (with
            positions; left out where positions act inside attention), then `0`, `1`, … (after each layer).
        trace: what was recorded, with its check.
    """

    word: str
    places: tuple[int, ...]
    same_token: bool
    similarity: dict[str, np.ndarray]
    trace: Trace

    def json(self) -> dict[str, Any]:
        """The same as plain values."""
        alike = {stage: values.tolist() for stage, values in self.similarity.items()}
        return {"word": self.word, "places": self.places, "same_token": self.same_token, "similarity": alike}

    def picture(self, lang: str | None = None) -> Table:
        """A row a stage, a column a pair of occurrences."""
        names = told_apart((self.word,) * len(self.places))
        pairs = list(combinations(range(len(names)), 2))
        rows: list[tuple[str | int | float, ...]] = [
            (_stage(stage, lang), *(float(values[pair]) for pair in pairs)) for stage, values in self.similarity.items()
        ]
        return Table(
            title=say("views.alike_title", lang, word=self.word),
            head=(say("views.alike_stage", lang), *(f"{names[one]} · {names[other]}" for one, other in pairs)),
            rows=tuple(rows),
            reading=self._reading(names, pairs, lang),
            check=stamp(self.trace.check, lang),
        )

    def _reading(self, names: list[str], pairs: list[tuple[int, int]], lang: str | None) -> str:
        """Where they begin, whether positions act inside attention, and which two are least alike at the end."""
        last, values = list(self.similarity.items())[-1]
        least = min(pairs, key=lambda pair: values[pair])
        facts = {"one": names[least[0]], "other": names[least[1]], "cosine": number(float(values[least]), 2)}
        told = [
            say("views.alike_start" if self.same_token else "views.unlike_start", lang, word=self.word),
            "" if "positioned" in self.similarity else say("views.positions_inside", lang),
            say("views.alike_end", lang, layer=last, **facts),
        ]
        return say("views.between_sentences", lang).join(filter(None, told))

    def __str__(self) -> str:
        return terminal.render(self.picture())


def occurrences(text: str, word: str, model: str | Path = catalogue.DEFAULTS["generation"]) -> Occurrences:
    """How alike the vectors of one word are in its several places in a text, on their way through a GPT.

    Args:
        word: found as a whole word, in capitals or not; of text without spaces between words, wherever it stands.
        model: a bundled name, a model folder, or the folder of a training run.

    Raises:
        BadInput: `not_a_generator`, `look_too_long`, `word_once`: there are not two of it.
    """
    loaded = folder.load(catalogue.find(str(model)), Path(model).name)
    if not isinstance(loaded.model, Gpt):
        raise BadInput("not_a_generator", name=loaded.name)
    side, longest = text_side(text, loaded.tokenizer), loaded.model.config.max_len
    if len(side.ids) > longest:
        raise BadInput("look_too_long", tokens=len(side.ids), name=loaded.name, longest=longest)
    places = _places(text, word, side.spans)
    if len(places) < 2:
        raise BadInput("word_once", word=word, count=len(places))
    trace = recording.record(
        loaded.model,
        {READ: side},
        name=loaded.name,
        fingerprint=loaded.fingerprint,
        keep=("weights", *VECTORS),
        check="full",
    )
    found = stages(trace)
    if np.array_equal(found["embedded"], found["positioned"]):
        del found["positioned"]
    alike = {stage: cosines(vectors[list(places)]) for stage, vectors in found.items()}
    return Occurrences(word, places, len({side.ids[at] for at in places}) == 1, alike, trace)


def _places(text: str, word: str, spans: tuple[tuple[int, int], ...]) -> tuple[int, ...]:
    """The last token of each occurrence."""
    border = "" if unspaced(word) else r"\b"
    found = re.finditer(rf"{border}{re.escape(word)}{border}", text, re.IGNORECASE) if word.strip() else ()
    ends = (match.end() for match in found)
    covering = ([at for at, (start, end) in enumerate(spans) if start < stop <= end] for stop in ends)
    return tuple(dict.fromkeys(tokens[-1] for tokens in covering if tokens))


def _stage(stage: str, lang: str | None) -> str:
    match stage:
        case "embedded":
            return say("views.stage_embedded", lang)
        case "positioned":
            return say("views.stage_positioned", lang)
    return say("views.stage_layer", lang, layer=stage)
