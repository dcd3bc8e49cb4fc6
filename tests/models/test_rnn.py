"""The RNN translator: one pass equals steps; padding and company change nothing; `none` differs in attention alone."""

import pytest
import torch

from regard.core.tap import tapped
from regard.layers.attention import Fixed
from regard.models.rnn import CROSS, RnnTranslator
from toy import translator

KINDS = ["none", "additive", "dot", "general", "concat"]
CELLS = ["gru", "lstm"]
SOURCE = torch.tensor([[5, 6, 7, 8, 3], [9, 4, 3, 0, 0]])
READ = torch.tensor([[2, 11, 12, 13], [2, 14, 15, 0]])


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("n_layers", [1, 2])
def test_step_by_step_equals_all_at_once(kind: str, cell: str, n_layers: int) -> None:
    model = translator(attention=kind, cell=cell, n_layers=n_layers)
    whole = model.head(model.features(SOURCE, READ))
    state = model.start(SOURCE)
    for position in range(READ.shape[1]):
        logits, state = model.step(state, READ[:, position])
        torch.testing.assert_close(logits, whole[:, position], rtol=0, atol=1e-5)


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("kind", KINDS)
def test_padding_and_company_change_nothing(kind: str, cell: str) -> None:
    model = translator(attention=kind, cell=cell)
    together = model.features(SOURCE, READ)[1, :3]
    alone = model.features(SOURCE[1:, :3], READ[1:, :3])[0]
    torch.testing.assert_close(alone, together, rtol=0, atol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_the_source_matters_at_every_token(kind: str) -> None:
    """The gradient of the first output reaches every source token: both directions are read."""
    model = translator(attention=kind)
    seen = []
    model.embedding.register_forward_hook(lambda m, i, out: seen.append(out) or out.retain_grad())
    model.features(SOURCE, READ)[0, 0].sum().backward()
    assert (seen[0].grad[0].abs().sum(-1) > 0).all()
    assert (seen[0].grad[1] == 0).all()


def test_a_later_target_token_changes_nothing_before_it() -> None:
    model = translator()
    other = READ.clone()
    other[:, 2] = 16
    before, after = model.features(SOURCE, READ), model.features(SOURCE, other)
    assert torch.equal(before[:, :2], after[:, :2])
    assert not torch.equal(before[:, 2:], after[:, 2:])


def test_none_differs_in_attention_alone() -> None:
    """The same tensors under the same names as `dot`; every query is handed the encoder's final state."""
    dot, none = translator(attention="dot"), translator(attention="none")
    shapes = [{name: tensor.shape for name, tensor in model.state_dict().items()} for model in (dot, none)]
    assert shapes[0] == shapes[1]
    assert isinstance(none.attention, Fixed)
    assert none.sites == ()
    memory = none.start(SOURCE).memory
    context = none.attention(torch.zeros(2, 3, 22), memory)
    assert torch.equal(context, memory.value.expand(-1, 3, -1))


def test_the_final_state_is_each_direction_at_its_last_token() -> None:
    model = translator(attention="none", dropout=0.0)
    final = model.start(SOURCE).memory.value[1, 0]
    embedded = model.embedding(SOURCE[1:, :3])
    ahead, _ = model.forward_rnn(embedded)
    back, _ = model.backward_rnn(embedded.flip(1))
    torch.testing.assert_close(final, torch.cat([ahead[0, -1], back[0, -1]]))


@pytest.mark.parametrize("kind", KINDS[1:])
def test_the_tap_sees_the_cross_attention_and_can_change_it(kind: str) -> None:
    model = translator(attention=kind)
    seen = {}

    def look(address: str, step: str, tensor: torch.Tensor) -> torch.Tensor:
        seen[address, step] = tensor
        return tensor

    plain = model.features(SOURCE, READ)
    with tapped(look):
        assert torch.equal(model.features(SOURCE, READ), plain)
    weights = seen[CROSS, "weights"]
    assert weights.shape == (2, 4, 5)
    torch.testing.assert_close(weights.sum(-1), torch.ones(2, 4))
    assert (weights[1, :, 3:] == 0).all()
    with tapped(lambda a, step, t: torch.zeros_like(t) if step == "context" else t):
        assert not torch.equal(model.features(SOURCE, READ), plain)


@pytest.mark.parametrize("cell", CELLS)
def test_states_follow_their_rows(cell: str) -> None:
    model = translator(cell=cell, n_layers=2)
    state = model.start(SOURCE).select(torch.tensor([1, 0, 1]))
    logits, _ = model.step(state, torch.tensor([2, 2, 2]))
    alone, _ = model.step(model.start(SOURCE), torch.tensor([2, 2]))
    torch.testing.assert_close(logits, alone[[1, 0, 1]], rtol=0, atol=1e-6)


def test_the_size_is_what_the_parts_add_up_to() -> None:
    model: RnnTranslator = translator(vocab_size=17, d_embedding=7, d_model=22)
    gru = lambda inputs, width: 3 * width * (inputs + width + 2)  # noqa: E731
    by_hand = 17 * 7 + 2 * gru(7, 11) + 22 * 23 + gru(7, 22) + 44 * 7 + 7 + 17
    assert sum(p.numel() for p in model.parameters()) == by_hand
