"""Dropout: how many entries go, what becomes of the rest, and that chance is the seed's."""

import pytest
import torch

from regard.layers.dropout import Dropout


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("rate", [0.1, 0.5, 0.75])
def test_so_many_go_and_the_rest_grows(dtype: torch.dtype, rate: float) -> None:
    torch.manual_seed(3)
    found = Dropout(rate)(torch.full((7, 31, 1009), 3.0, dtype=dtype))
    gone = found == 0
    assert gone.float().mean().item() == pytest.approx(rate, abs=0.005)
    torch.testing.assert_close(found[~gone], torch.full_like(found[~gone], 3 / (1 - rate)))


def test_neighbours_and_quarters_of_a_draw_know_nothing_of_each_other() -> None:
    torch.manual_seed(5)
    kept = (Dropout(0.3)(torch.ones(200_003)) > 0).float()
    for apart in (1, 2, 3, 4, 5):
        together = torch.corrcoef(torch.stack([kept[:-apart], kept[apart:]]))[0, 1]
        assert abs(together.item()) < 0.01
    for quarter in range(4):
        assert kept[quarter::4].mean().item() == pytest.approx(0.7, abs=0.01)


def test_the_gradient_goes_where_the_entry_went() -> None:
    x = torch.randn(5, 13, requires_grad=True)
    found = Dropout(0.4)(x)
    found.sum().backward()
    torch.testing.assert_close(x.grad * x, found)


def test_the_seed_decides_and_evaluation_changes_nothing() -> None:
    x, layer = torch.ones(3, 17), Dropout(0.5)
    found = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        found.append(layer(x))
    assert torch.equal(found[0], found[1])
    assert not torch.equal(found[0], found[2])
    assert layer.eval()(x) is x
    assert Dropout(0.0)(x) is x


def test_sizes_that_no_draw_fills_and_none_at_all() -> None:
    for count in (0, 1, 3, 5):
        assert Dropout(0.5)(torch.ones(count)).shape == (count,)
