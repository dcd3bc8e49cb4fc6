"""A Transformer translates, is trained, stopped, resumed and looked at as the RNN is."""

import os
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from regard.core.errors import BadInput
from regard.core.protocols import Site
from regard.generation.sentences import MAX_SOURCE, longest
from regard.inspection.alignment import aligned
from regard.inspection.trace import Check, Sequence, Trace
from regard.tasks.training import Asked, train_translation
from regard.tasks.translation import Translation, Translator, load
from regard.training.loop import Stopped
from toy import reversed_pairs, translator, write_pairs

PAIRS = reversed_pairs(43, seed=9)
SIZES = {"model_type": "regard-transformer", "d_model": 22, "n_layers": 1, "n_heads": 2, "d_ff": 41, "max_len": 29}
RUN = {"steps": 23, "evaluate_every": 11, "save_every": 7, "batch_tokens": 211, "threads": 1, "device": "cpu"}


@pytest.fixture(scope="module")
def model(transformer_reverser: Path) -> Translator:
    return load(transformer_reverser)


@pytest.fixture(scope="module")
def found(model: Translator) -> list[Translation]:
    return model.translate([source for source, _ in PAIRS])


def asked(folder: Path, sizes: dict[str, Any] | None = None, **run: Any) -> Asked:
    pairs = write_pairs(folder / "pairs.tsv", reversed_pairs(401))
    data = {"pairs": [pairs], "tokenizer": "words", "vocab_size": 31, "held_out": 23}
    return Asked(data, {**SIZES, **(sizes or {})}, {**RUN, **run})


def quiet(kind: str, facts: dict[str, Any]) -> None:
    pass


# Translating


def test_the_batch_translates_as_each_alone(model: Translator, found: list[Translation]) -> None:
    for each in found[::7]:
        alone = model.translate(each.source)
        assert alone.translation == each.translation
        assert alone.score == pytest.approx(each.score, abs=1e-5)


def test_each_word_looks_at_the_word_it_translates(found: list[Translation]) -> None:
    """The right attention of "backwards" is the anti-diagonal."""
    right = total = 0
    for each, (source, _) in zip(found, PAIRS, strict=True):
        words = source.split()
        looked = [words[at] for at in each.weights[: len(words), : len(words)].argmax(1)]
        right += sum(one == other for one, other in zip(looked, reversed(words), strict=False))
        total += len(words)
    assert right >= 0.9 * total


def test_attention_is_the_mean_over_the_heads_of_the_last_layer(found: list[Translation]) -> None:
    each = found[5]
    heads = [each.trace.weights(part="cross", layer=1, head=head) for head in range(2)]
    np.testing.assert_allclose(each.weights, sum(heads) / 2, atol=1e-7)
    np.testing.assert_allclose(each.weights.sum(1), 1.0, atol=1e-6)
    assert each.json()["attention"] == each.weights.astype(float).tolist()
    shape = (len(each.json()["target_tokens"]), len(each.json()["source_tokens"]))
    assert each.weights.shape == shape


def test_each_part_of_a_trace_has_its_own_sides(found: list[Translation]) -> None:
    trace = found[5].trace
    n_source, n_target = (len(trace.sequences[name].ids) for name in ("source", "target"))
    assert trace.weights(part="encoder").shape == (n_source, n_source)
    assert trace.weights(part="decoder", layer=1, head=1).shape == (n_target, n_target)
    assert np.triu(trace.weights(part="decoder"), 1).max() == 0
    assert trace.check.deviation < 1e-5
    with pytest.raises(BadInput):
        trace.weights(part="cross", layer=2)
    with pytest.raises(BadInput):
        trace.weights(part="cross", head=2)


@pytest.mark.parametrize(
    ("lang", "said"),
    [
        ("en", "mean over the 2 heads of layer 1 (decoder.layers.1.cross)"),
        ("zh-Hant", "第 1 層（decoder.layers.1.cross）2 個頭的平均值"),
        ("zh-Hans", "第 1 层（decoder.layers.1.cross）2 个头的平均值"),
    ],
)
def test_the_reading_says_whose_weights_they_are(found: list[Translation], lang: str, said: str) -> None:
    assert said in found[5].picture(lang).reading


