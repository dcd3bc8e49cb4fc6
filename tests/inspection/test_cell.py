"""One cell: every number is made of those before it (plain Python), and the last is the model's own (hooks)."""

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from foreign import DECODERS, ENCODERS, TRANSLATORS
from redone import redo
from regard.core.errors import BadInput, Failure
from regard.core.protocols import Site
from regard.core.tap import tapped
from regard.inspection.cell import anatomy
from regard.inspection.cell.cell import Cell
from regard.inspection.cell.dissect import Asked, dissect
from regard.inspection.cell.heard import Heard
from regard.inspection.cell.linear import cuts
from regard.inspection.cell.norms import norm
from regard.inspection.cell.turning import turning
from regard.inspection.visit import Sink, Watcher
from regard.models.gpt import Gpt, gpt2, llama
from regard.models.transformer import Transformer, TransformerConfig
from regard.tasks.explain_cell import to_json, workbook
from sheet import Sheets, follow, opened
from toy import translator

IDS = [4, 9, 9, 2, 16, 0, 9]
SOURCE, TARGET = [5, 6, 7, 8, 3], [2, 11, 12]
TOKENS = tuple("abcdefg")


@pytest.fixture(autouse=True)
def _chance() -> None:
    torch.manual_seed(5)


def shaken(model: Any) -> Any:
    """The model with no parameter left at one or zero, so that a forgotten bias or gain is missed."""
    for parameter in model.parameters():
        parameter.data += 0.1 * torch.randn_like(parameter)
    return model.eval()


def ours(model: Any, *inputs: list[int]) -> Callable[[Sink], Tensor]:
    def run(sink: Sink) -> Tensor:
        with tapped(Watcher(sink)):
            logits: Tensor = model.head(model.features(*(torch.tensor([ids]) for ids in inputs)))
        return logits[0]

    return run


def cell(model: Any, run: Any, site: Site, head: int, query: int, key: int | None = None) -> Cell:
    found = dissect(model, run, Asked(site, head, query, key), (TOKENS, TOKENS), "toy", "f")
    return found if "best" not in found else Cell(**{**vars(found), "words": ("w",) * 6})


def hooked(model: Any, module: str, side: str, run: Any) -> Tensor:
    """What one module was given, or gave, in float64: (n, d)."""
    seen: list[Tensor] = []

    def hear(module: nn.Module, given: tuple[Any, ...], named: dict[str, Any], made: Any) -> None:
        first = given[0] if given else next(iter(named.values()))
        seen.append(first if side == "in" else made[0] if isinstance(made, tuple) else made)

    handle = model.get_submodule(module).register_forward_hook(hear, with_kwargs=True)
    with torch.inference_mode():
        run(lambda address, visit: None)
    handle.remove()
    return seen[-1].squeeze(0).double()


def redone(found: Cell) -> dict[str, Any]:
    """Its JSON, computed again, in plain Python and in its spreadsheet."""
    told: dict[str, Any] = json.loads(to_json(found))
    redo(told)
    assert follow(Sheets(opened(workbook(found))), found.numbers) > 10
    return told


def gpt(form: Callable[..., Any] = gpt2, **choices: Any) -> Gpt:
    sizes = {"vocab_size": 17, "max_len": 13, "d_model": 12, "n_layers": 2, "n_heads": 3, "d_ff": 11}
    model: Gpt = shaken(Gpt(form(**{**sizes, **choices})))
    return model


# Our own models


GPTS = {
    "gpt2": {},
    "llama": {"form": llama, "n_kv_heads": 1},
    "alibi": {"positions": "alibi"},
    "window": {"window": 2},
    "no bias": {"bias": False, "d_head": 5},
}


@pytest.mark.parametrize("name", GPTS)
@pytest.mark.parametrize("head", [0, 2])
def test_a_gpt(name: str, head: int) -> None:
    model = gpt(**GPTS[name])
    run = ours(model, IDS)
    found = cell(model, run, model.sites[1], head, 5)
    told = redone(found)
    after = hooked(model, "layers.1.around_feed_forward.norm", "in", run)[5]
    np.testing.assert_allclose(told["residual"]["after"], after, rtol=0, atol=1e-5)
    assert found.check.deviation < 1e-5
    assert found.modules["query"] == "layers.1.attention.to_query"
    assert ("query_turned" in found) == (name == "llama")
    assert ("bias" in found) == (name == "alibi")
    assert ("b_query" in found) == (name not in ("llama", "no bias"))
    assert found.weight == found["weights"].max()


