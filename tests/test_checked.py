"""The shapes in annotations are really checked while the tests run, and a refusal in words comes before that."""

import pytest
import torch
from jaxtyping import TypeCheckError

from regard.core.attend import attend, softmax
from regard.core.errors import BadInput


def test_an_answer_that_breaks_its_annotation_is_caught() -> None:
    with pytest.raises(TypeCheckError, match="queries keys"):
        softmax(torch.ones(7))


def test_a_refusal_comes_first() -> None:
    with pytest.raises(BadInput):
        attend(torch.ones(3, 5), torch.ones(7, 5), torch.ones(2, 5))


def test_one_thread() -> None:
    assert torch.get_num_threads() == 1
