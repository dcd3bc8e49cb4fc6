"""Knockouts change what they say and nothing else; what is computed again in part equals the whole run."""

import pytest
import torch

from regard.inspection.knockout import Edge, Knockout, Output
from regard.inspection.record import record, teacher_forced
from regard.inspection.subject import Own, Resumed
from regard.inspection.trace import Sequence
from regard.models.gpt import Gpt, gpt2, llama
from regard.models.rnn import CROSS
from regard.models.transformer import Transformer, TransformerConfig
from toy import translator

FORMS = {"gpt2": gpt2, "llama": llama}


def side(*ids: int) -> Sequence:
    return Sequence("", tuple(map(str, ids)), ids, tuple(range(len(ids))), ((0, 0),) * len(ids))


TEXT = side(4, 9, 9, 2, 16, 0, 9)


def gpt(form: str = "gpt2", **choices: object) -> Gpt:
    torch.manual_seed(5)
    sizes = {"vocab_size": 17, "max_len": 13, "d_model": 12, "n_layers": 3, "n_heads": 3, "d_ff": 11}
    model = Gpt(FORMS[form](**{**sizes, **choices})).eval()
    with torch.no_grad():
        for weights in model.parameters():
            weights.mul_(3.0)
    return model


def subject(model: Gpt) -> Own:
    return Own(model, {"read": TEXT}, [6])


def edge(layer: int, head: int | None, query: int | None, key: int | None) -> Edge:
    return Edge(f"decoder.layers.{layer}.self", head, query, key)


SOME: list[Knockout] = [
    [],
    [edge(0, 1, 6, 2)],
    [edge(2, 0, 6, 6)],
    [edge(1, None, 4, 3)],
    [edge(1, 2, 4, 0), edge(1, 0, 5, 5)],
    [edge(0, 0, 3, key) for key in range(4)],
]


def test_no_knockout_changes_nothing() -> None:
    model = gpt()
    plain = model(torch.tensor([TEXT.ids]))[:, [6]]
    torch.testing.assert_close(subject(model).said([[], []]), plain.expand(2, -1, -1), rtol=0, atol=1e-5)


def test_a_cut_edge_has_no_weight_and_the_others_share_it() -> None:
    model, first = gpt(), "decoder.layers.0.self"
    trace = record(model, {"read": TEXT}, name="toy", fingerprint="f", keep=("query", "key", "value", "context"))
    weights = torch.from_numpy(trace.weights(layer=0, head=1).copy())
    weights[6, 2] = 0
    weights[6] /= weights[6].sum()
    context = weights @ torch.from_numpy(trace.tensor("value", layer=0, head=1))
    by_hand = subject(model).said([[Output(first, 1, context)]])
    torch.testing.assert_close(subject(model).said([[edge(0, 1, 6, 2)]]), by_hand, rtol=0, atol=1e-5)


def test_zeroed_takes_away_what_the_edge_gave() -> None:
    """By hand, in the last layer: context − weight · value, then the rest of the model."""
    model = gpt()
    trace = record(model, {"read": TEXT}, name="toy", fingerprint="f", keep=("query", "key", "value", "context"))
    weight, value = trace.weights(layer=2, head=1)[6, 2], trace.tensor("value", layer=2, head=1)[2]
    context = torch.from_numpy(trace.tensors["decoder.layers.2.self/context"])[1, 6] - torch.from_numpy(weight * value)
    contexts = torch.from_numpy(trace.tensors["decoder.layers.2.self/context"]).clone()[1]
    contexts[6] = context
    by_hand = subject(model).said([[Output("decoder.layers.2.self", 1, contexts)]])
    torch.testing.assert_close(subject(model).said([[edge(2, 1, 6, 2)]], "zeroed"), by_hand, rtol=0, atol=1e-5)


@pytest.mark.parametrize("how", ["renormalised", "zeroed"])
@pytest.mark.parametrize(
    ("form", "choices"), [("gpt2", {}), ("llama", {"n_kv_heads": 1}), ("gpt2", {"window": 3, "positions": "alibi"})]
)
def test_computed_again_in_part_equals_the_whole(form: str, choices: dict, how: str) -> None:
    whole = subject(gpt(form, **choices))
    part = Resumed(whole)
    some = [knockout for knockout in SOME if part.takes(knockout)]
    assert len(some) == len(SOME) - 1
    expected = whole.said(some, how)  # type: ignore[arg-type]
    torch.testing.assert_close(part.said(some, how), expected, rtol=0, atol=1e-5)  # type: ignore[arg-type]
    assert (expected - whole.said([[]])).abs().max() > 1e-3


def test_each_row_of_a_batch_has_its_own() -> None:
    whole = subject(gpt())
    together = whole.said(SOME)
    alone = torch.cat([whole.said([knockout]) for knockout in SOME])
    torch.testing.assert_close(together, alone, rtol=0, atol=1e-5)


def test_a_head_that_hands_on_nothing() -> None:
    """Its part of W_O's input is zero: the same as its columns of W_O being zero."""
    model = gpt()
    silent = subject(model).said([[Output("decoder.layers.1.self", 2)]])
    with torch.no_grad():
        model.layers[1].attention.to_output.weight[:, 8:] = 0  # type: ignore[union-attr,operator]
    torch.testing.assert_close(silent, subject(model).said([[]]), rtol=0, atol=1e-5)