@pytest.mark.parametrize("at", range(7))
def test_a_transformer_has_a_cell_at_each_of_its_places(at: int) -> None:
    choices = {"vocab_size": 17, "max_len": 13, "d_model": 12, "n_layers": 1, "n_decoder_layers": 3, "n_heads": 3}
    model = shaken(Transformer(TransformerConfig(**choices, d_ff=11)))
    run, site = ours(model, SOURCE, TARGET), model.sites[at]
    told = redone(cell(model, run, site, 1, 2))
    stack, _, layer, kind = site.address.split(".")
    after = hooked(model, f"{stack}.{layer}.around_{kind}.norm", "in", run)[2]
    np.testing.assert_allclose(told["residual"]["after"], after, rtol=0, atol=1e-5)


RNNS = [
    {"attention": "dot"},
    {"attention": "general"},
    {"attention": "additive"},
    {"attention": "concat", "input_feeding": "luong"},
    {"attention": "dot", "input_feeding": "bahdanau"},
    {"attention": "dot", "cell": "lstm", "n_layers": 2},
]


@pytest.mark.parametrize("choices", RNNS, ids=lambda choices: "-".join(map(str, choices.values())))
def test_the_rnn_to_its_word(choices: dict[str, Any]) -> None:
    """Note 002: h and h_d, α, A = Σ α·h, [A; h_d], feed-forward, and the word; the last is the model's own logits."""
    model = translator(**choices)
    run = ours(model, SOURCE, TARGET)
    for query in range(3):
        found = cell(model, run, model.sites[0], 0, query)
        told = redone(found)
        with torch.inference_mode():
            logits = run(lambda address, visit: None)[query].double()
        np.testing.assert_allclose(told["inputs"]["logits"], logits, rtol=0, atol=1e-5)
        assert told["inputs"]["best"][0] == int(logits.argmax())
        assert found["keys"].shape[0] == 5


# Foreign models


SMALL = {"vocab_size": 61, "hidden_size": 24, "num_hidden_layers": 2, "num_attention_heads": 4, "pad_token_id": 0}
SMALL |= {"intermediate_size": 29, "max_position_embeddings": 64}
GROUPED = {**SMALL, "num_key_value_heads": 2, "head_dim": 10}
POST = "layers.1.post_attention_layernorm"
OPT = {"vocab_size": 61, "hidden_size": 24, "num_hidden_layers": 2, "num_attention_heads": 4, "ffn_dim": 29}
FAMILIES: dict[str, tuple[dict[str, Any], str, str, str]] = {
    "GPT2": ({"vocab_size": 61, "n_embd": 24, "n_layer": 2, "n_head": 4}, "decoder.layers.1.self", "h.1.ln_2", "in"),
    "Llama": (GROUPED, "decoder.layers.1.self", POST, "in"),
    "Qwen3": (GROUPED, "decoder.layers.1.self", POST, "in"),
    "Gemma2": (GROUPED, "decoder.layers.1.self", "layers.1.pre_feedforward_layernorm", "in"),
    "Olmo2": ({**SMALL, "num_key_value_heads": 2}, "decoder.layers.1.self", "layers.1.mlp", "in"),
    "Granite": ({**SMALL, "residual_multiplier": 0.3}, "decoder.layers.1.self", POST, "in"),
    "GPTNeoX": ({**SMALL, "hidden_size": 32, "rotary_pct": 0.5}, "decoder.layers.1.self", "layers.1", "out"),
    "Phi3": (SMALL, "decoder.layers.1.self", POST, "in"),
    "OPT": ({**OPT, "word_embed_proj_dim": 24}, "decoder.layers.1.self", "decoder.layers.1.final_layer_norm", "in"),
    "Bert": (SMALL, "encoder.layers.1.self", "encoder.layer.1.attention.output.LayerNorm", "in"),
    "T5": (
        {"vocab_size": 61, "d_model": 24, "d_kv": 7, "d_ff": 29, "num_layers": 2, "num_heads": 4},
        "decoder.layers.1.cross", "decoder.block.1.layer.1", "out",
    ),
    "T5Encoder": (
        {"vocab_size": 61, "d_model": 24, "d_kv": 7, "d_ff": 29, "num_layers": 2, "num_heads": 4},
        "encoder.layers.1.self", "encoder.block.1.layer.0", "out",
    ),
}  # fmt: skip
EVERY = {**ENCODERS, **DECODERS, **TRANSLATORS}
HAS = {
    "Qwen3": "query_normed", "Gemma2": "softcap", "Olmo2": "output_normed", "Granite": "output_factor",
    "GPTNeoX": "beside", "Phi3": "query_turned", "OPT": "query_factor", "T5Encoder": "bias", "Llama": "key_turned",
}  # fmt: skip


