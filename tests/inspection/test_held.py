"""What a trace holds: 16 bits until somebody looks, the same numbers then, and no larger tensor behind it."""

from itertools import pairwise

import numpy as np
import pytest
import torch

from regard.core.recipe import Recipe
from regard.inspection.held import Held
from regard.inspection.keeping import Keeper
from regard.inspection.record import record, teacher_forced
from regard.inspection.trace import Sequence, Trace
from regard.inspection.visit import SAMPLED, Visit, sampled
from regard.models.gpt import Gpt, gpt2
from regard.tasks.translation import given_side
from toy import tokenizer, translator


def gpt() -> Gpt:
    torch.manual_seed(1)
    return Gpt(gpt2(vocab_size=11, max_len=13, d_model=8, n_layers=1, n_heads=2)).eval()


def recorded(model: Gpt) -> Trace:
    ids = (1, 2, 3, 4, 5, 6, 7)
    side = Sequence("", tuple(map(str, ids)), ids, tuple(range(7)), ((0, 0),) * 7)
    return record(model, {"read": side}, name="toy", fingerprint="")


NUMBERS = torch.linspace(-3, 5, 24).reshape(2, 3, 4)


@pytest.mark.parametrize("kind", [torch.float32, torch.bfloat16, torch.float16])
def test_what_is_looked_at_is_float32_with_the_same_values(kind: torch.dtype) -> None:
    held = Held()
    held.add("query", NUMBERS.to(kind))
    assert held["query"].dtype == np.float32
    np.testing.assert_array_equal(held["query"], NUMBERS.to(kind).float().numpy())
    assert held["query"] is held["query"]  # one array, however often it is asked for


def test_whole_numbers_stay_whole() -> None:
    held = Held()
    held.add("visible/0", torch.tensor([[0, 1]], dtype=torch.int32))
    held.add("visible/1", torch.tensor([[True]]))
    assert [held[name].dtype for name in held] == [np.int32, np.bool_]


def test_sixteen_bits_are_held_until_somebody_looks() -> None:
    held, query = Held(), torch.ones(2, 3, 4, dtype=torch.bfloat16)
    held.add("query", query)
    query[0, 0, 0] = 7  # no copy was made
    assert held["query"][0, 0, 0] == 7
    query[0, 0, 0] = 9  # now there is one
    assert held["query"][0, 0, 0] == 7


@pytest.mark.parametrize("kind", [torch.float32, torch.bfloat16])
def test_nothing_of_a_larger_tensor_is_kept(kind: torch.dtype) -> None:
    held, made = Held(), torch.ones(2, 3, 3 * 4, dtype=kind)
    held.add("query", made[..., :4])
    made[:] = 7
    assert (held["query"] == 1).all()
    assert held["query"].base is None or held["query"].base.nbytes == held["query"].nbytes


def test_what_is_written_into_one_trace_reaches_no_other() -> None:
    model = gpt()
    one = recorded(model)
    one.tensors["visible/0"][:] = [0, 1]
    two = recorded(model)
    np.testing.assert_array_equal(two.tensors["visible/0"][:, 1], np.arange(1, 8))


def test_a_scorer_that_learns_on_changes_no_trace() -> None:
    """Additive attention's v is a parameter, and stands in the recipe."""
    held = Keeper(("query", "key"))
    vector = torch.ones(4)
    name = held._shelved("vector", vector)
    vector.zero_()
    assert name is not None
    assert (held.tensors[name] == 1).all()


@pytest.mark.parametrize("count", [1, 2, 31, 32, 33, 62, 63, 64, 65, 100, 512, 1000, 8192])
def test_sampled_queries_are_spread_evenly_from_the_first_to_the_last(count: int) -> None:
    rows = sampled(count).tolist()
    assert len(rows) == min(count, SAMPLED)
    assert (rows[0], rows[-1]) == (0, count - 1)
    assert len({b - a for a, b in pairwise(rows)}) <= 2


@pytest.mark.parametrize("wrong", [slice(0, 1), slice(0, 30), slice(61, 62)])
def test_a_fault_at_either_end_of_a_short_text_is_caught(wrong: slice) -> None:
    torch.manual_seed(3)
    query, key, value = torch.randn(3, 1, 2, 62, 8)
    context = ((query @ key.transpose(-1, -2)).softmax(-1) @ value).clone()
    assert Visit(query, key, value, context, Recipe()).row(0).deviation() < 1e-5
    context[..., wrong, :] += 1
    assert Visit(query, key, value, context, Recipe()).row(0).deviation() > 0.1


@pytest.mark.parametrize("keep", ["qk", "weights", "steps", "statistics"])
def test_an_additive_translator_in_sixteen_bits_is_recorded(keep: str) -> None:
    """Its scorer is held in float32 beside queries and keys of 16 bits, or the other way round."""
    model = translator(vocab_size=tokenizer().vocab_size, attention="additive").bfloat16().eval()
    sides = (given_side(text, tokenizer().encode(text)) for text in ("ant bee cat dog", "cat"))
    trace = record(model, teacher_forced(*sides, 2), name="toy", fingerprint="", keep=keep)
    assert trace.check.deviation <= trace.check.tolerance
