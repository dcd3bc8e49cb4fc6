"""Published models as the sizes that their papers and configs state: `regard/published`, a file a family."""

import re
import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any


@dataclass(frozen=True)
class Published:
    """A description.

    Attributes:
        name: what it is called here.
        config: as `transformers` would have it.
        source: the paper or config that the numbers are from.
        year: when it came out.
    """

    name: str
    config: dict[str, Any]
    source: str
    year: int


@cache
def published() -> dict[str, Published]:
    """All of them, by name, the oldest first."""
    folder = files("regard") / "published"
    found = [
        tomllib.loads(file.read_text(encoding="utf-8")) for file in folder.iterdir() if file.name.endswith(".toml")
    ]
    found.sort(key=lambda family: (family["year"], next(iter(family["sizes"]))))
    return {
        name: Published(name, family["config"] | sizes, family["source"], family["year"])
        for family in found
        for name, sizes in family["sizes"].items()
    }


def find(name: str) -> Published | None:
    """The one of this name; case, hyphens and spaces do not matter.

    >>> find("GPT-3").name, find("llama3 8B").name, find("gpt4")
    ('gpt3', 'llama-3-8b', None)
    """
    folded = {_folded(each): each for each in published()}
    at = folded.get(_folded(name))
    return None if at is None else published()[at]


def _folded(name: str) -> str:
    return re.sub(r"[\s_-]", "", name.casefold())