@pytest.mark.parametrize("kind", ["additive", "dot"])
@pytest.mark.parametrize("how", ["renormalised", "zeroed"])
def test_a_source_word_that_nobody_looks_at(kind: str, how: str) -> None:
    """Of the RNN: cutting every edge of one step but one leaves that source state alone as its context."""
    model = translator(attention=kind)
    sides = teacher_forced(side(5, 6, 7, 8, 3), side(11, 12, 3), 2)
    whole = Own(model, sides, [0, 1, 2])
    cut = whole.said([[], [Edge(CROSS, None, 1, 2)]], how)  # type: ignore[arg-type]
    assert torch.equal(cut[0, [0, 2]], cut[1, [0, 2]])
    assert not torch.equal(cut[0, 1], cut[1, 1])


def test_a_transformers_cross_edges() -> None:
    torch.manual_seed(5)
    sizes = {"vocab_size": 17, "max_len": 13, "d_model": 6, "n_layers": 2, "n_decoder_layers": 3, "n_heads": 3}
    model = Transformer(TransformerConfig(**sizes, d_ff=11)).eval()
    whole = Own(model, teacher_forced(side(5, 6, 7, 8, 3), side(11, 12, 3), 2), [0, 1, 2])
    cut = whole.said([[], [Edge("decoder.layers.1.cross", 0, 1, 2)], [Edge("encoder.layers.0.self", None, None, 1)]])
    torch.testing.assert_close(cut[0, 0], cut[1, 0], rtol=0, atol=1e-6)
    assert (cut[0, 1:] - cut[1, 1:]).abs().max() > 1e-6
    assert (cut[0] - cut[2]).abs().max() > 1e-5


def test_places_before_the_first_cut_keep_what_they_said() -> None:
    """Asked at three places, with cuts before, between and behind them."""
    whole = Own(gpt(), {"read": TEXT}, [2, 4, 6])
    some = [[edge(1, 0, query, 1)] for query in (1, 3, 5, 6)]
    torch.testing.assert_close(Resumed(whole).said(some), whole.said(some), rtol=0, atol=1e-5)


def test_several_tokens_are_cut_as_one_by_one() -> None:
    whole = subject(gpt())
    span = whole.said([[edge(1, 0, range(4, 7), range(1, 3))]])
    apart = whole.said([[edge(1, 0, query, key) for query in (4, 5, 6) for key in (1, 2)]])
    assert torch.equal(span, apart)
    assert not torch.equal(span, whole.said([[]]))


def test_outputs_are_replaced_at_the_queries_that_are_named() -> None:
    whole = subject(gpt())
    address, context = "decoder.layers.1.self", whole.visits()["decoder.layers.1.self"].context[0].clone()
    other = torch.randn(context.shape, generator=torch.Generator().manual_seed(3))
    mixed = context.clone()
    mixed[2, 5:] = other[2, 5:]
    by_hand = whole.said([[Output(address, 2, mixed[2])]])
    torch.testing.assert_close(whole.said([[Output(address, 2, other[2], range(5, 7))]]), by_hand, rtol=0, atol=1e-5)
    every = whole.said([[Output(address, None, other, 6)]])
    one_by_one = whole.said([[Output(address, head, other[head], 6) for head in range(3)]])
    assert torch.equal(every, one_by_one)


@pytest.mark.parametrize("feeding", ["luong", "bahdanau"])
def test_an_rnn_that_goes_step_by_step_is_cut_at_its_step(feeding: str) -> None:
    model = translator(attention="dot", input_feeding=feeding)
    sides = teacher_forced(side(5, 6, 7, 8, 3), side(11, 12, 3), 2)
    whole = Own(model, sides, [0, 1, 2])
    cut = whole.said([[], [Edge(CROSS, None, 1, 2)]])
    torch.testing.assert_close(cut[0, 0], cut[1, 0], rtol=0, atol=1e-6)
    assert (cut[0, 1:] - cut[1, 1:]).abs().max() > 1e-5
    visits, gradients = whole.graded(lambda said: said[:, 2, 12])
    assert visits[CROSS].context.shape == gradients[CROSS].shape == (1, 1, 3, model.config.d_model)
    patched = whole.said([[Output(CROSS, None, visits[CROSS].context[0])]])
    torch.testing.assert_close(patched[0], cut[0], rtol=0, atol=1e-5)


def test_gradients_of_contexts_foretell_a_small_change() -> None:
    """A first-order law: logits move by gradient · change, for a change of a context by hand."""
    model = gpt()
    whole = subject(model)
    visits, gradients = whole.graded(lambda logits: logits[:, 0, 3])
    address = "decoder.layers.1.self"
    change = torch.randn(visits[address].context[0, 2].shape, generator=torch.manual_seed(2)) * 1e-3
    moved = whole.said([[Output(address, 2, visits[address].context[0, 2] + change)]])[0, 0, 3]
    expected = (gradients[address][0, 2] * change).sum()
    assert float(moved - whole.said([[]])[0, 0, 3]) == pytest.approx(float(expected), rel=0.05, abs=1e-5)
