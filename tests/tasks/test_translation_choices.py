"""The best several translations, and drawn ones: the search's own; a seed keeps a sentence to itself; refusals."""

import pytest
import torch

from regard.core.errors import BadInput
from regard.generation.choosing import Choice, chance
from regard.models.folder import Loaded
from regard.tasks.translation import Translator, checked
from regard.text.tokenizers import END, PAD, START, UNKNOWN
from toy import tokenizer, translator

SOURCES = ["ant bee cat", "", "dog eel", "fox", "gnu hen ibis jay"]


@pytest.fixture(scope="module")
def model() -> Translator:
    """Untrained: nearly every token is as likely as any other, so seeds show."""
    words = tokenizer()
    return Translator(Loaded(translator(vocab_size=words.vocab_size), words, "toy", "f"))


def test_the_best_several_begin_with_the_best(model: Translator) -> None:
    for one, many in zip(model.translate(SOURCES), model.translate(SOURCES, n_best=3), strict=True):
        assert one.n_best == ()
        assert "n_best" not in one.json()
        assert (one.translation, one.score) == (many.translation, many.score)
        if many.source:
            assert len(many.n_best) == 3
            assert many.n_best[0] == (many.translation, many.score)
            assert [score for _, score in many.n_best] == sorted((score for _, score in many.n_best), reverse=True)
            assert many.json()["n_best"][2] == dict(zip(("translation", "score"), many.n_best[2], strict=True))


def test_a_seed_decides_and_what_stands_beside_a_sentence_does_not(model: Translator) -> None:
    how = {"sample": True, "n_best": 3, "seed": 7, "look": False}
    together = model.translate(SOURCES, **how)
    for source, one in zip(SOURCES, together, strict=True):
        alone = model.translate(source, **how)
        assert [text for text, _ in alone.n_best] == [text for text, _ in one.n_best]
        assert alone.seed == one.json()["seed"] == 7
    others = model.translate(SOURCES, **{**how, "seed": 8})
    assert [one.n_best for one in together if one.source] != [one.n_best for one in others if one.source]
    drawn = model.translate(SOURCES[0], sample=True)
    assert model.translate(SOURCES[0], sample=True, seed=drawn.seed).translation == drawn.translation


def test_draws_follow_the_models_own_probabilities(model: Translator) -> None:
    """Redone by hand: the largest probability over an exponential draw; what must not be written is cut first."""
    made = model.translate("ant bee", sample=True, seed=5, temperature=0.7, top_k=9)
    source = torch.tensor([[*model.tokenizer.encode("ant bee").ids, END]])
    ids, source_of_chance, told = [START], chance(5), []
    with torch.inference_mode():
        state = model.model.start(source)
        while ids[-1] != END and len(ids) <= 2 * source.shape[1] + 10:
            logits, state = model.model.step(state, torch.tensor([ids[-1]]))
            how = Choice(temperature=0.7, top_k=9, forbidden=(PAD, UNKNOWN, START))
            likely = how.adjusted(logits).double().softmax(-1)[0].numpy()
            ids.append(int((likely / source_of_chance.standard_exponential(len(likely))).argmax()))
            told.append(float(logits.log_softmax(-1)[0, ids[-1]]))
    assert made.trace.sequences["target"].ids == tuple(ids[1:])
    assert made.score == pytest.approx(sum(told) / len(told), abs=1e-5)


@pytest.mark.parametrize(
    ("how", "code"),
    [
        ({"n_best": 6}, "n_best"),
        ({"n_best": 0}, "n_best"),
        ({"beam": 2, "n_best": 3}, "n_best"),
        ({"sample": True, "n_best": 1001}, "n_best"),
        ({"sample": True, "beam": 2}, "options_apart"),
        ({"temperature": 0.5}, "sample_missing"),
        ({"seed": 5}, "sample_missing"),
        ({"sample": True, "temperature": 0.0}, "setting_bound"),
        ({"sample": True, "temperature": float("nan")}, "setting_finite"),
        ({"sample": True, "top_k": 0}, "setting_bound"),
        ({"sample": True, "top_p": 1.1}, "setting_bound"),
        ({"sample": True, "min_p": -0.1}, "setting_bound"),
        ({"sample": True, "repetition_penalty": 0.0}, "setting_bound"),
        ({"sample": True, "seed": -1}, "setting_bound"),
    ],
)
def test_choices_that_cannot_be_are_refused(how: dict[str, object], code: str) -> None:
    with pytest.raises(BadInput) as caught:
        checked(**how)  # type: ignore[arg-type]
    assert caught.value.code == code
