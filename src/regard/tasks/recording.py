"""`regard.record`: what any model attends to on a text, ours or one of `transformers`. One door for every face."""

from collections.abc import Collection, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from regard.core.errors import BadInput
from regard.core.files import MANIFEST
from regard.core.nearest import one_of
from regard.inspection import record as own
from regard.inspection.keeping import Checking, Choice
from regard.inspection.trace import READ, SOURCE, TARGET, Trace
from regard.models import folder
from regard.models.forms import FORMS
from regard.models.gpt import Gpt
from regard.tasks import writing
from regard.tasks.generation import Generator
from regard.tasks.reading import text_side
from regard.tasks.record_choices import CHECKS, refuse_unless_chosen, refuse_unless_text
from regard.tasks.translation import Translator, given_side
from regard.text.doctor import tidy
from regard.text.lines import typed
from regard.text.tokenizers import START

Text = str | Sequence[str] | Mapping[str, Any]


def record(
    model: Any,
    text: Text,
    *,
    target: str | Sequence[str] | None = None,
    keep: str | Collection[str] = "qk",
    check: Checking = "rows",
    parts: Collection[str] | None = None,
    layers: Collection[int] | None = None,
    heads: Collection[int] | None = None,
    tokenizer: Any = None,
    write: Mapping[str, Any] | None = None,
) -> Any:
    """What a model attends to on a text.

    Args:
        model: a bundled name, a model folder, the folder of a training run, an id of the Hugging Face hub (its local
            cache first); or what `load` gives; or a `PreTrainedModel` of `transformers`, which is left as it is.
        text: a text, or several; for models of `transformers` also inputs that are ready, such as
            `{"input_ids": …, "attention_mask": …}`, (batch, n).
        target: of a translator what it is to write; None for what it writes by itself.
        keep: `qk` (any weight is then computed when it is looked at), `weights`, `steps`, `statistics`, or steps.
        check: `rows`, or `full`: every row, and what the model says when nobody watches.
        parts, layers, heads: which of them, such as `parts=["cross"]`; None for all.
        tokenizer: of a `PreTrainedModel`.
        write: let the model write after the text (of a translator: translate it), and record it while it does, with its
            cache and its beams, in one trace over all that it read: `{"max_tokens": 20, "greedy": True}`, or what else
            `Generator.generate` and `Translator.translate` know.

    Returns:
        A `Trace`; of several texts, or of ready inputs with several rows, a list of them.

    Raises:
        BadInput: no such model, a folder that is none or could run a program, a family that hides its attention, what
            is no text, an empty one, one longer than the model reads, nothing to keep, no such part, layer or head.
        Failure: what was recorded is not what the model computes.

    >>> trace = record("tiny-gpt", "Once upon a time", layers=[0])
    >>> trace.weights(layer=0, head=0).sum(axis=1).round(3).tolist()[:2]
    [1.0, 1.0]
    """
    refuse_unless_text(text, target)
    refuse_unless_chosen(keep, parts, layers, heads)
    one_of(check, CHECKS, "check")
    of = opened(model, tokenizer)
    how: dict[str, Any] = {"keep": keep, "check": check, "choice": Choice(parts, layers, heads)}
    if write is not None:
        return writing.recorded(of, text, target, how, write)
    if not isinstance(of, Translator | Generator):
        return _foreign(of, text, target, how)
    if isinstance(text, Mapping):
        raise BadInput("record_ready", name=of.name)
    several = not isinstance(text, str)
    texts = [text] if isinstance(text, str) else list(text)
    targets: Sequence[str | None] = _targets(texts, target) or [None] * len(texts)
    found = [_own(of, each, wanted, how) for each, wanted in zip(texts, targets, strict=True)]
    return found if several else found[0]


