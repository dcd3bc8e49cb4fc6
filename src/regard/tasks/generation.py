"""Continue a text. What the command line and Python show is made here, once."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, TypedDict, Unpack

from regard.core.errors import BadInput
from regard.core.nearest import one_of
from regard.generation.continuing import Continued, Manner, Speaker, continued, stream
from regard.generation.writing import Ended
from regard.models import catalogue, folder
from regard.models.gpt import Gpt
from regard.models.weights import KINDS, drafting, lighten, twin
from regard.tasks.manners import Manners, manners
from regard.text.lines import typed

_LONG = 32
"""Tokens from which on it pays to lay out weights."""


class How(TypedDict, total=False):
    """How to write; see `Manners` for what each means."""

    max_tokens: int
    greedy: bool
    beam: int
    length_penalty: float
    temperature: float | None
    top_k: int | None
    top_p: float | None
    min_p: float | None
    repetition_penalty: float | None
    seed: int | None
    stop: Sequence[str]
    samples: int
    n_best: int


@dataclass(frozen=True)
class Prompt:
    """A prompt as the model reads it: its ids, with the token that begins each text, and the signs it does not know."""

    text: str
    ids: list[int]
    unknown: tuple[str, ...] = ()


@dataclass(frozen=True)
class Continuation:
    """What a model wrote after a prompt.

    Attributes:
        prompt: the prompt.
        text: the continuation alone, without the end token or the stop string.
        tokens, ids: all that was written, with what ended it.
        log_probs: how likely the model held each, in nats, before any temperature, cut or penalty.
        ended: why: `end` (the end token), `stop` (a stop string), `length` (max_tokens), `context` (the model reads no
            more).
        score: the sum of log_probs / length**length_penalty.
        seed: what decided the draws; None where nothing was drawn.
        unknown: characters of the prompt that the tokenizer lacks.
    """

    prompt: str
    text: str
    tokens: list[str]
    ids: list[int]
    log_probs: list[float]
    ended: Ended
    score: float
    seed: int | None = None
    unknown: tuple[str, ...] = field(default=(), repr=False)

    def json(self) -> dict[str, Any]:
        """The continuation as the command's JSON holds it."""
        return {name: value for name, value in asdict(self).items() if name != "unknown"}


