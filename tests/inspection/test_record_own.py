"""Every model of ours is recorded by the same function: what it keeps is what the formula gives, by hand."""

import numpy as np
import pytest
import torch
from torch import Tensor

from regard.core.errors import BadInput, Failure
from regard.core.tap import active
from regard.inspection.record import record, teacher_forced
from regard.inspection.trace import Sequence, Trace, load
from regard.models.gpt import Gpt, gpt2, llama
from regard.models.transformer import Transformer, TransformerConfig

FORMS = {"gpt2": gpt2, "llama": llama}


def side(*ids: int) -> Sequence:
    return Sequence("", tuple(map(str, ids)), ids, tuple(range(len(ids))), ((0, 0),) * len(ids))


def gpt(form: str = "gpt2", **choices: object) -> Gpt:
    """Tiny; 3 heads of 2 entries, 2 layers, 7 tokens, 17 words."""
    torch.manual_seed(5)
    sizes = {"vocab_size": 17, "max_len": 13, "d_model": 6, "n_layers": 2, "n_heads": 3, "d_ff": 11}
    return Gpt(FORMS[form](**{**sizes, **choices})).eval()


def transformer() -> Transformer:
    torch.manual_seed(5)
    sizes = {"vocab_size": 17, "max_len": 13, "d_model": 6, "n_layers": 2, "n_decoder_layers": 3, "n_heads": 3}
    return Transformer(TransformerConfig(**sizes, d_ff=11)).eval()


TEXT = side(4, 9, 9, 2, 16, 0, 9)


def recorded(model: Gpt, keep: tuple[str, ...] = ("weights",)) -> Trace:
    return record(model, {"read": TEXT}, name="toy", fingerprint="f", keep=keep, check="full")


@pytest.mark.parametrize("form", FORMS)
def test_a_gpt_looks_back_alone_in_every_layer_and_head(form: str) -> None:
    trace = recorded(gpt(form))
    assert set(trace.tensors) == {f"decoder.layers.{n}.self/weights" for n in range(2)}
    for tensor in trace.tensors.values():
        assert tensor.shape == (3, 7, 7)
        np.testing.assert_allclose(tensor.sum(-1), 1, atol=1e-6)
        assert not np.triu(tensor, 1).any()
    assert trace.check.deviation < 1e-5
    np.testing.assert_array_equal(trace.weights(layer=1, head=2), trace.tensors["decoder.layers.1.self/weights"][2])


def test_the_weights_of_a_head_by_hand() -> None:
    """Layer 0 of a GPT-2 in float64 numpy, from its parameters: norm, Q, K, split, scores, softmax."""
    model = gpt()
    p = {name: tensor.detach().double().numpy() for name, tensor in model.state_dict().items()}
    x = (
        model.embedding.weight[list(TEXT.ids)].double()
        + model.positions(torch.zeros(1, 7, 6), torch.arange(7)[None])[0]
    )
    x = x.detach().numpy()
    name = "layers.0.around_attention.norm"
    x = (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + 1e-5) * p[f"{name}.weight"]
    x = x + p[f"{name}.bias"]
    to = "layers.0.attention.to_"
    query, key = (x @ p[f"{to}{part}.weight"].T + p[f"{to}{part}.bias"] for part in ("query", "key"))
    for head in range(3):
        mine = slice(2 * head, 2 * head + 2)
        scores = query[:, mine] @ key[:, mine].T / np.sqrt(2)
        scores[np.triu_indices(7, 1)] = -np.inf
        weights = np.exp(scores - scores.max(-1, keepdims=True))
        weights /= weights.sum(-1, keepdims=True)
        np.testing.assert_allclose(recorded(model).weights(head=head), weights, atol=1e-6)


def test_a_window_and_shared_heads_are_recorded_as_they_are() -> None:
    trace = recorded(gpt(window=2, n_kv_heads=1), keep=("weights", "key", "masked"))
    far = np.tril(np.ones((7, 7), dtype=bool), -2) | np.triu(np.ones((7, 7), dtype=bool), 1)
    for head in range(3):
        assert (trace.weights(layer=1, head=head)[far] == 0).all()
        assert np.isneginf(trace.tensor("masked", layer=1, head=head)[far]).all()
        np.testing.assert_array_equal(trace.tensor("key", head=head), trace.tensor("key", head=0))


