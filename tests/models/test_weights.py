"""Lighter weights: whole numbers by hand, sums that are exact, a token that does not feel its batch."""

import mmap
from typing import Any

import pytest
import torch
from torch import nn

from regard.core import products
from regard.core.errors import BadInput
from regard.models import weights
from regard.models.gpt import Gpt, gpt2, llama
from regard.models.weights import Bf16, Fp32, Int8, drafting, lighten, quantised, twin

FORMS = {
    "gpt2": gpt2(vocab_size=37, max_len=29, d_model=34, n_layers=3, n_heads=2),
    "llama": llama(vocab_size=37, max_len=29, d_model=24, n_layers=2, n_heads=6, n_kv_heads=3, d_ff=41, tied=False),
}
ERROR = {"bf16": 0.02, "int8": 0.03}


@pytest.fixture(params=["torch", "compiled"], autouse=True)
def by(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each way to take the products of a few rows; without a compiler there is one."""
    if request.param == "torch":
        monkeypatch.setattr(products, "kernel", lambda work=0: None)
    elif products.kernel(products.WORTH) is None:
        pytest.skip("no C compiler here")


def drawn(*shape: int, seed: int = 3) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def gpt(form: str, kind: str = "fp32") -> Any:
    model = untouched(form)
    lighten(model, kind)
    return model


def untouched(form: str) -> Any:
    torch.manual_seed(5)
    model = Gpt(FORMS[form]).eval()
    with torch.no_grad():
        for each in model.parameters():
            each.mul_(4.0)
    return model


def test_a_row_by_hand() -> None:
    whole, scale = quantised(torch.tensor([[0.5, -2.54, 0.013, 0.0], [0.0, 0.0, 0.0, 0.0]]))
    assert whole.tolist() == [[25, -127, 1, 0], [0, 0, 0, 0]]
    assert float(scale[0]) == pytest.approx(0.02)


def test_the_largest_of_each_row_comes_back_and_no_number_is_further_off_than_half_a_step() -> None:
    rows = drawn(7, 23)
    whole, scale = quantised(rows)
    assert (whole.abs().amax(1) == 127).all()
    assert ((whole * scale - rows).abs() <= scale / 2 * 1.001).all()


@torch.inference_mode()
def test_int8_is_the_exact_product_of_the_rounded_numbers() -> None:
    """Against float64, where every sum of whole numbers is exact."""
    x, weight, bias = drawn(5, 19), drawn(13, 19, seed=4), drawn(13, seed=5)
    (a, a_scale), (b, b_scale) = quantised(x), quantised(weight)
    exact = (a.double() @ b.double().T) * a_scale.double() * b_scale.double().T + bias
    torch.testing.assert_close(Int8(weight, bias)(x).double(), exact, atol=1e-6, rtol=1e-6)
    torch.testing.assert_close(Int8(weight, None)(x).double(), exact - bias, atol=1e-6, rtol=1e-6)


@torch.inference_mode()
@pytest.mark.parametrize(("make", "error"), [(Bf16, 0.006), (Int8, 0.02)])
def test_a_product_is_near_and_each_row_is_what_it_is_alone(make: type[nn.Module], error: float) -> None:
    x, weight, bias = drawn(3, 7, 67), drawn(43, 67, seed=4), drawn(43, seed=5)
    light, exact = make(weight, bias), nn.functional.linear(x, weight, bias)
    found = light(x)
    assert found.shape == (3, 7, 43)
    assert 0 < float((found - exact).norm() / exact.norm()) < error
    torch.testing.assert_close(light(x[1:2, 3:4]), found[1:2, 3:4], atol=1e-6, rtol=1e-6)
    loud = x.clone()
    loud[0] *= 1000  # another token's size changes nothing
    assert torch.equal(light(loud)[1:], found[1:])


@torch.inference_mode()
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("kind", ["bf16", "int8"])
def test_a_gpt_says_nearly_the_same(form: str, kind: str) -> None:
    ids = torch.tensor([[5, 7, 11, 13, 17, 19]])
    exact, light = untouched(form)(ids), gpt(form, kind)
    found = light(ids)
    assert found.dtype == torch.float32
    assert 0 < float((found - exact).norm() / exact.norm()) < ERROR[kind]
    state, said = light.start(ids[:, :2]), []
    for id_ in ids[0, 2:]:
        logits, state = light.step(state, id_[None])
        said.append(logits)
    torch.testing.assert_close(torch.cat(said), found[0, 2:], atol=0.1, rtol=0.02)


@torch.inference_mode()
@pytest.mark.parametrize("form", FORMS)
def test_no_linear_layer_is_left_and_what_is_joined_is_what_each_would_be(form: str) -> None:
    light, plain = gpt(form, "int8"), untouched(form)
    assert not [name for name, each in light.named_modules() if type(each) is nn.Linear]
    assert light.to_logits is not None
    assert torch.equal(light.embedding.weight, plain.embedding.weight)
    x = drawn(2, 3, FORMS[form].d_model)
    for name in ("to_value", "to_query", "to_key"):
        layer = getattr(plain.layers[1].attention, name)
        expected = Int8(layer.weight, layer.bias)(x)
        assert torch.equal(getattr(light.layers[1].attention, name)(x), expected)
        other = x + 1
        assert not torch.equal(getattr(light.layers[1].attention, name)(other), expected)


@torch.inference_mode()
@pytest.mark.parametrize("form", FORMS)
def test_a_joint_product_is_made_once_and_not_kept(form: str) -> None:
    """Of a long prompt the products of all layers would be more than its cache."""
    light, made = gpt(form, "int8"), []
    joints = {each.joint for each in light.modules() if isinstance(each, weights._Part)}
    for joint in joints:
        joint.whole.register_forward_hook(lambda *seen: made.append(seen))
    light(torch.tensor([[5, 7, 11, 13]]))
    assert len(made) == len(joints) == FORMS[form].n_layers * (2 if form == "llama" else 1)
    assert all(joint.held is None for joint in joints)


@torch.inference_mode()
@pytest.mark.parametrize("form", FORMS)
def test_fp32_keeps_every_number_and_only_sums_in_another_order(form: str) -> None:
    plain, laid = untouched(form), gpt(form)
    ids = torch.tensor([[5, 7, 11, 13, 17, 19]])
    torch.testing.assert_close(laid(ids), plain(ids), atol=1e-5, rtol=1e-5)
    state, said = laid.start(ids[:, :2]), []
    for id_ in ids[0, 2:]:
        logits, state = laid.step(state, id_[None])
        said.append(logits)
    torch.testing.assert_close(torch.cat(said), plain(ids)[0, 2:], atol=1e-5, rtol=1e-5)
    down = laid.layers[1].feed_forward.down.weight
    assert torch.equal(down, plain.layers[1].feed_forward.down.weight)
    assert down.t().is_contiguous()


@torch.inference_mode()
def test_one_token_has_the_whole_numbers_that_it_has_in_a_batch() -> None:
    """Also of zeros, and where a number stands half way between two."""
    x, weight = torch.cat([drawn(11, 67), torch.zeros(1, 67), torch.arange(67.0)[None] - 33.5]), drawn(43, 67, seed=4)
    light = Int8(weight, drawn(43, seed=5))
    torch.testing.assert_close(torch.cat([light(row[None]) for row in x]), light(x), atol=1e-5, rtol=1e-6)


@pytest.mark.skipif(not hasattr(mmap, "MADV_HUGEPAGE"), reason="a system without large pages")
def test_a_large_weight_lies_at_the_beginning_of_a_large_page(monkeypatch: pytest.MonkeyPatch) -> None:
    """And where the system has none, anywhere."""
    weight = drawn(769, 683)
    laid = Fp32(weight, None).weight
    assert laid.data_ptr() % 2**21 == 0
    assert torch.equal(laid, weight)
    monkeypatch.delattr(mmap, "MADV_HUGEPAGE")
    assert torch.equal(Fp32(weight, None).weight, weight)


def test_a_processor_that_cannot_is_said_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither a kernel that is not there nor one whose sums overflow is taken."""

    class Missing(nn.Module):
        def __init__(self, weight: torch.Tensor, bias: None) -> None:
            raise AttributeError

    class Overflowing(Int8):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return super().forward(x).clamp(max=2.0**15)

    for kernel in (Missing, Overflowing):
        monkeypatch.setattr(weights, "Int8", kernel)
        with pytest.raises(BadInput) as caught:
            gpt("gpt2", "int8")
        assert caught.value.code == "weights_kernel"


@pytest.mark.parametrize("form", FORMS)
def test_a_twin_says_the_same_and_the_weights_lie_in_memory_once(form: str) -> None:
    """Who has the model sees no change: the same names, the same numbers, gradients; what is edited, both read."""
    model, ids = untouched(form), torch.tensor([[5, 7, 11, 13]])
    before, named = model(ids), {name: each.detach().clone() for name, each in model.state_dict().items()}
    with torch.inference_mode():
        laid = twin(model, "fp32")
        torch.testing.assert_close(laid(ids), before, atol=1e-5, rtol=1e-5)
    after = model.state_dict()
    assert named.keys() == after.keys()
    assert all(torch.equal(named[name], after[name]) for name in named)
    torch.testing.assert_close(model(ids), before, atol=1e-5, rtol=1e-5)
    model(ids).sum().backward()
    assert model.layers[0].attention.to_key.weight.grad is not None
    parts = [(model.layers[1].attention.to_value, 0.5), (model.layers[0].feed_forward.down, 2.0)]
    for layer, factor in [*parts, (model.to_logits or model.embedding, 3.0)]:
        layer.weight.data.mul_(factor)
    with torch.inference_mode():
        torch.testing.assert_close(laid(ids), model(ids), atol=1e-4, rtol=1e-5)
        assert not torch.allclose(laid(ids), before, atol=1e-2)


def test_only_a_model_that_is_large_enough_for_its_text_is_drafted_for(monkeypatch: pytest.MonkeyPatch) -> None:
    model = untouched("gpt2")
    width, hidden = 34, 4 * 34
    assert weights.size(model) == 3 * (4 * width**2 + 2 * width * hidden) + 37 * width
    monkeypatch.setattr(products, "WORTH", 11 * weights.size(model))
    with monkeypatch.context() as patch:
        patch.setattr(products, "kernel", lambda work=0: asked.append(work))
        asked: list[int] = []
        assert drafting(model, 10) is None
        assert asked == [10 * weights.size(model)]
    draft = drafting(model, 11)
    if products.kernel() is None:
        assert draft is None
        return
    assert draft.embedding is not model.embedding
    assert draft.embedding.weight is model.embedding.weight
    assert draft.layers[0].around_attention.norm.weight is model.layers[0].around_attention.norm.weight
    assert isinstance(draft.to_logits, Int8)
