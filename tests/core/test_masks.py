"""Masks against boolean algebra in plain Python."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from drawn import law, sizes
from hypothesis import given
from hypothesis import strategies as st
from refused import refused

import twin
from regard.core.attend import attend
from regard.core.errors import BadInput
from regard.core.masks import Mask, allowed, causal, of, padding, window, without

May = Callable[[int, int], bool]
"""Whether this query may look at this key."""

QUERIES, KEYS = 5, 7

pairs = st.tuples(st.integers(0, QUERIES - 1), st.integers(0, KEYS - 1))
leaves = st.one_of(
    st.just(("causal", None)),
    st.tuples(st.just("window"), st.integers(1, 9)),
    st.tuples(st.just("padding"), st.sets(st.integers(0, KEYS - 1))),
    st.tuples(st.just("without"), st.sets(pairs)),
    st.tuples(st.just("of"), st.sets(pairs)),
)
formulas = st.recursive(
    leaves,
    lambda parts: st.one_of(
        st.tuples(st.just("and"), parts, parts),
        st.tuples(st.just("or"), parts, parts),
        st.tuples(st.just("not"), parts),
    ),
    max_leaves=7,
)
"""What to combine, written down: ("and", ("causal", None), ("not", ("window", 2)))."""


def made(formula: Any) -> tuple[Mask, May]:
    """The formula as a mask, and in plain Python."""
    match formula:
        case ("causal", None):
            return causal(), lambda q, k: k <= q + KEYS - QUERIES
        case ("window", size):
            return window(size), lambda q, k: 0 <= q + KEYS - QUERIES - k < size
        case ("padding", real):
            return padding(torch.tensor([k in real for k in range(KEYS)])), lambda q, k: k in real
        case ("without", edges):
            return without(edges), lambda q, k: (q, k) not in edges
        case ("of", seen):
            matrix = [[(q, k) in seen for k in range(KEYS)] for q in range(QUERIES)]
            return of(torch.tensor(matrix)), lambda q, k: (q, k) in seen
        case ("not", part):
            mask, may = made(part)
            return ~mask, lambda q, k: not may(q, k)
    (a, may_a), (b, may_b) = made(formula[1]), made(formula[2])
    if formula[0] == "and":
        return a & b, lambda q, k: may_a(q, k) and may_b(q, k)
    return a | b, lambda q, k: may_a(q, k) or may_b(q, k)


def rows(mask: Mask, queries: int, keys: int) -> list[list[bool]]:
    return mask.allows(queries, keys).expand(queries, keys).tolist()


@law
@given(formulas)
def test_masks_combine_as_booleans_do(formula: Any) -> None:
    mask, may = made(formula)
    assert rows(mask, QUERIES, KEYS) == [[may(q, k) for k in range(KEYS)] for q in range(QUERIES)]


@law
@given(queries=st.integers(0, 6), keys=st.integers(0, 6), size=sizes)
def test_causal_and_window_are_aligned_to_the_end(queries: int, keys: int, size: int) -> None:
    assert rows(causal(), queries, keys) == twin.causal(queries, keys)
    assert rows(window(size), queries, keys) == twin.window(size, queries, keys)


@pytest.mark.parametrize("rule", [causal(), window(3), causal() & window(2), ~causal() | window(1)])
def test_a_step_of_a_rule_is_the_last_row_of_the_whole(rule: Mask) -> None:
    for keys in range(1, 8):
        assert torch.equal(rule.allows(1, keys), rule.allows(keys, keys)[-1:])


def test_by_hand() -> None:
    assert rows(causal(), 2, 3) == [[True, True, False], [True, True, True]]
    assert rows(window(2), 2, 3) == [[True, True, False], [False, True, True]]
    assert rows(without([(0, 2), (1, 0)]), 2, 3) == [[True, True, False], [False, True, True]]
    assert rows(padding(torch.tensor([True, False])), 2, 2) == [[True, False], [True, False]]
    assert rows(of(torch.tensor([True, False])), 2, 2) == [[True, False], [True, False]]


def test_padding_differs_from_row_to_row() -> None:
    real = torch.tensor([[True, True, False], [True, False, False]])
    assert padding(real).allows(5, 3).shape == (2, 1, 3)
    assert padding(real[:, None]).allows(5, 3).tolist() == real[:, None, None].tolist()


def test_rules_are_values() -> None:
    assert causal() == causal() != window(3) == window(3)
    assert causal() & window(2) == causal() & window(2)
    assert len({causal(), causal(), window(1)}) == 2


def test_a_knockout_takes_away_just_these_edges() -> None:
    query, key, value = torch.randn(3, 5), torch.randn(7, 5), torch.eye(7)
    weights, cut = attend(query, key, value), attend(query, key, value, mask=without([(1, 2), (1, 6)]))
    assert torch.equal(weights[[0, 2]], cut[[0, 2]])
    left = weights[1].clone()
    left[[2, 6]] = 0
    torch.testing.assert_close(cut[1], left / left.sum())


def attended(**how: Any) -> None:
    attend(torch.zeros(2, 3, 5), torch.zeros(2, 7, 5), torch.zeros(2, 7, 5), **how)


@pytest.mark.parametrize("dtype", [torch.float32, torch.int64, torch.bfloat16])
def test_only_true_and_false_make_a_mask(dtype: torch.dtype) -> None:
    """A float mask may mean to add or to multiply, and an integer's ~ is no `not`: nobody guesses."""
    name = str(dtype).removeprefix("torch.")
    with refused("mask_not_bool", BadInput, dtype=name):
        of(torch.zeros(3, 7, dtype=dtype))
    with refused("mask_not_bool", BadInput, dtype=name):
        attended(mask=torch.zeros(3, 7, dtype=dtype))


@pytest.mark.parametrize("shape", [(3, 5), (7, 3), (5, 3, 7), (2, 2, 3, 7), (1, 2)])
def test_a_mask_must_fit(shape: tuple[int, ...]) -> None:
    with refused("mask_shape", BadInput, mask=list(shape)):
        attended(mask=torch.ones(shape, dtype=torch.bool))
    with refused("mask_shape", BadInput, mask=list(shape)):
        attended(mask=of(torch.ones(shape, dtype=torch.bool)) & of(torch.ones(shape, dtype=torch.bool)))


@pytest.mark.parametrize("shape", [(3, 7), (1, 7), (7,), (3, 1), (2, 3, 7), (2, 1, 1), (1, 3, 7)])
def test_masks_that_fit(shape: tuple[int, ...]) -> None:
    attended(mask=torch.ones(shape, dtype=torch.bool))


def test_matrices_of_two_sizes_do_not_combine() -> None:
    with refused("mask_shape", BadInput, mask=[3, 5]):
        attended(mask=causal() & of(torch.ones(3, 7, dtype=torch.bool)) & of(torch.ones(3, 5, dtype=torch.bool)))


@pytest.mark.parametrize("edge", [(3, 0), (0, 7), (-1, 0), (0, -1)])
def test_only_edges_that_are_there_can_be_cut(edge: tuple[int, int]) -> None:
    with refused("edge_outside", BadInput, query=edge[0], key=edge[1], queries=3, keys=7):
        attended(mask=without([(0, 0), edge]))


@pytest.mark.parametrize("size", [0, -3])
def test_a_window_shows_at_least_the_query_itself(size: int) -> None:
    with refused("window_size", BadInput, size=size):
        window(size)


def test_no_mask_is_no_matrix() -> None:
    assert allowed(None, (2, 3), torch.device("cpu")) is None
