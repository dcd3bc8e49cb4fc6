"""Pairs in JSON lines: an object a line, of which two fields are the sides.

The fields are those that were named; else `source` and `target`; else, where the first object has two texts and no
more, those two in their order. Objects like `{"translation": {"en": …, "fr": …}}` are looked into.
"""

import json
from collections.abc import Sequence
from typing import Any

from regard.core.errors import BadInput
from regard.text.lines import typed

ENDINGS = (".jsonl", ".ndjson")
USUAL = ("source", "target")
WRAPPER = "translation"

Sides = tuple[str, str]


def is_json(name: str, lines: Sequence[str]) -> bool:
    """Whether these lines are JSON: by the file's name, or as the first that is not blank begins an object.

    A line of a TSV file has a tab between its sides; no JSON writer puts one into an object.
    """
    first = next((line for line in lines if line.strip()), "")
    return name.removesuffix(".gz").endswith(ENDINGS) or (first.lstrip().startswith("{") and "\t" not in first)


def sides(lines: Sequence[str], fields: Sides | None, name: str) -> list[Sides]:
    """Source and target of each line; a blank line is a pair with two empty sides.

    Args:
        fields: which are source and target; None to see it from the first object.
        name: the file's, for errors.

    Raises:
        BadInput: no JSON, no object, a field that is missing or no text, fields that could be either.

    >>> sides(['{"translation": {"en": "cat", "fr": "chat"}}'], ("fr", "en"), "f")
    [('chat', 'cat')]
    """
    found: list[Sides] = []
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            found.append(("", ""))
            continue
        row = _row(line, name, number)
        fields = fields or _seen(row, name, number)
        found.append((_text(row, fields[0], name, number), _text(row, fields[1], name, number)))
    return found


def _row(line: str, name: str, number: int) -> dict[str, Any]:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise BadInput("json_line_broken", path=name, line=number, reason=str(error).splitlines()[0]) from None
    if not isinstance(row, dict):
        raise BadInput("pairs_json_object", path=name, line=number, came=_kind(row))
    return row[WRAPPER] if isinstance(row.get(WRAPPER), dict) else row


def _seen(row: dict[str, Any], name: str, number: int) -> Sides:
    """The two fields that are meant, where there is no doubt."""
    texts = [field for field, value in row.items() if isinstance(value, str)]
    if all(field in texts for field in USUAL):
        return USUAL
    if len(texts) != 2:
        raise BadInput("pairs_json_fields", path=name, line=number, count=len(texts), known=_listed(row))
    return texts[0], texts[1]


def _text(row: dict[str, Any], field: str, name: str, number: int) -> str:
    value = row.get(field)
    if not isinstance(value, str):
        facts = {"path": name, "line": number, "field": field, "known": _listed(row)}
        raise BadInput("pairs_json_text" if field in row else "pairs_json_missing", **facts, came=_kind(value))
    try:
        return typed(value).text
    except BadInput as error:
        raise BadInput("pairs_json_character", path=name, line=number, field=field) from error


def _listed(row: dict[str, Any]) -> str:
    listed = ", ".join(row) or "–"
    return listed if len(listed) <= 200 else listed[:200] + "…"


def _kind(value: Any) -> str:
    """What JSON calls it."""
    if value is None or isinstance(value, bool):
        return json.dumps(value)
    names: dict[type, str] = {list: "array", dict: "object", str: "string"}
    return names.get(type(value), "number")
