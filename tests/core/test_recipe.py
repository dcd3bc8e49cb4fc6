"""The score recipe makes the rows that `attend` makes, and masks as data say what masks as rules say."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from core.drawn import law, masks, seeds, sizes
from regard.core.attend import STEPS, attend
from regard.core.biases import alibi
from regard.core.masks import Mask, causal, padding, spanned, visible, window
from regard.core.recipe import Recipe, biased, normalised, seen, shared, steps, weights
from regard.core.scorers import Additive, Scorer, scaled_dot
from regard.inspection.visit import diagonals

HEADS, N, D = 3, 7, 5
ROWS = [slice(None), slice(2, 5), torch.tensor([6, 0, 3])]

MASKS = {
    "none": lambda: None,
    "causal": causal,
    "window": lambda: window(3),
    "left padding": lambda: causal() & padding(torch.tensor([False, False, True, True, True, True, True])),
    "right padding": lambda: padding(torch.tensor([True, True, True, True, False, False, False])),
    "gaps": lambda: padding(torch.tensor([True, False, True, True, False, True, False])),
}


def of_attend(q: torch.Tensor, k: torch.Tensor, scorer: Scorer = scaled_dot, **how: object) -> dict[str, torch.Tensor]:
    """Every step of `attend`, by name."""
    kept: dict[str, torch.Tensor] = {}

    def keep(step: str, tensor: torch.Tensor) -> torch.Tensor:
        kept[step] = tensor.detach()
        return tensor

    attend(q, k, torch.zeros(len(k), k.shape[1], 1), scorer=scorer, tap=keep, **how)
    return {step: kept[step] for step in STEPS[3:7]}


def vectors(kv_heads: int = HEADS, n_keys: int = N) -> tuple[torch.Tensor, torch.Tensor]:
    torch.manual_seed(11)
    return torch.randn(HEADS, N, D), torch.randn(kv_heads, n_keys, D)


@pytest.mark.parametrize("rows", ROWS, ids=["all", "slice", "numbers"])
@pytest.mark.parametrize("mask", MASKS)
@pytest.mark.parametrize("bias", [False, True], ids=["", "alibi"])
def test_rows_are_those_of_attend(rows: slice | torch.Tensor, mask: str, bias: bool) -> None:
    query, key = vectors()
    rule, slopes = MASKS[mask](), alibi(HEADS) if bias else None
    added = None if slopes is None else diagonals(slopes.values(N, N))
    recipe = Recipe(scale=D**-0.5, bias=added, visible=visible(rule, N, N))
    found, expected = steps(recipe, query, key, rows), of_attend(query, key, bias=slopes, mask=rule)
    for step, whole in expected.items():
        torch.testing.assert_close(found[step], whole[:, rows], rtol=1e-6, atol=1e-6, msg=step)
    with torch.inference_mode():
        assert torch.equal(weights(recipe, query, key, rows), found["weights"])
    assert added is None or added.shape == (HEADS, 2 * N - 1)


def test_grouped_keys_are_shared_in_order() -> None:
    torch.manual_seed(2)
    query, key = torch.randn(6, N, D), torch.randn(2, N, D)
    assert torch.equal(shared(key, 6), key[[0, 0, 0, 1, 1, 1]])
    expected = of_attend(query, key[[0, 0, 0, 1, 1, 1]])["weights"]
    torch.testing.assert_close(weights(Recipe(scale=D**-0.5), query, key), expected)


def test_the_additive_scorer() -> None:
    torch.manual_seed(2)
    scorer, (query, key) = Additive(D), vectors(n_keys=11)
    recipe = Recipe(scale=scorer.scale(D), vector=scorer.v.detach())
    for step, whole in of_attend(query, key, scorer=scorer).items():
        torch.testing.assert_close(steps(recipe, query, key)[step], whole, rtol=1e-6, atol=1e-6, msg=step)


def test_cap_and_sink_by_hand() -> None:
    """One query, scores 0 and 2: capped at 1 they are 0 and tanh 2; a sink of 0 counts as one more."""
    query, key = torch.tensor([[[2.0]]]), torch.tensor([[[0.0], [1.0]]])
    high = torch.tensor(2.0).tanh().exp()
    expected = torch.stack([torch.tensor(1.0), high]) / (2 + high)
    recipe = Recipe(softcap=1.0, sinks=torch.zeros(1))
    torch.testing.assert_close(weights(recipe, query, key)[0, 0], expected)
    with torch.inference_mode():
        torch.testing.assert_close(weights(recipe, query, key)[0, 0], expected)


def test_one_head_alone_is_that_head() -> None:
    query, key = vectors(1)
    recipe = Recipe(bias=torch.randn(HEADS, 2 * N - 1), sinks=torch.randn(HEADS), visible=visible(causal(), N, N))
    whole = weights(recipe, query, key)
    for head in range(HEADS):
        torch.testing.assert_close(weights(recipe.of_head(head), query[head : head + 1], key), whole[head : head + 1])


def test_a_row_that_sees_nothing_is_zero() -> None:
    masked = torch.full((1, 2, 3), float("-inf"))
    assert not normalised(masked, None).any()
    assert not normalised(masked, torch.zeros(1)).any()
    query, key = vectors()
    with torch.inference_mode():
        assert not weights(Recipe(visible=torch.zeros(N, 2, dtype=torch.int32)), query, key).any()


@law
@given(st.data(), sizes, sizes)
def test_masks_as_data_say_what_the_rule_says(data: st.DataObject, queries: int, keys: int) -> None:
    rule: Mask | None = data.draw(masks(queries, keys))()
    found = seen(Recipe(visible=visible(rule, queries, keys)), keys)
    if rule is None:
        assert found is None
    else:
        assert torch.equal(found, rule.allows(queries, keys).expand(queries, keys))
        spans = rule.spans(queries, keys)
        assert spans is None or torch.equal(seen(Recipe(visible=spans), keys), found)


@law
@given(seeds, sizes, sizes, st.floats(0, 1))
def test_spans_are_found_where_there_are_any(seed: int, queries: int, keys: int, share: float) -> None:
    matrix = torch.rand(queries, keys, generator=torch.Generator().manual_seed(seed)) < share
    found = spanned(matrix)
    runs = [row.int().diff(prepend=torch.zeros(1, dtype=torch.int32)).clamp(min=0).sum() <= 1 for row in matrix]
    assert (found.dtype == torch.int32) == all(runs)
    assert torch.equal(seen(Recipe(visible=found), keys), matrix)


@law
@given(seeds, sizes, sizes)
def test_diagonals_are_the_matrix_again(seed: int, queries: int, keys: int) -> None:
    torch.manual_seed(seed)
    held = torch.randn(HEADS, queries + keys - 1)
    whole = biased(Recipe(bias=held), queries, keys)
    assert whole is not None
    assert torch.equal(diagonals(whole), held)
    whole[0, -1, 0] += 1
    if queries > 1 and keys > 1:
        whole[0, 0, 0] += 2  # no longer of key − query alone
        assert diagonals(whole) is whole
