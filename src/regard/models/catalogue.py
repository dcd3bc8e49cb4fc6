"""The models that come with the package: each a folder under `bundled/`, in the layout of any other."""

import json
import os
from importlib.resources import files
from pathlib import Path
from typing import Any

from regard.core.errors import BadInput
from regard.core.nearest import nearest

BEST, CONFIG, CARD = "best", "config.json", "README.md"
LONGEST_CONFIG = 10_000_000
"""Bytes of the largest config that is read."""

TRANSLATORS = ("regard-rnn", "marian")
DEFAULTS = {"translation": "en-fr", "generation": "tiny-gpt"}
"""The bundled model that is meant where none is named."""


def names() -> list[str]:
    """The names of the bundled models."""
    return sorted(path.name for path in _shelf().iterdir() if (path / CONFIG).is_file()) if _shelf().is_dir() else []


def find(name: str) -> Path:
    """The folder of a bundled name, of a model folder, or of a training run (its best model).

    Raises:
        BadInput: `unknown_model`: neither; offers the nearest bundled name.
    """
    if name in names():
        return _shelf() / name
    path = Path(name)
    for folder in (path, path / BEST):
        if os.path.isfile(folder / CONFIG):  # a name that no path can have is none, and no error
            return folder
    if os.path.exists(path):
        raise BadInput("no_model_folder", path=name)
    raise BadInput("unknown_model", name=name, nearest=nearest(name, names()), names=", ".join(names()))


def fields_of(path: Path) -> dict[str, Any]:
    """The fields of a config: a JSON object.

    Raises:
        BadInput: `config_broken`: it is none, or too large to be one.
    """
    try:
        if path.stat().st_size > LONGEST_CONFIG:
            raise ValueError(f"{path.stat().st_size} > {LONGEST_CONFIG} B")
        fields = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError, OSError) as error:
        raise BadInput("config_broken", path=str(path), reason=str(error)) from error
    if not isinstance(fields, dict):
        raise BadInput("config_broken", path=str(path), reason=type(fields).__name__)
    return fields


def card(name: str) -> str:
    """The card of a model, as Markdown."""
    path = find(name) / CARD
    return path.read_text(encoding="utf-8", errors="replace").rstrip("\n") if path.is_file() else ""


def listed() -> list[dict[str, Any]]:
    """Each bundled model: its name, kind, type, attention, size in bytes, and what its card states beside."""
    return [_described(name) for name in names()]


def _described(name: str) -> dict[str, Any]:
    import yaml  # no help text waits for it

    config = fields_of(_shelf() / name / CONFIG)
    head = card(name).split("---")[1:2]
    stated = (yaml.safe_load(head[0]) if head else None) or {}
    facts = {
        "kind": "translation" if config["model_type"] in TRANSLATORS else "generation",
        "type": config["model_type"],
        "attention": config.get("attention", "multi-head"),
        "bytes": sum(path.stat().st_size for path in (_shelf() / name).iterdir()),
    }
    return {"name": name, **facts, **stated.get("regard", {})}


def _shelf() -> Path:
    return Path(str(files(__package__))) / "bundled"
