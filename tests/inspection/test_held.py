"""What a trace holds: 16 bits until somebody looks, the same numbers then, and no larger tensor behind it."""

from itertools import pairwise

import numpy as np
import pytest
import torch

from regard.inspection.held import ALONE, Held
from regard.inspection.visit import SAMPLED, sampled

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


def test_sixteen_bits_are_held_where_they_lie_until_somebody_looks() -> None:
    held, made = Held(), torch.ones(2, 3, 3 * 4, dtype=torch.bfloat16)
    query, key, _ = made.chunk(3, -1)
    held.add("query", query)
    held.add("key", key)
    query[0, 0, 0] = 7  # no copy was made
    assert held["query"][0, 0, 0] == 7
    query[0, 0, 0] = 9  # now there is one
    assert held["query"][0, 0, 0] == 7


def test_a_little_of_a_large_tensor_is_copied_out() -> None:
    held, cache = Held(), torch.ones(2, (ALONE + 1) * 3, 4, dtype=torch.bfloat16)
    held.add("key", cache[:, :3])
    cache[0, 0, 0] = 7
    assert held["key"][0, 0, 0] == 1


def test_in_float32_nothing_of_a_larger_tensor_is_kept() -> None:
    held, made = Held(), torch.ones(2, 3, 3 * 4)
    held.add("query", made[..., :4])
    assert held["query"].base is None or held["query"].base.nbytes == held["query"].nbytes


@pytest.mark.parametrize("count", [1, 2, 31, 32, 33, 63, 64, 65, 100, 512, 1000, 8192])
def test_sampled_queries_are_spread_evenly_to_the_last(count: int) -> None:
    rows = list(range(count))[sampled(count)]
    assert len(rows) == min(count, SAMPLED)
    assert rows[-1] == count - 1
    assert rows[0] < SAMPLED
    assert len({b - a for a, b in pairwise(rows)}) <= 1
