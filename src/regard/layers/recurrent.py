"""An RNN's step written out, for decoders that are fed something besides the token which the last step made.

The weights are those of `nn.GRU` and `nn.LSTM`, under the same names. What is known before the loop, the tokens, is
multiplied once for all steps (`projected`); a step adds only what it alone knows.
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import dropout, linear

Rnn = nn.GRU | nn.LSTM

Hidden = tuple[Tensor, ...]
"""h, and the cell state of an LSTM, each (n_layers, batch, d)."""


def projected(rnn: Rnn, inputs: Float[Tensor, "batch n d"]) -> Float[Tensor, "batch n d_gates"]:
    """What `inputs`, the head of the first layer's input, add to its gates."""
    weight, _, bias, _ = rnn.all_weights[0]
    return linear(inputs, weight[:, : inputs.shape[-1]], bias)


def advanced(
    rnn: Rnn, projected: Float[Tensor, "batch d_gates"], fed: Float[Tensor, "batch d_fed"], hidden: Hidden
) -> tuple[Float[Tensor, "batch d"], Hidden]:
    """One step of all layers: the last layer's output, and the new hidden tensors.

    Args:
        projected: one step of `projected`.
        fed: the tail of the first layer's input.
    """
    cell = _gru if isinstance(rnn, nn.GRU) else _lstm
    gates = projected + linear(fed, rnn.all_weights[0][0][:, -fed.shape[-1] :])
    layers: list[Hidden] = []
    for layer, (from_below, from_before, bias_below, bias_before) in enumerate(rnn.all_weights):
        if layers:
            gates = linear(dropout(layers[-1][0], rnn.dropout, rnn.training), from_below, bias_below)
        before = tuple(each[layer] for each in hidden)
        layers.append(cell(gates, linear(before[0], from_before, bias_before), *before))
    return layers[-1][0], tuple(torch.stack(each) for each in zip(*layers, strict=True))


def _gru(gates: Tensor, own: Tensor, before: Tensor) -> Hidden:
    """r, z = σ(x + h); n = tanh(x + r·h); h' = n + z·(h − n) (Cho et al. 2014, as torch and cuDNN have it)."""
    (x_r, x_z, x_n), (h_r, h_z, h_n) = gates.chunk(3, -1), own.chunk(3, -1)
    r, z = torch.sigmoid(x_r + h_r), torch.sigmoid(x_z + h_z)
    n = torch.tanh(torch.addcmul(x_n, r, h_n))
    return (torch.lerp(n, before, z),)


def _lstm(gates: Tensor, own: Tensor, before: Tensor, cell: Tensor) -> Hidden:
    """i, f, o = σ(x + h); g = tanh(x + h); c' = f·c + i·g; h' = o·tanh(c') (Hochreiter & Schmidhuber 1997)."""
    i, f, g, o = (gates + own).chunk(4, -1)
    cell = torch.addcmul(torch.sigmoid(f) * cell, torch.sigmoid(i), torch.tanh(g))
    return torch.sigmoid(o) * torch.tanh(cell), cell
