"""The output matrix of each attention is found by what it is handed, whatever a family calls it."""

import pytest
import torch
from torch import nn
from transformers.pytorch_utils import Conv1D

from foreign import DECODERS, ENCODERS, TRANSLATORS
from regard.inspection.foreign import reading
from regard.inspection.foreign.outputs import outputs
from regard.inspection.foreign.record import record
from regard.inspection.foreign.run import Foreign
from regard.inspection.foreign.subject import Theirs

IDS, TARGET = torch.tensor([[5, 9, 17, 9, 23, 11, 7]]), torch.tensor([[2, 7, 8, 9, 4]])
FAMILIES = {**ENCODERS, **DECODERS, **TRANSLATORS}


def opened(family: str) -> tuple[Foreign, reading.Reading]:
    model = Foreign(FAMILIES[family](), None, family, "f")
    given = {"input_ids": IDS, **({"decoder_input_ids": TARGET} if model.two_sided else {})}
    return model, reading.of_inputs(model, given)


@pytest.mark.parametrize("family", FAMILIES)
def test_every_attention_has_one_through_which_its_heads_go(family: str) -> None:
    """Of the last place: its heads' contexts, each through its slice, are what the layer says but for its bias."""
    model, read = opened(family)
    found, sites = outputs(model, read), record(model, read, keep="query")[0].sites
    assert set(found) == {site.address for site in sites} != set()
    last = sites[-1]
    matrix = found[last.address]
    assert len(matrix) == last.n_heads
    subject = Theirs(model, read, [0], sites, {}, vectors=True)
    context = subject.visits()[last.address].context[0]
    by_hand = torch.einsum("hqv,hvd->qd", context, matrix)
    said = []
    hooks = [
        layer.register_forward_hook(lambda layer, came, out: said.append(_without_bias(layer, out)))
        for layer in model.model.modules()
        if isinstance(layer, nn.Linear | Conv1D)
    ]
    subject.visits()
    for hook in hooks:
        hook.remove()
    same = [each for each in said if each.shape == (1, *by_hand.shape)]
    assert min(float((each[0] - by_hand).abs().max()) for each in same) < 1e-4


def _without_bias(layer: nn.Module, out: torch.Tensor) -> torch.Tensor:
    bias = getattr(layer, "bias", None)
    return out if bias is None else out - bias


def test_heads_that_go_through_a_gate_first_have_none() -> None:
    model, read = opened("Llama")

    def halved(layer: nn.Module, came: tuple) -> tuple:
        return (came[0] / 2,)

    first = model.model.model.layers[0].self_attn.o_proj
    first.register_forward_pre_hook(halved)
    assert set(outputs(model, read)) == {"decoder.layers.1.self"}
