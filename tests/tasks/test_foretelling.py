"""Perplexity: against a slow twin that reads each token's own past, against transformers' loss, and by hand."""

import json
import math
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from transformers import AutoModelForCausalLM, AutoTokenizer

from regard.core.errors import BadInput, Failure
from regard.models import folder
from regard.models.gpt import Gpt, gpt2, llama
from regard.tasks import foretelling
from regard.tasks.foretelling import Foretold, foretell, material, windows
from regard.tasks.generation import Generator, load
from regard.text import prose_tokenizers
from regard.text.prose_tokenizers import ProseTokenizer
from regard.views import terminal

CONTEXT = 11
TEXTS = ["I can can a can.\nl'été, the mole", "tower", "a", "", "the tower, the mole, the can, and the tower again"]


def cutter(kind: str = "bpe") -> ProseTokenizer:
    return prose_tokenizers.train(TEXTS, kind=kind, vocab_size=269)  # type: ignore[arg-type]


def written(place: Path, tokenizer: ProseTokenizer, form: Callable = gpt2) -> Generator:
    """A model with every number at random, from its folder."""
    torch.manual_seed(7)
    sizes = {"max_len": CONTEXT, "d_model": 28, "n_heads": 7, "n_layers": 2, "d_ff": 31}
    model = Gpt(form(vocab_size=tokenizer.vocab_size, **sizes)).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.3)
    folder.save(place / "model", model, tokenizer, "# card\n")
    return load(place / "model")


def documents(place: Path, texts: list[str]) -> Path:
    (place / "texts.jsonl").write_text("".join(json.dumps({"text": text}) + "\n" for text in texts))
    return place / "texts.jsonl"


@torch.inference_mode()
def twin(model: Generator, text: str, stride: int) -> list[float]:
    """−log p of each token of a text, each from a reading of its own; plain Python from the logits on."""
    start = [] if model.tokenizer.start is None else [model.tokenizer.start]
    ids = [*start, *model.tokenizer.encode(text).ids]
    found = []
    for place in range(1, len(ids)):
        moved = max(0, math.ceil((place - CONTEXT) / stride)) * stride  # how far its window is from the first
        begin = max(0, min(moved, len(ids) - 1 - CONTEXT))
        logits = model.model(torch.tensor([ids[begin:place]]))[0, -1].tolist()
        highest = max(logits)
        found.append(highest + math.log(math.fsum(math.exp(x - highest) for x in logits)) - logits[ids[place]])
    return found


@pytest.mark.parametrize("stride", [1, 3, 7, CONTEXT])
@pytest.mark.parametrize("opening", [False, True])
def test_it_is_the_slow_twins(tmp_path: Path, stride: int, opening: bool) -> None:
    model = written(tmp_path, prose_tokenizers.opening(cutter()) if opening else cutter())
    found = foretell(model, material([str(documents(tmp_path, TEXTS))]), stride=stride)
    expected = [each for text in TEXTS for each in twin(model, text, stride)]
    assert (found.documents, found.tokens) == (len(TEXTS), len(expected))
    assert found.nats_per_token == pytest.approx(math.fsum(expected) / len(expected), abs=1e-5)
    assert found.perplexity == pytest.approx(math.exp(found.nats_per_token))
    assert found.bits_per_byte == pytest.approx(math.fsum(expected) / math.log(2) / found.bytes, abs=1e-5)


@torch.inference_mode()
@pytest.mark.parametrize("form", [gpt2, llama])
def test_it_is_transformers_loss(tmp_path: Path, form: Callable) -> None:
    """The recipe of its documentation on the saved folder: labels of what was said before are −100."""
    ours = written(tmp_path, prose_tokenizers.opening(cutter()), form)
    theirs = AutoModelForCausalLM.from_pretrained(tmp_path / "model")
    ids = AutoTokenizer.from_pretrained(tmp_path / "model")(TEXTS[-1], return_tensors="pt")["input_ids"]
    stride, said, nats = 3, 0, 0.0
    places = ids.shape[1] - 1
    while said < places:
        end = min(places, said + stride if said else CONTEXT)
        begin = max(0, end - CONTEXT)
        labels = ids[:, begin : end + 1].clone()
        labels[:, : said + 1 - begin] = -100
        logits = theirs(ids[:, begin:end]).logits
        loss = torch.nn.functional.cross_entropy(logits[0], labels[0, 1:], ignore_index=-100, reduction="sum")
        nats, said = nats + loss.item(), end
    found = foretell(ours, material([str(documents(tmp_path, TEXTS[-1:]))]), stride=stride)
    assert found.tokens == places
    assert found.nats_per_token == pytest.approx(nats / places, abs=1e-5)
    short = theirs(ids[:, :CONTEXT], labels=ids[:, :CONTEXT]).loss.item()  # its own loss, where one window holds all
    text = ours.tokenizer.decode(ids[0, :CONTEXT].tolist())
    assert foretell(ours, material([str(documents(tmp_path, [text]))])).nats_per_token == pytest.approx(short, abs=1e-5)