class Generator:
    """A language model, ready to run. Final; made by `load`; `kind` says what its weights were made."""

    def __init__(self, loaded: folder.Loaded, kind: str = "fp32") -> None:
        self.model: Any = loaded.model
        self.kind = kind
        self._draft: Any | None = None
        self.tokenizer: Any = loaded.tokenizer
        self.name, self.fingerprint = loaded.name, loaded.fingerprint

    def generate(
        self, prompts: str | Iterable[str | Prompt], *, done: Callable[[int], None] | None = None, **how: Unpack[How]
    ) -> Any:
        """Continue a prompt, or each of several.

        Args:
            prompts: where each text begins, as text or as `read` gave it.
            done: told how many more are finished, as they are.
            how: `max_tokens`, `greedy`, `temperature` … as `Manners` says.

        Returns:
            A `Continuation`, or a list of them, one for each prompt; where `samples` or `n_best` ask for more than one,
            a list of them for each.

        Raises:
            BadInput: a choice out of range, an empty prompt that nothing can begin, one longer than the model reads.
        """
        if isinstance(prompts, str) or not isinstance(prompts, Iterable):
            return self.generate([prompts], done=done, **how)[0]
        asked = manners(**how)
        plan = asked.manner(self.forbidden)
        read = [each if isinstance(each, Prompt) else self.read(each, n) for n, each in enumerate(prompts, start=1)]
        speaker = self._speaker(plan, alone=len(read) == plan.count == plan.beam == 1)
        found = continued(speaker, [prompt.ids for prompt in read], plan, done=done)
        made = [[self.made(prompt, each, asked, plan) for each in one] for prompt, one in zip(read, found, strict=True)]
        return made if plan.count > 1 else [one[0] for one in made]

    def stream(self, prompt: str, **how: Unpack[How]) -> "Stream":
        """Continue a prompt piece by piece, as the text becomes certain.

        Raises:
            BadInput: as `generate`; a beam, or several samples, cannot be streamed.
        """
        asked = manners(**how)
        if asked.beam > 1 or asked.samples > 1:
            raise BadInput("stream_of_many")
        return Stream(self, self.read(prompt), asked)

    def read(self, text: str, number: int = 1) -> Prompt:
        """A prompt as ids; `number` names it in errors."""
        text = typed(text).text
        start, ends = self.tokenizer.start, self.tokenizer.ends
        ids = [*([] if start is None else [start]), *self.tokenizer.encode(text).ids] or list(ends[:1])
        if not ids:
            raise BadInput("prompt_empty", name=self.name)
        longest = self.model.config.max_len
        if len(ids) > longest:
            raise BadInput("prompt_too_long", number=number, tokens=len(ids), name=self.name, longest=longest)
        return Prompt(text, ids, self.tokenizer.lacking(text))

    @property
    def forbidden(self) -> tuple[int, ...]:
        """No model means to write that it does not know a sign."""
        return () if self.tokenizer.unknown is None else (self.tokenizer.unknown,)

    def _speaker(self, plan: Manner, *, alone: bool) -> Speaker:
        """Where many tokens may be written, the model laid out for it; of one text with drafts, if they pay."""
        model, draft, ends = self.model, None, self.tokenizer.ends
        if self._plain and plan.max_tokens >= _LONG:
            draft = self._drafting(min(plan.max_tokens, model.config.max_len)) if alone else None
            model = self._laid
        return Speaker(model, self.tokenizer.decode, model.config.max_len, ends, draft)

    @cached_property
    def _laid(self) -> Any:
        return twin(self.model, "fp32")

    def _drafting(self, tokens: int) -> Any | None:
        """The twin that drafts, made once."""
        self._draft = self._draft or drafting(self.model, tokens)
        return self._draft

    @property
    def _plain(self) -> bool:
        """Whether its weights are as they were loaded, on this processor."""
        return isinstance(self.model, Gpt) and self.kind == "fp32" and self.model.embedding.weight.is_cpu

    def made(self, prompt: Prompt, found: Continued, asked: Manners, plan: Manner) -> Continuation:
        """What was written, as it is handed out."""
        score = sum(found.log_probs) / len(found.ids) ** plan.length_penalty
        facts = {"score": score, "seed": plan.seed if asked.drawn else None, "unknown": prompt.unknown}
        tokens = self.tokenizer.tokens(found.ids)
        return Continuation(prompt.text, found.text, tokens, found.ids, found.log_probs, found.ended, **facts)


class Stream:
    """The pieces of a continuation, each given once; `continuation` is the whole when all are. Final."""

    def __init__(self, generator: Generator, prompt: Prompt, asked: Manners) -> None:
        self.prompt, self.continuation = prompt, None
        self._pieces = self._flow(generator, asked)

    continuation: Continuation | None

    def __iter__(self) -> Iterator[str]:
        return self._pieces

    def _flow(self, generator: Generator, asked: Manners) -> Iterator[str]:
        plan = asked.manner(generator.forbidden)
        found = yield from stream(generator._speaker(plan, alone=True), self.prompt.ids, plan)
        self.continuation = generator.made(self.prompt, found, asked, plan)


def load(name: str | Path, *, weights: str = "fp32") -> Generator:
    """A language model: a bundled name, a model folder, or the folder of a training run (its best model).

    Args:
        weights: `fp32`, or for speed `bf16` or `int8`: see `models.weights`.

    Raises:
        BadInput: `not_a_generator`: the model is of another family; `weights_kernel`: not on this processor.
    """
    kind = one_of(weights, KINDS, "--weights")
    loaded = folder.load(catalogue.find(str(name)), Path(name).name)
    if not isinstance(loaded.model, Gpt):
        raise BadInput("not_a_generator", name=loaded.name)
    if kind != "fp32":
        lighten(loaded.model, kind)
    return Generator(loaded, kind)
