"""The door: it changes nothing, leaves models as they were, mixes no threads, and lets no wrong picture through."""

import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

import foreign
from regard.core.errors import BadInput, Failure
from regard.core.recipe import Recipe
from regard.inspection.foreign import calls, door
from regard.inspection.foreign.reading import of_inputs
from regard.inspection.foreign.record import record
from regard.inspection.foreign.run import Foreign
from regard.inspection.foreign.switching import switched
from regard.inspection.keeping import Choice
from regard.inspection.trace import Trace
from regard.inspection.visit import Visit

IDS = {"input_ids": foreign.ids()}


def recorded(model: Any, **how: Any) -> list[Trace]:
    whose, inputs = Foreign(model, None, "tiny", "0"), how.pop("inputs", IDS)
    return record(whose, of_inputs(whose, inputs), **how)


def _altered(**parts: Callable[[Visit], Any]) -> Callable[..., Visit]:
    """The making of visits, with a fault in it."""
    whole = calls.Calls.visit

    def visit(self: calls.Calls, *given: Any) -> Visit:
        right = whole(self, *given)
        return replace(right, **{name: wrong(right) for name, wrong in parts.items()})

    return visit


def _recipe(**parts: Any) -> Callable[[Visit], Recipe]:
    return lambda visit: replace(visit.recipe, **parts)


FAULTS: dict[str, tuple[str, dict[str, Callable[[Visit], Any]]]] = {
    "no mask": ("GPT-2", {"mask": lambda visit: None}),
    "a window forgotten": ("Mistral", {"mask": lambda visit: torch.ones(11, 11).tril().bool()}),
    "a mask of padding forgotten": ("BERT", {"mask": lambda visit: None}),
    "no scale": ("GPT-2", {"recipe": _recipe(scale=1.0)}),
    "permuted heads": ("GPT-2", {"query": lambda visit: visit.query.roll(1, dims=1)}),
    "permuted groups": ("Llama", {"key": lambda visit: visit.key.flip(1)}),
    "values of other heads": ("Llama", {"value": lambda visit: visit.value.flip(1)}),
    "no bias": ("T5", {"recipe": _recipe(bias=None)}),
    "no cap": ("Gemma2", {"recipe": _recipe(softcap=None)}),
    "no sinks": ("GPT-OSS", {"recipe": _recipe(sinks=None)}),
    "keys one too late": ("OPT", {"key": lambda visit: visit.key.roll(1, dims=2)}),
}
EVERY = {**foreign.ENCODERS, **foreign.DECODERS, **foreign.TRANSLATORS}


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("keep", ["qk", "weights"])
def test_a_fault_in_the_recording_makes_no_trace(fault: str, keep: str, monkeypatch: pytest.MonkeyPatch) -> None:
    name, parts = FAULTS[fault]
    inputs = foreign.padded("right") if name == "BERT" else IDS
    inputs = {**inputs, "decoder_input_ids": foreign.ids(3, 7)} if name == "T5" else inputs
    model = EVERY[name]()
    recorded(model, inputs=inputs, keep=keep)
    monkeypatch.setattr(calls.Calls, "visit", _altered(**parts))
    with pytest.raises(Failure, match="off what the model computes"):
        recorded(model, inputs=inputs, keep=keep)


def _in_16_bits(name: str) -> Any:
    """Scores of a hundred, as trained models have them: eager attention rounds each by up to a half."""
    model = EVERY[name]()
    for parameter in model.parameters():
        parameter.data *= 2.0
    return model.to(torch.bfloat16)


@pytest.mark.parametrize("keep", ["qk", "weights"])
@pytest.mark.parametrize("name", ["Llama", "Gemma2", "GPT-OSS", "BERT"])
def test_in_16_bits_rounding_is_no_fault(name: str, keep: str) -> None:
    traces = recorded(_in_16_bits(name), keep=keep, check="full")
    assert {trace.check.tolerance for trace in traces} == {2e-2}


@pytest.mark.parametrize("keep", ["qk", "weights"])
@pytest.mark.parametrize("fault", ["no mask", "no scale", "permuted heads", "no cap", "no sinks"])
def test_in_16_bits_a_fault_is_seen_too(fault: str, keep: str, monkeypatch: pytest.MonkeyPatch) -> None:
    name, parts = FAULTS[fault]
    model = EVERY[name]().to(torch.bfloat16)
    monkeypatch.setattr(calls.Calls, "visit", _altered(**parts))
    with pytest.raises(Failure, match="off what the model computes"):
        recorded(model, keep=keep)


