"""The laws of attention, whatever the numbers."""

from typing import Any

import pytest
import torch
from drawn import SCORERS, law, made, masks, qkv, sizes
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

import twin
from regard.core.attend import attend, softmax, steps
from regard.core.masks import allowed, causal, of, padding
from regard.core.scorers import Additive, Concat, General, Scorer

every_scorer = pytest.mark.parametrize("name", SCORERS)
single_and_double = pytest.mark.parametrize("dtype", [torch.float32, torch.float64])

near = {torch.float16: 2e-3, torch.bfloat16: 2e-2, torch.float32: 1e-5, torch.float64: 1e-12}


def close(a: Tensor, b: Tensor, atol: float) -> None:
    torch.testing.assert_close(a, b, atol=atol, rtol=0, check_dtype=False)


def twins(scorer: Scorer) -> twin.Score:
    """The same scorer in plain Python."""
    match scorer:
        case General():
            return twin.general(scorer.key_to_query.weight.tolist())
        case Additive():
            return twin.additive(scorer.v.tolist())
        case Concat():
            w = torch.cat([scorer.query_part.weight, scorer.key_part.weight], dim=1)
            return twin.concat(w.tolist(), scorer.additive.v.tolist())
    return twin.dot


@st.composite
def rows(draw: st.DrawFn, n: int, width: int) -> list[list[float]]:
    row = st.lists(st.floats(-1e2, 1e2), min_size=width, max_size=width)
    return draw(st.lists(row, min_size=n, max_size=n))


@every_scorer
@law
@given(data=st.data(), queries=st.integers(0, 4), keys=sizes)
def test_every_step_is_the_slow_twins(name: str, data: st.DataObject, queries: int, keys: int) -> None:
    """Scores go up to ±5e4; queries may be none, or blind."""
    scorer, d_query, d_key = made(name)
    query, key, value = (data.draw(rows(n, d)) for n, d in ((queries, d_query), (keys, d_key), (keys, 2)))
    bits = st.lists(st.booleans(), min_size=keys, max_size=keys)
    may = data.draw(st.lists(bits, min_size=queries, max_size=queries))
    expected = twin.attend(query, key, value, score=twins(scorer), scale=scorer.scale(d_query), may=may)

    asked = torch.tensor(query, dtype=torch.float64).reshape(queries, d_query)
    offered, handed = torch.tensor(key, dtype=torch.float64), torch.tensor(value, dtype=torch.float64)
    mask = torch.tensor(may, dtype=torch.bool).reshape(queries, keys)
    for step, tensor in steps(asked, offered, handed, scorer=scorer, mask=mask):
        if step in expected:
            wanted = torch.tensor(expected[step], dtype=torch.float64).reshape(tensor.shape)
            torch.testing.assert_close(tensor, wanted, atol=1e-9, rtol=1e-9, msg=step)


@law
@given(data=st.data(), qkv=qkv())
def test_weights_sum_to_one_or_to_zero(data: st.DataObject, qkv: tuple[Tensor, ...]) -> None:
    query, key, value = qkv
    mask = data.draw(masks(query.shape[-2], key.shape[-2]))()
    weights = steps(query, key, value, mask=mask).weights
    may = allowed(mask, weights.shape, weights.device)
    sees = torch.ones(()) if may is None else may.any(-1).double()
    close(weights.sum(-1), sees.expand(weights.shape[:-1]), 1e-12)
    assert (weights >= 0).all()
    assert may is None or not weights.masked_fill(may, 0).any()


@every_scorer
@law
@given(data=st.data())
def test_the_order_of_keys_says_nothing(name: str, data: st.DataObject) -> None:
    scorer, d_query, d_key = made(name)
    query, key, value = data.draw(qkv(d_query, d_key))
    mask = data.draw(masks(query.shape[-2], key.shape[-2]))()
    may = allowed(mask, (query.shape[-2], key.shape[-2]), query.device)
    order = torch.tensor(data.draw(st.permutations(range(key.shape[-2]))))
    whole = attend(query, key, value, scorer=scorer, mask=may)
    moved = attend(
        query, key[..., order, :], value[..., order, :], scorer=scorer,
        mask=None if may is None else may.expand(query.shape[-2], key.shape[-2])[:, order],
    )  # fmt: skip
    close(whole, moved, 1e-12)


