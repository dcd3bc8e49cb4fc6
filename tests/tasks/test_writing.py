"""Recorded while it writes: one matrix over the final sequence, equal to one forward over it."""

import numpy as np
import pytest
import torch
from test_generation import Letters

import regard
from regard.core.errors import BadInput, Failure
from regard.inspection.following import Followed
from regard.inspection.keeping import Choice
from regard.inspection.record import record
from regard.inspection.trace import Trace
from regard.models.folder import Loaded
from regard.models.gpt import Gpt, gpt2, llama
from regard.models.transformer import Transformer, TransformerConfig
from regard.tasks.generation import Generator
from regard.tasks.translation import Translator
from regard.tasks.writing import Kept, prose_side, translate, write
from regard.text import prose_tokenizers
from toy import tokenizer, translator

FORMS = {"gpt2": gpt2, "llama": llama}
MANNERS = [{"greedy": True}, {"beam": 5}, {"beam": 3, "length_penalty": -1.0}, {"seed": 7}, {"seed": 7, "samples": 3}]


def generator(form: str = "gpt2", **choices: object) -> Generator:
    """3 heads, 2 layers, 31 letters; wide weights, so that lines of a beam cross."""
    torch.manual_seed(11)
    sizes = {"vocab_size": 31, "max_len": 23, "d_model": 42, "n_layers": 2, "n_heads": 3}
    model = Gpt(FORMS[form](**{**sizes, **choices})).eval()
    with torch.no_grad():
        for weights in model.parameters():
            weights.mul_(3.0)
    return Generator(Loaded(model, Letters(end=None), "letters", "f"))  # type: ignore[arg-type]


def transformer() -> Transformer:
    torch.manual_seed(5)
    sizes = {"vocab_size": 17, "max_len": 29, "d_model": 6, "n_layers": 2, "n_decoder_layers": 3, "n_heads": 3}
    return Transformer(TransformerConfig(**sizes, d_ff=11)).eval()


def farthest(made: Trace, model: object) -> float:
    """The largest difference of any weight from those of one forward over the final sequences."""
    whole = record(model, made.sequences, name="whole", fingerprint="f")  # type: ignore[arg-type]
    assert made.sites == whole.sites
    places = [(site, head) for site in made.sites for head in range(site.n_heads)]
    pairs = [
        [trace.weights(part=site.part, layer=site.layer, head=head) for trace in (made, whole)] for site, head in places
    ]
    assert all(came.shape == expected.shape for came, expected in pairs)
    return max(float(np.abs(came - expected).max()) for came, expected in pairs)


@pytest.mark.parametrize("how", MANNERS, ids=str)
@pytest.mark.parametrize(
    ("form", "choices"),
    [("gpt2", {}), ("llama", {"n_kv_heads": 1}), ("llama", {"window": 3}), ("gpt2", {"positions": "alibi"})],
    ids=str,
)
def test_the_stitched_matrix_is_that_of_one_forward(form: str, choices: dict, how: dict) -> None:
    model = generator(form, **choices)
    made = write(model, "abba", max_tokens=13, **how)
    side = made.trace.sequences["read"]
    assert list(side.ids) == [0, 1, 1, 0, *made.continuation.ids[:-1]]
    assert len(made.continuation.ids) > 3
    assert farthest(made.trace, model.model) < 1e-5
    assert made.trace.check.deviation < 1e-5


@pytest.mark.parametrize("how", MANNERS[:4], ids=str)
def test_what_is_written_does_not_change_when_somebody_looks(how: dict) -> None:
    model = generator()
    assert write(model, "dad", max_tokens=11, **how).continuation == model.generate("dad", max_tokens=11, **how)


def test_a_prompt_of_one_token() -> None:
    model = generator()
    made = write(model, "a", max_tokens=5, greedy=True)
    assert farthest(made.trace, model.model) < 1e-5


