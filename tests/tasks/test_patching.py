"""Patching and vectors of models with two sides: ours, and a translator of `transformers`."""

from pathlib import Path

import pytest
from test_align import bart  # noqa: F401

import regard
from regard.core.errors import BadInput

ROUNDED = 2e-5
"""A log-probability of −15 in float32 differs by as much between batches of one and of nine."""

LINE, LONGER, WRITTEN = "the black cat", "the black cat ate the cat", "le chat noir"


def changes(model: str, patch: str, **choices: object) -> dict[str, float]:
    told = regard.evidence(model, LINE, target=WRITTEN, kind="layers", patch=patch, **choices)  # type: ignore[arg-type]
    return {told.place(each)["address"]: each.change for each in told.found.effects}


@pytest.mark.parametrize("model", ["bart", "en-fr-transformer"])
def test_another_source_with_what_is_written_as_it_was(model: str, bart: Path) -> None:  # noqa: F811
    """A decoder's places fit whatever the source's length; an encoder's only where it is the same."""
    name = str(bart) if model == "bart" else model
    assert all(abs(each) <= ROUNDED for each in changes(name, LINE).values())
    other = changes(name, "the noir chat" if model == "bart" else "the black dog")
    assert {address.split(".")[0] for address in other} == {"encoder", "decoder"}
    assert abs(other["decoder.layers.0.cross"]) > 2 * ROUNDED
    assert abs(other["decoder.layers.0.self"]) <= ROUNDED  # before any cross-attention it has seen the target alone
    assert set(changes(name, LONGER, part="cross")) == {each for each in other if "cross" in each}
    with pytest.raises(BadInput) as caught:
        changes(name, LONGER)
    assert caught.value.code == "patch_lengths"
    assert caught.value.facts["others"] - caught.value.facts["tokens"] == 3


def test_a_vector_of_a_translator(bart: Path) -> None:  # noqa: F811
    told = regard.evidence(str(bart), LINE, vector=0, most=3)
    assert all(each.cosine is not None and each.cosine <= 1 for each in told.found.effects)
    alone = regard.knockout("en-fr", "The black cat ate the mouse.", vector=4, query=4, key=3).found.effects[0]
    assert alone.cosine is not None
    assert alone.cosine < 0.99
    with pytest.raises(BadInput) as caught:
        regard.evidence("en-fr", "The black cat ate the mouse.", vector=99)
    assert caught.value.code == "vector_outside"
