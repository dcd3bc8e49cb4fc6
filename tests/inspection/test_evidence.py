"""Evidence finds what carries a prediction, on a circuit built by hand, and says how its ranking agreed with truth."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from regard.core.recipe import Recipe
from regard.inspection.evidence import Effect, Evidence, Target, Vector, agreement, effects, evidence, likeliest
from regard.inspection.knockout import Edge, Output
from regard.inspection.ranking import changes, ranked
from regard.inspection.record import teacher_forced
from regard.inspection.subject import Own, Resumed
from regard.inspection.trace import Sequence
from regard.inspection.visit import Text
from regard.models.gpt import Gpt, gpt2
from toy import translator

X, A, B, C, D = range(5)
VOCAB, LENGTH, SHARP = 5, 7, 60.0


def side(*ids: int) -> Sequence:
    return Sequence("", tuple("XABCD"[i % 5] for i in ids), ids, tuple(range(len(ids))), ((0, 0),) * len(ids))


def induction() -> Gpt:
    """Two layers: the first writes each token's predecessor beside it, the second copies what followed the last time.

    A vector holds four one-hot fields: the token, its place, its predecessor (written by layer 0), and what comes next
    (written by layer 1). There are no norms; feed-forward layers and the second heads give nothing.
    """
    d = 2 * VOCAB + LENGTH + VOCAB
    token, place, before, after = 0, VOCAB, VOCAB + LENGTH, 2 * VOCAB + LENGTH
    sizes = {"vocab_size": VOCAB, "max_len": LENGTH, "d_model": 2 * d, "n_layers": 2, "n_heads": 2, "bias": False}
    model = Gpt(gpt2(**sizes, tied=False)).eval()
    with torch.no_grad():
        for weights in model.parameters():
            weights.zero_()
        model.embedding.weight[:, token : token + VOCAB] = torch.eye(VOCAB)
        model.positions.table.weight[:, place : place + LENGTH] = torch.eye(LENGTH)  # type: ignore[union-attr]
        model.to_logits.weight[:, after : after + VOCAB] = 9 * torch.eye(VOCAB)  # type: ignore[union-attr]
        for layer in model.layers:
            layer.around_attention.norm = nn.Identity()  # type: ignore[union-attr]
        model.norm = nn.Identity()
        look_back, copy = (layer.attention for layer in model.layers)
        sharp = SHARP * math.sqrt(d)
        look_back.to_query.weight[: LENGTH - 1, place + 1 : place + LENGTH] = sharp * torch.eye(LENGTH - 1)
        look_back.to_key.weight[:LENGTH, place : place + LENGTH] = torch.eye(LENGTH)
        look_back.to_value.weight[:VOCAB, token : token + VOCAB] = torch.eye(VOCAB)
        look_back.to_output.weight[before : before + VOCAB, :VOCAB] = torch.eye(VOCAB)
        copy.to_query.weight[:VOCAB, token : token + VOCAB] = sharp * torch.eye(VOCAB)
        copy.to_key.weight[:VOCAB, before : before + VOCAB] = torch.eye(VOCAB)
        copy.to_value.weight[:VOCAB, token : token + VOCAB] = torch.eye(VOCAB)
        copy.to_output.weight[after : after + VOCAB, :VOCAB] = torch.eye(VOCAB)
    return model


TEXT = side(X, D, A, B, C, A)
FIRST, SECOND = "decoder.layers.0.self", "decoder.layers.1.self"
CARRIERS = {Edge(FIRST, 0, 3, 2), Edge(SECOND, 0, 5, 3)}
"""B looks at the A before it; the last A finds B by that, and copies it."""


def subject() -> Own:
    return Own(induction(), {"read": TEXT}, [5])


def test_the_circuit_copies() -> None:
    assert likeliest(subject().said([[]])[0]) == Target((B,))


def test_ranks_count_from_one_at_the_worst_place() -> None:
    logits = torch.tensor([[[3.0, 1.0, 2.0], [0.0, 5.0, 4.0]]])
    assert [Target(ids).rank(logits).tolist() for ids in [(0, 1), (2, 1), (0, 0)]] == [[1], [2], [3]]


@pytest.mark.parametrize("how", ["renormalised", "zeroed"])
def test_knockout_finds_exactly_the_edges_that_carry_the_copy(how: str) -> None:
    whole, target = subject(), Target((B,))
    edges = [Edge(at, head, q, k) for at in (FIRST, SECOND) for head in (0, 1) for q in range(6) for k in range(q + 1)]
    base = whole.said([[]])[0]
    found = effects(whole, base, target, [[edge] for edge in edges], how)  # type: ignore[arg-type]
    moved = {each.knockout[0] for each in found if abs(each.delta_log_prob) > 1e-6}
    assert moved == CARRIERS
    assert all(each.delta_log_prob < -1 for each in found if each.knockout[0] in CARRIERS)


def test_a_carrier_cut_changes_what_is_said_and_nothing_else_has_a_gradient() -> None:
    found = evidence(subject(), most=60)
    assert found.effects[0].knockout[0] in CARRIERS
    first = found.effects[0]
    assert (first.rank > 1, first.kl > 1, first.weight) == (True, True, pytest.approx(1, abs=1e-6))
    assert found.log_prob == pytest.approx(math.log(math.e**9 / (math.e**9 + VOCAB - 1)), abs=1e-4)


def test_a_heavy_edge_without_effect_is_flagged() -> None:
    """X looks at itself alone and nobody needs it."""
    whole = subject()
    base = whole.said([[]])[0]
    found = evidence(whole, Target((B,)), most=84)
    idle = [each for each in found.effects if each.flag == "heavy_idle"]
    assert idle
    assert all(each.weight is not None and each.weight >= 0.5 and abs(each.delta_log_prob) < 0.01 for each in idle)
    alone = effects(whole, base, Target((B,)), [[Edge(FIRST, 0, 0, 0)]], "renormalised")[0]
    assert abs(alone.delta_log_prob) < 1e-6


def test_a_light_edge_with_a_great_effect_is_flagged() -> None:
    made = [
        Effect([Edge(FIRST, 0, 0, 0)], weight, 0.0, change, 0.0, 0)
        for weight, change in [(0.05, -0.3), (0.9, 0.001), (0.4, 0.3)]
    ]
    assert [each.flag for each in made] == ["light_strong", "heavy_idle", None]


def test_estimates_by_hand() -> None:
    """One head, one query, two keys: weights ½, ½; values 2 and 4; gradient 3. c = 3; without key 0 it is 4, so +3."""
    one = torch.zeros(1, 1, 1)
    text = Text(one, torch.zeros(1, 2, 1), torch.tensor([[[2.0], [4.0]]]), torch.tensor([[[3.0]]]), Recipe())
    weights, change = changes(text, torch.tensor([[[3.0]]]))
    assert weights.flatten().tolist() == [0.5, 0.5]
    assert change.flatten().tolist() == pytest.approx([3.0, -3.0])
    assert changes(text, torch.tensor([[[3.0]]]), "zeroed")[1].flatten().tolist() == pytest.approx([-3.0, -6.0])


def test_an_edge_that_is_all_a_query_has_leaves_nothing() -> None:
    one = torch.zeros(1, 1, 1)
    text = Text(one, one, torch.tensor([[[5.0]]]), torch.tensor([[[5.0]]]), Recipe())
    assert changes(text, torch.tensor([[[2.0]]]))[1].item() == -10


def trained() -> Own:
    torch.manual_seed(7)
    model = Gpt(gpt2(vocab_size=17, max_len=13, d_model=24, n_layers=3, n_heads=3, d_ff=11)).eval()
    with torch.no_grad():
        for weights in model.parameters():
            weights.mul_(4.0)
    return Own(model, {"read": side(4, 9, 9, 2, 16, 0, 9)}, [6])


@pytest.mark.parametrize("how", ["renormalised", "zeroed"])
def test_ranked_by_gradients_and_confirmed(how: str) -> None:
    """All 252 edges cut one by one: the estimates order them nearly as the truth does."""
    whole = trained()
    found = evidence(whole, most=1000, how=how)  # type: ignore[arg-type]
    assert len(found.effects) == 3 * 3 * 7 * 7
    assert found.agreement > 0.8
    assert [abs(e.delta_log_prob) for e in found.effects] == sorted(
        (abs(e.delta_log_prob) for e in found.effects), reverse=True
    )


def test_in_part_and_whole_tell_the_same() -> None:
    whole = trained()
    one, other = evidence(whole, most=20), evidence(whole, most=20, runs=Resumed(whole))
    assert [e.knockout[0] for e in one.effects[:5]] == [e.knockout[0] for e in other.effects[:5]]
    ours, theirs = ([e.delta_log_prob for e in each.effects] for each in (one, other))
    np.testing.assert_allclose(ours, theirs, atol=1e-5)


def test_a_translation_counts_as_a_whole() -> None:
    """The target is the sum over all words; an edge of step 2 cannot change what step 1 said."""
    sides = teacher_forced(side(5, 6, 7, 8, 3), side(11, 12, 3), 2)
    whole = Own(translator(attention="dot"), sides, [0, 1, 2])
    found: Evidence = evidence(whole, Target((11, 12, 3)), most=15)
    assert len(found.effects) == 15
    assert found.log_prob == pytest.approx(
        float(whole.said([[]])[0].log_softmax(-1)[[0, 1, 2], [11, 12, 3]].sum()), abs=1e-5
    )
    assert found.agreement > 0.8


def test_agreement_by_hand() -> None:
    assert agreement([1, 2, 3, 4], [10, 20, 30, 40]) == 1
    assert agreement([1, 2, 3], [3, 2, 1]) == -1
    assert math.isnan(agreement([1, 2], [1, 2]))
    assert math.isnan(agreement([1, 1, 1], [1, 2, 3]))


def test_ranked_takes_the_largest_of_all_places() -> None:
    whole = trained()
    visits, gradients = whole.graded(Target((3,)).gain)
    few, many = (ranked(visits, gradients, most=most) for most in (5, 500))
    assert few == many[:5]
    assert [abs(e.change) for e in many] == sorted((abs(e.change) for e in many), reverse=True)


def patched(head: int | None, other: Own, address: str = SECOND) -> float:
    """Δ log-probability of B when a place hands on what it hands on in another text."""
    whole, target = subject(), Target((B,))
    value = other.visits()[address].context[0]
    cut = [Output(address, head, value if head is None else value[head])]
    return effects(whole, whole.said([[]])[0], target, [cut], "renormalised")[0].change


def test_patching_from_the_same_text_changes_nothing() -> None:
    for address in (FIRST, SECOND):
        for head in (0, 1, None):
            assert abs(patched(head, subject(), address)) <= 1e-6


def test_patching_carries_the_copy() -> None:
    """In X D A C B A the last A copies C: the copying head's output from there, and it alone, makes this text say C."""
    other = Own(induction(), {"read": side(X, D, A, C, B, A)}, [5])
    assert likeliest(other.said([[]])[0]) == Target((C,))
    assert patched(0, other) < -1
    assert abs(patched(1, other)) <= 1e-6
    whole, value = subject(), other.visits()[SECOND].context[0]
    assert likeliest(whole.said([[Output(SECOND, 0, value[0])]])[0]) == Target((C,))
    assert likeliest(whole.said([[Output(SECOND, 0, value[0], 5)]])[0]) == Target((C,))
    assert likeliest(whole.said([[Output(SECOND, 0, value[0], range(5))]])[0]) == Target((B,))


