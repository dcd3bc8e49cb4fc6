"""The Transformer's laws: steps equal the whole, company and padding change nothing, nothing is known of the future."""

import pytest
import torch
from torch import Tensor, nn

from regard.core.errors import BadInput
from regard.core.tap import tapped
from regard.models.transformer import Transformer, TransformerConfig, TransformerState
from regard.text.tokenizers import PAD, START

SIZES = {
    "vocab_size": 61,
    "max_len": 37,
    "d_model": 22,
    "n_layers": 2,
    "n_decoder_layers": 3,
    "n_heads": 11,
    "d_ff": 41,
}
ATOL = 1e-5
SITES = {"encoder": 2, "decoder": 3}


def made(**choices: object) -> Transformer:
    torch.manual_seed(17)
    model = Transformer(TransformerConfig(**{**SIZES, **choices})).eval()
    with torch.no_grad():  # a fresh model hardly looks anywhere: larger weights make wrong ones show
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.3)
        model.embedding.weight[PAD] = 0.0
    return model


def ids(batch: int, n: int, seed: int = 19) -> Tensor:
    return torch.randint(4, 61, (batch, n), generator=torch.Generator().manual_seed(seed))


def sides() -> tuple[Tensor, Tensor]:
    """Sources of 7, 5 and 3 tokens, padded, and what the decoder reads."""
    source, read = ids(3, 7), ids(3, 13, seed=23)
    source[1, 5:], source[2, 3:] = PAD, PAD
    read[:, 0] = START
    return source, read


def stepped(model: Transformer, state: TransformerState, read: Tensor) -> Tensor:
    found = []
    for place in range(read.shape[1]):
        logits, state = model.step(state, read[:, place])
        found.append(logits)
    return torch.stack(found, dim=1)


@torch.inference_mode()
def test_step_by_step_equals_all_at_once() -> None:
    model, (source, read) = made(), sides()
    whole = model.head(model.features(source, read))
    torch.testing.assert_close(stepped(model, model.start(source), read), whole, atol=ATOL, rtol=0)


@torch.inference_mode()
@pytest.mark.parametrize(("row", "length"), [(0, 7), (1, 5), (2, 3)])
def test_padding_and_company_change_nothing(row: int, length: int) -> None:
    model, (source, read) = made(), sides()
    together = model.features(source, read)[row]
    alone = model.features(source[row : row + 1, :length], read[row : row + 1])[0]
    torch.testing.assert_close(alone, together, atol=ATOL, rtol=0)


@torch.inference_mode()
def test_chosen_rows_go_on_as_they_would_have() -> None:
    """Beams reorder and copy: each row carries its own past and its own source."""
    model, (source, read) = made(), sides()
    whole = model.head(model.features(source, read))
    state = model.start(source)
    for place in range(4):
        _, state = model.step(state, read[:, place])
    rows = torch.tensor([2, 0, 2, 1])
    later = stepped(model, state.select(rows), read[rows, 4:])
    torch.testing.assert_close(later, whole[rows, 4:], atol=ATOL, rtol=0)


@pytest.mark.parametrize("looking", [False, True])
@torch.inference_mode()
def test_a_future_token_changes_nothing_before_it(looking: bool) -> None:
    """Bit for bit, on the fused path and on the plain one."""
    model, (source, read) = made(), sides()
    other = read.clone()
    other[:, 8] = (other[:, 8] - 3) % 57 + 4

    def run(read: Tensor) -> Tensor:
        if not looking:
            return model.features(source, read)
        with tapped(lambda address, step, tensor: tensor):
            return model.features(source, read)

    before, after = run(read), run(other)
    assert torch.equal(before[:, :8], after[:, :8])
    assert not torch.equal(before[:, 8:], after[:, 8:])


def test_no_gradient_reaches_the_future_and_all_of_the_source_is_read() -> None:
    model, (source, read) = made(), sides()
    seen: list[Tensor] = []
    model.embedding.register_forward_hook(lambda m, i, out: seen.append(out) or out.retain_grad())
    model.features(source, read)[1, 5, 0].backward()
    of_source, of_read = (each.grad[1].abs().sum(-1) for each in seen)
    assert (of_read[:6] > 0).all()
    assert (of_read[6:] == 0).all()
    assert (of_source[:5] > 0).all()
    assert (of_source[5:] == 0).all()


@torch.inference_mode()
def test_looking_changes_nothing_and_sees_every_site() -> None:
    model, (source, read), seen = made(), sides(), {}

    def tap(address: str, step: str, tensor: Tensor) -> Tensor:
        seen[f"{address}/{step}"] = tensor
        return tensor

    with tapped(tap):
        looked = model.features(source, read)
    torch.testing.assert_close(looked, model.features(source, read), atol=ATOL, rtol=0)
    shapes = {site.address: seen[f"{site.address}/weights"].shape for site in model.sites}
    assert shapes == {
        **{f"encoder.layers.{n}.self": (3, 11, 7, 7) for n in range(2)},
        **{f"decoder.layers.{n}.self": (3, 11, 13, 13) for n in range(3)},
        **{f"decoder.layers.{n}.cross": (3, 11, 13, 7) for n in range(3)},
    }
    assert {f"{stack}/{what}" for stack in SITES for what in ("embedded", "positioned")} <= seen.keys()
    assert {f"{stack}.layers.{n}/states" for stack, count in SITES.items() for n in range(count)} <= seen.keys()
    assert {site.part for site in model.sites} == {"encoder", "decoder", "cross"}


