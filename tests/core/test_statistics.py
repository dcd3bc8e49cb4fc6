"""Statistics of a block after block, by torch and by the kernel, are those of the whole matrix, by plain sums."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from core.drawn import law
from regard.core import blocks, compiled, reducing
from regard.core.masks import causal, visible, window
from regard.core.recipe import Recipe, weights
from regard.core.statistics import Statistics, width

CPU = torch.device("cpu")
HEADS = 4


def slow(w: np.ndarray, *, same: bool, top: int, size: int) -> dict[str, np.ndarray]:
    """Every statistic of weights (heads, queries, keys) in float64, as its sentence says it."""
    n, m = w.shape[1:]
    at = np.arange(n)[:, None] + (m - n) - np.arange(m)
    high, wide = width(n, size), width(m, size)
    parts = [[[h[i : i + high, j : j + wide] for j in range(0, m, wide)] for i in range(0, n, high)] for h in w]
    found = {
        "entropy": -(w * np.log(np.where(w > 0, w, 1))).sum(-1),
        "largest": w.max(-1),
        "first": w[..., 0],
        "top_weights": np.pad(-np.sort(-w, -1)[..., :top], ((0, 0), (0, 0), (0, max(0, top - m)))),
        "received": w.sum(1),
        "pooled": np.array([[[part.sum() / len(part) for part in row] for row in head] for head in parts]),
        "peak": np.array([[[part.max() for part in row] for row in head] for head in parts]),
    }
    near = {"itself": at == 0, "before": at == 1, "distance": abs(at)}
    return found | ({name: (w * factor).sum(-1) for name, factor in near.items()} if same else {})


def equal(found: Statistics, w: torch.Tensor, **how: object) -> None:
    """Whether these are the statistics of these weights (float64)."""
    for name, expected in slow(w.numpy(), **how).items():
        np.testing.assert_allclose(getattr(found, name), expected, rtol=1e-5, atol=2e-5, err_msg=name)
    keys = found.top_keys.long()
    at_keys = w.gather(-1, keys.clamp(min=0)).masked_fill(keys < 0, 0.0)
    torch.testing.assert_close(at_keys.float(), found.top_weights, rtol=1e-5, atol=1e-5)
    assert all(len(set(row)) == len(row) for row in ([k for k in r if k >= 0] for r in keys.flatten(0, 1).tolist()))
    assert (found.itself is None) == (not how["same"])


@pytest.fixture(params=["torch", "compiled"], scope="module")
def by(request: pytest.FixtureRequest) -> Iterator[str]:
    """Each way to reduce a block; without a compiler there is one."""
    with pytest.MonkeyPatch.context() as patch:
        if request.param == "torch":
            patch.setattr(compiled, "kernel", lambda device, work: None)
        elif compiled.compiler() is None:
            pytest.skip("no C compiler here")
        else:
            patch.setattr(compiled, "WORTH", 0)
            assert compiled.kernel(CPU, 0) is not None
        yield request.param


@st.composite
def places(draw: st.DrawFn) -> tuple[Recipe, torch.Tensor, torch.Tensor, bool]:
    """Recipe, queries, keys, and whether both are one sequence: self or cross, all that a recipe may hold."""
    n, same = draw(st.sampled_from([1, 2, 7, 13, 37])), draw(st.booleans())
    m = n + draw(st.sampled_from([0, 5])) if same else draw(st.sampled_from([1, 3, 11, 41]))
    torch.manual_seed(draw(st.integers(0, 2**32 - 1)))
    spans = torch.sort(torch.randint(0, m + 1, (n, 2)), 1).values.int()
    seen = draw(
        st.sampled_from([None, visible(causal(), n, m), visible(window(3), n, m), torch.rand(n, m) > 0.6, spans])
    )
    recipe = Recipe(
        scale=1.3,
        vector=draw(st.sampled_from([None, None, torch.randn(5)])),
        softcap=draw(st.sampled_from([None, 3.0])),
        bias=draw(st.sampled_from([None, torch.randn(HEADS, n + m - 1), torch.randn(HEADS, n, m)])),
        visible=seen,
        sinks=draw(st.sampled_from([None, torch.randn(HEADS)])),
    )
    return recipe, torch.randn(HEADS, n, 5) * 2, torch.randn(draw(st.sampled_from([1, 2, 4])), m, 5), same


def exact(recipe: Recipe, query: torch.Tensor, key: torch.Tensor) -> torch.Tensor:
    """The weights in float64."""
    parts = {name: part.double() if isinstance(part, torch.Tensor) else part for name, part in vars(recipe).items()}
    seen = {"visible": recipe.visible}
    return weights(Recipe(**{**parts, **seen}), query.double(), key.double())


@law
@given(places(), st.sampled_from([1, 3, 8, 11]), st.sampled_from([1, 4, 64]), st.sampled_from([16, 300, 2**20]))
def test_blocks_of_any_size_give_what_the_whole_matrix_gives(
    by: str, place: Any, top: int, size: int, room: int
) -> None:
    recipe, query, key, same = place
    how = {"same": same, "top": top, "size": size}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(blocks, "ROOM", room)
        found = reducing.statistics(recipe, query, key, **how)
    w = exact(recipe, query, key)
    equal(found, w, **how)
    equal(reducing.of_weights(w.float(), **how), w, **how)
    blind = w.sum(-1) == 0
    assert bool((found.log_sum_exp[blind] == float("-inf")).all() and found.log_sum_exp[~blind].isfinite().all())
    assert bool((found.top_keys[blind] == -1).all())


def test_by_hand(by: str) -> None:
    """Two queries of nothing: the first sees itself, the second both."""
    found = reducing.statistics(Recipe(visible=visible(causal(), 2, 2)), torch.zeros(1, 2, 3), torch.zeros(1, 2, 3))
    log2 = float(np.log(2))
    for name, expected in {
        "entropy": [0, log2], "log_sum_exp": [0, log2], "largest": [1, 0.5], "largest_key": [0, 0], "first": [1, 0.5],
        "itself": [1, 0.5], "before": [0, 0.5], "distance": [0, 0.5], "received": [1.5, 0.5],
        "pooled": [[1, 0], [0.5, 0.5]], "peak": [[1, 0], [0.5, 0.5]],
    }.items():  # fmt: skip
        np.testing.assert_allclose(getattr(found, name)[0], expected, atol=1e-6, err_msg=name)
    assert found.top_keys[0, 0].tolist() == [0] + [-1] * 7
    assert found.top_keys[0, 1].tolist() == [0, 1] + [-1] * 6


def test_of_equal_weights_the_earlier_key_comes_first(by: str) -> None:
    found = reducing.statistics(Recipe(), torch.zeros(2, 3, 5), torch.zeros(2, 997, 5), same=False)
    assert found.top_keys[1, 2].tolist() == list(range(8))


def test_sums_that_must_hold(by: str) -> None:
    """Rows of the map sum to 1, what keys receive sums to the queries, and no entropy is above log n."""
    torch.manual_seed(3)
    query, key = torch.randn(HEADS, 211, 7), torch.randn(HEADS, 211, 7)
    found = reducing.statistics(Recipe(visible=visible(causal(), 211, 211)), query, key, size=10)
    torch.testing.assert_close(found.pooled.sum(-1), torch.ones(HEADS, 10), rtol=0, atol=1e-5)
    torch.testing.assert_close(found.received.sum(-1), torch.full((HEADS,), 211.0), rtol=1e-5, atol=0)
    assert bool((found.entropy <= torch.arange(1, 212).log() + 1e-5).all())
    assert bool((found.peak.amax((1, 2)) == found.largest.amax(1)).all())


def test_a_kernel_that_is_wrong_is_not_used() -> None:
    kernel = compiled.kernel(CPU, compiled.WORTH)
    if kernel is None:
        pytest.skip("no C compiler here")
    assert compiled.agrees(kernel)

    def forgetful(scores: torch.Tensor, *rest: object, **how: object) -> object:
        return kernel(scores * 1.001, *rest, **how)

    assert not compiled.agrees(forgetful)


def test_without_a_compiler_torch_does_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiled, "compiler", lambda: None)
    assert compiled._loaded.__wrapped__() is None


def test_what_does_not_compile_is_not_used(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "bad.c").write_text("not C")
    monkeypatch.setattr(compiled, "SOURCE", tmp_path / "bad.c")
    assert compiled._loaded.__wrapped__() is None