@every_scorer
@single_and_double
@law
@given(data=st.data(), share=st.floats(-1, 1))
def test_a_hidden_key_can_be_anything_finite(name: str, dtype: torch.dtype, data: st.DataObject, share: float) -> None:
    """Nothing changes, not one bit, neither in the context nor in any gradient.

    Scorers that project the key themselves ask that it stays finite then.
    """
    scorer, d_query, d_key = made(name, dtype)
    huge = share * (2.0**100 if name in ("general", "concat") else torch.finfo(dtype).max)
    query, key, value = data.draw(qkv(d_query, d_key, dtype))
    hidden = data.draw(st.integers(0, key.shape[-2] - 1))
    real = torch.arange(key.shape[-2]) != hidden

    def outcome(k: Tensor, v: Tensor) -> list[Tensor]:
        given = [t.clone().requires_grad_() for t in (query, k, v)]
        context = attend(*given, scorer=scorer, mask=padding(real))
        return [context, *torch.autograd.grad(context.sin().sum(), [*given, *scorer.parameters()])]

    other_key, other_value = key.clone(), value.clone()
    other_key[..., hidden, :], other_value[..., hidden, :] = huge, -huge
    before, after = outcome(key, value), outcome(other_key, other_value)
    assert all(torch.equal(b, a) for b, a in zip(before, after, strict=True))
    assert not after[2][..., hidden, :].any()
    assert not after[3][..., hidden, :].any()


@every_scorer
@single_and_double
def test_causality_by_gradient_exactly_zero(name: str, dtype: torch.dtype) -> None:
    """No query's context depends on a later key or value; it does depend on its own and the earlier ones."""
    scorer, d_query, d_key = made(name, dtype)
    torch.manual_seed(17)
    given = [torch.randn(2, 5, d, dtype=dtype, requires_grad=True) for d in (d_query, d_key, 3)]
    context = attend(*given, scorer=scorer, mask=causal())
    for i in range(5):
        gradients = torch.autograd.grad(context[:, i].sin().sum(), given, retain_graph=True)
        for gradient in gradients:
            assert not gradient[:, i + 1 :].any()
        assert not gradients[0][:, :i].any()
        assert gradients[2][:, : i + 1].abs().min() > 0
        assert i == 0 or gradients[1][:, : i + 1].abs().sum(-1).min() > 0


@every_scorer
@single_and_double
@law
@given(data=st.data())
def test_a_future_token_changes_nothing(name: str, dtype: torch.dtype, data: st.DataObject) -> None:
    scorer, d_query, d_key = made(name, dtype)
    torch.manual_seed(data.draw(st.integers(0, 999)))
    n = data.draw(st.integers(2, 6))
    query, key, value = (torch.randn(2, n, d, dtype=dtype) for d in (d_query, d_key, 3))
    now = data.draw(st.integers(0, n - 2))
    changed = [torch.cat([t[:, : now + 1], 9 * torch.randn_like(t[:, now + 1 :])], dim=1) for t in (query, key, value)]
    before = attend(query, key, value, scorer=scorer, mask=causal())
    after = attend(*changed, scorer=scorer, mask=causal())
    assert torch.equal(before[:, : now + 1], after[:, : now + 1])
    assert not torch.equal(before[:, now + 1 :], after[:, now + 1 :])


@every_scorer
@single_and_double
def test_step_by_step_equals_all_at_once(name: str, dtype: torch.dtype) -> None:
    """A cached step asks with the newest query alone."""
    scorer, d_query, d_key = made(name, dtype)
    torch.manual_seed(19)
    query, key, value = (torch.randn(2, 7, d, dtype=dtype) for d in (d_query, d_key, 3))
    whole = attend(query, key, value, scorer=scorer, mask=causal())
    for i in range(7):
        now = slice(i, i + 1)
        step = attend(query[:, now], key[:, : i + 1], value[:, : i + 1], scorer=scorer, mask=causal())
        close(step, whole[:, now], near[dtype])


