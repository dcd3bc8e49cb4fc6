"""Where a word stands, as numbers: what is mixed into its vector before queries, keys and values are made.

Attention itself is blind to order: permuting keys with their values changes nothing. Positions make it see.
"""

import torch
from jaxtyping import Float
from torch import Tensor

Dtype = torch.dtype | None


def one_hot(n: int, *, dtype: Dtype = None) -> Float[Tensor, "n n"]:
    """Position i is 1 at place i, else 0. Appended to a word vector x, a weight W = [Wx; Wp] gives Wx·x + Wp·p.

    >>> one_hot(2)
    tensor([[1., 0.],
            [0., 1.]])
    """
    return torch.eye(n, dtype=dtype)


def index(n: int, *, dtype: Dtype = None) -> Float[Tensor, "n 1"]:
    """Position i is the number i, counted from 0; it goes in front of the word vector, as its element 0.

    >>> index(3).flatten()
    tensor([0., 1., 2.])
    """
    return torch.arange(n, dtype=dtype or torch.get_default_dtype())[:, None]


def sinusoidal(n: int, d_model: int, *, dtype: Dtype = None) -> Float[Tensor, "n d_model"]:
    """Sines at even places, cosines at odd ones, of wavelengths from 2π to 10000·2π; added to the word vector.

    Computed in float64, so that far positions stay exact. Source: Vaswani et al. 2017, §3.5.

    >>> sinusoidal(2, 2)
    tensor([[0.0000, 1.0000],
            [0.8415, 0.5403]])
    """
    place = torch.arange(d_model, dtype=torch.float64)
    rate = 10000.0 ** (-(place - place % 2) / max(d_model, 1))
    angle = torch.arange(n, dtype=torch.float64)[:, None] * rate
    wave = torch.where(place % 2 == 0, angle.sin(), angle.cos())
    return wave.to(dtype or torch.get_default_dtype())
