"""Blocks: note 004's collapse, and the two orders of the norm."""

import pytest
import torch
from torch import nn

from regard.layers.blocks import ACTIVATIONS, FeedForward, PostNorm, PreNorm, norm


def test_without_activation_layers_collapse() -> None:
    """Note 004: down(up·x) is one matrix, whatever was learnt; with an activation no matrix does it."""
    torch.manual_seed(2)
    layer, x = FeedForward(5, 11, "relu").double(), torch.randn(7, 5, dtype=torch.float64)
    matrix = layer.down.weight @ layer.up.weight
    shift = layer.down.weight @ layer.up.bias + layer.down.bias
    bent = layer(x)
    layer.activation = lambda h: h
    torch.testing.assert_close(layer(x), x @ matrix.T + shift)
    assert not torch.allclose(bent, x @ matrix.T + shift)


def test_a_gate_multiplies() -> None:
    torch.manual_seed(2)
    layer, x = FeedForward(5, 11, "swiglu", bias=False), torch.randn(3, 5)
    gate, up = layer.gate(x), layer.up(x)
    torch.testing.assert_close(layer(x), (gate * torch.sigmoid(gate) * up) @ layer.down.weight.T)


@pytest.mark.parametrize(
    ("name", "foreign"),
    [("gelu", "gelu_new"), ("gelu_exact", "gelu"), ("relu", "relu"), ("swish", "silu")],
)
def test_activations_are_those_of_transformers(name: str, foreign: str) -> None:
    from transformers.activations import ACT2FN

    x = torch.linspace(-5, 5, 101)
    torch.testing.assert_close(ACTIVATIONS[name](x), ACT2FN[foreign](x))


@pytest.mark.parametrize("kind", ["layer", "rms"])
def test_the_two_orders(kind: str) -> None:
    x, double = torch.randn(2, 3, 5), nn.Identity()
    pre, post = PreNorm(norm(kind, 5), 0.0), PostNorm(norm(kind, 5), 0.0)
    torch.testing.assert_close(pre(x, double), x + pre.norm(x))
    torch.testing.assert_close(post(x, double), post.norm(2 * x))
