"""Write with a model and record it as it writes: the prompt, the cached steps, the beam that won, in one trace."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Unpack

import torch

from regard.core.errors import BadInput
from regard.core.tap import tapped
from regard.generation.continuing import Speaker, continued
from regard.generation.sentences import Draws
from regard.generation.sentences import translate as searched
from regard.inspection.following import Followed
from regard.inspection.keeping import Checking, Choice, Keeper, steps_of
from regard.inspection.record import teacher_forced
from regard.inspection.trace import READ, Trace
from regard.inspection.trace import Sequence as Side
from regard.inspection.visit import Watcher
from regard.tasks.generation import Continuation, Generator
from regard.tasks.generation import How as HowToWrite
from regard.tasks.manners import manners
from regard.tasks.translation import How as HowToTranslate
from regard.tasks.translation import Translator, checked, given_side, written_side
from regard.text.doctor import tidy
from regard.text.lines import typed
from regard.text.tokenizers import START
from regard.text.words import word_groups


@dataclass(frozen=True)
class Kept:
    """What a recording keeps: see `inspection.record`. The check `full` looks at every row of the stitched matrix."""

    keep: str | Collection[str] = "qk"
    check: Checking = "rows"
    choice: Choice = field(default_factory=Choice)


@dataclass(frozen=True)
class Written:
    """What a model wrote, and what it attended to while it did.

    Attributes:
        continuation: the continuation; the best, where several were searched.
        trace: over the prompt and all that was read of the continuation; its last token was written and never read.
    """

    continuation: Continuation
    trace: Trace


class _Recording:
    """A model that is watched and followed while something drives it."""

    def __init__(self, model: Any, kept: Kept) -> None:
        self.model, self.kept = Followed(model), kept
        self._keeper = Keeper(steps_of(kept.keep), kept.check, kept.choice)
        self.tap = Watcher(self._keeper)

    def trace(
        self, of: Generator | Translator, read: Sequence[int], sequences: Mapping[str, Side], *, prompted: bool = False
    ) -> Trace:
        """The trace of the line whose steps read these ids, after a prompt that was read at once, in row 0."""
        self._keeper.finish([*[0] * prompted, *self.model.rows_of(read)])
        choice = self.kept.choice
        sites = tuple(site for site in of.model.sites if choice.takes(site.address))
        heads = None if choice.heads is None else tuple(sorted(choice.heads))
        keeper, facts = self._keeper, (of.name, of.fingerprint, dict(sequences), sites)
        return Trace(*facts, keeper.tensors, keeper.checked(), keeper.recipes, heads)


def write(generator: Generator, prompt: str, kept: Kept | None = None, **how: Unpack[HowToWrite]) -> Written:
    """Continue a prompt and record it: every step with its cache, of a beam the line that won, stitched.

    Args:
        how: as `Generator.generate`; of several continuations the first.

    Raises:
        BadInput: as `generate`.
        Failure: `trace_check`.
    """
    read, asked, tokenizer = generator.read(prompt), manners(**how), generator.tokenizer
    plan, recording = asked.manner(generator.forbidden), _Recording(generator.model, kept or Kept())
    speaker = Speaker(recording.model, tokenizer.decode, generator.model.config.max_len, tokenizer.ends)
    with torch.inference_mode(), tapped(recording.tap):
        found = continued(speaker, [read.ids], plan)[0][0]
    ids = [*read.ids, *found.ids[:-1]]
    sequences, prompted = {READ: prose_side(ids, tokenizer)}, len(read.ids) > 1
    trace = recording.trace(generator, ids[len(read.ids) - 1 :], sequences, prompted=prompted)
    return Written(generator.made(read, found, asked, plan), trace)


def translate(translator: Translator, text: str, kept: Kept | None = None, **how: Unpack[HowToTranslate]) -> Trace:
    """Translate a sentence and record the search itself: what the line that won looked at, step by step, stitched.

    Args:
        how: as `Translator.translate`; of several translations the best.

    Raises:
        BadInput: as `translate`; `text_empty`.
        Failure: `trace_check`.
    """
    recording, plan = _Recording(translator.model, kept or Kept()), checked(**how)
    plan = replace(plan, count=1) if isinstance(plan, Draws) else plan
    line = typed(text).text
    with tapped(recording.tap):
        found = searched(recording.model, translator.tokenizer, [line], plan)[0]
    if not found.outputs:
        raise BadInput("text_empty")
    source = given_side(tidy(line), found.source)
    target = written_side(found.outputs[0].text, found.outputs[0].ids, translator.tokenizer)
    return recording.trace(translator, (START, *target.ids[:-1]), teacher_forced(source, target, START))


def recorded(model: Any, text: Any, target: Any, how: Mapping[str, Any], manner: Mapping[str, Any]) -> Trace:
    """The trace of any model while it writes after one text, or translates it.

    Args:
        how: `keep`, `check`, `choice`.
        manner: as `Generator.generate` or `Translator.translate` has it.

    Raises:
        BadInput: `write_alone`: several texts, or a target; what it writes is its own.
    """
    if not isinstance(text, str) or target is not None:
        raise BadInput("write_alone")
    if isinstance(model, Translator):
        return translate(model, text, Kept(**how), **manner)
    if isinstance(model, Generator):
        return write(model, text, Kept(**how), **_greedy(manner)).trace
    from regard.inspection.foreign import writing
    from regard.inspection.foreign.reading import of_prompt

    with torch.random.fork_rng():
        torch.manual_seed(manner.get("seed", 0))
        return writing.write(model, of_prompt(model, typed(text).text), manner=_theirs(manner), **how)


def _greedy(manner: Mapping[str, Any]) -> dict[str, Any]:
    """The likeliest token, where nothing else was asked for."""
    return dict(manner) if {"beam", *_DRAWS} & manner.keys() else {"greedy": True, **manner}


_DRAWS = ("temperature", "top_k", "top_p", "min_p", "seed")


def _theirs(manner: Mapping[str, Any]) -> dict[str, Any]:
    """A manner of ours in the words of `transformers`.

    Raises:
        BadInput: one breaks its rule.
    """
    manners(**manner)
    names = {"max_tokens": "max_new_tokens", "beam": "num_beams"}
    kept = {names.get(name, name): value for name, value in manner.items() if name not in ("greedy", "seed")}
    return {"do_sample": any(name in manner for name in _DRAWS), **kept}


def prose_side(ids: Sequence[int], tokenizer: Any) -> Side:
    """A sequence that a model read and wrote: its text, and the characters that each token covers.

    A character in several tokens belongs to each of them.
    """
    ends = [len(tokenizer.decode(ids[: at + 1]).removesuffix("\ufffd")) for at in range(len(ids))]
    text, spans, start = tokenizer.decode(ids), [], 0
    for at, end in enumerate(ends):
        whole = next((later for later in ends[at:] if later > start), end)
        spans.append((start, whole))
        start = end
    tokens, kinds = tuple(tokenizer.tokens(ids)), tuple(tokenizer.kinds(ids))
    return Side(text, tokens, tuple(ids), tuple(word_groups(text, spans).tolist()), tuple(spans), kinds)