@every_scorer
@single_and_double
def test_left_padding_equals_shift(name: str, dtype: torch.dtype) -> None:
    scorer, d_query, d_key = made(name, dtype)
    torch.manual_seed(23)
    given = [torch.randn(2, 5, d, dtype=dtype) for d in (d_query, d_key, 3)]
    padded = [torch.cat([9 * torch.randn(2, 3, t.shape[-1], dtype=dtype), t], dim=1) for t in given]
    real = torch.arange(8).expand(2, 8) >= 3
    context = attend(*padded, scorer=scorer, mask=causal() & padding(real))
    close(context[:, 3:], attend(*given, scorer=scorer, mask=causal()), near[dtype])
    assert not context[:, :3].any()


@every_scorer
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.float16, torch.bfloat16])
def test_blind_queries_give_zero_and_pass_no_gradient(name: str, dtype: torch.dtype) -> None:
    scorer, d_query, d_key = made(name, dtype)
    torch.manual_seed(29)
    given = [torch.randn(n, d, dtype=dtype, requires_grad=True) for n, d in ((5, d_query), (7, d_key), (7, 3))]
    sees = torch.tensor([True, False, True, False, True])
    context = attend(*given, scorer=scorer, mask=sees[:, None])
    assert not context[~sees].any()
    context.sum().backward()
    for tensor in [*given, *scorer.parameters()]:
        assert tensor.grad is not None
        assert tensor.grad.isfinite().all()
    assert not given[0].grad[~sees].any()
    everything = [t.grad.clone() for t in given]
    attend(*given, scorer=scorer, mask=torch.zeros(5, 7, dtype=torch.bool)).sum().backward()
    assert all(torch.equal(t.grad, before) for t, before in zip(given, everything, strict=True))


def test_softmax_of_nothing_has_a_gradient_of_zero() -> None:
    """Of itself, also where a tap hid scores in its own way, by adding −inf."""
    masked = torch.tensor([[float("-inf")] * 3, [0.0, float("-inf"), 0.0]], requires_grad=True)
    weights = softmax(masked + torch.zeros(2, 3))
    (gradient,) = torch.autograd.grad(weights[:, 0].sum(), masked)
    assert weights.tolist() == [[0, 0, 0], [0.5, 0, 0.5]]
    assert gradient.tolist() == [[0, 0, 0], [0.25, 0, -0.25]]


@every_scorer
@law
@given(data=st.data())
def test_traced_equals_untraced_to_the_bit(name: str, data: st.DataObject) -> None:
    scorer, d_query, d_key = made(name, torch.float32)
    query, key, value = data.draw(qkv(d_query, d_key, torch.float32))
    how: dict[str, Any] = {"scorer": scorer, "mask": data.draw(masks(query.shape[-2], key.shape[-2]))()}
    assert torch.equal(attend(query, key, value, **how), steps(query, key, value, **how).context)


@every_scorer
def test_gradcheck(name: str) -> None:
    """Against differences, with a mask that hides some and blinds one."""
    scorer, d_query, d_key = made(name)
    torch.manual_seed(31)
    given = [torch.randn(n, d, dtype=torch.float64, requires_grad=True) for n, d in ((3, d_query), (5, d_key), (5, 2))]
    mask = torch.tensor([[1, 0, 1, 1, 0], [0, 0, 0, 0, 0], [1, 1, 1, 1, 1]]).bool()
    parameters = dict(scorer.named_parameters())

    def context(q: Tensor, k: Tensor, v: Tensor, *weights: Tensor) -> Tensor:
        swapped = dict(zip(parameters, weights, strict=True))
        scores = torch.func.functional_call(scorer, swapped, (q, k))
        return softmax((scores * scorer.scale(d_query)).masked_fill(~mask, float("-inf"))) @ v

    close(context(*given, *parameters.values()), attend(*given, scorer=scorer, mask=mask), 1e-15)
    assert torch.autograd.gradcheck(context, (*given, *parameters.values()))


