"""Knockouts in models of `transformers`: cut in the mask of their own kernel, they change what they say and no more."""

import pytest
import torch
from torch import Tensor

from foreign import DECODERS, ENCODERS, TRANSLATORS
from regard.core.errors import BadInput
from regard.core.recipe import shared
from regard.inspection.evidence import evidence
from regard.inspection.foreign import reading
from regard.inspection.foreign.record import record
from regard.inspection.foreign.run import Foreign
from regard.inspection.foreign.subject import Theirs
from regard.inspection.knockout import Edge, Output

IDS, TARGET = torch.tensor([[5, 9, 17, 9, 23, 11]]), torch.tensor([[2, 7, 8, 9]])
FEW = {
    name: {**DECODERS, **TRANSLATORS}[name]
    for name in ("GPT-2", "Llama", "Mistral", "Gemma2", "GPT-OSS", "T5", "Marian")
}


def subject(family: str) -> Theirs:
    model = Foreign(FEW[family](), None, family, "f")
    given = {"input_ids": IDS, **({"decoder_input_ids": TARGET} if model.two_sided else {})}
    asked, read = [3 if model.two_sided else 5], reading.of_inputs(model, given)
    trace = record(model, read, keep="query")[0]
    return Theirs(model, read, asked, trace.sites, trace.sequences)


@pytest.mark.parametrize("family", FEW)
def test_no_knockout_changes_nothing(family: str) -> None:
    whole = subject(family)
    with torch.no_grad():
        plain = whole.foreign.model(**whole.reading.inputs).logits[:, whole.asked]
    torch.testing.assert_close(whole.said([[], []]), plain.expand(2, -1, -1), rtol=0, atol=1e-5)


@pytest.mark.parametrize("family", FEW)
def test_a_cut_equals_its_context_made_by_hand(family: str) -> None:
    """In each of the last two places: the context without one edge, either way, put in the head's place."""
    whole = subject(family)
    visits = whole.visits()
    for site in whole.sites[-2:]:
        text, edge = visits[site.address].row(0), Edge(site.address, 1, 3, 1)
        weights, value = text.steps()["weights"][1], shared(text.value, site.n_heads)[1]
        zeroed = text.context[1].clone()
        zeroed[3] -= weights[3, 1] * value[1]
        same(whole.said([[edge]], "zeroed"), whole.said([[Output(site.address, 1, zeroed)]]))
        if text.recipe.sinks is None:
            row = weights[3].clone()
            row[1] = 0
            shared_out = text.context[1].clone()
            shared_out[3] = row / row.sum() @ value
            same(whole.said([[edge]]), whole.said([[Output(site.address, 1, shared_out)]]))


def same(came: Tensor, expected: Tensor) -> None:
    torch.testing.assert_close(came, expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("family", ["Gemma2", "Llama"])
def test_a_query_that_may_see_nothing_hands_on_nothing(family: str) -> None:
    whole = subject(family)
    at = whole.sites[0].address
    blind = whole.said([[Edge(at, 0, query, None) for query in range(6)]])
    same(blind, whole.said([[Output(at, 0)]]))


@pytest.mark.parametrize("family", FEW)
def test_gradients_rank_what_knockouts_tell(family: str) -> None:
    found = evidence(subject(family), most=25)
    assert found.agreement > 0.5
    assert abs(found.effects[0].delta_log_prob) > 1e-4
    assert found.effects[0].knockout[0].address.split(".")[0] in ("encoder", "decoder")


def test_the_model_is_left_as_it_was() -> None:
    whole = subject("Llama")
    before = whole.foreign.model.config._attn_implementation
    evidence(whole, most=3)
    assert whole.foreign.model.config._attn_implementation == before
    assert all(parameter.grad is None for parameter in whole.foreign.model.parameters())


def test_an_encoder_says_nothing() -> None:
    model = Foreign(ENCODERS["BERT"](), None, "BERT", "f")
    read = reading.of_inputs(model, {"input_ids": IDS})
    trace = record(model, read, keep="query")[0]
    whole = Theirs(model, read, [5], trace.sites, trace.sequences)
    with pytest.raises(BadInput) as caught:
        whole.said([[]])
    assert caught.value.code == "evidence_no_logits"
