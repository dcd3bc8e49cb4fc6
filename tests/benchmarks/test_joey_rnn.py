"""The rebuilt peer: the original's size, the same step by step as at once, its own batches and loss."""

import math

import pytest
import torch

from peers import joey_training as joey
from peers.joey_rnn import JoeyRnn, JoeySizes, parameter_count
from regard.text.tokenizers import END, PAD, START

SIZES = {"vocab_size": 17, "d_embedding": 7, "d_model": 22}
FORMS = [(scorer, fed) for scorer in ("bahdanau", "luong") for fed in (True, False)]
SOURCE = [[5, 6, 7, 8, 9], [10, 11, 12], [13]]
TARGET = [[4, 5], [6, 7, 8, 9], [10, 11, 12]]


def peer(scorer: str = "bahdanau", fed: bool = True, **choices: float) -> JoeyRnn:
    torch.manual_seed(3)
    return JoeyRnn(JoeySizes(scorer=scorer, input_feeding=fed, **{**SIZES, **choices})).eval()


@pytest.mark.parametrize(("scorer", "fed"), FORMS)
def test_its_parameters_are_as_many_as_the_formula_says(scorer: str, fed: bool) -> None:
    model = peer(scorer, fed)
    assert sum(p.numel() for p in model.parameters()) == parameter_count(model.sizes)


def test_at_our_sizes_the_formula_gives_what_the_originals_classes_have() -> None:
    """6,918,784 and so on were counted on JoeyNMT 2.3.0's own classes."""
    counted = {("bahdanau", True): 6_918_784, ("bahdanau", False): 6_476_416}
    counted |= {("luong", True): 6_770_944, ("luong", False): 6_328_576}
    assert {form: parameter_count(JoeySizes(5000, scorer=form[0], input_feeding=form[1])) for form in FORMS} == counted


@pytest.mark.parametrize(("scorer", "fed"), FORMS)
def test_step_by_step_says_what_the_whole_says(scorer: str, fed: bool) -> None:
    model, batch = peer(scorer, fed), joey.collated(SOURCE, TARGET)
    logits, weights = model(batch.source, batch.lengths, batch.read)
    assert logits.shape == (3, 5, 17)
    assert weights.shape == (3, 5, 6)
    torch.testing.assert_close(weights.sum(-1), torch.ones(3, 5))
    assert not weights[:, :, 1:][(batch.source[:, None, 1:] == PAD).expand(3, 5, 5)].any()
    order = torch.tensor([2, 0, 1])  # the search gives sources in any order
    state = model.start(batch.source[order])
    for position in range(5):
        one, state = model.step(state, batch.read[order, position])
        torch.testing.assert_close(one, logits[order, position])
    picked = state.select(torch.tensor([1]))
    torch.testing.assert_close(model.step(picked, torch.tensor([4]))[0], model.step(state, torch.full((3,), 4))[0][1:2])


def test_input_feeding_makes_a_difference() -> None:
    """The attentional vector of a step reaches the next one's GRU, or does not."""
    batch = joey.collated(SOURCE, TARGET)
    for fed in (True, False):
        state = peer(fed=fed).start(batch.source)
        other = type(state)(state.hidden, state.fed + 1, state.states, state.keys, state.real)
        one, two = (peer(fed=fed).step(each, batch.read[:, 0])[0] for each in (state, other))
        assert torch.equal(one, two) != fed


def test_a_batch_is_sorted_by_source_and_reads_padding_after_the_end() -> None:
    batch = joey.collated([[5], [6, 7]], [[8, 9, 10], [11]])
    assert batch.source.tolist() == [[6, 7, END], [5, END, PAD]]
    assert batch.lengths.tolist() == [3, 2]
    assert batch.expected.tolist() == [[11, END, PAD, PAD], [8, 9, 10, END]]
    assert batch.read.tolist() == [[START, 11, PAD, PAD], [START, 8, 9, 10]]
    assert batch.tokens == 6


def test_batches_are_closed_when_the_budget_is_reached() -> None:
    """Four sentences of 4 tokens and their end: 2 × 5 = 10 reaches 10; with 11 it takes a third."""
    assert [len(batch) for batch in joey.batches([4] * 4, [2] * 4, tokens=10, seed=1)] == [2, 2]
    assert [len(batch) for batch in joey.batches([2] * 4, [4] * 4, tokens=11, seed=1)] == [3, 1]
    ragged = list(joey.batches(range(1, 30), range(1, 30), tokens=50, seed=1))
    assert sorted(index for batch in ragged for index in batch) == list(range(29))
    assert ragged != list(joey.batches(range(1, 30), range(1, 30), tokens=50, seed=2))


def test_the_loss_is_the_sum_over_real_tokens_plain_and_smoothed() -> None:
    probabilities = torch.tensor([[[0.1, 0.2, 0.3, 0.4], [0.25, 0.25, 0.25, 0.25]]])
    expected = torch.tensor([[2, PAD]])
    assert joey.loss(probabilities.log(), expected, 0.0).item() == pytest.approx(-math.log(0.3))
    wanted = {1: 0.05, 2: 0.9, 3: 0.05}  # 0.1 over the two others; nothing for padding
    by_hand = sum(w * (math.log(w) - math.log(p)) for (_, w), p in zip(wanted.items(), (0.2, 0.3, 0.4), strict=True))
    assert joey.loss(probabilities.log(), expected, 0.1).item() == pytest.approx(by_hand)


def test_training_steps_lower_the_loss() -> None:
    model, recipe, batch = peer(hidden_dropout=0.0), joey.JoeyRecipe(learning_rate=1e-2), joey.collated(SOURCE, TARGET)
    adam = joey.optimizer(model, recipe)
    losses = [joey.step(model, adam, batch, recipe) for _ in range(13)]
    assert losses[-1] < 0.8 * losses[0]
