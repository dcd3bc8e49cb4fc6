"""Prompts in, continuations out: batches of any lengths, by beam search or token after token, or as a stream."""

from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, field
from typing import cast

import torch
from torch import Tensor

from regard.core.protocols import Decoder, Reader, Recalling, State
from regard.core.tap import active
from regard.generation import speculation
from regard.generation.choosing import Choice, chance
from regard.generation.prose import Prose
from regard.generation.search import Hypothesis, Rules, moved, search
from regard.generation.writing import Ended, Line, write
from regard.text.batches import in_order


@dataclass(frozen=True)
class Speaker:
    """A language model as generation needs it.

    Attributes:
        model: the decoder.
        decode: ids → text.
        longest: how many tokens it reads.
        ends: ids that end a text.
        draft: a lighter model that shares the decoder's states and guesses what a single line writes, if it pays.
    """

    model: Decoder
    decode: Callable[[Sequence[int]], str]
    longest: int
    ends: tuple[int, ...]
    draft: Reader | None = None


@dataclass(frozen=True)
class Manner:
    """How to continue.

    Attributes:
        choice: how each token is chosen.
        beam: hypotheses of a search; 1 for none.
        length_penalty: of that search.
        count: how many continuations of each prompt: samples, or the best of the search.
        max_tokens: the most that are written.
        stops: the text ends before the first of these.
        seed: decides all chance: sample n of a prompt is the same whatever stands beside it.
    """

    choice: Choice = field(default_factory=Choice)
    beam: int = 1
    length_penalty: float = 1.0
    count: int = 1
    max_tokens: int = 200
    stops: tuple[str, ...] = ()
    seed: int = 0


@dataclass(frozen=True)
class Continued:
    """What was written after a prompt: its ids with all that ended it, how likely the model held each, the text."""

    text: str
    ids: list[int]
    log_probs: list[float]
    ended: Ended


class _Page:
    """One continuation while it is written: a line of tokens, and the text that they make."""

    def __init__(self, speaker: Speaker, prompt: Sequence[int], how: Manner, number: int = 0) -> None:
        room = speaker.longest - len(prompt) + 1  # the last token of all is written, and not read
        self._prose = Prose(speaker.decode, prompt, how.stops)
        limit, source = min(room, how.max_tokens), chance(how.seed, number)
        self.line = Line(limit, speaker.ends, source, read=prompt, stops=self._stops)
        self.line.at_limit = "context" if room < how.max_tokens else "length"
        self.pieces: list[str] = []

    def finished(self) -> Continued:
        """All of it, once its line has ended."""
        self.pieces.append(self._prose.close())
        return Continued(self._prose.text, self.line.ids, self.line.log_probs, self.line.ended or self.line.at_limit)

    def _stops(self, id_: int) -> bool:
        self.pieces.append(self._prose.take(id_))
        return self._prose.stopped


def stream(speaker: Speaker, prompt: Sequence[int], how: Manner) -> Generator[str, None, Continued]:
    """One continuation, in pieces of whole characters as they become certain; returned whole at the end."""
    page = _Page(speaker, prompt, how)
    for _ in _flow(speaker, *started(speaker.model, [prompt]), [page.line], how.choice):
        yield "".join(page.pieces)
        page.pieces.clear()
    whole = page.finished()
    yield "".join(page.pieces)
    return whole


def continued(
    speaker: Speaker,
    prompts: Sequence[Sequence[int]],
    how: Manner,
    *,
    batch_tokens: int = 8192,
    done: Callable[[int], None] | None = None,
) -> list[list[Continued]]:
    """The continuations of each prompt: `how.count` samples, or the best of the search, best first.

    Args:
        prompts: ids of each, at least one and at most `speaker.longest`.
        batch_tokens: budget of a batch: rows × longest, with what may be written.
        done: told how many more prompts, or samples of them, are finished.
    """
    rows = [(prompt, number) for prompt in range(len(prompts)) for number in range(1 if how.beam > 1 else how.count)]
    found: list[list[list[Continued]]] = [[[]] * (1 if how.beam > 1 else how.count) for _ in prompts]
    lengths = [how.beam * min(speaker.longest, len(prompts[prompt]) + how.max_tokens) for prompt, _ in rows]
    for group in in_order(lengths, tokens=batch_tokens):
        chosen = [rows[i] for i in group]
        batch = (_searched if how.beam > 1 else _written)(speaker, prompts, chosen, how)
        for (prompt, number), made in zip(chosen, batch, strict=True):
            found[prompt][number] = made
        if done:
            done(len(chosen))
    return [[each for made in one for each in made] for one in found]


@torch.inference_mode()
def started(model: Decoder, prompts: Sequence[Sequence[int]]) -> tuple[State, Tensor]:
    """The decoder after all but the last token of each prompt, and these last tokens (batch,)."""
    device = next(model.parameters()).device if isinstance(model, torch.nn.Module) else torch.device("cpu")
    longest = max(map(len, prompts)) - 1
    ids = torch.zeros(len(prompts), longest, dtype=torch.long)
    real = torch.zeros(len(prompts), longest, dtype=torch.bool)
    for row, prompt in enumerate(prompts):
        first = longest - len(prompt) + 1
        ids[row, first:], real[row, first:] = torch.tensor(prompt[:-1]), True
    state = model.start(ids.to(device), None if real.all() else real.to(device))
    return state, torch.tensor([prompt[-1] for prompt in prompts], device=device)


def _flow(speaker: Speaker, state: State, first: Tensor, lines: Sequence[Line], choice: Choice) -> Iterator[None]:
    """A token a step for each line; a single one is drafted, unless somebody watches."""
    if speaker.draft is None or len(lines) > 1 or active() is not None:
        return write(speaker.model, state, first, lines, choice)
    return speculation.write(
        cast(Reader, speaker.model), speaker.draft, cast(Recalling, state), first, lines[0], choice
    )


_Rows = Sequence[tuple[int, int]]
"""Of each continuation its prompt and which sample of it."""


def _written(speaker: Speaker, prompts: Sequence[Sequence[int]], rows: _Rows, how: Manner) -> list[list[Continued]]:
    """Token after token; a prompt with several samples is read once."""
    different = list(dict.fromkeys(prompt for prompt, _ in rows))
    state, first = started(speaker.model, [prompts[i] for i in different])
    places = torch.tensor([different.index(prompt) for prompt, _ in rows], device=first.device)
    pages = [_Page(speaker, prompts[prompt], how, number) for prompt, number in rows]
    lines = [page.line for page in pages]
    for _ in _flow(speaker, moved(state, places, len(first)), first[places], lines, how.choice):
        pass
    return [[page.finished()] for page in pages]


def _searched(speaker: Speaker, prompts: Sequence[Sequence[int]], rows: _Rows, how: Manner) -> list[list[Continued]]:
    """By beam search."""
    asked = [prompts[prompt] for prompt, _ in rows]
    limits = [_Page(speaker, prompt, how).line.limit for prompt in asked]
    rules = Rules(speaker.ends, how.choice.forbidden, how.beam, how.length_penalty)
    found = search(speaker.model, *started(speaker.model, asked), limits, rules)
    return [
        [_copied(speaker, prompt, how, each) for each in best[: how.count]]
        for prompt, best in zip(asked, found, strict=True)
    ]


def _copied(speaker: Speaker, prompt: Sequence[int], how: Manner, found: Hypothesis) -> Continued:
    """What a search found, with its text."""
    page = _Page(speaker, prompt, how)
    for id_, log_prob in zip(found.ids, found.log_probs, strict=True):
        page.line.take(id_, log_prob)
    return page.finished()
