"""The peers of our GPT: what is rebuilt equals what it rebuilds, and all are given the same work."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from measuring.characters import Training, config_of, settings_of, validation_loss, written_as_ids
from peers import gpt2_loop, nanogpt
from peers.nanogpt import NanoGpt, NanoSettings, NanoSizes
from regard.models.gpt import Gpt

SIZES = NanoSizes(vocab_size=31, n_layers=3, n_heads=2, d_model=26, max_len=17)
ENDS = {"tokens": "wte", "positions": "wpe", "norm": "ln_f"}
PARTS = {
    "joined": "attn.c_proj",
    "qkv": "attn.c_attn",
    "wide": "mlp.c_fc",
    "narrow": "mlp.c_proj",
    "norm_1": "ln_1",
    "norm_2": "ln_2",
}


def copied(theirs: nn.Module, ours: NanoGpt) -> None:
    """GPT-2's weights into nanoGPT's places; GPT-2 keeps its matrices the other way round."""
    found = dict(theirs.named_parameters())
    for name, parameter in ours.named_parameters():
        if name.startswith("layers."):
            _, number, part, kind = name.split(".")
            value = found[f"transformer.h.{number}.{PARTS[part]}.{kind}"]
            value = value.T if kind == "weight" and value.ndim == 2 else value
        else:
            first, kind = name.split(".")
            value = found[f"transformer.{ENDS[first]}.{kind}"]
        parameter.data.copy_(value)


def test_nanogpt_computes_what_gpt2_computes_with_exact_gelu() -> None:
    torch.manual_seed(3)
    sizes = replace(SIZES, bias=True)
    theirs, ours = gpt2_loop.model_of(sizes).eval(), NanoGpt(sizes).eval()
    for layer in theirs.transformer.h:
        layer.mlp.act = nn.GELU()
    for parameter in theirs.parameters():
        parameter.data.normal_(std=0.3)
    copied(theirs, ours)
    ids = torch.randint(31, (5, 13))
    with torch.inference_mode():
        torch.testing.assert_close(ours(ids), theirs(ids).logits, atol=2e-5, rtol=1e-5)


@pytest.mark.parametrize("bias", [False, True])
def test_nanogpt_has_as_many_parameters_as_its_formula_says(bias: bool) -> None:
    sizes = replace(SIZES, bias=bias)
    assert sum(p.numel() for p in NanoGpt(sizes).parameters()) == nanogpt.parameter_count(sizes)


def test_nanogpt_prints_these_counts_for_its_own_settings() -> None:
    """It says "number of parameters: 0.80M" and "10.65M", positions not counted."""
    large = NanoSizes(n_layers=6, n_heads=6, d_model=384, max_len=256)
    counts = [nanogpt.parameter_count(each) - each.max_len * each.d_model for each in (NanoSizes(), large)]
    assert [f"{count / 1e6:.2f}M" for count in counts] == ["0.80M", "10.65M"]


def test_nanogpt_starts_as_it_does_and_lets_vectors_be() -> None:
    torch.manual_seed(5)
    model = NanoGpt(replace(SIZES, d_model=128, max_len=257))
    assert model.layers[0].wide.weight.std().item() == pytest.approx(0.02, rel=0.02)
    assert model.layers[0].narrow.weight.std().item() == pytest.approx(0.02 / 6**0.5, rel=0.02)
    groups = nanogpt.optimizer_of(model, NanoSettings()).param_groups
    assert [group["weight_decay"] for group in groups] == [0.1, 0.0]
    assert {p.ndim for p in groups[1]["params"]} == {1}


def test_nanogpt_rate_rises_and_falls() -> None:
    settings = NanoSettings(steps=2000, warmup=100)
    assert [nanogpt.rate(step, settings) for step in (0, 99)] == pytest.approx([1e-3 / 101, 1e-1 / 101])
    assert [nanogpt.rate(step, settings) for step in (100, 1050, 2000)] == pytest.approx([1e-3, 5.5e-4, 1e-4])


@pytest.fixture
def text(tmp_path: Path) -> Path:
    path = tmp_path / "text.txt"
    path.write_text("the cat sat on the mat. " * 60, encoding="utf-8")
    return path


def test_all_peers_learn_the_same_text(text: Path, tmp_path: Path) -> None:
    found = written_as_ids(text, tmp_path)
    sizes = replace(SIZES, vocab_size=found.vocab_size)
    settings = NanoSettings(steps=73, batch=5, warmup=3)
    peers = [
        Training(found.training, settings_of(sizes, settings, threads=1, precision="fp32")),
        nanogpt.Training(found.training, sizes, settings),
        gpt2_loop.Training(found.training, sizes, settings),
    ]
    for peer in peers:
        losses = [peer() for _ in range(73)]
        assert losses[0] == pytest.approx(np.log(found.vocab_size), rel=0.05)
        assert losses[-1] < 0.8 * losses[0]


def test_ids_are_characters_and_a_tenth_is_kept_back(text: Path, tmp_path: Path) -> None:
    found = written_as_ids(text, tmp_path)
    ids = [np.fromfile(path, dtype=np.uint16) for path in (found.training, found.validation)]
    alphabet = sorted(set(text.read_text()))
    assert "".join(alphabet[i] for part in ids for i in part) == text.read_text()
    assert len(ids[1]) == 144
    assert found.vocab_size == len(alphabet)


def test_the_judge_reads_every_window_once(text: Path, tmp_path: Path) -> None:
    """A model that always says the alphabet's first is equally likely is wrong by ln 11; a window's end counts too."""
    found = written_as_ids(text, tmp_path)
    read = []

    def flat(ids: torch.Tensor) -> torch.Tensor:
        read.append(ids)
        return torch.zeros(*ids.shape, found.vocab_size)

    assert validation_loss(flat, found.validation, 11) == pytest.approx(np.log(found.vocab_size))
    ids = np.fromfile(found.validation, dtype=np.uint16)[: 13 * 11]
    assert torch.cat(read).flatten().tolist() == ids.tolist()


def test_ours_has_nanogpts_parameters_and_biases() -> None:
    ours = sum(p.numel() for p in Gpt(config_of(SIZES)).parameters())
    assert ours == nanogpt.parameter_count(replace(SIZES, bias=True))
