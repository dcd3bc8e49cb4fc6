"""Heads: note 004's shapes, the slow twin head by head, torch's own multi-head attention, grouped heads."""

import pytest
import torch
from torch import Tensor, nn

import twin
from regard.core.attend import STEPS
from regard.core.biases import alibi
from regard.core.masks import causal, window
from regard.layers.attention import Attention, multi_head
from regard.layers.heads import join, shared, split

D_MODEL, N_HEADS, D_HEAD = 15, 3, 5


def layer(**choices: object) -> Attention:
    torch.manual_seed(7)
    return multi_head(D_MODEL, N_HEADS, **choices).double().eval()


def states(batch: int = 2, n: int = 7) -> Tensor:
    torch.manual_seed(11)
    return torch.randn(batch, n, D_MODEL, dtype=torch.float64)


def test_three_words_of_a_thousand_numbers() -> None:
    """Note 004: 3×1000 → 8 heads of 3×125 → 3×1000; head h gets entries 125·h … 125·(h+1)."""
    x = torch.arange(3000.0).view(1, 3, 1000)
    heads = split(x, 8)
    assert heads.shape == (1, 8, 3, 125)
    assert heads[0, 5, 2].tolist() == x[0, 2, 625:750].tolist()
    assert torch.equal(join(heads), x)


def test_each_head_is_the_slow_twin() -> None:
    """W·x row by row in plain Python, a head's slice of it, attended, side by side, through W_o."""
    attention, x = layer(), states(1, 4)
    rows = x[0].tolist()

    def projected(linear: nn.Linear) -> list[list[float]]:
        w, b = linear.weight.tolist(), linear.bias.tolist()
        return [[a + c for a, c in zip(twin.times(w, row), b, strict=True)] for row in rows]

    query, key, value = map(projected, (attention.to_query, attention.to_key, attention.to_value))
    joined: list[list[float]] = [[] for _ in rows]
    for head in range(N_HEADS):
        part = slice(head * D_HEAD, (head + 1) * D_HEAD)
        q, k, v = ([row[part] for row in m] for m in (query, key, value))
        seen = twin.attend(q, k, v, score=twin.dot, scale=D_HEAD**-0.5, may=twin.causal(4, 4))
        joined = [row + context for row, context in zip(joined, seen["context"], strict=True)]
    w, b = attention.to_output.weight.tolist(), attention.to_output.bias.tolist()
    expected = [[a + c for a, c in zip(twin.times(w, row), b, strict=True)] for row in joined]
    got = attention(x, attention.remember(x), mask=causal())[0]
    torch.testing.assert_close(got, torch.tensor(expected, dtype=torch.float64), atol=1e-12, rtol=0)


def test_it_is_torchs_own_with_the_same_weights() -> None:
    attention, x, memory = layer(), states(), states(2, 5) * 2
    foreign = nn.MultiheadAttention(D_MODEL, N_HEADS, batch_first=True).double()
    three = (attention.to_query, attention.to_key, attention.to_value)
    with torch.no_grad():
        foreign.in_proj_weight.copy_(torch.cat([each.weight for each in three]))
        foreign.in_proj_bias.copy_(torch.cat([each.bias for each in three]))
        foreign.out_proj.load_state_dict(attention.to_output.state_dict())
    real = torch.tensor([[True] * 5, [True] * 3 + [False] * 2])
    expected, _ = foreign(x, memory, memory, key_padding_mask=~real)
    torch.testing.assert_close(attention(x, attention.remember(memory, real)), expected, atol=1e-12, rtol=0)


@pytest.mark.parametrize("n_kv_heads", [1, 2, 6])
@pytest.mark.parametrize("looking", [False, True])
def test_grouped_heads_are_copies(n_kv_heads: int, looking: bool) -> None:
    """Fewer heads of keys and values give what as many equal ones would: 6 / n_kv_heads neighbours share one."""
    torch.manual_seed(13)
    few = multi_head(D_MODEL, 6, n_kv_heads=n_kv_heads, d_head=5).double()
    many = multi_head(D_MODEL, 6, d_head=5).double()
    group = 6 // n_kv_heads
    for name in ("to_key", "to_value"):
        linear = getattr(few, name)
        weight = linear.weight.view(n_kv_heads, 5, -1).repeat_interleave(group, 0).flatten(0, 1)
        bias = linear.bias.view(n_kv_heads, 5).repeat_interleave(group, 0).flatten()
        getattr(many, name).load_state_dict({"weight": weight, "bias": bias})
    many.to_query, many.to_output = few.to_query, few.to_output
    x = states()
    tap = (lambda step, tensor: tensor) if looking else None
    expected = many(x, many.remember(x), mask=causal(), tap=tap)
    torch.testing.assert_close(few(x, few.remember(x), mask=causal(), tap=tap), expected, atol=1e-12, rtol=0)


def test_shared_repeats_neighbours() -> None:
    two = torch.tensor([[[[1.0]], [[2.0]]]])
    assert shared(two, 4).flatten().tolist() == [1, 1, 2, 2]


@pytest.mark.parametrize("mask", [None, causal(), window(3)])
@pytest.mark.parametrize("biased", [False, True])
def test_looking_changes_nothing(mask: object, biased: bool) -> None:
    """The tap sees the eight steps and the output; the fused path gives the same."""
    attention, x, seen = layer(), states(), []
    how = {"mask": mask, "bias": alibi(N_HEADS) if biased else None}

    def tap(step: str, tensor: Tensor) -> Tensor:
        seen.append((step, tuple(tensor.shape)))
        return tensor

    looked = attention(x, attention.remember(x), **how, tap=tap)
    torch.testing.assert_close(attention(x, attention.remember(x), **how), looked, atol=1e-12, rtol=0)
    shapes = dict(seen)
    assert tuple(shapes) == (*STEPS, "output")
    assert shapes["query"] == (2, 3, 7, 5)
    assert shapes["weights"] == (2, 3, 7, 7)
    assert shapes["output"] == (2, 7, 15)


def test_a_tap_that_intervenes_is_obeyed() -> None:
    attention, x = layer(), states()
    silenced = attention(x, attention.remember(x), tap=lambda step, t: t * 0 if step == "context" else t)
    torch.testing.assert_close(silenced, attention.to_output.bias.expand_as(silenced), atol=0, rtol=0)
