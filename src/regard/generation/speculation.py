"""Writing with drafts: a lighter model guesses the next tokens, one by one; the model itself reads them all at once,
for about what one costs, and decides. So several tokens are written for each time that its weights are read.

After Leviathan et al. 2023 and Chen et al. 2023, but what is written is the same to the token as without drafts, drawn
texts too: whoever chooses the n-th token, drafting or deciding, chooses with the same luck, and a draft is kept where
the model itself chooses just that token. What decides, and every log-probability, is the model's own.

The lighter model shares the state: it looks at the keys and values that the model made, adds its own for what it
drafts, and these are forgotten before the model reads.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from regard.core.protocols import Reader, Recalling
from regard.generation.choosing import Choice
from regard.generation.writing import Line, told

MOST = 7
"""Drafts of a round at most: with the token before them the eight rows that are read in about the time of one."""

_BEGIN = 4
_TRIAL = 40
_LEAST = 0.3
"""Of the first drafts so many must be right on the whole, else no more are made: below it they cost what they save."""


@dataclass
class _Pace:
    """How many drafts a round makes: one more than were right in the last."""

    depth: int = _BEGIN
    made: int = 0
    right: int = 0

    def learn(self, made: int, right: int) -> None:
        self.made, self.right = self.made + made, self.right + right
        hopeless = self.made >= _TRIAL and self.right < _LEAST * self.made
        self.depth = 0 if hopeless else min(MOST, right + 1)


@dataclass
class _Chooser:
    """Chooses for one line: for each place with the luck of that place, whoever asks and how often."""

    line: Line
    how: Choice
    _lucks: list[Tensor | None] = field(default_factory=list)

    def pick(self, logits: Tensor, ahead: Sequence[Tensor] = ()) -> Tensor:
        """The id (1,) that follows the line and what was drafted after it."""
        if len(self._lucks) <= len(ahead):
            self._lucks.append(self.how.luck([self.line.chance], logits))
        seen = None
        if self.how.repetition_penalty != 1.0:
            seen = torch.zeros_like(logits, dtype=torch.bool)
            seen[0, [*self.line.read, *self.line.ids, *map(int, ahead)]] = True
        return self.how.pick(logits, self._lucks[len(ahead)], seen)

    def take(self, logits: Tensor) -> Tensor:
        """The line's next id (1,), which it takes."""
        id_ = self.pick(logits)
        self._lucks.pop(0)
        told([self.line], id_, logits)
        return id_


@torch.inference_mode()
def write(decoder: Reader, draft: Reader, state: Recalling, first: Tensor, line: Line, how: Choice) -> Iterator[None]:
    """Give a line its next token, again and again, until it has ended: those that `writing.write` gives it.

    Args:
        decoder: decides.
        draft: guesses; what it reads with `step` it writes into the decoder's own state.
        state: where the decoder stands, of one row; it is spent.
        first: (1,), what is read first.

    Raises:
        Failure: `logits_not_finite`.
    """
    chooser, pace, last = _Chooser(line, how), _Pace(), first
    while line.ended is None:
        room = line.limit - len(line.ids) - 1
        drafts, state = _drafted(draft, state, last, min(pace.depth, room), chooser)
        logits, state = decoder.read(state, torch.cat([last, *drafts])[None])
        right = 0
        for said in logits[0].float().split(1):
            last = chooser.take(said)
            yield
            if line.ended is not None:
                return
            if right == len(drafts) or not torch.equal(last, drafts[right]):
                break
            right += 1
        state = state.forget(len(drafts) - right)
        pace.learn(len(drafts), right)


def _drafted(
    draft: Reader, state: Recalling, last: Tensor, count: int, chooser: _Chooser
) -> tuple[list[Tensor], Recalling]:
    """Drafts of the next tokens, each (1,), and the state as it was; none follows one that ends the text."""
    drafts: list[Tensor] = []
    while len(drafts) < count and not (drafts and int(last) in chooser.line.ends):
        logits, state = draft.step(state, last)
        last = chooser.pick(logits.float(), drafts)
        drafts.append(last)
    return drafts, state.forget(len(drafts))