@every_scorer
@pytest.mark.parametrize("leading", [(), (2,), (2, 3), (2, 3, 5), (0,), (3, 0)])
def test_leading_axes_of_any_number(name: str, leading: tuple[int, ...]) -> None:
    scorer, d_query, d_key = made(name)
    torch.manual_seed(37)
    query, key, value = (torch.randn(*leading, n, d).double() for n, d in ((7, d_query), (11, d_key), (11, 3)))
    context = attend(query, key, value, scorer=scorer, mask=causal())
    assert context.shape == (*leading, 7, 3)
    one_by_one = zip(*(t.flatten(0, -3) if leading else t[None] for t in (query, key, value, context)), strict=True)
    for q, k, v, c in one_by_one:
        close(attend(q, k, v, scorer=scorer, mask=causal()), c, 1e-14)


@every_scorer
def test_leading_axes_of_one_are_shared(name: str) -> None:
    """One memory for all: keys and values without the queries' batch."""
    scorer, d_query, d_key = made(name)
    query, key, value = (
        torch.randn(2, 3, 5, d_query).double(),
        torch.randn(7, d_key).double(),
        torch.randn(7, 3).double(),
    )
    shared = attend(query, key, value, scorer=scorer)
    close(shared, attend(query, key.expand(2, 3, -1, -1), value.expand(2, 3, -1, -1), scorer=scorer), 1e-14)


@every_scorer
@law
@given(data=st.data())
def test_single_is_double_within_1e_5(name: str, data: st.DataObject) -> None:
    scorer, d_query, d_key = made(name)
    given = data.draw(qkv(d_query, d_key))
    double = attend(*given, scorer=scorer)
    single = attend(*(t.float() for t in given), scorer=scorer.float())
    assert single.dtype == torch.float32
    close(single, double, 1e-5)


@single_and_double
def test_scores_of_ten_thousand(dtype: torch.dtype) -> None:
    """Either way: no overflow, the highest takes all, equal ones share."""
    key = torch.tensor([[1e4], [-1e4], [1e4], [0.0]], dtype=dtype)
    query = torch.tensor([[1.0], [-1.0]], dtype=dtype)
    weights = steps(query, key, key).weights
    assert weights.tolist() == [[0.5, 0.0, 0.5, 0.0], [0.0, 1.0, 0.0, 0.0]]


@every_scorer
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision(name: str, dtype: torch.dtype) -> None:
    scorer, d_query, d_key = made(name, dtype)
    torch.manual_seed(41)
    given = [torch.randn(2, n, d, dtype=dtype) for n, d in ((5, d_query), (7, d_key), (7, 3))]
    seen = steps(*given, scorer=scorer, mask=causal())
    assert {tensor.dtype for _, tensor in seen} == {dtype}
    close(seen.weights.double().sum(-1), torch.ones(2, 5), 10 * near[dtype])
    close(seen.context, attend(*(t.double() for t in given), scorer=scorer.double(), mask=causal()), 10 * near[dtype])


@every_scorer
@pytest.mark.parametrize(("queries", "keys"), [(3, 0), (0, 3), (0, 0), (3, 1)])
def test_nothing_to_ask_or_nothing_to_see(name: str, queries: int, keys: int) -> None:
    scorer, d_query, d_key = made(name)
    shapes = ((queries, d_query), (keys, d_key), (keys, 5))
    given = [torch.randn(2, n, d, dtype=torch.float64, requires_grad=True) for n, d in shapes]
    for mask in (None, torch.ones(queries, keys, dtype=torch.bool)):
        context = attend(*given, scorer=scorer, mask=mask)
        expected = given[2].expand(2, queries, 5) if keys == 1 else torch.zeros(2, queries, 5)
        close(context, expected, 0)
        context.sum().backward()
        assert all(t.grad is None or t.grad.isfinite().all() for t in given)


def test_a_mask_given_as_matrix_is_the_mask() -> None:
    query, key, value = (torch.randn(2, 5, 3) for _ in range(3))
    matrix = torch.rand(5, 5) > 0.4
    assert torch.equal(attend(query, key, value, mask=matrix), attend(query, key, value, mask=of(matrix)))
    assert not torch.equal(attend(query, key, value, mask=matrix), attend(query, key, value))