@pytest.mark.parametrize("own", ["sdpa", "eager"])
def test_the_users_model_is_left_as_it_was(own: str) -> None:
    model = foreign.DECODERS["Llama"]().train()
    model.model.layers[0].eval()
    model.set_attn_implementation(own)
    modes = [module.training for module in model.modules()]
    expected = model.state_dict()
    recorded(model, keep="weights")
    with pytest.raises(Failure):
        recorded(model, inputs={"input_ids": foreign.ids() + foreign.VOCAB})
    assert model.config._attn_implementation == own
    assert [module.training for module in model.modules()] == modes
    assert not model._forward_pre_hooks
    assert all(torch.equal(tensor, expected[name]) for name, tensor in model.state_dict().items())
    model(**IDS).logits.sum().backward()  # and it can be trained on


def test_without_a_watch_nothing_changes() -> None:
    model = foreign.DECODERS["Qwen3"]()
    with torch.no_grad():
        expected = model(**IDS).logits
        with switched(model):
            assert model.config._attn_implementation == door.FUSED
            assert torch.equal(model(**IDS).logits, expected)


def test_a_compiled_model_runs_as_it_is_written() -> None:
    model = foreign.DECODERS["Llama"]()
    expected = recorded(model)[0]
    model.compile(backend=lambda *_: pytest.fail("compiled our looking"))
    found = recorded(model, check="full")[0]
    assert (found.weights(layer=1, head=2) == expected.weights(layer=1, head=2)).all()


def test_two_threads_share_a_model_and_never_mix() -> None:
    model, other = foreign.DECODERS["GPT-2"](), foreign.DECODERS["Llama"]()
    inputs = [{"input_ids": foreign.ids(1, length)} for length in (5, 7, 11, 13)]
    alone = [recorded(who, inputs=each)[0] for who in (model, other) for each in inputs]
    found: dict[int, Trace] = {}
    begin = threading.Barrier(8)

    def work(number: int) -> None:
        begin.wait()
        for _ in range(5):
            found[number] = recorded((model, other)[number // 4], inputs=inputs[number % 4])[0]

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for number, expected in enumerate(alone):
        assert found[number].sites == expected.sites
        assert all((found[number].tensors[name] == tensor).all() for name, tensor in expected.tensors.items())
    assert {who.config._attn_implementation for who in (model, other)} == {"sdpa"}


def _given(**more: Any) -> dict[str, Any]:
    q = torch.randn(1, 2, 3, 5)
    return {"query": q, "key": q, "value": q, "attention_mask": None, **more}


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ({"block_indices": torch.ones(1)}, "foreign_argument"),
        ({"cache": object()}, "foreign_argument"),
        ({"dropout": 0.1}, "foreign_argument"),
        ({"position_bias": torch.randn(2, 2, 3, 3)}, "foreign_argument"),
        ({"position_bias": torch.randn(1, 2, 3, 3).expand(2, -1, -1, -1)}, None),
        ({"attention_mask": torch.ones(3, 3, dtype=torch.bool)}, "foreign_mask"),
        ({"attention_mask": torch.full((1, 1, 3, 3), 0.5)}, "foreign_mask"),
        ({"position_ids": torch.arange(3), "use_cache": True, "sliding_window": 3, "cache": None}, None),
    ],
)
def test_what_may_change_weights_is_refused_by_name(more: dict[str, Any], code: str | None) -> None:
    module = torch.nn.Identity()
    output = torch.randn(1, 3, 2, 5)
    if code is None:
        assert calls.Calls().visit(module, _given(**more), output, None).query.shape == (1, 2, 3, 5)
        return
    with pytest.raises(BadInput) as error:
        calls.Calls().visit(module, _given(**more), output, None)
    assert error.value.code == code


def test_masks_that_layers_share_are_turned_once(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Tensor] = []
    whole = calls.Seen.__init__

    def noted(self: calls.Seen, matrix: Tensor) -> None:
        made.append(matrix)
        whole(self, matrix)

    monkeypatch.setattr(calls.Seen, "__init__", noted)
    recorded(foreign.DECODERS["Llama"](), inputs=foreign.padded("left"))
    assert [len(matrix) for matrix in made] == [3, 1, 1, 1]  # one for the batch, one for each text, for both layers


def test_no_such_part_layer_or_head() -> None:
    model = foreign.DECODERS["Llama"]()
    for choice, code in ((Choice(layers=[5]), "no_site"), (Choice(parts=["cross"]), "no_site")):
        with pytest.raises(BadInput) as error:
            recorded(model, choice=choice)
        assert error.value.code == code
    with pytest.raises(BadInput, match="head"):
        recorded(model, choice=Choice(heads=[6]))
    few = recorded(model, choice=Choice(layers=[1], heads=[4, 2]))[0]
    assert (few.heads, len(few.sites)) == ((2, 4), 1)
    whole = recorded(model)[0]
    assert (few.weights(layer=1, head=4) == whole.weights(layer=1, head=4)).all()
