"""Input feeding: both timings against a slow twin in plain Python; steps, tracing, training, old configs."""

import math
from pathlib import Path

import pytest
import torch
from torch import nn

import twin
from regard.core.errors import BadInput
from regard.core.tap import tapped
from regard.inspection.record import record, teacher_forced
from regard.inspection.trace import Sequence
from regard.layers.recurrent import advanced, projected
from regard.models import folder
from regard.models.rnn import CROSS, RnnConfig, RnnTranslator
from toy import translator

TIMINGS = ["luong", "bahdanau"]
KINDS = ["none", "additive", "dot", "general", "concat"]
SOURCE = torch.tensor([[5, 6, 7, 8, 3], [9, 4, 3, 0, 0]])
READ = torch.tensor([[2, 11, 12, 13], [2, 14, 15, 0]])


# The slow twin


def plus(*vectors: twin.Vector) -> twin.Vector:
    return [math.fsum(each) for each in zip(*vectors, strict=True)]


def sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x))


def gru(w: dict[str, list], x: twin.Vector, h: twin.Vector) -> twin.Vector:
    d = len(h)
    of_x, of_h = (
        plus(twin.times(w["weight_ih_l0"], x), w["bias_ih_l0"]),
        plus(twin.times(w["weight_hh_l0"], h), w["bias_hh_l0"]),
    )
    r = [sigmoid(a + b) for a, b in zip(of_x[:d], of_h[:d], strict=True)]
    z = [sigmoid(a + b) for a, b in zip(of_x[d : 2 * d], of_h[d : 2 * d], strict=True)]
    n = [math.tanh(a + k * b) for a, k, b in zip(of_x[2 * d :], r, of_h[2 * d :], strict=True)]
    return [(1 - k) * new + k * old for k, new, old in zip(z, n, h, strict=True)]


def written(model: RnnTranslator, source: torch.Tensor, read: list[int]) -> list[twin.Vector]:
    """What each token of one target says, one number at a time."""
    rows = {name: tensor.double().tolist() for name, tensor in model.state_dict().items()}
    rnn = {name.removeprefix("decoder_rnn."): w for name, w in rows.items() if name.startswith("decoder_rnn.")}
    state = model.start(source)
    keys, values = state.memory.key[0].tolist(), state.memory.value[0].tolist()
    s, said, found = state.hidden[0][0, 0].tolist(), [0.0] * model.config.d_embedding, []

    def look(query: twin.Vector) -> twin.Vector:
        if model.config.attention == "none":
            return values[0]
        if model.config.attention == "dot":
            return twin.attend([query], keys, values, score=twin.dot)["context"][0]
        query = twin.times(rows["attention.to_query.weight"], query)
        return twin.attend([query], keys, values, score=twin.additive(rows["attention.scorer.v"]))["context"][0]

    for token in read:
        x = rows["embedding.weight"][token]
        if model.config.input_feeding == "luong":
            s = gru(rnn, x + said, s)
            context = look(s)
        else:
            context = look(s)
            s = gru(rnn, x + context, s)
        out = plus(twin.times(rows["feed_forward.weight"], context + s), rows["feed_forward.bias"])
        said = [math.tanh(y) for y in out]
        found.append(said)
    return found


@pytest.mark.parametrize("timing", TIMINGS)
@pytest.mark.parametrize("kind", ["none", "additive", "dot"])
def test_the_papers_equations_one_number_at_a_time(kind: str, timing: str) -> None:
    model = translator(attention=kind, input_feeding=timing)
    with torch.inference_mode():
        came = model.features(SOURCE[:1], READ[:1])[0]
        truth = torch.tensor(written(model, SOURCE[:1], READ[0].tolist()))
    torch.testing.assert_close(came, truth, rtol=0, atol=1e-5)


def test_the_two_timings_and_none_are_three_models() -> None:
    """Guards the test above: what one timing says, the other does not."""
    luong = translator(input_feeding="luong", d_embedding=22)
    other = RnnTranslator(luong.config.model_copy(update={"input_feeding": "bahdanau"})).eval()
    other.load_state_dict(luong.state_dict())
    difference = (luong.features(SOURCE, READ) - other.features(SOURCE, READ)).abs()
    assert difference[:, 0].max() > 1e-3
    assert difference[:, 1:].max() > 1e-3


@pytest.mark.parametrize("kind", [nn.GRU, nn.LSTM])
@pytest.mark.parametrize("n_layers", [1, 3])
def test_the_step_written_out_is_torchs(kind: type, n_layers: int) -> None:
    """Split anywhere between what is projected at once and what is fed, the RNN is `nn.GRU` and `nn.LSTM`."""
    torch.manual_seed(7)
    rnn = kind(12, 11, num_layers=n_layers, batch_first=True)
    x, h = torch.randn(3, 5, 12), tuple(torch.randn(n_layers, 3, 11) for _ in range(1 + (kind is nn.LSTM)))
    truth, after = rnn(x, h if kind is nn.LSTM else h[0])
    at_once = projected(rnn, x[..., :7])
    for t in range(5):
        state, h = advanced(rnn, at_once[:, t], x[:, t, 7:], h)
        torch.testing.assert_close(state, truth[:, t], rtol=0, atol=1e-6)
    for came, expected in zip(h, after if kind is nn.LSTM else (after,), strict=True):
        torch.testing.assert_close(came, expected, rtol=0, atol=1e-6)


