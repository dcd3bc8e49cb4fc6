"""Vectors on their way through any model: those that the model itself computes, with edges cut only what may change."""

import pytest
import torch

from foreign import DECODERS, ENCODERS, HIDDEN, TRANSLATORS
from regard.inspection.foreign import reading
from regard.inspection.foreign.record import record
from regard.inspection.foreign.run import Foreign
from regard.inspection.foreign.vectors import reading_side, stages
from regard.inspection.knockout import Edge
from regard.inspection.vectors import stages as of_ours
from regard.models.gpt import Gpt, gpt2, llama
from regard.models.transformer import Transformer, TransformerConfig

IDS = torch.tensor([[5, 9, 17, 9, 23, 11, 8], [7, 9, 17, 12, 23, 11, 3]])
OPEN = {**ENCODERS, **DECODERS, **TRANSLATORS}
QUERY, KEY = 5, 4  # neighbours: some look no further


def side(family: str) -> Foreign:
    return reading_side(Foreign({**OPEN, **HIDDEN}[family](), None, family, "f"))


@pytest.mark.parametrize("family", [*OPEN, *HIDDEN])
def test_they_are_the_models_own(family: str) -> None:
    of = side(family)
    found = stages(of, IDS)
    with torch.no_grad():
        own = of.model(input_ids=IDS, output_hidden_states=True, return_dict=True)
    torch.testing.assert_close(found.layers, torch.stack(own.hidden_states), rtol=0, atol=1e-5)
    assert found.alone.shape[:2] == found.layers.shape[1:3] == IDS.shape
    assert (found.alone[:, 1] == found.alone[0, 1]).all()  # one id, one vector


@pytest.mark.parametrize("family", OPEN)
def test_one_cut_edge_changes_its_query_first(family: str) -> None:
    of = side(family)
    sites = record(of, reading.of_inputs(of, {"input_ids": IDS[:1]}))[0].sites
    cut = [Edge(site.address, None, QUERY, KEY) for site in sites]
    found = stages(of, IDS[:1].expand(2, -1), sites=sites, knockouts=[[], cut]).layers
    plain = stages(of, IDS[:1]).layers
    torch.testing.assert_close(found[:, 0], plain[:, 0], rtol=0, atol=1e-5)
    changed = (found[1, 1] - plain[1, 0]).abs().amax(-1)
    assert changed[QUERY] > 1e-3
    changed[QUERY] = 0
    assert changed.max() < 1e-5


SIZES = {"vocab_size": 29, "max_len": 23, "d_model": 12, "n_layers": 3, "n_heads": 3, "d_ff": 17}
OURS = {
    "gpt2": lambda: Gpt(gpt2(**SIZES)),
    "llama": lambda: Gpt(llama(**{**SIZES, "n_heads": 2})),
    "encoder": lambda: Transformer(TransformerConfig(**{**SIZES, "n_decoder_layers": 2})),
}


@pytest.mark.parametrize("form", OURS)
def test_ours_are_the_models_own(form: str) -> None:
    torch.manual_seed(3)
    model, ids = OURS[form]().eval(), IDS % 29
    encoder = form == "encoder"
    inputs, stack = ([ids, torch.full((2, 1), 1)], "encoder") if encoder else ([ids], "decoder")
    found = of_ours(model, inputs, stack)
    with torch.inference_mode():
        own = model.embedding(ids) * (SIZES["d_model"] ** 0.5 if encoder else 1.0)
        torch.testing.assert_close(found.alone, own)
        if not encoder:
            torch.testing.assert_close(model.norm(found.layers[-1]), model.features(ids))
    assert found.layers.shape == (4, 2, 7, 12)
    assert torch.equal(found.layers[0], found.alone) == (form == "llama")
    cut = [Edge(f"{stack}.layers.{n}.self", None, QUERY, KEY) for n in range(3)]
    changed = (of_ours(model, inputs, stack, knockouts=[cut, []]).layers - found.layers).abs().amax(-1)
    assert changed[1, 0, QUERY] > 1e-4
    assert changed[1, 0, :QUERY].max() == changed[:, 1].max() == 0
