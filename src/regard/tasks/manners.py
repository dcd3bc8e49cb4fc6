"""How a person asks for text to be written: the choices of `generate` and of sampled translations, and their rules."""

import secrets
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from regard.core.errors import BadInput
from regard.generation.choosing import Choice
from regard.generation.continuing import Manner
from regard.tasks.run_choices import valid

_DRAWS = ("temperature", "top_k", "top_p", "min_p")


class Chances(BaseModel):
    """What shapes a draw; None where it was not asked for.

    Attributes:
        temperature: logits are divided by it.
        top_k: only the k likeliest tokens.
        top_p: only the likeliest tokens that together have this probability.
        min_p: only tokens at least this share as likely as the likeliest.
        repetition_penalty: above 1, what was read or written becomes less likely; greedy choices heed it too.
        seed: the same seed, the same text; None for a new one, which is told.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    temperature: float | None = Field(default=None, gt=0, le=100)
    top_k: int | None = Field(default=None, ge=1)
    top_p: float | None = Field(default=None, gt=0, le=1)
    min_p: float | None = Field(default=None, ge=0, le=1)
    repetition_penalty: float | None = Field(default=None, gt=0, le=100)
    seed: int | None = Field(default=None, ge=0, lt=2**63)

    def choice(self, *, greedy: bool = False, temperature: float = 1.0, forbidden: tuple[int, ...] = ()) -> Choice:
        """How each token is chosen; at this `temperature` where none was asked for."""
        given: dict[str, Any] = self.model_dump(include={*_DRAWS, "repetition_penalty"}, exclude_none=True)
        return Choice(**{"greedy": greedy, "temperature": temperature, "forbidden": forbidden, **given})

    def seeded(self) -> int:
        """The seed that was asked for, or a new one, short enough to be typed again."""
        return secrets.randbelow(2**31) if self.seed is None else self.seed

    def only_with(self, other: str, *, unlike: tuple[str, ...] = _DRAWS) -> None:
        """Refuse options that `other` leaves without effect.

        Raises:
            BadInput: `options_apart`.
        """
        for name in unlike:
            if getattr(self, name) is not None:
                raise BadInput("options_apart", one=option(name), other=other)


class Manners(Chances):
    """How `generate` writes.

    Attributes:
        max_tokens: at most so many tokens.
        greedy: always the likeliest token.
        beam: search with so many hypotheses; 1 searches not.
        length_penalty: hypotheses are compared by log-probability / length**length_penalty.
        stop: the text ends before the first of these strings.
        samples: so many draws of each prompt.
        n_best: so many of the search's hypotheses, best first.
    """

    max_tokens: int = Field(default=200, ge=1, le=10_000_000)
    greedy: bool = False
    beam: int = Field(default=1, ge=1, le=100)
    length_penalty: float = Field(default=1.0, ge=-10, le=10)
    stop: tuple[str, ...] = ()
    samples: int = Field(default=1, ge=1, le=1000)
    n_best: int = Field(default=1, ge=1)

    @property
    def drawn(self) -> bool:
        """Whether chance decides anything."""
        return not self.greedy and self.beam == 1

    def manner(self, forbidden: tuple[int, ...] = ()) -> Manner:
        """The same, as generation takes it."""
        choice = self.choice(greedy=self.greedy, temperature=0.8, forbidden=forbidden)
        count = self.n_best if self.beam > 1 else self.samples
        return Manner(choice, self.beam, self.length_penalty, count, self.max_tokens, self.stop, self.seeded())


def manners(**asked: Any) -> Manners:
    """The choices of `generate`, if they can be together.

    Raises:
        BadInput: one breaks its rule; two that exclude each other; more of the best than the search keeps.

    >>> manners(greedy=True, max_tokens=5).drawn
    False
    """
    asked = {name: tuple(value) if name == "stop" else value for name, value in asked.items()}
    how = valid(Manners, asked)
    if not all(how.stop):
        raise BadInput("stop_empty")
    if how.greedy:
        how.only_with("--greedy")
    _held_apart(how)
    if how.n_best > how.beam:
        raise BadInput("n_best", n_best=how.n_best, beam=how.beam)
    return how


def _held_apart(how: Manners) -> None:
    """A search draws nothing, looks for no stop string, and compares the model's own probabilities."""
    if how.greedy and how.samples > 1:
        raise BadInput("options_apart", one="--samples", other="--greedy")
    if how.beam == 1:
        return
    how.only_with("--beam", unlike=(*_DRAWS, "repetition_penalty"))
    for name, given in {"greedy": how.greedy, "stop": how.stop, "samples": how.samples > 1}.items():
        if given:
            raise BadInput("options_apart", one=option(name), other="--beam")


def option(name: str) -> str:
    """What the command line calls a choice."""
    return "--" + name.replace("_", "-")
