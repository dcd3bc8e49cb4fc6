"""The GPT's laws: steps equal the whole, company and padding change nothing, nothing is known of the future."""

import pytest
import torch
from torch import Tensor

from regard.core.tap import tapped
from regard.models.gpt import Gpt, GptConfig, gpt2, llama

SIZES = {"vocab_size": 61, "max_len": 37, "d_model": 30, "n_layers": 2, "n_heads": 5, "d_ff": 41}
FORMS = {
    "gpt2": gpt2(**SIZES),
    "llama": llama(**SIZES, tied=False),
    "grouped": llama(**{**SIZES, "n_heads": 6, "d_model": 36}, n_kv_heads=2),
    "multi_query": llama(**SIZES, n_kv_heads=1, d_head=14),
    "window": gpt2(**SIZES, window=3),
    "alibi": GptConfig(**SIZES, positions="alibi", activation="relu"),
    "sinusoidal": GptConfig(**SIZES, positions="sinusoidal", activation="swish"),
    "one_hot": GptConfig(**SIZES, positions="one_hot", norm="rms"),
}
ATOL = 1e-5
pytestmark = pytest.mark.parametrize("form", FORMS)


def made(form: str) -> Gpt:
    torch.manual_seed(17)
    model = Gpt(FORMS[form]).eval()
    with torch.no_grad():  # a fresh model hardly looks anywhere: larger weights make wrong ones show
        for parameter in model.parameters():
            parameter.mul_(5.0) if parameter.dim() > 1 else None
    return model


def ids(batch: int = 3, n: int = 13) -> Tensor:
    return torch.randint(0, 61, (batch, n), generator=torch.Generator().manual_seed(19))


@pytest.mark.parametrize("read", [0, 1, 7])
@torch.inference_mode()
def test_cached_equals_uncached(form: str, read: int) -> None:
    """However much is read at the start."""
    model, text = made(form), ids()
    whole = model(text)
    state = model.start(text[:, :read])
    for place in range(read, text.shape[1]):
        logits, state = model.step(state, text[:, place])
        torch.testing.assert_close(logits, whole[:, place], atol=ATOL, rtol=ATOL)


@torch.inference_mode()
def test_the_batch_equals_the_single(form: str) -> None:
    model, text = made(form), ids()
    for row, together in enumerate(model(text)):
        torch.testing.assert_close(model(text[row : row + 1])[0], together, atol=ATOL, rtol=ATOL)


@torch.inference_mode()
def test_left_padding_is_a_shift(form: str) -> None:
    """Read at once, or by steps; what stands in the padding does not matter."""
    model, text = made(form), ids()
    alone = model(text[1:2])[0]
    padded = torch.cat([ids()[:, :4], text], dim=1)
    real = torch.ones_like(padded, dtype=torch.bool)
    real[1, :4] = False
    torch.testing.assert_close(model(padded, real)[1, 4:], alone, atol=ATOL, rtol=ATOL)
    state = model.start(padded[:, :9], real[:, :9])
    for place in range(9, padded.shape[1]):
        logits, state = model.step(state, padded[:, place])
        torch.testing.assert_close(logits[1], alone[place - 4], atol=ATOL, rtol=ATOL)


@pytest.mark.parametrize("looking", [False, True])
@torch.inference_mode()
def test_a_future_token_changes_nothing_before_it(form: str, looking: bool) -> None:
    """Bit for bit, on the fused path and on the plain one."""
    model, text = made(form), ids()
    other = text.clone()
    other[:, 8] = (other[:, 8] + 1) % 61

    def run(text: Tensor) -> Tensor:
        if not looking:
            return model(text)
        with tapped(lambda address, step, tensor: tensor):
            return model(text)

    before, after = run(text), run(other)
    assert torch.equal(before[:, :8], after[:, :8])
    assert not torch.equal(before[:, 8:], after[:, 8:])


def test_no_gradient_reaches_the_future(form: str) -> None:
    model, text = made(form), ids(1)
    seen: list[Tensor] = []
    model.embedding.register_forward_hook(lambda m, i, out: seen.append(out) or out.retain_grad())
    model.features(text)[0, 5, 0].backward()
    gradient = seen[0].grad[0].abs().sum(-1)
    assert gradient[5] > 0
    assert (gradient[6:] == 0).all()


@torch.inference_mode()
def test_looking_changes_nothing(form: str) -> None:
    """Every site of the model is seen, and so are the vectors on their way."""
    model, text, seen = made(form), ids(), set()

    def tap(address: str, step: str, tensor: Tensor) -> Tensor:
        seen.add(f"{address}/{step}")
        return tensor

    with tapped(tap):
        looked = model(text)
    torch.testing.assert_close(looked, model(text), atol=ATOL, rtol=ATOL)
    assert {f"{site.address}/weights" for site in model.sites} <= seen
    assert {"decoder/embedded", "decoder/positioned", "decoder.layers.1/states"} <= seen


@torch.inference_mode()
def test_selected_rows_go_on_as_they_would_have(form: str) -> None:
    """Beams reorder and copy: each row carries its own past."""
    model, text = made(form), ids()
    rows = torch.tensor([2, 0, 2])
    chosen = model.start(text[:, :6]).select(rows)
    logits, _ = model.step(chosen, text[rows, 6])
    torch.testing.assert_close(logits, model(text)[rows, 6], atol=ATOL, rtol=ATOL)
