"""*I can can a can*: one word, one vector; positions and attention tell its places apart (note 000)."""

from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
import torch

from regard.core.errors import BadInput
from regard.inspection.meaning import cosines, stages
from regard.models import folder
from regard.models.gpt import Gpt, gpt2, llama
from regard.tasks.occurrences import Occurrences, occurrences
from regard.text import prose_tokenizers
from regard.text.prose_tokenizers import ProseTokenizer

TEXT = "I can can a can."
FORMS = {"gpt2": gpt2, "llama": llama}


def saved(place: Path, form: str, tokenizer: ProseTokenizer, **choices: object) -> Path:
    torch.manual_seed(3)
    sizes = {"vocab_size": tokenizer.vocab_size, "max_len": 23, "d_model": 12, "n_layers": 3, "n_heads": 3, "d_ff": 17}
    model = Gpt(FORMS[form](**{**sizes, **choices}))
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(3.0)  # enough that attention says something
    folder.save(place / form, model.eval(), tokenizer, f"# {form}\n")
    return place / form


@pytest.fixture(scope="module")
def tokenizer() -> ProseTokenizer:
    return prose_tokenizers.train([f"{TEXT} the cat can. I can"] * 3, vocab_size=267)


@pytest.fixture(scope="module", params=FORMS)
def found(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, tokenizer: object) -> Occurrences:
    place = tmp_path_factory.mktemp("forms")
    return occurrences(TEXT, "can", saved(place, request.param, tokenizer))  # type: ignore[arg-type]


def test_the_three_start_from_one_vector(found: Occurrences) -> None:
    assert found.places == (1, 2, 4)
    assert found.same_token
    vectors = stages(found.trace)["embedded"]
    assert vectors.shape == (len(found.trace.sequences["read"].ids), 12)
    assert (vectors[1] == vectors[2]).all()
    assert (vectors[1] == vectors[4]).all()
    np.testing.assert_allclose(found.similarity["embedded"], 1, atol=1e-12)


def test_they_differ_after_positions_and_attention(found: Occurrences) -> None:
    learned = found.trace.model == "gpt2"
    assert list(found.similarity) == ["embedded", *(["positioned"] if learned else []), "0", "1", "2"]
    for stage in list(found.similarity)[1:]:
        for pair in combinations(range(3), 2):
            assert found.similarity[stage][pair] < 1 - 1e-6, (stage, pair)


def test_cosines_are_those_of_the_models_own_vectors(found: Occurrences) -> None:
    """From the vectors, by hand; the last stage, through the last norm and the head, gives the model's own logits."""
    for stage, vectors in stages(found.trace).items():
        if stage in found.similarity:
            one, other = (vectors[at].astype(float) for at in found.places[:2])
            by_hand = one @ other / np.sqrt(one @ one) / np.sqrt(other @ other)
            np.testing.assert_allclose(found.similarity[stage][0, 1], by_hand, rtol=1e-9)


def test_the_stages_are_the_models(tmp_path: Path, tokenizer: ProseTokenizer) -> None:
    place = saved(tmp_path, "gpt2", tokenizer)
    found, model = occurrences(TEXT, "can", place), folder.load(place).model
    ids = torch.tensor([found.trace.sequences["read"].ids])
    seen = stages(found.trace)
    with torch.inference_mode():
        embedded = model.embedding(ids)
        positioned = model.positions(embedded, torch.arange(ids.shape[1])[None])
        last = model.norm(torch.from_numpy(seen["2"])[None])
        torch.testing.assert_close(torch.from_numpy(seen["embedded"]), embedded[0])
        torch.testing.assert_close(torch.from_numpy(seen["positioned"]), positioned[0])
        torch.testing.assert_close(last, model.features(ids))


@pytest.mark.parametrize(
    ("lang", "told"), [("en", "one and the same vector"), ("zh-Hant", "同一個向量"), ("zh-Hans", "同一个向量")]
)
def test_it_is_shown(found: Occurrences, lang: str, told: str) -> None:
    table = found.picture(lang)
    assert [row[1:] for row in table.rows] == [
        (values[0, 1], values[0, 2], values[1, 2]) for values in found.similarity.values()
    ]
    assert table.head[1:] == ("can₁ · can₂", "can₁ · can₃", "can₂ · can₃")
    inside = {"en": "act inside attention", "zh-Hant": "在注意力裡起作用", "zh-Hans": "在注意力里起作用"}[lang]
    assert told in table.reading
    assert (inside in table.reading) == ("positioned" not in found.similarity)
    assert table.check
    assert "can₁ · can₂" in str(found)
    assert found.json()["similarity"]["0"] == found.similarity["0"].tolist()


def test_a_word_in_pieces_stands_by_its_last(tmp_path: Path) -> None:
    """Characters: *can* is c, a, n, and each n has read the others; the *can* in *cannot* is no such word."""
    letters = prose_tokenizers.train([TEXT, "not"], kind="characters")
    text = "can not cannot can"
    found = occurrences(text, "can", saved(tmp_path, "gpt2", letters))
    assert found.places == (2, 17)
    assert found.same_token
    assert [text[at] for at in found.places] == ["n", "n"]


def test_a_capital_begins_elsewhere(tmp_path: Path, tokenizer: ProseTokenizer) -> None:
    found = occurrences("Can I can", "can", saved(tmp_path, "gpt2", tokenizer))
    assert not found.same_token
    assert found.similarity["embedded"][0, 1] < 1 - 1e-6
    assert "not one token" in found.picture("en").reading


@pytest.mark.parametrize(
    ("text", "word", "code"),
    [
        (TEXT, "a", "word_once"),
        (TEXT, "dog", "word_once"),
        (TEXT, "", "word_once"),
        ("cannot cannot", "can", "word_once"),
        ("can " * 99, "can", "look_too_long"),
    ],
)
def test_what_cannot_be_compared_is_refused(
    tmp_path: Path, tokenizer: ProseTokenizer, text: str, word: str, code: str
) -> None:
    with pytest.raises(BadInput) as caught:
        occurrences(text, word, saved(tmp_path, "gpt2", tokenizer))
    assert caught.value.code == code


def test_a_translator_has_no_such_stages() -> None:
    with pytest.raises(BadInput) as caught:
        occurrences(TEXT, "can", "en-fr")
    assert caught.value.code == "not_a_generator"


def test_chinese_needs_no_spaces(tmp_path: Path) -> None:
    signs = prose_tokenizers.train(["春眠不覺曉，春風又綠"], kind="characters")
    found = occurrences("春眠不覺曉，春風又綠", "春", saved(tmp_path, "gpt2", signs))
    assert found.places == (0, 6)


def test_cosines_of_nothing_are_no_number() -> None:
    found = cosines(np.array([[0.0, 0.0], [3.0, 4.0]]))
    assert np.isnan(found[0]).all()
    assert found[1, 1] == 1
