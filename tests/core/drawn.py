"""What the laws of core are held against: drawn sizes, tensors, scorers and masks."""

from collections.abc import Callable

import torch
from hypothesis import settings
from hypothesis import strategies as st
from torch import Tensor

from regard.core.masks import Mask, causal, of, padding, window, without
from regard.core.scorers import Additive, Concat, Dot, General, ScaledDot, Scorer

law = settings(deadline=None, max_examples=15)

sizes = st.integers(1, 6)
seeds = st.integers(0, 2**32 - 1)

SCORERS: dict[str, Callable[[], tuple[Scorer, int, int]]] = {
    "dot": lambda: (Dot(), 5, 5),
    "scaled_dot": lambda: (ScaledDot(), 5, 5),
    "general": lambda: (General(5, 3), 5, 3),
    "additive": lambda: (Additive(7), 7, 7),
    "concat": lambda: (Concat(5, 3, 7), 5, 3),
}
"""Each scorer with the widths of its query and key."""


def made(name: str, dtype: torch.dtype = torch.float64) -> tuple[Scorer, int, int]:
    scorer, d_query, d_key = SCORERS[name]()
    return scorer.to(dtype), d_query, d_key


@st.composite
def qkv(
    draw: st.DrawFn, d_query: int = 5, d_key: int = 5, dtype: torch.dtype = torch.float64, least: int = 1
) -> tuple[Tensor, Tensor, Tensor]:
    """Queries and keys of drawn counts and widths as given; values of width 3; a leading axis or two, or none."""
    leading = draw(st.sampled_from([(), (2,), (3, 2)]))
    queries, keys = draw(st.integers(least, 6)), draw(st.integers(least, 6))
    torch.manual_seed(draw(seeds))
    shapes = ((queries, d_query), (keys, d_key), (keys, 3))
    query, key, value = (torch.randn(*leading, *shape, dtype=dtype) for shape in shapes)
    return query, key, value


@st.composite
def masks(draw: st.DrawFn, queries: int, keys: int) -> Callable[[], Mask | None]:
    """Any mask for these sizes, also one that leaves a query blind; made by the test (checked shapes use `random`)."""
    bits = st.lists(st.booleans(), min_size=queries * keys, max_size=queries * keys)
    pairs = st.lists(st.tuples(st.integers(0, queries - 1), st.integers(0, keys - 1)), max_size=4)
    real = st.lists(st.booleans(), min_size=keys, max_size=keys)
    return draw(
        st.one_of(
            st.just(lambda: None),
            st.just(causal),
            st.integers(1, 4).map(lambda size: lambda: window(size)),
            bits.map(lambda b: lambda: of(torch.tensor(b).view(queries, keys))),
            pairs.map(lambda edges: lambda: without(edges)),
            real.map(lambda r: lambda: causal() & padding(torch.tensor(r))),
        )
    )
