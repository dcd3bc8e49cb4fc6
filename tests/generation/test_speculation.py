"""Drafts change nothing but the time: ids, log-probabilities, ends, the order of a stream are those without them."""

from copy import deepcopy
from dataclasses import replace
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from test_continuing import FORMS, LONGEST, VOCAB
from test_continuing import speaker as plain

from regard.core.errors import Failure
from regard.core.tap import tapped
from regard.generation import speculation
from regard.generation.choosing import Choice
from regard.generation.continuing import Continued, Manner, Speaker, continued, stream


def exact(form: str = "gpt2", ends: tuple[int, ...] = (1, 29)) -> Speaker:
    """In float64, where no two logits are so near that the order of a sum decides."""
    who = plain(form, ends)
    who.model.double()  # type: ignore[attr-defined]
    return who


def drafted(form: str, noise: float, ends: tuple[int, ...] = (1, 29)) -> Speaker:
    """A draft that is the model but for some noise in its weights: 0 is always right, 1 hardly ever."""
    who = exact(form, ends)
    draft: Any = deepcopy(who.model)
    source = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for each in draft.parameters():
            each.add_(noise * each.std() * torch.randn(each.shape, generator=source, dtype=each.dtype))
    return replace(who, draft=draft)


def same(ours: Continued, other: Continued) -> None:
    assert (ours.ids, ours.text, ours.ended) == (other.ids, other.text, other.ended)
    assert ours.log_probs == pytest.approx(other.log_probs, abs=1e-5)


CHOICES = st.builds(
    Choice,
    greedy=st.booleans(),
    temperature=st.sampled_from([0.5, 1.0, 1.7]),
    top_k=st.none() | st.integers(1, VOCAB),
    top_p=st.sampled_from([1.0, 0.9, 0.5]),
    min_p=st.sampled_from([0.0, 0.05]),
    repetition_penalty=st.sampled_from([1.0, 1.3, 0.8]),
    forbidden=st.sampled_from([(), (3, 5)]),
)
PROMPTS = st.lists(st.integers(0, VOCAB - 1), min_size=1, max_size=LONGEST)


@settings(deadline=None, max_examples=60)
@given(
    st.sampled_from(sorted(FORMS)),
    st.sampled_from([0.0, 0.03, 0.3, 1.0]),
    PROMPTS,
    CHOICES,
    st.sampled_from([(), ("a",), ("bc", "<9>", "zz")]),
    st.integers(1, LONGEST + 9),
    st.integers(0, 5),
)
def test_the_text_is_that_without_drafts(
    form: str, noise: float, prompt: list[int], how: Choice, stops: tuple[str, ...], most: int, seed: int
) -> None:
    """With any draft, to the end of what the model reads, and piece by piece."""
    manner = Manner(how, max_tokens=most, stops=stops, seed=seed)
    expected, found = _streamed(exact(form), prompt, manner), _streamed(drafted(form, noise), prompt, manner)
    assert found[0] == expected[0]
    same(found[1], expected[1])
    same(continued(drafted(form, noise), [prompt], manner)[0][0], expected[1])


def _streamed(who: Speaker, prompt: list[int], how: Manner) -> tuple[list[str], Continued]:
    pieces, flow = [], stream(who, prompt, how)
    while True:
        try:
            pieces.append(next(flow))
        except StopIteration as end:
            return pieces, end.value


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("noise", [0.0, 0.1])
def test_in_fp32_too(form: str, noise: float) -> None:
    """Of weights as a model begins with, whose numbers are no larger than they are in use."""
    who, how = drafted(form, noise, ends=()), Manner(max_tokens=LONGEST, seed=1)
    for model in (who.model, who.draft):
        for each in model.float().parameters():  # type: ignore[union-attr]
            each.data.div_(5.0)
    same(continued(who, [[5, 7]], how)[0][0], continued(replace(who, draft=None), [[5, 7]], how)[0][0])


class Counting:
    """A reader that counts how often it reads, and how much at once."""

    def __init__(self, model: Any) -> None:
        self.model, self.read_at_once, self.steps = model, [], 0

    def start(self, *given: Any) -> Any:
        return self.model.start(*given)

    def read(self, state: Any, ids: torch.Tensor) -> Any:
        self.read_at_once.append(ids.shape[1])
        return self.model.read(state, ids)

    def step(self, state: Any, ids: torch.Tensor) -> Any:
        self.steps += 1
        return self.model.step(state, ids)


@pytest.fixture
def counted() -> Any:
    def count(noise: float, most: int, how: Choice | None = None) -> tuple[list[int], int]:
        who = drafted("gpt2", noise, ends=())
        model, draft = Counting(who.model), Counting(who.draft)
        continued(replace(who, model=model, draft=draft), [[5]], Manner(how or Choice(greedy=True), max_tokens=most))
        return model.read_at_once, draft.steps

    return count


@pytest.mark.parametrize("how", [Choice(greedy=True), Choice(), Choice(repetition_penalty=1.3)])
def test_right_drafts_are_kept_and_a_round_grows(counted: Any, how: Choice) -> None:
    """4 drafts and the token before; then one more than were right; at the end no more than may be written."""
    assert counted(0.0, 26, how) == ([5, 6, 7, 8], 4 + 5 + 6 + 7)
    assert counted(0.0, 7, how) == ([5, 2], 4 + 1)
    assert counted(0.0, 1, how) == ([1], 0)


def test_drafts_that_are_never_right_are_given_up(counted: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(speculation, "_TRIAL", 9)
    sizes, steps = counted(3.0, LONGEST)
    assert steps < 15
    assert sizes[-5:] == [1] * 5


def test_a_fault_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """Were wrong drafts left in the memory, what comes after would not be the same."""
    how = Manner(Choice(greedy=True), max_tokens=20)
    expected = continued(exact(), [[5]], how)[0][0]
    from regard.core.memory import Cache

    monkeypatch.setattr(Cache, "forget", lambda self, count: None)
    found = continued(drafted("gpt2", 1.0), [[5]], how)[0][0]
    assert found.log_probs != pytest.approx(expected.log_probs, abs=1e-5)


def test_nothing_is_drafted_while_somebody_watches_or_of_many() -> None:
    who = drafted("gpt2", 0.0)
    draft = Counting(who.draft)
    with tapped(lambda address, step, tensor: tensor):
        continued(replace(who, draft=draft), [[5]], Manner(max_tokens=9))
    continued(replace(who, draft=draft), [[5], [7]], Manner(max_tokens=9))
    continued(replace(who, draft=draft), [[5]], Manner(beam=2, max_tokens=9))
    assert draft.steps == 0


def test_weights_that_are_not_finite_write_nothing() -> None:
    who = drafted("gpt2", 0.0)
    with torch.no_grad():
        who.model.norm.weight.fill_(float("nan"))  # type: ignore[attr-defined]
    with pytest.raises(Failure) as caught:
        continued(who, [[5]], Manner(max_tokens=9))
    assert caught.value.code == "logits_not_finite"
