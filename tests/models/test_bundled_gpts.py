"""What the bundled language models are for, held against them: one word in three places, poems that keep their form.

All together the bundled weights stay small enough to come with the package.
"""

import re

import pytest
import torch

import regard
from regard.core.tap import tapped
from regard.inspection.heads import previous_token
from regard.models import catalogue


def test_three_can_begin_as_one_vector() -> None:
    """Note 000, *I can can a can*: bit-equal as words, different once positions are in, and after every layer."""
    model = regard.load("tiny-gpt")
    encoded = model.tokenizer.encode("I can can a can")
    at = [i for i, token in enumerate(encoded.tokens) if token == "Ġcan"]
    assert len(at) == 3
    seen: dict[str, torch.Tensor] = {}

    def keep(address: str, step: str, tensor: torch.Tensor) -> torch.Tensor:
        if tensor.dim() == 3:
            seen[f"{address}/{step}"] = tensor[0, at]
        return tensor

    with torch.inference_mode(), tapped(keep):
        model.model(torch.tensor([encoded.ids]))
    words = seen["decoder/embedded"]
    assert torch.equal(words[0], words[1])
    assert torch.equal(words[0], words[2])
    for stage in ("decoder/positioned", *(f"decoder.layers.{n}/states" for n in range(6))):
        apart = torch.cdist(seen[stage], seen[stage])[[0, 0, 1], [1, 2, 2]]
        assert (apart > 0.05 * seen[stage].norm(dim=-1).mean()).all(), stage


UNSEEN = """\
The bus to the airport was late again, so the three of them shared a taxi and talked about the film all the way.
My sister moved to a small city near the coast last year. She works in an office during the week, and on Saturdays \
she plays football with her friends. When I visited her in June, we walked along the beach every evening and talked \
about the old days. The weather was warm, the food was good, and nobody wanted to go home.
"""
"""Written for this test, in the English of today, which the model never saw."""


def test_some_head_looks_one_back() -> None:
    trace = regard.record("tiny-gpt", UNSEEN)
    scores = [previous_token(trace.weights(layer=layer, head=head)) for layer in range(6) for head in range(6)]
    assert max(scores) >= 0.5


@pytest.mark.slow
def test_poems_keep_their_form() -> None:
    """200 poems, with and without a beginning: all lines have five characters, or all have seven."""
    model, kept = regard.load("tang"), 0
    for start in ("", "春", "明月", "山中"):
        for poem in model.generate([start], samples=50, seed=11)[0]:
            lines = [line for line in re.split("[，。？！；、：\n]", start + poem.text) if line]
            kept += bool(lines) and {len(line) for line in lines} in ({5}, {7})
    assert kept >= 180


def test_they_come_with_the_package() -> None:
    listed = {each["name"]: each for each in catalogue.listed()}
    assert {"tiny-gpt", "tang"} <= set(listed)
    assert sum(each["bytes"] for each in listed.values()) <= 40_000_000