def test_a_transformer_has_three_kinds_of_patterns() -> None:
    source, target = side(5, 6, 7, 8, 3), side(11, 12, 3)
    trace = record(transformer(), teacher_forced(source, target, 2), name="toy", fingerprint="f", keep="weights")
    shapes = {address.rpartition("/")[0]: tensor.shape for address, tensor in trace.tensors.items()}
    assert shapes == {
        **{f"encoder.layers.{n}.self": (3, 5, 5) for n in range(2)},
        **{f"decoder.layers.{n}.self": (3, 3, 3) for n in range(3)},
        **{f"decoder.layers.{n}.cross": (3, 3, 5) for n in range(3)},
    }
    assert trace.check.deviation < 1e-5
    for address, tensor in trace.tensors.items():
        np.testing.assert_allclose(tensor.sum(-1), 1, atol=1e-6, err_msg=address)
    assert trace.weights().shape == (3, 5)
    assert trace.weights(part="encoder", layer=1).shape == (5, 5)
    assert not np.triu(trace.weights(part="decoder", layer=2), 1).any()
    assert trace.sequences["read"].tokens == ("<s>", "11", "12")
    assert trace.sequences["read"].ids == (2, 11, 12)
    for site in trace.sites:
        sizes = tuple(len(trace.sequences[name].ids) for name in (site.queries, site.keys))
        assert trace.tensors[f"{site.address}/weights"].shape[1:] == sizes


@pytest.mark.parametrize(
    ("asked", "code", "named"),
    [
        ({"layer": 2}, "no_site", "decoder.layers.1.self"),
        ({"head": 3}, "no_head", "3, counted from 0"),
        ({"part": "cross"}, "no_site", "decoder.layers.0.self"),
    ],
)
def test_what_a_gpt_has_not_is_refused(asked: dict, code: str, named: str) -> None:
    with pytest.raises(BadInput, match=named) as caught:
        recorded(gpt()).weights(**asked)
    assert caught.value.code == code


def test_a_trace_of_a_gpt_travels(tmp_path: object) -> None:
    made = recorded(gpt())
    made.save(f"{tmp_path}/t.safetensors")
    read = load(f"{tmp_path}/t.safetensors")
    assert (read.sequences, read.sites, read.check) == (made.sequences, made.sites, made.check)
    np.testing.assert_array_equal(read.weights(layer=1, head=1), made.weights(layer=1, head=1))


@pytest.mark.parametrize("fault", ["permuted heads", "a mask that is gone", "a scale that is dropped"])
def test_a_model_that_changes_when_somebody_looks_is_caught(fault: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Planted in the kernel's call itself, only while a tap is set: the rows still agree, the logits do not."""
    from regard.core import path

    real = path.fused

    def wrong(query: Tensor, key: Tensor, value: Tensor, **more: object) -> Tensor:
        if active() is None:
            return real(query, key, value, **more)
        if fault == "permuted heads":
            return real(query.flip(1), key, value, **more)
        if fault == "a mask that is gone":
            return real(query, key, value, **{**more, "mask": None})
        return real(query * 3, key, value, **more)

    monkeypatch.setattr(path, "fused", wrong)
    with pytest.raises(Failure) as caught:
        recorded(gpt(d_model=24))
    assert caught.value.code == "trace_check"


def test_a_sharp_model_in_16_bits_passes_the_check() -> None:
    """Its scores go beyond forty; a kernel that rounds them to 16 bits would not have these weights."""
    model = gpt("llama", d_model=66, n_heads=3, max_len=97)
    for layer in model.layers:
        for projection in (layer.attention.to_query, layer.attention.to_key):
            projection.weight.data.mul_(20)
    ids = torch.randint(17, (97,), generator=torch.Generator().manual_seed(3)).tolist()
    found = record(model.bfloat16(), {"read": side(*ids)}, name="toy", fingerprint="f")
    assert found.tensor("scaled", layer=1, head=1).max() > 40
    assert found.check.deviation < 1e-2