def test_only_edges_within_what_is_named_are_ranked() -> None:
    whole = trained()
    within = [Edge("decoder.layers.1.self", 2, range(4, 7), 0)]
    found = evidence(whole, most=50, within=within)
    assert {(e.head, e.query, e.key) for each in found.effects for e in each.knockout} == {(2, q, 0) for q in (4, 5, 6)}
    assert {each.knockout[0].address for each in found.effects} == {"decoder.layers.1.self"}


def test_a_vector_is_ranked_by_how_far_it_turns() -> None:
    """All 252 edges one by one: random directions order them nearly as cosines do; an edge that is cut for nothing
    leaves 1."""
    whole = replace(trained(), vectors=True)
    found = evidence(whole, most=1000)
    assert isinstance(found.goal, Vector)
    assert found.log_prob is None
    assert found.agreement > 0.8
    first = found.effects[0]
    assert (first.delta_log_prob, first.kl, first.rank) == (None, None, None)
    base, cut = whole.said([[], first.knockout])[:, 0].double()
    assert first.cosine == pytest.approx(float(torch.cosine_similarity(base, cut, dim=0)), abs=1e-9)
    assert first.change == pytest.approx(first.cosine - 1)
    later = effects(whole, whole.said([[]])[0], found.goal, [[Edge("decoder.layers.2.self", 0, 3, 1)]], "renormalised")
    assert later[0].cosine == pytest.approx(1, abs=1e-9)


def test_the_square_of_a_turn_by_hand() -> None:
    """A vector (0, 2) that moves by (0.1, 0.3): across itself 0.1 of a length of 2, so half a square is 0.00125."""
    goal = Vector(torch.tensor([[0.0, 2.0]]))
    moved = goal.gain(torch.tensor([0.1, 2.3]).expand(goal.rows, 1, 2)) - goal.gain(torch.tensor([[[0.0, 2.0]]]))
    assert goal.told(torch.zeros(1, 2), torch.tensor([[[0.0, 3.0]]])) == [{"cosine": pytest.approx(1)}]
    across = goal._across[:, 0]
    torch.testing.assert_close(moved, 0.1 * across)
    assert float((across**2).mean()) * 4 == pytest.approx(1, abs=0.5)
    assert goal._across[:, 1].abs().max() < 1e-6
