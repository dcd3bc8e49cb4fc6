"""Occurrences of words on their way through a model: their vectors at every layer, and what labels make of them."""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from regard.core.errors import BadInput
from regard.inspection.meaning import cosines
from regard.inspection.senses import Layer, Pairs, Paths, alike, layer_of, pairs, parted, paths
from regard.inspection.senses_choice import Chosen, chance
from regard.inspection.trace import Check
from regard.text.occurrences import Occurrence

ALONE = -1
"""The number of the layer that is none: words alone, before positions."""


@dataclass(frozen=True)
class Look:
    """One word that an occurrence looked at.

    Attributes:
        word, span: the word, and the characters of the sentence that it covers.
        weight: of the attention in the layer where senses part: mean over heads, sum over the word's tokens.
        effect: the change of `apart` after that layer when the occurrence may not look at the word in any layer; None
            of a model whose edges cannot be cut.
    """

    word: str
    span: tuple[int, int]
    weight: float
    effect: float | None


@dataclass(frozen=True)
class Parting:
    """What occurrences looked at in one layer.

    Attributes:
        layer: after which their vectors are compared.
        looks: of each occurrence, the words beside it, the largest weight first.
        rest: of each occurrence, the weight on itself and on what is no word: begin, end.
        without: the layer when no occurrence may look, in any layer, at the word that it looked at most; None as above.
        check: that of the trace that is furthest off.
    """

    layer: int
    looks: tuple[tuple[Look, ...], ...]
    rest: tuple[float, ...]
    without: Layer | None
    check: Check


@dataclass(frozen=True)
class Way:
    """Occurrences of words on their way through a model.

    Attributes:
        name: of the model.
        occurrences: where the words stand.
        join: how the vectors of a word's pieces became one: `mean`, or `last`.
        pieces: of each occurrence, how many tokens it is.
        alone: (occurrences, d), the words alone, before positions.
        vectors: (layers + 1, occurrences, d_model), before attention and after each layer.
        ahead: whether a word also sees what comes after it.
        unknown: of how many occurrences the model does not know a piece.
        parting: what the words looked at where senses part; None where it was not asked for, or cannot be told.
        chosen: a layer chosen on half of the words; None where it was not asked for.
    """

    name: str
    occurrences: tuple[Occurrence, ...]
    join: str
    pieces: tuple[int, ...]
    alone: np.ndarray = field(repr=False)
    vectors: np.ndarray = field(repr=False)
    ahead: bool
    unknown: int = 0
    parting: Parting | None = field(default=None, repr=False)
    chosen: Chosen | None = None

    @cached_property
    def pairs(self) -> Pairs:
        """Each two occurrences of one word."""
        return pairs(self.occurrences)

    @cached_property
    def cosines(self) -> np.ndarray:
        """(layers + 1, pairs)."""
        return np.stack([alike(each, self.pairs) for each in self.vectors])

    @cached_property
    def start(self) -> Layer:
        """The words alone."""
        return layer_of(ALONE, alike(self.alone, self.pairs), self.pairs.same)

    @cached_property
    def layers(self) -> tuple[Layer, ...]:
        """Before attention, and after each layer."""
        return tuple(layer_of(n, each, self.pairs.same) for n, each in enumerate(self.cosines))

    @cached_property
    def parted(self) -> int:
        """The layer that brings senses apart most; see `inspection.senses.parted`."""
        return parted(self.layers)

    @cached_property
    def chance(self) -> float | None:
        """How often shuffled labels come as far; see `inspection.senses_choice.chance`."""
        return chance(self.cosines, self.pairs, [each.label for each in self.occurrences])

    @cached_property
    def paths(self) -> Paths:
        """Where the occurrences are, stage by stage; words alone come first where they are as wide as the others."""
        first = [self.alone[None]] if self.alone.shape[1:] == self.vectors.shape[2:] else []
        return paths(np.concatenate([*first, self.vectors]))

    def similarity(self, layer: int) -> np.ndarray:
        """The cosine between each two occurrences, (occurrences, occurrences); layer 0 is before attention, −1 alone.

        Raises:
            BadInput: `senses_layer`: no such layer.
        """
        if not ALONE <= layer < len(self.vectors):
            raise BadInput("senses_layer", layer=layer, last=len(self.vectors) - 1, name=self.name)
        return cosines(self.alone if layer == ALONE else self.vectors[layer])

    def json(self, similarity: Sequence[int] = ()) -> dict[str, Any]:
        """The same as plain values; `similarity`: of which layers."""
        one, other = self.pairs.told
        told = [
            {"word": each.word, "index": each.index, "label": each.label, "sentence": each.sentence, "pieces": pieces}
            for each, pieces in zip(self.occurrences, self.pieces, strict=True)
        ]
        return {
            "model": self.name,
            "occurrences": told,
            "join": self.join,
            "pairs": {"all": len(self.pairs.same), "same": one, "different": other},
            "alone": {name: value for name, value in _layer(self.start).items() if name != "layer"},
            "layers": [_layer(each) for each in self.layers],
            "p": self.chance,
            "parted": self.parted,
            "parting": None if self.parting is None else _parting(self.parting),
            "chosen": None if self.chosen is None else asdict(self.chosen),
            "similarity": {str(layer): _plain(self.similarity(layer)) for layer in similarity},
        }


def _layer(of: Layer) -> dict[str, Any]:
    values = {"auc": of.auc, "same": of.same, "different": of.different, "cosine": of.every, "apart": of.apart}
    return {"layer": of.layer, **{name: _number(value) for name, value in values.items()}}


def _number(value: float | None) -> float | None:
    return None if value is None or math.isnan(value) else value


def _plain(matrix: np.ndarray) -> list[list[float | None]]:
    return [[_number(value) for value in row] for row in matrix.tolist()]


def _parting(of: Parting) -> dict[str, Any]:
    looks = [[{**asdict(look), "span": list(look.span)} for look in each] for each in of.looks]
    return {
        "layer": of.layer,
        "looks": looks,
        "rest": list(of.rest),
        "without": None if of.without is None else _layer(of.without),
        "check": asdict(of.check),
    }