def family(name: str, choices: dict[str, Any]) -> tuple[Any, Any, dict[str, Site]]:
    """A tiny model of this family, its run, and where it attends."""
    import transformers

    kind = name.removesuffix("Encoder")
    model = shaken(getattr(transformers, f"{kind}Model")(getattr(transformers, f"{kind}Config")(**choices)))
    return running(model, name)


def running(model: Any, name: str) -> tuple[Any, Any, dict[str, Site]]:
    """The model, how it runs, and where it attends."""
    from regard.inspection.foreign.door import watched
    from regard.inspection.foreign.record import Eye
    from regard.inspection.foreign.run import Foreign
    from regard.inspection.foreign.run import run as ran
    from regard.inspection.foreign.switching import switched

    inputs = {"input_ids": torch.tensor([IDS])}
    inputs |= {"decoder_input_ids": torch.tensor([[0, 11, 12, 40, 6]])} if model.config.is_encoder_decoder else {}
    sites: dict[str, Site] = {}

    def run(sink: Any) -> None:
        sinks: Any = [sink]
        eye = Eye(model, sinks, {})
        with switched(model), watched(eye):
            ran(Foreign(model, None, name, "f"), inputs)
        sites.update(eye.places.sites)

    with torch.inference_mode():
        run(lambda address, visit: None)
    return model, run, sites


@pytest.mark.parametrize("name", FAMILIES)
def test_a_foreign_family(name: str) -> None:
    """Who makes queries, keys, values and the output is found by value, whatever the modules are called."""
    choices, address, module, side = FAMILIES[name]
    model, run, sites = family(name, choices)
    found = cell(model, run, sites[address], 2, 4)
    told = redone(found)
    after = hooked(model, module, side, run)[4]
    np.testing.assert_allclose(told["residual"]["after"], after, rtol=0, atol=1e-5 * float(after.abs().max()))
    assert found.check.deviation < 1e-5
    assert set(found.modules) == {"query", "key", "value", "output"}
    assert name not in HAS or HAS[name] in found


@pytest.mark.parametrize("name", EVERY)
def test_every_family_is_taken_apart(name: str) -> None:
    """From x to the residual stream, nothing left out, at the last place of each."""
    model, run, sites = running(EVERY[name](), name)
    found = cell(model, run, sites[max(sites, key=lambda address: (sites[address].part, sites[address].layer))], 1, 3)
    told = redone(found)
    assert {"x_query", "w_query", "x_key", "w_key", "x_value", "w_value"} <= told["inputs"].keys()
    assert "residual" in told
    assert ("sink" in found) == (name == "GPT-OSS")


def test_sixteen_bits() -> None:
    """The same, as far as a run in bf16 can tell."""
    model, run, sites = running(EVERY["Llama"]().to(torch.bfloat16), "Llama")
    found = cell(model, run, sites["decoder.layers.1.self"], 1, 3)
    redone(found)
    assert {"query_turned", "after"} <= found.numbers.keys()
    assert 1e-5 < found.check.deviation < found.check.tolerance == 2e-2


def test_what_is_not_understood_is_said_and_the_rest_holds() -> None:
    """Norms with a matrix of gains (Cohere) are not taken apart: queries and keys begin as they entered the kernel."""
    choices = {**SMALL, "hidden_size": 32, "num_key_value_heads": 2, "use_qk_norm": True}
    model, run, sites = family("Cohere", choices)
    found = cell(model, run, sites["decoder.layers.1.self"], 1, 4)
    assert "x_query" not in found
    assert "x_value" in found
    redone(found)


