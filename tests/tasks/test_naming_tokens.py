"""What is asked of evidence is what is answered: what names no token, no kind, no text is refused, in every face."""

from typing import Any

import numpy as np
import pytest

import regard
from regard.core.errors import BadInput
from regard.views.evidence import evidence as drawn

TEXT = "The black cat ate the mouse."


@pytest.mark.parametrize(
    "named", ["3-1", -1, range(3, 3), range(5, 2), range(-2, 3), range(0, 9, 2), True, 2.5, [1, 2]]
)
@pytest.mark.parametrize("option", ["query", "key", "vector"])
def test_what_names_no_tokens_is_refused(option: str, named: Any) -> None:
    with pytest.raises(BadInput) as caught:
        regard.knockout("tiny-gpt", TEXT, **{option: named})
    assert (caught.value.code, caught.value.facts["came"]) == ("tokens_unnamed", str(named))


def test_the_same_tokens_by_every_name() -> None:
    names: list[Any] = [range(1, 3), "1-2", " 1-2 "]
    told = [regard.knockout("tiny-gpt", TEXT, query=each).found.effects[0].change for each in names]
    assert told[0] == told[1] == told[2] != 0
    one = [
        regard.knockout("tiny-gpt", TEXT, query=each).found.effects[0].change for each in (3, np.int64(3), "3", "3-3")
    ]
    assert one[0] == one[1] == one[2] == one[3] != 0


@pytest.mark.parametrize(
    ("choice", "code"),
    [
        ({"how": "nope"}, "unknown_choice"),
        ({"how": "patched"}, "unknown_choice"),
        ({"kind": "nope"}, "unknown_choice"),
        ({"most": 0}, "setting_bound"),
        ({"target": ""}, "text_empty"),
    ],
)
def test_choices_that_are_none_are_refused(choice: dict[str, Any], code: str) -> None:
    with pytest.raises(BadInput) as caught:
        regard.evidence("tiny-gpt", TEXT, **choice)
    assert caught.value.code == code


@pytest.mark.parametrize(("token", "told"), [("\n", "“\\n”"), (" the", "“the”"), (" ", "“␣”")])
def test_a_title_names_its_target_whatever_it_is(token: str, told: str) -> None:
    """A line break is what the default model says after many a text."""
    title = drawn([], [token], -1.0, float("nan"), how="zeroed", lang="en").title
    assert told in (title or "")
