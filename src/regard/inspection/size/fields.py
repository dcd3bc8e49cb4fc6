"""The fields of a config, each held against its rule when it is read."""

from collections.abc import Mapping
from typing import Any

from regard.core.errors import BadInput
from regard.core.nearest import nearest

LARGEST = 10**9
"""No size in a config is larger; what is, is a slip, or would be built at length."""


class Fields:
    """A config as it stands in its file. Final.

    Args:
        values: its fields.
        path: where they are from, for errors.
    """

    def __init__(self, values: Mapping[str, Any], path: str) -> None:
        self.values, self.path = values, path

    def size(self, name: str, default: int | None = None, *, least: int = 1, most: int = LARGEST) -> int:
        """A whole number.

        Raises:
            BadInput: `size_missing`: it is not there and has no default (the nearest field is named); `size_field`: it
                is no whole number of from `least` to `most`.
        """
        value = self.values.get(name)
        if value is None:
            if default is not None:
                return default
            raise self.missing(name)
        if type(value) is not int or not least <= value <= most:
            raise BadInput("size_field", path=self.path, field=name, came=repr(value)[:60], least=least, most=most)
        return value

    def numbers(self, name: str) -> list[int]:
        """Whole numbers from 0; none where the field is not there.

        Raises:
            BadInput: `size_numbers`: it is something else.
        """
        found = self.values.get(name) or []
        if not isinstance(found, list) or not all(type(each) is int and each >= 0 for each in found):
            raise BadInput("size_numbers", path=self.path, field=name, came=repr(found)[:60])
        return found

    def flag(self, name: str, default: bool = False) -> bool:
        """Yes or no."""
        value = self.values.get(name)
        if value is not None and not isinstance(value, bool):
            raise BadInput("size_flag", path=self.path, field=name, came=repr(value)[:60])
        return default if value is None else value

    def word(self, name: str, default: str = "") -> str:
        """A text, or the default."""
        value = self.values.get(name)
        return value if isinstance(value, str) else default

    def tied(self, default: bool) -> bool:
        """Whether the head is the embedding; `default`: of the family."""
        return self.flag("tie_word_embeddings", default)

    def d_head(self, width: str, heads: str) -> int:
        """The width of a head, where it is the model's by the number of heads.

        Raises:
            BadInput: `size_heads`: the one does not divide the other.
        """
        d_model, n_heads = self.size(width), self.size(heads)
        if d_model % n_heads:
            raise BadInput("size_heads", path=self.path, width=width, d_model=d_model, heads=heads, n_heads=n_heads)
        return d_model // n_heads

    def missing(self, name: str) -> BadInput:
        """The refusal of a config without a field, naming the nearest that there is."""
        near = nearest(name, [each for each in self.values if isinstance(each, str)])
        return BadInput("size_missing", path=self.path, field=name, nearest=near or "–")
