"""Models of `transformers`: what is recorded is what their own eager attention gives, bit for bit."""

from collections.abc import Mapping
from typing import Any

import pytest
import torch
from torch import Tensor

import foreign
from regard.core.errors import BadInput
from regard.inspection.foreign.reading import of_inputs
from regard.inspection.foreign.record import record
from regard.inspection.foreign.run import Foreign
from regard.inspection.keeping import Choice
from regard.inspection.trace import READ, SOURCE, TARGET, Trace

ONE_SIDED = {**foreign.ENCODERS, **foreign.DECODERS}
SIDES = ("none", "left", "right")
PARTS = {"encoder": "encoder_attentions", "decoder": "decoder_attentions", "cross": "cross_attentions"}


def recorded(model: Any, inputs: Mapping[str, Tensor], **how: Any) -> list[Trace]:
    whose = Foreign(model, None, "tiny", "0")
    return record(whose, of_inputs(whose, inputs), **how)


def eager(model: Any, inputs: Mapping[str, Tensor]) -> dict[str, tuple[Tensor, ...]]:
    """What the family itself gives for `output_attentions`, by part."""
    configs = {id(part.config): part.config for part in model.modules() if hasattr(part, "config")}.values()
    own = [config._attn_implementation for config in configs]
    for config in configs:
        config._attn_implementation = "eager"
    with torch.no_grad():
        out = model(**inputs, output_attentions=True, return_dict=True)
    for config, before in zip(configs, own, strict=True):
        config._attn_implementation = before
    if "attentions" in out:
        return dict.fromkeys(("encoder", "decoder"), out.attentions)
    return {part: out[name] for part, name in PARTS.items() if out.get(name) is not None}


def given(name: str, side: str) -> dict[str, Tensor]:
    inputs = {"input_ids": foreign.ids()} if side == "none" else foreign.padded(side)
    return {**inputs, "decoder_input_ids": foreign.ids(3, 7)} if name in foreign.TRANSLATORS else inputs


def hold(traces: list[Trace], truth: dict[str, tuple[Tensor, ...]], *, far: float) -> int:
    """Every weight of every head against the truth; how many queries saw nothing."""
    blind = 0
    for row, trace in enumerate(traces):
        for site in trace.sites:
            for head in range(site.n_heads):
                came = torch.from_numpy(trace.weights(part=site.part, layer=site.layer, head=head))
                expected = truth[site.part][site.layer][row, head]
                nothing = came.sum(1) == 0
                blind += int(nothing.sum())
                away = (came - expected).masked_fill(nothing[:, None], 0).abs().max()
                assert away <= far, (site.address, head, float(away))
    return blind


@pytest.mark.parametrize("name", [*ONE_SIDED, *foreign.TRANSLATORS])
def test_weights_are_those_of_the_family(name: str) -> None:
    model = {**ONE_SIDED, **foreign.TRANSLATORS}[name]()
    for side in SIDES:
        inputs = given(name, side)
        truth = eager(model, inputs)
        blind = hold(recorded(model, inputs, keep="weights"), truth, far=0.0)
        traces = recorded(model, inputs, check="full")
        assert hold(traces, truth, far=1e-5) == blind
        assert all(trace.check.kind == "full" and trace.check.deviation < 1e-6 for trace in traces)
        assert (blind > 0) == (side == "left" and name in foreign.DECODERS) or name in WINDOWED


WINDOWED = ("ModernBERT", "Mistral", "Gemma2", "Gemma3", "GPT-OSS")
"""What lies past the window beyond the end sees padding alone, on either side."""


def test_whisper_hears() -> None:
    model = foreign.OTHERS["Whisper"]()
    sound = torch.randn(3, 7, 26, generator=torch.Generator().manual_seed(1))
    inputs = {"input_features": sound, "decoder_input_ids": foreign.ids(3, 5)}
    truth = eager(model, inputs)
    hold(recorded(model, inputs, keep="weights"), truth, far=0.0)
    traces = recorded(model, inputs, check="full")
    hold(traces, truth, far=1e-5)
    assert [len(traces[0].sequences[side].ids) for side in (SOURCE, READ, TARGET)] == [13, 5, 5]


@pytest.mark.parametrize("name", foreign.HIDDEN)
def test_families_that_bypass_the_door_give_weights_alone(name: str) -> None:
    model = foreign.HIDDEN[name]()
    for side in SIDES:
        inputs = given(name, side)
        traces = recorded(model, inputs, keep="weights")
        hold(traces, eager(model, inputs), far=0.0)
        assert {trace.check.kind for trace in traces} == {"sums"}
    with pytest.raises(BadInput, match="record its weights alone"):
        recorded(model, given(name, "none"))
    few = recorded(model, given(name, "none"), keep="weights", choice=Choice(layers=[1], heads=[3, 1]))[0]
    assert (few.heads, [site.layer for site in few.sites]) == ((1, 3), [1])


def test_a_family_without_attention_is_refused_by_name() -> None:
    with pytest.raises(BadInput) as error:
        recorded(foreign.BLIND["Mamba"](), given("Mamba", "none"), keep="weights")
    assert (error.value.code, error.value.facts["family"]) == ("foreign_blind", "mamba")


