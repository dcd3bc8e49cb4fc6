"""A model of `transformers` as a reader: of one with two sides the encoder."""

from collections.abc import Sequence
from typing import Any

import torch

from regard.core.errors import BadInput
from regard.core.protocols import Site
from regard.inspection.foreign import reading, vectors
from regard.inspection.foreign.record import record
from regard.inspection.foreign.run import Foreign
from regard.inspection.foreign.tokens import cut, side_of
from regard.inspection.knockout import Knockout
from regard.inspection.trace import Sequence as Side
from regard.inspection.trace import Trace
from regard.inspection.vectors import Stages


class Theirs:
    """A model of `transformers`; see `inspection.vectors.Reader`."""

    def __init__(self, foreign: Foreign) -> None:
        if foreign.tokenizer is None:
            raise BadInput("foreign_untold", name=foreign.name)
        self.name, self.longest = foreign.name, reading.most_tokens(foreign)
        self._foreign = vectors.reading_side(foreign)
        self._sites: tuple[Site, ...] = ()

    def side(self, text: str) -> Side:
        """A text as it reads it."""
        tokens = cut(self._foreign.tokenizer, text)
        return side_of(self._foreign.tokenizer, tokens, [True] * len(tokens.ids))

    def stages(self, ids: Any, knockouts: Sequence[Knockout] = ()) -> Stages:
        """The vectors of texts of one length on their way through it."""
        return vectors.stages(self._foreign, torch.tensor(ids), sites=self._sites, knockouts=knockouts)

    def trace(self, side: Side) -> Trace:
        """What it attends to when it reads a text."""
        given = reading.of_inputs(self._foreign, {"input_ids": torch.tensor([side.ids])})
        trace = record(self._foreign, given, keep="weights")[0]
        self._sites = trace.sites
        return trace
