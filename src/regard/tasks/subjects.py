"""Subjects of evidence: any model on any text, asked for what it says next, or for each word of a target."""

from collections.abc import Sequence
from typing import Any

from regard.core.errors import BadInput
from regard.inspection.evidence import Target
from regard.inspection.record import teacher_forced
from regard.inspection.subject import Own, Subject
from regard.inspection.trace import READ, TARGET
from regard.inspection.trace import Sequence as Side
from regard.tasks.generation import Generator
from regard.tasks.reading import alone, text_side
from regard.tasks.translation import Translator, given_side
from regard.tasks.writing import prose_side
from regard.text.doctor import tidy
from regard.text.lines import typed
from regard.text.tokenizers import START
from regard.text.words import word_groups


def subject_of(of: Any, text: str, target: str | None = None) -> tuple[Subject, Target | None]:
    """A model on its text, asked where the target is said.

    Args:
        of: what `recording.opened` gives.
        target: a continuation or a translation; None for the model's own.

    Returns:
        The subject, and the target; None where it is the model's own next token.

    Raises:
        BadInput: an empty text, one too long; `foreign_silent`: an encoder, which says nothing.
    """
    text = typed(text).text
    if isinstance(of, Translator):
        sides = _pair(of, text, target)
        return Own(of.model, sides, range(len(sides[TARGET].ids))), Target(sides[TARGET].ids)
    return _continued(of, text, target) if isinstance(of, Generator) else _theirs(of, text, target)


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
    longest = of.model.config.max_len
    if len(whole.ids) > longest:
        raise BadInput("look_too_long", tokens=len(whole.ids), name=of.name, longest=longest)
    asked = range(len(prompt.ids) - 1, len(whole.ids))
    return Own(of.model, {READ: whole}, asked), Target(tuple(continuation)) if continuation else None


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


def _theirs(of: Any, text: str, target: str | None) -> tuple[Subject, Target | None]:
    """A model of `transformers`."""
    from regard.inspection.foreign import reading
    from regard.inspection.foreign.record import record
    from regard.inspection.foreign.subject import Theirs

    if not of.model.can_generate():
        raise BadInput("foreign_mute", name=of.name, family=type(of.model).__name__)
    given = [] if target is None or of.two_sided else list(of.tokenizer(target, add_special_tokens=False)["input_ids"])
    targets = [target] if target is not None and of.two_sided else None
    read = reading.of_texts(of, [text], targets)
    whole = read if not given[:-1] else reading.longer(of, read, given[:-1])
    trace = record(of, whole, keep=())[0]
    count = len(trace.sequences[TARGET if of.two_sided else READ].ids)
    asked = range(count) if of.two_sided else range(count - 1 - len(given[:-1]), count)
    subject = Theirs(of, whole, asked, trace.sites, trace.sequences)
    ids = trace.sequences[TARGET].ids if of.two_sided else tuple(given)
    return subject, Target(ids) if ids else None