def _targets(texts: list[str], target: Any) -> list[str] | None:
    """A target for each text, one for all, or none."""
    if target is None:
        return None
    targets = [target] * len(texts) if isinstance(target, str) else list(target)
    if len(targets) != len(texts):
        raise BadInput("record_targets", texts=len(texts), targets=len(targets))
    return targets


def opened(model: Any, tokenizer: Any = None) -> Any:
    """A `Translator`, a `Generator`, or a `Foreign` for what `transformers` alone can run.

    Args:
        model: as `record` takes it. That of a name is remembered while its files stay as they are.
    """
    if isinstance(model, Translator | Generator):
        return model
    if isinstance(model, str | Path):
        return _named(str(model))
    from regard.tasks.foreign_models import held

    return held(model, tokenizer)


def _named(name: str) -> Any:
    from regard.tasks import foreign_models

    found = foreign_models.located(name)
    files = sorted(path for path in found.iterdir() if path.is_file())
    state = tuple((path.name, path.stat().st_mtime_ns) for path in files)
    return _read(found, foreign_models.shortened(name), state)


@lru_cache(maxsize=2)
def _read(found: Path, name: str, state: tuple[tuple[str, int], ...]) -> Any:
    from regard.tasks import foreign_models

    foreign_models.refuse_tricks(found)
    if foreign_models.fields_of(found).get("model_type") in {form.model_type for form in FORMS}:
        try:
            loaded = folder.load(found, name)
            return Generator(loaded) if isinstance(loaded.model, Gpt) else Translator(loaded)
        except BadInput:
            if (found / MANIFEST).is_file():  # one of ours, altered
                raise
    return foreign_models.opened(found, name)


def _own(model: Translator | Generator, text: str, target: str | None, how: dict[str, Any]) -> Trace:
    """A trace of one of our models."""
    if isinstance(model, Generator) and target is not None:
        raise BadInput("target_unread", name=model.name)
    sides = _written(model, text) if isinstance(model, Generator) else _translated(model, text, target)
    return own.record(model.model, sides, name=model.name, fingerprint=model.fingerprint, **how)


def _written(model: Generator, text: str) -> dict[str, Any]:
    side = text_side(typed(text).text, model.tokenizer)
    longest = model.model.config.max_len
    if not text.strip() or not side.ids:
        raise BadInput("look_empty")
    if len(side.ids) > longest:
        raise BadInput("look_too_long", tokens=len(side.ids), name=model.name, longest=longest)
    return {READ: side}


def _translated(model: Translator, text: str, target: str | None) -> dict[str, Any]:
    """What a translator reads and writes: the target given, or its own translation."""
    if target is None:
        trace = model.translate(text).trace
        if trace is None:
            raise BadInput("look_empty")
        return {name: trace.sequences[name] for name in (SOURCE, READ, TARGET)}
    source, written = (
        given_side(each, model.tokenizer.encode(each)) for each in (tidy(typed(each).text) for each in (text, target))
    )
    if min(len(source.ids), len(written.ids)) < 2:
        raise BadInput("text_empty")
    for side in (source, written):
        if len(side.ids) > model.longest:
            raise BadInput("look_too_long", tokens=len(side.ids), name=model.name, longest=model.longest)
    return own.teacher_forced(source, written, START)


def _foreign(foreign: Any, text: Text, target: Any, how: dict[str, Any]) -> Any:
    """Traces of a model of `transformers`; one where one text was given."""
    from regard.inspection.foreign import reading
    from regard.inspection.foreign.record import record as of_foreign

    if isinstance(text, Mapping):
        found = of_foreign(foreign, reading.of_inputs(foreign, text), **how)
        return found if len(found) > 1 else found[0]
    texts = [typed(each).text for each in ([text] if isinstance(text, str) else text)]
    targets = _targets(texts, target)
    wanted = None if targets is None else [typed(each).text for each in targets]
    found = of_foreign(foreign, reading.of_texts(foreign, texts, wanted), **how)
    return found[0] if isinstance(text, str) else found
