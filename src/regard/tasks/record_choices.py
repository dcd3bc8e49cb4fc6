"""What is asked of a recording: refused where it says nothing, before any model is opened."""

from collections.abc import Collection, Mapping
from numbers import Integral
from typing import Any

from regard.core.errors import BadInput
from regard.inspection.keeping import steps_of
from regard.inspection.record import VECTORS

CHECKS = ("rows", "full")
"""How a recording may be held against the model."""

_EXAMPLES = {"parts": '["cross"]', "layers": "[0, 5]", "heads": "[0, 5]"}


def refuse_unless_text(text: Any, target: Any) -> None:
    """What shall be read: a text, several, or (of `text`) inputs that are ready.

    Raises:
        BadInput: `record_text`.
    """
    for name, given in (("text", text), ("target", target)):
        ready = isinstance(given, Mapping) if name == "text" else given is None
        if ready or isinstance(given, str):
            continue
        if not isinstance(given, Collection) or not all(isinstance(each, str) for each in given):
            raise BadInput("record_text", name=name, came=_shown(given))


def refuse_unless_chosen(keep: Any, parts: Any, layers: Any, heads: Any) -> None:
    """What is kept: something. Which of them: a collection with something in it, or None for all.

    Raises:
        BadInput: `keep_unknown`, `record_choice`.
    """
    steps_of(keep or "", VECTORS)
    for name, given, kind in (("parts", parts, str), ("layers", layers, Integral), ("heads", heads, Integral)):
        some = isinstance(given, Collection) and not isinstance(given, str) and len(given) > 0
        if given is not None and not (some and all(isinstance(each, kind) for each in given)):
            raise BadInput("record_choice", name=name, came=_shown(given), example=_EXAMPLES[name])


def _shown(given: Any) -> str:
    return repr(given)[:60]
