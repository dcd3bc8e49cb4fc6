"""The vectors of any model's tokens: ours and those of `transformers` through one small door."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch

from regard.core.errors import BadInput
from regard.inspection import record as own
from regard.inspection import vectors
from regard.inspection.keeping import Choice
from regard.inspection.knockout import Knockout
from regard.inspection.trace import READ, Trace
from regard.inspection.trace import Sequence as Side
from regard.inspection.vectors import Reader, Stages
from regard.models.gpt import Gpt
from regard.models.transformer import Transformer
from regard.tasks.generation import Generator
from regard.tasks.reading import text_side
from regard.tasks.recording import opened
from regard.tasks.translation import Translator, given_side
from regard.text.tokenizers import START


def reader(model: Any, tokenizer: Any = None) -> Reader:
    """What `regard.record` takes, as a reader.

    Raises:
        BadInput: `senses_layers`: a model without layers of attention that read; what `recording.opened` raises.
    """
    of = opened(model, tokenizer)
    if isinstance(of, Translator | Generator):
        return _Own(of)
    from regard.tasks.foreign_reader import Theirs

    return Theirs(of)


class _Own:
    """A model of ours."""

    def __init__(self, of: Translator | Generator) -> None:
        if not isinstance(of.model, Gpt | Transformer):
            raise BadInput("senses_layers", name=of.name)
        self._of, self.name = of, of.name
        self.longest: int | None = of.model.config.max_len
        self._stack = "decoder" if isinstance(of.model, Gpt) else "encoder"

    def side(self, text: str) -> Side:
        """A text as it reads it."""
        if isinstance(self._of, Generator):
            return text_side(text, self._of.tokenizer)
        return given_side(text, self._of.tokenizer.encode(text))

    def stages(self, ids: Sequence[Sequence[int]], knockouts: Sequence[Knockout] = ()) -> Stages:
        """The vectors of texts of one length on their way through it."""
        device = next(self._of.model.parameters()).device
        inputs = [torch.tensor(ids, device=device)]
        if self._stack == "encoder":
            inputs.append(torch.full((len(ids), 1), START, device=device))
        return vectors.stages(self._of.model, inputs, self._stack, knockouts=knockouts)

    def trace(self, side: Side) -> Trace:
        """What it attends to when it reads a text."""
        nothing = replace(side, tokens=side.tokens[-1:], ids=side.ids[-1:], words=(0,), spans=((0, 0),), kinds=())
        sides = {READ: side} if self._stack == "decoder" else own.teacher_forced(side, nothing, START)
        who: dict[str, Any] = {"name": self.name, "fingerprint": self._of.fingerprint}
        return own.record(self._of.model, sides, **who, keep="weights", choice=Choice(parts=[self._stack]))