def trace_of(layers: int, heads: int) -> Trace:
    sites = tuple(Site(f"decoder.layers.{n}.cross", "target", "source", heads) for n in range(layers))
    chance = np.random.default_rng(7)
    tensors = {f"{site.address}/weights": chance.random((heads, 3, 5), np.float32) for site in sites}
    side = Sequence("", (), (), (), ())
    return Trace("m", "0", {"source": side, "target": side}, sites, tensors, Check("full", 0.0, 1e-4))


@pytest.mark.parametrize(("layers", "layer"), [(1, 0), (2, 1), (5, 4)])
def test_the_last_layer_is_the_alignment(layers: int, layer: int) -> None:
    trace = trace_of(layers, 7)
    found = aligned(trace)
    assert found.site.layer == layer
    np.testing.assert_allclose(found.weights, trace.tensors[f"decoder.layers.{layer}.cross/weights"].mean(0), rtol=1e-6)
    assert aligned(trace, 0).site.layer == 0
    with pytest.raises(BadInput) as caught:
        aligned(trace, layers)
    assert caught.value.code == "no_site"


def test_a_model_that_looks_at_nothing_has_no_alignment() -> None:
    assert aligned(trace_of(0, 1)) is None


def test_it_reads_and_writes_at_most_what_it_can(model: Translator) -> None:
    """max_len is 101: a hundred words and the end are read, a hundred and one tokens written."""
    assert model.longest == 100
    assert longest(translator()) == MAX_SOURCE
    found = model.translate("ant " * 131, beam=2)
    assert found.unread == 31
    assert len(found.trace.sequences["source"].ids) == 101
    assert len(found.trace.sequences["target"].ids) <= 101
    with pytest.raises(BadInput) as caught:
        model.record("ant " * 131, "ant")
    assert caught.value.facts == {"came": 132, "most": 101}


# Training


def test_a_stopped_run_resumes_to_the_same_bits(tmp_path: Path) -> None:
    def tell(kind: str, facts: dict[str, Any]) -> None:
        if kind == "step" and facts["step"] == 12:
            os.kill(os.getpid(), signal.SIGTERM)

    for name in ("whole", "stopped"):
        (tmp_path / name).mkdir()
    train_translation(tmp_path / "whole" / "run", asked(tmp_path / "whole"), quiet)
    with pytest.raises(Stopped):
        train_translation(tmp_path / "stopped" / "run", asked(tmp_path / "stopped"), tell)
    train_translation(tmp_path / "stopped" / "run", Asked(), quiet, resume=True)
    one, other = (load_file(tmp_path / n / "run" / "step-00000023" / "model.safetensors") for n in ("whole", "stopped"))
    assert one.keys() == other.keys()
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_another_kind_of_model_is_no_resume(tmp_path: Path) -> None:
    train_translation(tmp_path / "run", asked(tmp_path, steps=2), quiet)
    for name, value in (("model_type", "regard-rnn"), ("cell", "gru")):
        with pytest.raises(BadInput) as caught:
            train_translation(tmp_path / "run", Asked({}, {name: value}), quiet, resume=True)
        assert (caught.value.code, caught.value.facts["name"]) == ("resume_differs", name)


@pytest.mark.parametrize(
    ("sizes", "code"),
    [
        ({"cell": "gru"}, "setting_foreign"),
        ({"n_heads": 7}, "setting_clash"),
        ({"d_model": 23}, "setting_multiple"),
        ({"n_layers": 0}, "setting_bound"),
        ({"max_len": 6}, "pair_length"),
    ],
)
def test_a_choice_that_cannot_be_is_refused_before_training(tmp_path: Path, sizes: dict[str, Any], code: str) -> None:
    with pytest.raises(BadInput) as caught:
        train_translation(tmp_path / "run", asked(tmp_path, sizes), quiet)
    assert caught.value.code == code
    assert not (tmp_path / "run" / "run.json").exists()