@torch.inference_mode()
def test_a_tap_can_change_where_it_looks() -> None:
    model, (source, read) = made(), sides()

    def first_key(address: str, step: str, tensor: Tensor) -> Tensor:
        if (address, step) == ("decoder.layers.1.cross", "weights"):
            return torch.zeros_like(tensor).index_fill_(-1, torch.tensor([0]), 1.0)
        return tensor

    with tapped(first_key):
        changed = model.features(source, read)
    assert not torch.allclose(changed, model.features(source, read), atol=1e-3)


def test_a_state_is_made_under_the_tap_of_its_step() -> None:
    """`start` and `step` each read the tap once; an untapped step stays unseen."""
    model, (source, read), seen = made(), sides(), []

    def tap(address: str, step: str, tensor: Tensor) -> Tensor:
        seen.append(address)
        return tensor

    with tapped(tap):
        state = model.start(source)
    assert {name.split(".")[0].split("/")[0] for name in seen} == {"encoder"}
    seen.clear()
    _, state = model.step(state, read[:, 0])
    assert not seen
    with tapped(tap):
        model.step(state, read[:, 1])
    assert {name for name in seen if "." in name} == {
        *(f"decoder.layers.{n}" for n in range(3)),
        *(f"decoder.layers.{n}.{kind}" for n in range(3) for kind in ("self", "cross")),
    }


@pytest.mark.parametrize("training", [False, True])
def test_the_start_is_nothing_and_padding_learns_nothing(training: bool) -> None:
    """The start token's vector is never read, padding's stays zero though the head shares the matrix."""
    model, (source, read) = made(dropout=0.0).train(training), sides()
    before = model.features(source, read)
    with torch.no_grad():
        model.embedding.weight[START] += 1.0
    assert torch.equal(model.features(source, read), before)
    loss = nn.functional.cross_entropy(model.head(model.features(source, read)).flatten(0, 1), read.flatten())
    loss.backward()
    gradient = model.embedding.weight.grad.abs().sum(-1)
    if training:
        assert gradient[PAD] == 0
    assert (gradient[START:] > 0).all()


def test_parameters_by_hand() -> None:
    d, ff, vocab = 22, 41, 61
    look, think, norm = 4 * (d * d + d), 2 * d * ff + ff + d, 2 * d
    by_hand = 2 * (look + think + 2 * norm) + 3 * (2 * look + think + 3 * norm) + vocab * d + vocab
    assert sum(p.numel() for p in made().parameters()) == by_hand


@torch.inference_mode()
@pytest.mark.parametrize("activation", ["relu", "gelu_exact"])
def test_the_layers_are_torchs_own(activation: str) -> None:
    """Vaswani's layers as torch has them, with our weights, on the same vectors."""
    model, (source, read) = made(activation=activation), sides()
    encoder, decoder = _torchs(model, "gelu" if activation == "gelu_exact" else activation)
    place = model.positions.wave
    x, y = (model.embedding(each.masked_fill(each == START, PAD)) * 22**0.5 for each in (source, read))
    padding = source == PAD
    memory = encoder(x + place[:7], src_key_padding_mask=padding)
    causal = nn.Transformer.generate_square_subsequent_mask(13)
    expected = decoder(y + place[:13], memory, tgt_mask=causal, memory_key_padding_mask=padding)
    torch.testing.assert_close(model.features(source, read), expected, atol=ATOL, rtol=0)


def _torchs(model: Transformer, activation: str) -> tuple[nn.TransformerEncoder, nn.TransformerDecoder]:
    shape = {"nhead": 11, "dim_feedforward": 41, "dropout": 0.0, "activation": activation, "batch_first": True}
    encoder = nn.TransformerEncoder(nn.TransformerEncoderLayer(22, **shape), 2, enable_nested_tensor=False).eval()
    decoder = nn.TransformerDecoder(nn.TransformerDecoderLayer(22, **shape), 3).eval()
    for ours, theirs in zip([*model.encoder, *model.decoder], [*encoder.layers, *decoder.layers], strict=True):
        looks, norms = [(ours.self_attention, theirs.self_attn)], [ours.around_self]
        if hasattr(ours, "cross_attention"):
            looks.append((ours.cross_attention, theirs.multihead_attn))
            norms.append(ours.around_cross)
        for look, other in looks:
            parts = (look.to_query, look.to_key, look.to_value)
            other.in_proj_weight.copy_(torch.cat([part.weight for part in parts]))
            other.in_proj_bias.copy_(torch.cat([part.bias for part in parts]))
            other.out_proj.load_state_dict(look.to_output.state_dict())
        theirs.linear1.load_state_dict(ours.feed_forward.up.state_dict())
        theirs.linear2.load_state_dict(ours.feed_forward.down.state_dict())
        for n, around in enumerate([*norms, ours.around_feed_forward], start=1):
            getattr(theirs, f"norm{n}").load_state_dict(around.norm.state_dict())
    return encoder, decoder


def test_what_is_too_long_is_refused_with_the_numbers() -> None:
    model, (source, read) = made(max_len=13), sides()
    model.features(source, read)
    with pytest.raises(BadInput) as caught:
        model.features(source, ids(3, 14))
    assert (caught.value.code, caught.value.facts) == ("model_length", {"came": 14, "most": 13})
    state = model.start(source)
    for place in range(13):
        _, state = model.step(state, read[:, place])
    with pytest.raises(BadInput):
        model.step(state, read[:, 0])


def test_heads_share_the_width_evenly() -> None:
    with pytest.raises(ValueError, match="d_model = 22 ≠ k · 7"):
        TransformerConfig(**{**SIZES, "n_heads": 7})