# The pieces


def heads(*sizes: int) -> Tensor:
    return torch.randn(*sizes, dtype=torch.float64)


@pytest.mark.parametrize("neighbours", [False, True])
@pytest.mark.parametrize(("width", "turned", "factor"), [(10, 10, 1.0), (14, 6, 1.0), (10, 10, 1.3)])
def test_a_rotation_is_read_off(neighbours: bool, width: int, turned: int, factor: float) -> None:
    before, angle = heads(3, 5, width), torch.arange(5)[:, None] * torch.rand(turned // 2, dtype=torch.float64)
    first, second = torch.arange(turned // 2), torch.arange(turned // 2, turned)
    if neighbours:
        first, second = torch.arange(0, turned, 2), torch.arange(1, turned, 2)
    after = before.clone()
    after[..., first] = factor * (before[..., first] * angle.cos() - before[..., second] * angle.sin())
    after[..., second] = factor * (before[..., first] * angle.sin() + before[..., second] * angle.cos())
    found = turning(before, after)
    assert found is not None
    assert found.first.tolist() == first.tolist()
    torch.testing.assert_close(found.cos, factor * angle.cos())
    torch.testing.assert_close(found.sin, factor * angle.sin())


def test_what_is_no_rotation_is_none() -> None:
    assert turning(heads(3, 5, 10), heads(3, 5, 10)) is None
    assert turning(heads(1, 5, 10), heads(1, 5, 10)) is None  # one head alone could be turned into anything


@pytest.mark.parametrize("kind", [nn.LayerNorm, nn.RMSNorm])
def test_a_norm_is_recognised(kind: Any) -> None:
    module, x = shaken(kind(7)).double(), heads(5, 7)
    call = Heard("norm", module, 1, 2, (x,), module(x))
    found = norm(call, x, module(x))
    assert found is not None
    assert found.centred == (kind is nn.LayerNorm)
    assert norm(call, x, module(x) + 0.1) is None


def test_ways_to_cut_heads() -> None:
    """Of 3 heads of 2: queries, keys, values beside each other; or a head's three side by side."""
    found = [columns.tolist() for columns in cuts(18, 2, 3, 3)]
    assert [[6, 7], [8, 9], [10, 11]] in found  # the keys of [all queries, all keys, all values]
    assert [[2, 3], [8, 9], [14, 15]] in found  # the keys of GPT-NeoX


# What may not be


@pytest.mark.parametrize(("choices", "key", "hidden"), [({}, 6, "later"), ({"window": 2}, 0, "far")])
def test_a_hidden_key_weighs_nothing_and_says_why(choices: dict[str, Any], key: int, hidden: str) -> None:
    model = gpt(**choices)
    found = cell(model, ours(model, IDS), model.sites[0], 0, 3, key)
    assert (found.weight, found.hidden) == (0.0, hidden)
    assert np.isneginf(found["masked"][key])
    assert np.isfinite(found["terms"]).all()
    redone(found)


def test_an_address_where_nothing_attends() -> None:
    model = gpt()
    with pytest.raises(BadInput) as caught:
        cell(model, ours(model, IDS), Site("decoder.layers.7.self", "read", "read", 3), 0, 0)
    assert caught.value.code == "cell_unheard"


@pytest.mark.parametrize("fault", ["bias", "turn"])
def test_a_step_that_is_forgotten_is_caught(fault: str, monkeypatch: pytest.MonkeyPatch) -> None:
    real = anatomy.Made.lines

    def forgetful(made: Any) -> Any:
        return real(anatomy.Made(**{**vars(made), fault: None}))

    monkeypatch.setattr(anatomy.Made, "lines", forgetful)
    model = gpt(llama, bias=True)
    with pytest.raises((Failure, KeyError)) as caught:
        cell(model, ours(model, IDS), model.sites[1], 1, 5)
    assert caught.type is KeyError or caught.value.code == "trace_check"


def test_hooks_are_gone_afterwards_and_nothing_has_changed() -> None:
    model = gpt()
    before = model(torch.tensor([IDS]))
    cell(model, ours(model, IDS), model.sites[0], 0, 3)
    assert torch.equal(model(torch.tensor([IDS])), before)
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in model.modules())
