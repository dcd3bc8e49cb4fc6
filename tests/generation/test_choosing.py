"""Which token comes next: by hand, and against `transformers`' processors."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from transformers.generation import logits_process as theirs

from regard.generation.choosing import Choice, chance

NEVER = float("-inf")
ROWS, VOCAB = 3, 23


def logits(seed: int = 5) -> torch.Tensor:
    return 3 * torch.randn(ROWS, VOCAB, generator=torch.Generator().manual_seed(seed))


def seen_in(read: torch.Tensor) -> torch.Tensor:
    return torch.zeros(len(read), VOCAB, dtype=torch.bool).scatter(1, read, True)


def by_transformers(how: Choice, scores: torch.Tensor, read: torch.Tensor) -> torch.Tensor:
    """Their processors in the order of their `_get_logits_processor`."""
    steps: list[theirs.LogitsProcessor] = []
    if how.repetition_penalty != 1.0:
        steps.append(theirs.RepetitionPenaltyLogitsProcessor(how.repetition_penalty))
    if how.temperature != 1.0:
        steps.append(theirs.TemperatureLogitsWarper(how.temperature))
    if how.top_k is not None:
        steps.append(theirs.TopKLogitsWarper(how.top_k))
    if how.top_p < 1.0:
        steps.append(theirs.TopPLogitsWarper(how.top_p))
    if how.min_p > 0.0:
        steps.append(theirs.MinPLogitsWarper(how.min_p))
    for step in steps:
        scores = step(read, scores)
    return scores


@given(
    st.floats(0.1, 3.0),
    st.none() | st.integers(1, 29),
    st.floats(0.01, 1.0),
    st.floats(0.0, 1.0),
    st.floats(0.3, 3.0),
    st.integers(0, 1000),
)
def test_the_numbers_are_those_of_transformers(
    temperature: float, top_k: int | None, top_p: float, min_p: float, penalty: float, seed: int
) -> None:
    how = Choice(False, temperature, top_k, top_p, min_p, penalty)
    read = torch.randint(VOCAB, (ROWS, 7), generator=torch.Generator().manual_seed(seed))
    ours = how.adjusted(logits(seed), seen_in(read))
    assert torch.equal(ours, by_transformers(how, logits(seed), read))
    assert ours.isfinite().any(-1).all()


def probabilities(how: Choice, given: list[float]) -> list[float]:
    return how.adjusted(torch.tensor([given]).log()).softmax(-1)[0].tolist()


LIKELY = [0.1, 0.4, 0.3, 0.2]


@pytest.mark.parametrize(
    ("how", "expected"),
    [
        (Choice(), LIKELY),
        (Choice(temperature=0.5), [1 / 30, 16 / 30, 9 / 30, 4 / 30]),
        (Choice(temperature=1e-9), [0, 1, 0, 0]),
        (Choice(temperature=1e-300), [0, 1, 0, 0]),  # 0 in float32: what divides logits stays a number
        (Choice(top_k=2), [0, 4 / 7, 3 / 7, 0]),
        (Choice(top_p=0.65), [0, 4 / 7, 3 / 7, 0]),
        (Choice(top_p=0.75), [0, 4 / 9, 3 / 9, 2 / 9]),
        (Choice(top_p=0.01), [0, 1, 0, 0]),
        (Choice(min_p=0.6), [0, 4 / 7, 3 / 7, 0]),
        (Choice(min_p=1.0), [0, 1, 0, 0]),
        (Choice(top_k=3, top_p=0.7), [0, 4 / 7, 3 / 7, 0]),  # 4/9 + 3/9 ≥ 0.7 once the fourth has gone
        (Choice(forbidden=(1, 0)), [0, 0, 3 / 5, 2 / 5]),
    ],
)
def test_by_hand(how: Choice, expected: list[float]) -> None:
    assert probabilities(how, LIKELY) == pytest.approx(expected, abs=1e-6)


def test_what_was_seen_is_penalised_whatever_its_sign() -> None:
    seen = torch.tensor([[True, True, False]])
    scores = Choice(greedy=True, repetition_penalty=2.0).adjusted(torch.tensor([[3.0, -3.0, 1.0]]), seen)
    assert scores.tolist() == [[1.5, -6.0, 1.0]]


def test_what_is_given_stays_as_it_is() -> None:
    scores = logits()
    Choice(False, 0.5, 3, 0.5, 0.1, 2.0, (1,)).adjusted(scores, torch.ones_like(scores, dtype=torch.bool))
    assert torch.equal(scores, logits())


def test_greedy_takes_the_likeliest_that_is_allowed() -> None:
    given = torch.tensor([[1.0, 3.0, 2.0]])
    assert Choice(greedy=True).luck([chance(0)], given) is None
    assert Choice(greedy=True).pick(given, None).tolist() == [1]
    assert Choice(greedy=True, forbidden=(1,)).pick(given, None).tolist() == [2]


def test_draws_come_as_often_as_they_are_likely() -> None:
    """20,000 draws: each share lies within five standard deviations."""
    n = 20_000
    source = np.random.default_rng(7)
    how = Choice(top_k=3)
    given = torch.tensor([LIKELY]).log().expand(n, -1)
    drawn = how.pick(given, how.luck([source] * n, given))
    shares = np.bincount(drawn.numpy(), minlength=4) / n
    expected = np.array([0, 4 / 9, 3 / 9, 2 / 9])
    assert (np.abs(shares - expected) <= 5 * np.sqrt(expected * (1 - expected) / n)).all(), shares


class Fixed:
    """A source of chance that always says the same."""

    def __init__(self, *numbers: float) -> None:
        self.numbers = numbers

    def standard_exponential(self, size: int) -> np.ndarray:
        return np.array(self.numbers)


@pytest.mark.parametrize(
    ("numbers", "expected"),
    [
        ((0.0, 1.0, 1.0, 0.0), 1),  # the largest luck there is, of what was cut
        ((0.0, 1.0, 0.74, 0.0), 2),  # 0.3 / 0.74 > 0.4
        ((0.0, 1.0, 0.76, 0.0), 1),
        ((0.0, 800.0, 900.0, 0.0), 1),
        ((1.0, 0.0, 1.0, 1.0), 1),
    ],
)
def test_the_largest_share_over_its_number_is_drawn_and_never_what_was_cut(
    numbers: tuple[float, ...], expected: int
) -> None:
    how, given = Choice(top_k=2), torch.tensor([LIKELY]).log()
    assert how.pick(given, how.luck([Fixed(*numbers)], given)).tolist() == [expected]  # type: ignore[list-item]


def test_each_row_asks_its_own_source() -> None:
    given = logits()
    together = Choice().luck([chance(3, i) for i in range(ROWS)], given)
    alone = [Choice().luck([chance(3, i)], row[None]) for i, row in enumerate(given)]
    assert torch.equal(together, torch.cat(alone))  # type: ignore[arg-type]


def test_logits_that_differ_a_little_choose_the_same_nearly_always() -> None:
    """What drafts live from; by the sum of probabilities up to each token, three in four would be the same."""
    given = logits().repeat(1, 29)
    near = given + 0.03 * torch.randn(given.shape, generator=torch.Generator().manual_seed(1))
    lucks = [Choice().luck([chance(seed)] * ROWS, given) for seed in range(100)]
    same = [(Choice().pick(given, luck) == Choice().pick(near, luck)).float().mean() for luck in lucks]
    assert float(torch.stack(same).mean()) > 0.95


def test_seeds_and_samples_differ() -> None:
    numbers = {(seed, n): chance(seed, n).random() for seed in range(7) for n in range(5)}
    assert len(set(numbers.values())) == 35
    assert numbers[3, 2] == chance(3, 2).random()
