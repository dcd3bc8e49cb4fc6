"""The compiled products: torch's numbers, exact sums of whole numbers, no row that feels another; else torch's."""

import tempfile
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from regard.core import compiled, products
from regard.core.products import ROWS, Kernel

WIDTHS = [1, 2, 15, 16, 17, 31, 67, 1031]


@pytest.fixture(scope="module")
def kernel() -> Kernel:
    found = products.kernel(products.WORTH)
    if compiled.compiler() is None:
        pytest.skip("no C compiler here")
    assert found is not None, "it does not compile, or does not give torch's numbers"
    return found


def drawn(*size: int, seed: int) -> torch.Tensor:
    return torch.randn(*size, generator=torch.Generator().manual_seed(seed))


@given(st.integers(1, ROWS), st.sampled_from(WIDTHS), st.sampled_from(WIDTHS), st.booleans(), st.integers(0, 99))
def test_it_is_the_product_and_no_row_feels_another(
    kernel: Kernel, rows: int, inner: int, outer: int, biased: bool, seed: int
) -> None:
    """Against float64; bit-equal alone and among others."""
    x, weight = drawn(rows, inner, seed=seed), drawn(inner, outer, seed=seed + 1)
    bias = drawn(outer, seed=seed + 2) if biased else None
    found = kernel.turned(x, weight, bias)
    exact = x.double() @ weight.double() + (0.0 if bias is None else bias)
    assert float((found - exact).abs().max()) <= 1e-6 * (1 + inner)
    for row in range(rows):
        assert torch.equal(kernel.turned(x[row : row + 1], weight, bias), found[row : row + 1])


@given(st.integers(1, ROWS), st.sampled_from(WIDTHS), st.sampled_from(WIDTHS), st.booleans(), st.integers(0, 99))
def test_whole_numbers_are_summed_exactly(
    kernel: Kernel, rows: int, inner: int, outer: int, biased: bool, seed: int
) -> None:
    source = torch.Generator().manual_seed(seed)
    numbers = torch.randint(-127, 128, (outer, inner), generator=source, dtype=torch.int8)
    steps = torch.randint(-127, 128, (rows, inner), generator=source).float()
    steps[:, 0] = 127  # so that each row's scale is its size, and what is rounded is a whole number already
    size, scale, bias = drawn(rows, 1, seed=seed).exp(), drawn(outer, seed=seed), drawn(outer, seed=seed + 1)
    found = kernel.whole(steps * size, products.whole(numbers, scale), bias if biased else None)
    exact = (steps.double() @ numbers.double().T) * size.double() * scale.double() + (bias.double() if biased else 0.0)
    assert torch.allclose(found.double(), exact, rtol=1e-6, atol=1e-6)


def test_the_largest_sums_do_not_overflow(kernel: Kernel) -> None:
    wide = products.WIDEST
    numbers = torch.full((1, wide), 127, dtype=torch.int8)
    found = kernel.whole(torch.full((1, wide), 127.0), products.whole(numbers, torch.ones(1)), None)
    assert float(found) == pytest.approx(wide * 127.0**2, rel=1e-6)


def test_it_is_tried_before_it_is_used(kernel: Kernel) -> None:
    assert products.agrees(kernel)

    def wrong(at: int) -> Any:
        def multiply(*given: Any) -> int:
            kernel._turned(*given[:at], given[at] - 1, *given[at + 1 :])
            return 1

        return multiply

    assert not products.agrees(Kernel(wrong(1), kernel._whole))

    def forgetful(*given: Any) -> int:
        return kernel._whole(*given[:7], None, *given[8:])

    assert not products.agrees(Kernel(kernel._turned, forgetful))


def test_it_takes_few_rows_that_ask_for_no_gradient() -> None:
    x, rows = torch.zeros(2, 2, 5), range(2, 5)
    assert products.takes(x, rows)
    assert not products.takes(x, range(5, 9))
    assert not products.takes(x, range(1, 4))
    assert not products.takes(x[..., :0], rows)
    assert not products.takes(torch.zeros(2, products.WIDEST + 1), rows)
    assert not products.takes(x.double(), rows)
    assert not products.takes(x.clone().requires_grad_(), rows)
    with torch.no_grad():
        assert products.takes(x.clone().requires_grad_(), rows)


def test_a_small_model_compiles_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[bool] = []

    class Untouched:
        currsize = 0

        def __call__(self) -> None:
            asked.append(True)

        def cache_info(self) -> "Untouched":
            return self

    monkeypatch.setattr(products, "_loaded", Untouched())
    assert products.kernel(products.WORTH - 1) is None
    assert not asked
    products.kernel(products.WORTH)
    assert asked


def test_without_a_compiler_or_with_one_that_cannot_torch_does_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "bad.c").write_text("int multiply(")
    with monkeypatch.context() as patch:
        patch.setattr(products, "SOURCE", tmp_path / "bad.c")
        assert products._loaded.__wrapped__() is None
    with monkeypatch.context() as patch:
        patch.setattr(tempfile, "tempdir", str(tmp_path / "nowhere"))  # nothing may be written on this machine
        assert products._loaded.__wrapped__() is None
    monkeypatch.setattr(compiled, "compiler", lambda: None)
    assert products._loaded.__wrapped__() is None


def test_a_flag_that_is_not_known_is_left_out(kernel: Kernel) -> None:
    assert compiled.built(products.SOURCE, "-fno-such-thing") is not None


def test_threads_share_the_outputs_and_change_no_bit(kernel: Kernel) -> None:
    """Also where there are more of them than blocks."""
    x, weight, bias = drawn(5, 67, seed=1), drawn(67, 2063, seed=2), drawn(2063, seed=3)
    numbers = products.whole((weight.T * 40).clamp(-127, 127).to(torch.int8).contiguous(), bias)
    few, before = weight[:, :17].contiguous(), torch.get_num_threads()

    def made() -> list[torch.Tensor]:
        return [kernel.turned(x, weight, bias), kernel.whole(x, numbers, bias), kernel.turned(x, few, None)]

    alone = made()
    try:
        for threads in (2, 3):
            torch.set_num_threads(threads)
            assert all(torch.equal(one, other) for one, other in zip(alone, made(), strict=True))
    finally:
        torch.set_num_threads(before)
