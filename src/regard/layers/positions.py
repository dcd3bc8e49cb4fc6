"""Where a word stands, as numbers: what is mixed into its vector before queries, keys and values are made.

Attention itself is blind to order: permuting keys with their values changes nothing. Positions make it see.
"""

from abc import abstractmethod
from collections.abc import Callable

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

Place = Int[Tensor, "*#batch n"]
"""Where each token stands, from 0: one row for all, or (padded) a row a text."""

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
    return _waves(torch.arange(n), d_model).to(dtype or torch.get_default_dtype())


def _waves(place: Tensor, d_model: int) -> Tensor:
    """(..., d_model): the waves at these places (...), float64."""
    entry = torch.arange(d_model, dtype=torch.float64)
    rate = 10000.0 ** (-(entry - entry % 2) / max(d_model, 1))
    angle = place[..., None].double() * rate
    return torch.where(entry % 2 == 0, angle.sin(), angle.cos())


class Positions(nn.Module):
    """Mixes where a word stands into its vector. Abstract."""

    @abstractmethod
    def forward(self, x: Float[Tensor, "batch n d_model"], place: Place) -> Float[Tensor, "batch n d_model"]:
        """Word vectors that know where they stand."""


class Nowhere(Positions):
    """Adds nothing: attention itself (rotary, ALiBi) sees where words stand."""

    def forward(self, x: Tensor, place: Tensor) -> Tensor:
        return x


class Learned(Positions):
    """A learned vector a position, added: one-hot times a matrix (Gehring et al. 2017; GPT-2)."""

    def __init__(self, max_len: int, d_model: int) -> None:
        super().__init__()
        self.table = nn.Embedding(max_len, d_model)

    @torch.no_grad()
    def begin(self, std: float = 0.1) -> None:
        """Begin as sines of this size: neighbours are then alike, and "one before" is one turn for all places.

        Larger than word vectors begin (0.02), so that heads find places first: after ten million tokens a head of
        `tiny-gpt` looked one back with 0.8 of its weight; with sines of 0.02 the best did with 0.4, at a higher loss.
        """
        self.table.weight.copy_(sinusoidal(*self.table.weight.shape) * std * 2**0.5)

    def forward(self, x: Tensor, place: Tensor) -> Tensor:
        return x + self.table(place)


class Sinusoidal(Positions):
    """`sinusoidal`, added; nothing is learnt.

    Args:
        halves: all sines first, then all cosines (Marian's order), instead of in turns (the paper's).
    """

    HELD = 4096
    """A table is held of so many places at most; of a model that reads more, waves are computed when they are read."""

    wave: Tensor

    def __init__(self, max_len: int, d_model: int, *, halves: bool = False) -> None:
        super().__init__()
        self.d_model, self.halves, self.held = d_model, halves, max_len <= self.HELD
        wave = self._computed(torch.arange(max_len if self.held else 0))
        self.register_buffer("wave", wave, persistent=False)

    def forward(self, x: Tensor, place: Tensor) -> Tensor:
        wave = self.wave[place] if self.held else self._computed(place.cpu()).to(x.device)
        return x + wave.to(x.dtype)

    def _computed(self, place: Tensor) -> Tensor:
        wave = _waves(place, self.d_model).to(torch.get_default_dtype())
        return torch.cat([wave[..., 0::2], wave[..., 1::2]], -1) if self.halves else wave


class OneHot(Positions):
    """Note 000: the position's one-hot p beside the word's vector x, and W[x; p] = Wx·x + Wp·p."""

    def __init__(self, max_len: int, d_model: int) -> None:
        super().__init__()
        self.max_len = max_len
        self.both = nn.Linear(d_model + max_len, d_model, bias=False)

    def forward(self, x: Tensor, place: Tensor) -> Tensor:
        p = nn.functional.one_hot(place, self.max_len).to(x.dtype).expand(*x.shape[:-1], -1)
        return self.both(torch.cat([x, p], dim=-1))


class Rotary(nn.Module):
    """Turns each pair of entries of a query or key by place · rate: q·k then depends on the distance (Su et al. 2021).

    Pairs are (i, i + d_head/2), as in Llama's folders; the rate of pair i is theta^(−2i/d_head).
    """

    rate: Tensor

    def __init__(self, d_head: int, theta: float = 10000.0) -> None:
        super().__init__()
        powers = torch.arange(0, d_head, 2, dtype=torch.float32) / d_head
        self.register_buffer("rate", 1.0 / theta**powers, persistent=False)

    def forward(self, place: Place) -> Callable[[Tensor], Tensor]:
        """What turns (batch, heads, n, d_head) at these places; computed once, used in every layer."""
        angle = place[..., None].float() * self.rate
        cos, sin = (torch.cat([wave, wave], dim=-1).unsqueeze(-3) for wave in (angle.cos(), angle.sin()))

        def turn(x: Tensor) -> Tensor:
            first, second = x.chunk(2, dim=-1)
            return x * cos.to(x.dtype) + torch.cat([-second, first], dim=-1) * sin.to(x.dtype)

        return turn
