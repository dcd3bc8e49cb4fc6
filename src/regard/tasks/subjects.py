"""Subjects of evidence: any model on any text, asked for its next token, for each word of a target, or for a vector."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from regard.core.errors import BadInput
from regard.inspection.evidence import Target
from regard.inspection.knockout import at
from regard.inspection.record import teacher_forced
from regard.inspection.subject import Own, Subject
from regard.inspection.trace import READ, SOURCE, TARGET
from regard.inspection.trace import Sequence as Side
from regard.tasks.cuts import Named, tokens
from regard.tasks.generation import Generator
from regard.tasks.reading import alone, text_side
from regard.tasks.translation import Translator, given_side
from regard.tasks.writing import prose_side
from regard.text.doctor import tidy
from regard.text.lines import typed
from regard.text.tokenizers import START
from regard.text.words import word_groups

MEAN = "mean"
"""The mean vector of all tokens, those that are no text among them, as sentence encoders take it."""


def subject_of(of: Any, text: str, target: str | None = None, vector: Named = None) -> tuple[Subject, Target | None]:
    """A model on its text, asked where the target is said.

    Args:
        of: what `recording.opened` gives.
        target: a continuation or a translation; None for the model's own.
        vector: whose vector counts instead: `MEAN`, or tokens; see `cuts.Named`.

    Returns:
        The subject, and the target; None where it is the model's own next token, or a vector.

    Raises:
        BadInput: an empty text or target, one too long; `foreign_mute`: an encoder, which says nothing, and no
            vector is named; `options_apart`: a target and a vector.
    """
    if vector is not None and target is not None:
        raise BadInput("options_apart", one="--target", other="--vector")
    if target == "":
        raise BadInput("text_empty")
    text = typed(text).text
    if isinstance(of, Translator):
        sides = _pair(of, text, target)
        own, wanted = Own(of.model, sides, range(len(sides[TARGET].ids))), Target(sides[TARGET].ids)
        return (own, wanted) if vector is None else (_pointing(own, vector), None)
    subject, goal = _continued(of, text, target) if isinstance(of, Generator) else _theirs(of, text, target, vector)
    return (subject, goal) if vector is None else (_pointing(subject, vector), None)


def _pointing(subject: Any, vector: Named) -> Subject:
    """The subject asked for the vector of these tokens."""
    side = next(subject.sequences[name] for name in (TARGET, READ, SOURCE) if name in subject.sequences)
    every = range(len(side.ids))
    found = None if vector == MEAN else tokens(vector, side)
    if found is not None and not at(found).stop <= len(every):
        raise BadInput("vector_outside", came=str(vector), tokens=len(every))
    pointing: Subject = replace(subject, asked=every[at(found)], vectors=True)
    return pointing


def elsewhere(of: Any, subject: Any, text: str) -> Subject:
    """The same model on another text: a translator's on another source, with what it writes as it was.

    Args:
        subject: what `subject_of` gave.

    Raises:
        BadInput: an empty text, one too long.
    """
    text = typed(text).text
    if not text.strip():
        raise BadInput("look_empty")
    if isinstance(of, Translator):
        source = tidy(text)
        side = given_side(source, of.tokenizer.encode(source))
        _refuse_too_long(of, side, of.longest)
        found: Subject = replace(subject, sequences={**subject.sequences, SOURCE: side})
        return found
    first = subject.asked[0]
    more = [] if subject.vectors else list(subject.sequences[next(reversed(subject.sequences))].ids[first + 1 :])
    if isinstance(of, Generator):
        whole = _longer(text_side(text, of.tokenizer), more, of.tokenizer)
        _refuse_too_long(of, whole, of.model.config.max_len)
        sequences, count = {READ: whole}, len(whole.ids)
        return replace(subject, sequences=sequences, asked=range(count - 1 - len(more), count))
    return _theirs_elsewhere(of, subject, text, more)


def _theirs_elsewhere(of: Any, subject: Any, text: str, more: Sequence[int]) -> Subject:
    """The same of a model of `transformers`."""
    from regard.inspection.foreign import reading
    from regard.inspection.foreign.record import record

    if of.two_sided:
        read = reading.of_prompt(of, text)
        written = {name: each for name, each in subject.reading.inputs.items() if name.startswith("decoder_")}
        read = reading.Reading({**read.inputs, **written}, read.sequences)
        source = {SOURCE: read.sequences[0][SOURCE]}
        return replace(subject, reading=read, sequences={**subject.sequences, **source})
    read = reading.of_texts(of, [text])
    read = reading.longer(of, read, more) if more else read
    sequences = record(of, read, keep="query")[0].sequences
    count = len(next(iter(sequences.values())).ids)
    return replace(subject, reading=read, sequences=sequences, asked=range(count - 1 - len(more), count))


def tokens_of(of: Any, ids: Sequence[int]) -> tuple[str, ...]:
    """Tokens as people read them, of ids that a model says."""
    if isinstance(of, Translator | Generator):
        return alone(ids, of.tokenizer)
    return tuple(str(token) for token in of.tokenizer.convert_ids_to_tokens(list(ids)))


def _continued(of: Generator, text: str, target: str | None) -> tuple[Own, Target | None]:
    prompt = text_side(text, of.tokenizer)
    if not text.strip():
        raise BadInput("look_empty")
    continuation = [] if target is None else list(of.tokenizer.encode(typed(target).text).ids)
    whole = _longer(prompt, continuation[:-1], of.tokenizer)
    _refuse_too_long(of, whole, of.model.config.max_len)
    asked = range(len(prompt.ids) - 1, len(whole.ids))
    return Own(of.model, {READ: whole}, asked), Target(tuple(continuation)) if continuation else None


def _refuse_too_long(of: Any, whole: Side, longest: int) -> None:
    if len(whole.ids) > longest:
        raise BadInput("look_too_long", tokens=len(whole.ids), name=of.name, longest=longest)


def _longer(prompt: Side, more: Sequence[int], tokenizer: Any) -> Side:
    """The prompt with the tokens of its continuation that are read; the last is only said."""
    if not more:
        return prompt
    said = prose_side(list(more), tokenizer)
    end, text = len(prompt.text), prompt.text + said.text
    spans = (*prompt.spans, *((end + first, end + last) for first, last in said.spans))
    kinds = (*prompt.kinds, *said.kinds) if prompt.kinds else ()
    words = tuple(word_groups(text, spans).tolist())
    return Side(text, (*prompt.tokens, *said.tokens), (*prompt.ids, *more), words, spans, kinds)


def _pair(of: Translator, text: str, target: str | None) -> dict[str, Side]:
    if target is None:
        trace = of.translate(text).trace
        if trace is None:
            raise BadInput("look_empty")
        return dict(trace.sequences)
    read, written = (given_side(each, of.tokenizer.encode(each)) for each in (tidy(text), tidy(typed(target).text)))
    if min(len(read.ids), len(written.ids)) < 2:
        raise BadInput("text_empty")
    return teacher_forced(read, written, START)


def _theirs(of: Any, text: str, target: str | None, vector: Named) -> tuple[Subject, Target | None]:
    """A model of `transformers`."""
    from regard.inspection.foreign import reading
    from regard.inspection.foreign.record import record
    from regard.inspection.foreign.subject import Theirs

    if vector is None and not of.model.can_generate():
        raise BadInput("foreign_mute", name=of.name, family=type(of.model).__name__)
    given = [] if target is None or of.two_sided else list(of.tokenizer(target, add_special_tokens=False)["input_ids"])
    targets = [target] if target is not None and of.two_sided else None
    read = reading.of_texts(of, [text], targets)
    whole = read if not given[:-1] else reading.longer(of, read, given[:-1])
    trace = record(of, whole, keep="query")[0]
    count = len(next(trace.sequences[name].ids for name in (TARGET, READ, SOURCE) if name in trace.sequences))
    asked = range(count) if of.two_sided else range(count - 1 - len(given[:-1]), count)
    subject = Theirs(of, whole, asked, trace.sites, trace.sequences)
    ids = trace.sequences[TARGET].ids if of.two_sided else tuple(given)
    return subject, Target(ids) if ids else None
