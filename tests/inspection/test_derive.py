"""Matrices → every number of one attention: by hand (note 003), and against the slow twin in plain Python."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import twin
from note import NOTE, STEPS
from regard.core.errors import BadInput
from regard.inspection.derivation import Derivation
from regard.inspection.derive import derive
from regard.inspection.matrices import check
from regard.tasks.explain import explain, explain_matrices

COUNTS = st.integers(1, 5)


def derived(**content: Any) -> Derivation:
    return derive(check(content))


def matrix(draw: st.DrawFn, rows: int, columns: int) -> list[list[float]]:
    numbers = st.floats(-4, 4, allow_subnormal=False)
    return draw(st.lists(st.lists(numbers, min_size=columns, max_size=columns), min_size=rows, max_size=rows))


def product(left: list[list[float]], right: list[list[float]]) -> list[list[float]]:
    return [[twin.dot(row, list(column)) for column in zip(*right, strict=True)] for row in left]


def test_every_matrix_of_the_note() -> None:
    steps = explain("returns").steps
    assert {step.symbol.plain: name for name, step in steps.items() if name != "sqrt_d_key"} == {
        symbol: name for symbol, (name, _) in NOTE.items()
    }
    for symbol, (name, expected) in NOTE.items():
        values = steps[name].values
        assert values.dtype == np.float64
        assert steps[name].shape == np.shape(expected), symbol
        np.testing.assert_allclose(values.reshape(np.shape(expected)), expected, rtol=0, atol=5e-7, err_msg=symbol)
    assert steps["sqrt_d_key"].values.item() == 2**0.5


def test_the_note_in_order() -> None:
    """Nothing is used before it is there, and the steps come as the note has them."""
    steps = explain("returns").steps
    seen: set[str] = set()
    for name, step in steps.items():
        assert set(step.operands) <= seen
        seen.add(name)
    given_first = [symbol for symbol, _ in NOTE.items()]
    assert [step.symbol.plain for step in steps.values() if step.name != "sqrt_d_key"] == given_first


def test_key_of_the_first_word_is_exactly_zero() -> None:
    """√½ − √½: the roots are kept as roots, not as six digits."""
    assert (explain("returns").steps["key"].values[0, 0] == 0).all()


@st.composite
def contents(draw: st.DrawFn) -> dict[str, Any]:
    """Any file of matrices with x, weights and perhaps biases, heads, mask, scale and output."""
    n, d_model, n_heads, d_head, d_value = (draw(COUNTS) for _ in range(5))
    content: dict[str, Any] = {"tokens": [f"t{at}" for at in range(n)], "x": matrix(draw, n, d_model)}
    widths = {"query": n_heads * d_head, "key": n_heads * d_head, "value": n_heads * d_value}
    for part, width in widths.items():
        content[f"w_{part}"] = matrix(draw, d_model, width)
        if draw(st.booleans()):
            content[f"b_{part}"] = matrix(draw, 1, width)
    if draw(st.booleans()):
        content["w_output"] = matrix(draw, n_heads * d_value, 3)
        if draw(st.booleans()):
            content["b_output"] = matrix(draw, 1, 3)
    scale = draw(st.sampled_from([None, 0.7]))
    return content | {"n_heads": n_heads, "causal": draw(st.booleans()), "scale": scale}


def affine(content: dict[str, Any], part: str, rows: list[list[float]]) -> list[list[float]]:
    bias = content.get(f"b_{part}", [[0.0] * len(content[f"w_{part}"][0])])[0]
    return [[number + b for number, b in zip(row, bias, strict=True)] for row in product(rows, content[f"w_{part}"])]


def by_the_twin(content: dict[str, Any]) -> dict[str, Any]:
    """The same attention in plain Python, head by head."""
    n, n_heads = len(content["tokens"]), content["n_heads"]
    rows = {part: affine(content, part, content["x"]) for part in ("query", "key", "value")}
    d_head = len(rows["query"][0]) // n_heads
    scale = d_head**-0.5 if content["scale"] is None else content["scale"]
    may = twin.causal(n, n) if content["causal"] else None
    heads = []
    for head in range(n_heads):
        cut = {
            part: [row[head * (len(row) // n_heads) :][: len(row) // n_heads] for row in rows[part]] for part in rows
        }
        heads.append(cut | twin.attend(*cut.values(), score=twin.dot, scale=scale, may=may))
    steps = {name: [head[name] for head in heads] for name in STEPS}
    if "w_output" in content:
        joined = [[number for head in heads for number in head["context"][at]] for at in range(n)]
        steps["output"] = affine(content, "output", joined)
    return steps


@settings(deadline=None, max_examples=60)
@given(contents())
def test_any_attention_is_the_twins(content: dict[str, Any]) -> None:
    steps = derive(check(content)).steps
    for name, expected in by_the_twin(content).items():
        if name == "masked" and not content["causal"]:
            assert name not in steps
            continue
        np.testing.assert_allclose(steps[name].values, expected, rtol=1e-9, atol=1e-9, err_msg=name)


@settings(deadline=None, max_examples=30)
@given(contents())
def test_operators_say_what_was_done(content: dict[str, Any]) -> None:
    """Each sum, product and quotient, redone from its operands, is the step; shapes and axes go together."""
    steps, near = derive(check(content)).steps, {"rtol": 1e-9, "atol": 1e-9}
    for step in steps.values():
        operands = [steps[name].values for name in step.operands]
        if step.operator == "·" and "scale" not in step.operands:
            left = operands[0][0] if step.name.startswith("output") and operands[0].ndim == 3 else operands[0]
            np.testing.assert_allclose(step.values.reshape(np.shape(left @ operands[1])), left @ operands[1], **near)
        elif step.operator:
            done = {"+": np.add, "/": np.divide, "·": np.multiply}[step.operator](*operands)
            np.testing.assert_allclose(step.values.reshape(done.shape), done, **near)
        names = {"queries": len(content["tokens"]), "keys": len(content["tokens"]), "one": 1}
        assert all(names.get(axis, size) == size for axis, size in zip(step.axes, step.shape, strict=True))


def test_heads_by_hand() -> None:
    """Two heads of width 1 with values 1 and 2, 10 and 20; all scores are 0, so each context is a mean."""
    one = derived(tokens=["a", "b"], query=[[0, 0], [0, 0]], key=[[1, 2], [3, 4]], value=[[1, 10], [2, 20]], n_heads=2)
    assert one.steps["value"].values.tolist() == [[[1], [2]], [[10], [20]]]
    assert one.steps["context"].values.tolist() == [[[1.5], [1.5]], [[15], [15]]]
    assert one.steps["context_joined"].values.tolist() == [[1.5, 15], [1.5, 15]]
    assert one.steps["query_joined"].values.tolist() == [[0, 0], [0, 0]]


def test_queries_that_are_fewer_stand_at_the_end() -> None:
    """Causal: one query and three keys, and the query is the third word."""
    last = derived(tokens=["c"], key_tokens=list("abc"), query=[[0]], key=[[0]] * 3, value=[[3], [6], [9]], causal=True)
    assert last.steps["context"].values.tolist() == [[[6]]]


def test_a_query_that_may_see_nothing() -> None:
    """Causal, two queries and one key: the first query stands before all keys."""
    blind = derived(tokens=["a", "b"], key_tokens=["b"], query=[[1], [1]], key=[[1]], value=[[7]], causal=True)
    assert blind.steps["context"].values.tolist() == [[[0], [7]]]
    assert [tuple(look) for look in blind.looks()] == [(0, 0, None, 0.0), (0, 1, 0, 1.0)]


def test_positions_by_hand() -> None:
    """W[x; p] = Wx·x + Wp·p, with x = 5 and 7 and positions beside, before and on top of it."""
    content: dict[str, Any] = {"tokens": ["a", "b"], "x": [[5], [7]]}
    for how, weights, expected in (
        ("one_hot", [[1], [100], [1000]], [[105], [1007]]),
        ("index", [[100], [1]], [[5], [107]]),
        ("sinusoidal", [[1]], [[5], [7 + np.sin(1)]]),
    ):
        content |= dict.fromkeys(("w_query", "w_key", "w_value"), weights) | {"positions": how}
        np.testing.assert_allclose(explain_matrices(content).steps["value"].values, [expected], rtol=1e-15)


def test_numbers_that_leave_float64_are_refused() -> None:
    with pytest.raises(BadInput) as caught:
        derived(tokens=["a"], query=[["1e200"]], key=[["1e200"]], value=[[1]])
    assert (caught.value.code, caught.value.facts) == ("matrices_overflow", {"name": "scores"})


def test_the_largest_weight_of_each_query() -> None:
    looks = explain("returns").looks()
    assert [(look.query_index, look.key_index) for look in looks] == [(0, 2), (1, 2), (2, 2)]
    np.testing.assert_allclose([look.weight for look in looks], [0.506480, 0.506480, 0.665241], atol=5e-7)


def test_over_heads_the_largest_weight_wins() -> None:
    two = derived(
        tokens=["a", "b"], query=[[1, 5], [0, 5]], key=[[1, 0], [0, 1]], value=[[1, 1], [1, 1]], n_heads=2
    ).looks()
    assert [(look.head, look.query_index, look.key_index) for look in two] == [(1, 0, 1), (1, 1, 1)]


@pytest.mark.parametrize("causal", [False, True])
def test_adjectives_are_looked_at_by_their_noun(causal: bool) -> None:
    creature = explain("creature", causal=causal)
    at = {token: creature.tokens.index(token) for token in creature.tokens}
    weights = creature.weights[0]
    for noun, adjectives in (("creature", ["fluffy", "blue"]), ("forest", ["verdant"])):
        assert sum(weights[at[noun], at[adjective]] for adjective in adjectives) > 0.6
    assert weights[at["roamed"]].argmax() == at["creature"]


def test_who_looks_is_torch_s_own() -> None:
    """A foreign reference: `creature` by torch's fused kernel."""
    torch = pytest.importorskip("torch")
    steps = explain("creature", causal=True).steps
    q, k, v = (torch.from_numpy(steps[name].values) for name in ("query", "key", "value"))
    expected = torch.nn.functional.scaled_dot_product_attention(q, k, v, is_causal=True)
    np.testing.assert_allclose(steps["context"].values, expected.numpy(), rtol=1e-12)