def test_who_knows_nothing_wavers_between_all_tokens(tmp_path: Path) -> None:
    """A model whose weights are all 0, by hand: log(vocab_size) nats a token, whatever the windows."""
    tokenizer = cutter("characters")
    model = written(tmp_path, tokenizer)
    for parameter in model.model.parameters():
        torch.nn.init.zeros_(parameter)
    (tmp_path / "text.txt").write_text("l'été a")
    found = foretell(model, material([str(tmp_path / "text.txt")]), stride=2, name="nobody")
    assert (found.model, found.documents, found.tokens, found.bytes) == ("nobody", 1, 6, 8)
    assert found.perplexity == pytest.approx(tokenizer.vocab_size, rel=1e-5)
    assert found.bits_per_byte == pytest.approx(6 * math.log2(tokenizer.vocab_size) / 8, rel=1e-5)
    assert (found.context, found.stride) == (CONTEXT, 2)
    assert foretell(model, material([str(tmp_path / "text.txt")])).stride == 5


@given(st.integers(0, 97), st.integers(1, 13), st.data())
def test_every_place_is_said_once_from_enough_before_it(places: int, context: int, data: st.DataObject) -> None:
    stride = data.draw(st.integers(1, context))
    found = list(windows(places, context, stride))
    said = [place for _, end, first in found for place in range(first, end)]
    assert said == list(range(places))
    for start, end, first in found:
        assert end - start == min(context, places)
        assert start == first == 0 or first - start >= context - stride


def test_what_is_lacking_is_named_and_counted_by_its_own_bytes(tmp_path: Path) -> None:
    model = written(tmp_path, cutter("characters"))
    (tmp_path / "text.txt").write_text("can 飛 ☃ 飛")
    found = foretell(model, material([str(tmp_path / "text.txt")]))
    assert found.unknown == ("飛", "☃")
    assert found.bytes == len("an 飛 ☃ 飛".encode())


def test_who_watches_is_told_of_every_window(tmp_path: Path) -> None:
    told: list[int] = []

    def progress(total: int) -> nullcontext:
        told.append(-total)
        return nullcontext(told.append)

    foretell(written(tmp_path, cutter()), material([str(documents(tmp_path, TEXTS))]), stride=2, progress=progress)
    assert told[0] < -4
    assert sum(told) == 0


@pytest.mark.parametrize("stride", [0, -1, CONTEXT + 1])
def test_a_window_that_stands_still_or_leaps_is_refused(tmp_path: Path, stride: int) -> None:
    with pytest.raises(BadInput) as caught:
        foretell(written(tmp_path, cutter()), material([str(documents(tmp_path, TEXTS))]), stride=stride)
    assert (caught.value.code, caught.value.facts["longest"]) == ("stride_range", CONTEXT)


@pytest.mark.parametrize(("texts", "tokens"), [([], 0), (["", ""], 0), (["a"], 1), (["a", "a", ""], 2)])
def test_nothing_to_foretell_is_refused(tmp_path: Path, texts: list[str], tokens: int) -> None:
    with pytest.raises(BadInput) as caught:
        foretell(written(tmp_path, cutter("characters")), material([str(documents(tmp_path, texts))]))
    assert (caught.value.code, caught.value.facts["tokens"]) == ("text_unscored", tokens)


def test_a_model_that_says_no_number_is_a_failure(tmp_path: Path) -> None:
    model = written(tmp_path, cutter())
    model.model.norm.weight.data[3] = math.nan
    with pytest.raises(Failure) as caught:
        foretell(model, material([str(documents(tmp_path, TEXTS))]))
    assert caught.value.code == "surprise_not_finite"


@pytest.mark.parametrize("lang", ["en", "zh-Hant", "zh-Hans"])
def test_all_media_show_the_same_figures(lang: str) -> None:
    found = [Foretold("one", 2, 53, 211, 2.34567, 11, 5), Foretold("other", 2, 59, 211, 3.45678, 13, 13)]
    shown = terminal.render(foretelling.picture(found, lang), width=200)
    for each in found:
        told = json.loads(json.dumps(each.json(), allow_nan=False))
        assert list(told) == [
            *("model", "documents", "tokens", "bytes", "nats_per_token", "bits_per_byte", "perplexity"),
            *("context", "stride", "unknown"),
        ]
        for name in ("nats_per_token", "bits_per_byte", "perplexity"):
            assert f"{told[name]:.4f}" in shown
    compared = terminal.render(foretelling.picture(found[:1], lang), width=200)
    assert len(shown.splitlines()) > len(compared.splitlines())