@pytest.mark.parametrize("how", [{"beam": 1}, {"beam": 5}, {"sample": True, "seed": 3, "n_best": 3}], ids=str)
@pytest.mark.parametrize("timing", ["none", "luong", "bahdanau"])
def test_a_translation_as_it_was_searched(timing: str, how: dict) -> None:
    rnn = Translator(Loaded(translator(input_feeding=timing), tokenizer(), "toy", "f"))
    made = translate(rnn, "ant bee cat dog", **how)
    assert made.sequences["source"].text == "ant bee cat dog"
    assert farthest(made, rnn.model) < 1e-5


@pytest.mark.parametrize("how", [{"beam": 1}, {"beam": 4}], ids=str)
def test_a_transformers_three_kinds_of_attention(how: dict) -> None:
    model = Translator(Loaded(transformer(), tokenizer(), "toy", "f"))
    made = translate(model, "ant bee cat", **how)
    assert {site.part for site in made.sites} == {"encoder", "decoder", "cross"}
    assert farthest(made, model.model) < 1e-5


def test_a_wrong_line_of_a_beam_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """Planted: the last steps are read in another row of the beam."""
    model, real = generator(), Followed.rows_of

    def astray(followed: Followed, read: tuple[int, ...]) -> list[int]:
        rows = real(followed, read)
        return [*rows[:-2], *((row + 1) % 5 for row in rows[-2:])]

    monkeypatch.setattr(Followed, "rows_of", astray)
    with pytest.raises(Failure) as caught:
        write(model, "abba", Kept(check="full"), max_tokens=13, beam=5)
    assert caught.value.code == "trace_check"


def test_some_heads_and_other_steps_are_kept_too() -> None:
    model = generator()
    made = write(model, "abba", Kept(("weights", "value"), choice=Choice(layers=[1], heads=[2, 0])), greedy=True).trace
    assert {name: tensor.shape[0] for name, tensor in made.tensors.items()} == {
        "decoder.layers.1.self/weights": 2, "decoder.layers.1.self/value": 2,
    }  # fmt: skip
    whole = record(model.model, made.sequences, name="whole", fingerprint="f", keep="weights")
    for head in (0, 2):
        np.testing.assert_allclose(made.weights(layer=1, head=head), whole.weights(layer=1, head=head), atol=1e-5)
    with pytest.raises(BadInput, match="0, 2"):
        made.weights(layer=1, head=1)


def test_tokens_written_cover_the_text_without_gaps() -> None:
    """A character in several tokens belongs to each of them."""
    bpe = prose_tokenizers.train(["the cat 飛"], vocab_size=262)
    side = prose_side(bpe.encode("a cat 飛!").ids, bpe)
    assert side.text == "a cat 飛!"
    parts = [side.text[start:end] for start, end in side.spans]
    assert "".join(part for part, before in zip(parts, [None, *parts], strict=False) if part != before) == side.text
    of_it = [start for start, end in bpe.encode(" 飛").offsets if " 飛"[start:end].endswith("飛")]
    assert sum("飛" in part for part in parts) == len(of_it) > 1


def test_nothing_to_translate() -> None:
    with pytest.raises(BadInput) as caught:
        translate(Translator(Loaded(translator(), tokenizer(), "toy", "f")), " ")
    assert caught.value.code == "text_empty"


def test_by_the_one_door() -> None:
    """`regard.record(…, write=…)` of models of ours; of several texts it is refused."""
    made = regard.record("tiny-gpt", "Once upon a time", write={"max_tokens": 7})
    alone = regard.load("tiny-gpt").generate("Once upon a time", max_tokens=7, greedy=True)
    assert made.sequences["read"].text.startswith("Once upon a time")
    assert made.sequences["read"].ids[-6:] == tuple(alone.ids[:-1])
    searched = regard.record("en-fr", "The black cat.", write={"beam": 3})
    assert searched.sequences["target"].text == regard.load("en-fr").translate("The black cat.", beam=3).translation
    for refused in ({"text": ["a", "b"]}, {"text": "a", "target": "b"}):
        with pytest.raises(BadInput) as caught:
            regard.record("en-fr", **refused, write={"beam": 3})
        assert caught.value.code == "write_alone"