@pytest.mark.parametrize(
    ("name", "addresses"),
    {
        "ALBERT": ["encoder.layers.0.self", "encoder.layers.1.self"],  # one module, told by the order of calls
        "NeoX": ["decoder.layers.0.self", "decoder.layers.1.self"],
        "T5": ["encoder.layers.0.self", "encoder.layers.1.self"]
        + [f"decoder.layers.{layer}.{kind}" for layer in range(3) for kind in ("self", "cross")],
    }.items(),
)
def test_addresses(name: str, addresses: list[str]) -> None:
    model = {**ONE_SIDED, **foreign.TRANSLATORS}[name]()
    sites = recorded(model, given(name, "none"))[0].sites
    assert [site.address for site in sites] == addresses
    modules = dict(model.named_modules())
    assert all(site.module in modules for site in sites)
    crossing = {(site.queries, site.keys) for site in sites if site.part == "cross"}
    assert crossing <= {(TARGET, SOURCE)}


def test_a_decoder_behind_an_encoder() -> None:
    """BERT and GPT-2 joined: two families in one model."""
    import transformers as hf

    encoder = hf.BertModel(hf.BertConfig(vocab_size=53, **foreign._BERT))
    decoder = hf.GPT2LMHeadModel(
        hf.GPT2Config(
            vocab_size=53, n_embd=20, n_layer=3, n_head=5, bos_token_id=0, eos_token_id=2, add_cross_attention=True
        )
    )
    model = hf.EncoderDecoderModel(encoder=encoder, decoder=decoder).eval()
    inputs = {**foreign.padded("right"), "decoder_input_ids": foreign.ids(3, 7)}
    traces = recorded(model, inputs, check="full")
    assert [site.address for site in traces[0].sites if site.layer == 2] == [
        "decoder.layers.2.self",
        "decoder.layers.2.cross",
    ]
    hold(recorded(model, inputs, keep="weights"), eager(model, inputs), far=0.0)


def test_an_encoder_of_images_has_positions_for_tokens() -> None:
    import transformers as hf

    model = hf.ViTModel(hf.ViTConfig(**foreign._BERT, image_size=12, patch_size=4)).eval()
    trace = recorded(model, {"pixel_values": torch.randn(2, 3, 12, 12)}, check="full")[1]
    assert trace.sequences[SOURCE].tokens == tuple(map(str, range(10)))


def test_two_encoders_are_recorded_one_at_a_time() -> None:
    import transformers as hf

    text = {**foreign._BERT, "vocab_size": 53, "max_position_embeddings": 41, "eos_token_id": 2}
    model = hf.CLIPModel(
        hf.CLIPConfig(text_config=text, vision_config={**foreign._BERT, "image_size": 12, "patch_size": 4})
    ).eval()
    inputs = {"input_ids": foreign.ids(2), "pixel_values": torch.randn(2, 3, 12, 12)}
    with pytest.raises(BadInput, match=r"11 and 10|10 and 11") as error:
        recorded(model, inputs)
    assert "vision_model.encoder.layers.1" in error.value.facts["sites"]
    layers = [int(each.split()[0]) for each in error.value.facts["sites"].split(", ") if "text_model" in each]
    assert len(recorded(model, inputs, choice=Choice(layers=layers))[0].sequences[SOURCE].ids) == 11


def test_keys_of_another_width_than_values() -> None:
    """Latent attention (DeepSeek-V3)."""
    sizes = {**foreign._LLAMA, "num_key_value_heads": 6, "q_lora_rank": 8, "kv_lora_rank": 8, "qk_nope_head_dim": 4}
    sizes |= {"qk_rope_head_dim": 4, "v_head_dim": 6, "n_routed_experts": 4, "n_group": 2, "topk_group": 1}
    sizes |= {"num_experts_per_tok": 2, "moe_intermediate_size": 32, "first_k_dense_replace": 1, "n_shared_experts": 1}
    sizes.pop("head_dim")
    model = foreign._of("DeepseekV3Config", "DeepseekV3ForCausalLM", **sizes, **foreign._LONG)()
    trace = recorded(model, given("Llama", "left"), check="full", keep=["qk", "value"])[2]
    assert [trace.tensor(step).shape[1] for step in ("query", "key", "value")] == [8, 8, 6]


@pytest.mark.parametrize("step", ["scores", "scaled", "masked", "value", "context"])
def test_every_step_is_kept_and_belongs_together(step: str) -> None:
    trace = recorded(foreign.DECODERS["Gemma2"](), given("Gemma2", "none"), keep="steps")[0]
    head = {
        name: torch.from_numpy(trace.tensor(name, layer=1, head=5)) for name in (step, "weights", "value", "masked")
    }
    assert torch.isfinite(head[step]).all() or step == "masked"
    made = head["weights"] @ head["value"]
    context = torch.from_numpy(trace.tensor("context", layer=1, head=5))
    torch.testing.assert_close(made, context, atol=1e-6, rtol=0)
    torch.testing.assert_close(head["masked"].softmax(-1), head["weights"], atol=1e-6, rtol=0)


def test_long_inputs_keep_rules_and_diagonals() -> None:
    """Nothing of the size N×N is kept: the mask is two numbers a query, T5's bias one a distance."""
    model = foreign.TRANSLATORS["T5"]()
    trace = recorded(model, {"input_ids": foreign.ids(1, 101), "decoder_input_ids": foreign.ids(1, 97)})[0]
    assert max(tensor.shape[-1] for name, tensor in trace.tensors.items() if "/" in name) <= 101 + 101 - 1
    assert all(tensor.size <= 5 * 201 for tensor in trace.tensors.values() if tensor.ndim == 2)
    windowed = recorded(foreign.DECODERS["Mistral"](), {"input_ids": foreign.ids(1, 41)})[0]
    assert [windowed.tensors[name].shape for name in windowed.tensors if name.startswith("visible")] == [(41, 2)]
