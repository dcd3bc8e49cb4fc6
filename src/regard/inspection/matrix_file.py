"""A file of matrices, read strictly: bytes → a mapping of names to nested lists of text or numbers.

YAML scalars stay text (`no` is a word, not False); aliases are refused, so no file can be larger than it looks.
"""

import json
import sys
from collections.abc import Hashable
from pathlib import Path
from typing import Any

import yaml

from regard.core.errors import BadInput

LIMIT = 1 << 20
"""Bytes of the largest file that is read: more is no derivation that anybody reads."""

STDIN = "-"


def read_file(path: str) -> dict[str, Any]:
    """The mapping in the YAML or JSON file `path` (`-`: standard input).

    Raises:
        BadInput: it is missing, a folder, unreadable, too big, empty, not UTF-8, not YAML or JSON, not one mapping,
            or names a key twice.
    """
    return parse(_bytes(path), path)


def _bytes(path: str) -> bytes:
    try:
        if path == STDIN:
            return sys.stdin.buffer.read(LIMIT + 1)
        with Path(path).open("rb") as file:
            return file.read(LIMIT + 1)
    except (FileNotFoundError, ValueError) as error:
        raise BadInput("file_missing", path=path) from error
    except IsADirectoryError as error:
        raise BadInput("file_is_folder", path=path) from error
    except OSError as error:
        raise BadInput("file_unreadable", path=path, reason=error.strerror) from error


def parse(data: bytes, path: str) -> dict[str, Any]:
    """The mapping that `data` holds; `path` is its name in errors (JSON where it ends in .json, else YAML)."""
    if len(data) > LIMIT:
        raise BadInput("matrices_too_big", path=path, limit=f"{LIMIT:,}")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise BadInput("matrices_not_utf8", path=path, line=line, byte=error.start + 1) from error
    try:
        content = _json(text, path) if path.lower().endswith(".json") else _yaml(text, path)
    except RecursionError as error:
        raise BadInput("matrices_too_deep", path=path) from error
    if not content:
        raise BadInput("matrices_empty", path=path)
    if not isinstance(content, dict):
        raise BadInput("matrices_no_mapping", path=path)
    return content


def _json(text: str, path: str) -> Any:
    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        content: dict[str, Any] = {}
        for key, value in pairs:
            if key in content:
                raise BadInput("matrices_key_twice", path=path, key=key)
            content[key] = value
        return content

    if not text.strip():
        return None
    try:
        return json.loads(text, object_pairs_hook=once, parse_int=str, parse_float=str, parse_constant=str)
    except json.JSONDecodeError as error:
        raise BadInput("matrices_syntax", path=path, line=error.lineno, problem=error.msg, form="JSON") from error


def _yaml(text: str, path: str) -> Any:
    try:
        return yaml.load(text, _Strict)
    except _Refused as error:
        raise BadInput(error.code, path=path, **error.facts) from error
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 1
        raise BadInput("matrices_syntax", path=path, line=line, problem=error.problem, form="YAML") from error
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise BadInput("matrices_syntax", path=path, line=line, problem=error.reason, form="YAML") from error


class _Refused(Exception):  # noqa: N818
    """YAML that is well-formed and still not read."""

    def __init__(self, code: str, **facts: Any) -> None:
        super().__init__(code)
        self.code, self.facts = code, facts


class _Strict(yaml.BaseLoader):
    """YAML without aliases, repeated keys and keys that are no words."""

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            raise _Refused("matrices_alias", line=self.peek_event().start_mark.line + 1)
        return super().compose_node(parent, index)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise _Refused("matrices_key_no_word", line=key.start_mark.line + 1)
            if key.value in seen:
                raise _Refused("matrices_key_twice", key=key.value)
            seen.add(key.value)
        return super().construct_mapping(node, deep)