# Laws


@pytest.mark.parametrize("timing", TIMINGS)
@pytest.mark.parametrize("cell", ["gru", "lstm"])
@pytest.mark.parametrize("kind", KINDS)
def test_step_by_step_equals_all_at_once(kind: str, cell: str, timing: str) -> None:
    model = translator(attention=kind, cell=cell, n_layers=2, input_feeding=timing)
    whole = model.head(model.features(SOURCE, READ))
    state = model.start(SOURCE)
    for position in range(READ.shape[1]):
        logits, state = model.step(state, READ[:, position])
        torch.testing.assert_close(logits, whole[:, position], rtol=0, atol=1e-5)


@pytest.mark.parametrize("timing", TIMINGS)
def test_padding_and_company_change_nothing_and_states_follow_their_rows(timing: str) -> None:
    model = translator(input_feeding=timing)
    together = model.features(SOURCE, READ)[1, :3]
    torch.testing.assert_close(model.features(SOURCE[1:, :3], READ[1:, :3])[0], together, rtol=0, atol=1e-5)
    _, state = model.step(model.start(SOURCE), READ[:, 0])
    crossed = state.select(torch.tensor([1, 0, 1]))
    after, _ = model.step(crossed, READ[[1, 0, 1], 1])
    alone, _ = model.step(state, READ[:, 1])
    torch.testing.assert_close(after, alone[[1, 0, 1]], rtol=0, atol=1e-6)


@pytest.mark.parametrize("timing", TIMINGS)
def test_what_was_looked_at_reaches_the_later_steps(timing: str) -> None:
    """A context that is knocked out at the first step changes the last one, by nothing but input feeding."""
    model, calls = translator(input_feeding=timing, n_layers=2), []

    def knock(address: str, step: str, tensor: torch.Tensor) -> torch.Tensor:
        if step != "context":
            return tensor
        calls.append(tensor.shape)
        return torch.zeros_like(tensor) if len(calls) == 1 else tensor

    plain = model.features(SOURCE, READ)
    with tapped(knock):
        changed = model.features(SOURCE, READ)
    assert calls == [(2, 1, 22)] * READ.shape[1]
    assert (changed[:, -1] - plain[:, -1]).abs().max() > 1e-4


# Looking


def side(ids: tuple[int, ...]) -> Sequence:
    return Sequence("", tuple(f"t{i}" for i in ids), ids, tuple(range(len(ids))), tuple((0, 0) for _ in ids))


@pytest.mark.parametrize("timing", TIMINGS)
@pytest.mark.parametrize("kind", ["additive", "general"])
def test_a_trace_gathers_the_steps_and_changes_nothing(kind: str, timing: str) -> None:
    model = translator(attention=kind, input_feeding=timing)
    source, target = side((5, 6, 7, 8, 3)), side((11, 12, 13, 3))
    keep = ("query", "key", "weights", "context")
    trace = record(model, teacher_forced(source, target, 2), name="toy", fingerprint="0" * 64, keep=keep, check="full")
    assert trace.check.deviation < 1e-6
    assert trace.weights().shape[-2:] == (4, 5)
    assert {step: trace.tensors[f"{CROSS}/{step}"].shape[-2] for step in keep} == {
        "query": 4, "key": 5, "weights": 4, "context": 4,
    }  # fmt: skip
    shorter = record(model, teacher_forced(source, side((11, 12)), 2), name="toy", fingerprint="0" * 64)
    assert abs(trace.weights()[..., :2, :] - shorter.weights()).max() < 1e-6


@pytest.mark.parametrize("timing", TIMINGS)
def test_tapped_equals_untapped_to_the_bit(timing: str) -> None:
    model = translator(input_feeding=timing)
    plain = model.features(SOURCE, READ)
    with tapped(lambda address, step, tensor: tensor):
        assert torch.equal(model.features(SOURCE, READ), plain)


# Folders


def test_a_config_of_before_has_none_and_another_timing_is_refused(tmp_path: Path) -> None:
    fields = translator().config.model_dump()
    del fields["input_feeding"]
    assert RnnConfig(**fields).input_feeding == "none"
    with pytest.raises(ValueError, match="input_feeding"):
        RnnConfig(**fields, input_feeding="vaswani")


@pytest.mark.parametrize("timing", TIMINGS)
def test_a_model_folder_keeps_the_timing(tmp_path: Path, timing: str) -> None:
    from toy import tokenizer

    words = tokenizer()
    model = translator(vocab_size=words.vocab_size, input_feeding=timing)
    folder.save(tmp_path / "model", model, words, "card")
    loaded = folder.load(tmp_path / "model").model
    assert torch.equal(loaded.features(SOURCE, READ), model.features(SOURCE, READ))
    config = (tmp_path / "model" / "config.json").read_text().replace(f'"{timing}"', '"none"')
    (tmp_path / "model" / "config.json").write_text(config)
    with pytest.raises(BadInput):
        folder.load(tmp_path / "model")
