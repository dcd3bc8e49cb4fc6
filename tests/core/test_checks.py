"""What does not fit is refused in one clear line: which tensors, which rule."""

from typing import Any

import pytest
import torch
from drawn import SCORERS, made
from refused import refused

from regard.core.attend import attend
from regard.core.checks import first_non_finite
from regard.core.errors import BadInput
from regard.core.masks import causal
from regard.core.scorers import Dot, Scorer


def asked(query: tuple[int, ...], key: tuple[int, ...], value: tuple[int, ...], **how: Any) -> None:
    attend(torch.zeros(query), torch.zeros(key), torch.zeros(value), **how)


@pytest.mark.parametrize(
    ("code", "query", "key", "value", "facts"),
    [
        ("attend_axes", (5,), (7, 5), (7, 5), {"query": [5]}),
        ("attend_axes", (3, 5), (5,), (7, 5), {"key": [5]}),
        ("attend_axes", (3, 5), (7, 5), (), {"value": []}),
        ("attend_keys", (3, 5), (7, 5), (6, 5), {"n_keys": 7, "n_values": 6, "key": [7, 5], "value": [6, 5]}),
        ("attend_keys", (2, 3, 5), (2, 7, 5), (2, 1, 5), {"n_keys": 7, "n_values": 1}),
        ("attend_widths", (3, 5), (7, 4), (7, 5), {"query": [3, 5], "key": [7, 4], "d_query": 5, "d_key": 5}),
        ("attend_widths", (3, 5), (7, 1), (7, 5), {"scorer": "ScaledDot"}),
        ("attend_widths", (3, 0), (7, 0), (7, 5), {"d_query": 1, "d_key": 1}),
        ("attend_leading", (2, 3, 5), (3, 7, 5), (2, 7, 5), {"query": [2, 3, 5], "key": [3, 7, 5], "value": [2, 7, 5]}),
        ("attend_leading", (2, 3, 3, 5), (2, 7, 5), (2, 7, 5), {"query": [2, 3, 3, 5]}),
    ],
)
def test_shapes_that_do_not_fit(
    code: str, query: tuple[int, ...], key: tuple[int, ...], value: tuple[int, ...], facts: dict[str, Any]
) -> None:
    with refused(code, BadInput, **facts):
        asked(query, key, value)


@pytest.mark.parametrize("name", SCORERS)
def test_widths_that_a_scorer_cannot_compare(name: str) -> None:
    """Never torch's own words about matrices, never a silent broadcast."""
    scorer, d_query, d_key = made(name, torch.float32)
    asked((3, d_query), (7, d_key), (7, 11), scorer=scorer)
    for wrong_query, wrong_key in ((d_query, d_key + 1), (d_query + 1, d_key), (1, d_key), (d_query, 1)):
        with refused("attend_widths", BadInput, scorer=type(scorer).__name__):
            asked((3, wrong_query), (7, wrong_key), (7, 11), scorer=scorer)
    with refused("attend_widths", BadInput, query=[3, d_key + 8], key=[7, d_query + 9]):
        asked((3, d_key + 8), (7, d_query + 9), (7, 11), scorer=scorer)


def test_a_scorer_of_ones_own_may_compare_anything() -> None:
    class First(Scorer):
        def forward(self, query: torch.Tensor, key: torch.Tensor) -> torch.Tensor:
            return query[..., :1] @ key[..., :1].mT

    asked((3, 5), (7, 2), (7, 11), scorer=First())


def test_what_a_tap_returns_is_held_to_the_same_rules() -> None:
    with refused("attend_keys", BadInput, key=[6, 5], value=[7, 5]):
        asked((3, 5), (7, 5), (7, 5), tap=lambda step, tensor: tensor[:6] if step == "key" else tensor)


def test_whole_numbers_are_refused() -> None:
    with refused("attend_not_floating", BadInput, query="int64", key="float32", value="float32"):
        attend(torch.ones(3, 5, dtype=torch.long), torch.ones(7, 5), torch.ones(7, 5))


def test_checking_reads_no_number() -> None:
    """On a device that holds none (`meta`), reading one is an error; with a real device it would wait."""
    query, key = torch.empty(2, 3, 5, device="meta"), torch.empty(2, 7, 5, device="meta")
    assert attend(query, key, key, scorer=Dot(), mask=causal()).shape == (2, 3, 5)


NAN, INF = float("nan"), float("inf")


@pytest.mark.parametrize(
    ("name", "rows", "index", "value"),
    [
        ("scores", [[1, 2], [NAN, 3]], [1, 0], "nan"),
        ("scores", [[1, -INF], [NAN, 3]], [0, 1], "-inf"),
        ("masked", [[1, -INF], [INF, 3]], [1, 0], "inf"),
        ("masked", [[-INF, -INF], [1, NAN]], [1, 1], "nan"),
        ("value", [[[1, 2]], [[3, INF]]], [1, 0, 1], "inf"),
        ("scale", NAN, [], "nan"),
    ],
)
def test_the_first_number_that_is_none_is_named(name: str, rows: Any, index: list[int], value: str) -> None:
    with refused("not_finite", BadInput, name=name, index=index):
        first_non_finite(name, torch.tensor(rows))
    with pytest.raises(BadInput) as caught:
        first_non_finite(name, torch.tensor(rows))
    assert str(caught.value.facts["value"]) == value


@pytest.mark.parametrize("shape", [(0,), (3, 0), (2, 3, 5)])
def test_finite_numbers_pass(shape: tuple[int, ...]) -> None:
    first_non_finite("scores", torch.full(shape, 1e30))
    first_non_finite("masked", torch.full(shape, -INF))
