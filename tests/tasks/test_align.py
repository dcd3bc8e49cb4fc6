"""`regard align` as Python calls it: a known truth, choices on gold, ALIBI's stories, models of `transformers`."""

from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
import transformers as hf
from tokenizers import Tokenizer, models, pre_tokenizers, processors

import regard
from regard.core.errors import BadInput
from regard.inspection.alignment import Reading
from regard.tasks.align import CHOSEN, Aligner, Way, alignments, choose, picture, sizes, turned
from regard.tasks.recording import opened
from regard.text.alignments import Gold, Score, read_gold, score, unnumbered
from regard.text.pairs import Pairs, read_pairs
from regard.text.words import pharaoh
from toy import reversed_pairs

MADE = reversed_pairs(23, seed=8)
REVERSED = Pairs([source for source, _ in MADE], [target for _, target in MADE], range(len(MADE)))


def truth(pairs: Pairs) -> list[Gold]:
    """Word i of the source is the last but i of the target."""
    links = [frozenset((i, n - 1 - i) for i in range(n)) for n, _ in sizes(pairs)]
    return [Gold(each, each) for each in links]


def scored(
    pairs: Pairs, gold: list[Gold], aligner: Aligner, way: Way | None = None, back: Aligner | None = None
) -> Score:
    found = alignments(pairs, aligner, reverse=back, way=way)
    return sum((score(each.links, marked) for each, marked in zip(found, gold, strict=True)), Score())


def test_words_that_were_reversed_are_found(reverser: Path) -> None:
    whole = scored(REVERSED, truth(REVERSED), Aligner(str(reverser)))
    assert whole.aer < 0.05
    assert scored(REVERSED, truth(REVERSED), Aligner(str(reverser), Reading(shift=True))).aer > 0.5


def test_a_second_model_gives_the_other_direction(reverser: Path) -> None:
    """Reversing is its own reverse, so the model is its own other direction."""
    aligner = Aligner(str(reverser))
    back = scored(REVERSED, truth(REVERSED), aligner, Way("intersection", threshold=0.0), aligner)
    assert back.aer < 0.05
    assert scored(REVERSED, truth(turned(REVERSED)), aligner, Way("none"), aligner).aer < 0.05


def test_the_best_reading_is_chosen_and_comes_first(transformer_reverser: Path) -> None:
    aligner = Aligner(str(transformer_reverser), Reading())
    gold, few = truth(REVERSED), REVERSED
    tried = choose(few, gold, aligner)
    assert len({each.reading for each in tried}) == len(tried)
    assert [each.score.aer for each in tried] == sorted(each.score.aer for each in tried)
    for each in (tried[0], tried[-1]):
        aligner.reading = each.reading
        assert scored(few, gold, aligner) == each.score
    assert tried[0].score.aer < 0.2 < tried[-1].score.aer


def test_a_pair_that_cannot_be_read_is_passed_over() -> None:
    aligner = Aligner("en-fr")
    pairs = Pairs(["", "the cat", "the " * 600], ["le chat", " ", "le chat"], [1, 2, 3])
    found = list(alignments(pairs, aligner))
    assert [each.passed for each in found] == ["empty", "empty", "long"]
    assert all(each.links == () and each.weights is None for each in found)


@pytest.mark.parametrize(("model", "code"), [("en-fr-fixed", "no_attention"), ("tiny-gpt", "not_a_translator")])
def test_what_does_not_look_at_a_source_is_refused(model: str, code: str) -> None:
    with pytest.raises(BadInput) as error:
        list(alignments(Pairs(["the cat"], ["le chat"], [1]), Aligner(model)))
    assert error.value.code == code


def test_what_was_chosen_is_of_a_model_that_comes_with_the_package() -> None:
    """Another one was trained since: choose again (docs/alignment.md), and write down its fingerprint."""
    assert set(CHOSEN) == {opened("en-fr-transformer").fingerprint}


def story(shared: Path, french: str, english: str) -> tuple[Pairs, list[Gold]]:
    folder = shared / "data" / "alignments" / "alibi" / f"{french}_{english}"
    pairs = unnumbered(read_pairs([folder / f"{english}_sents.txt", folder / f"{french}_sents.txt"]))
    return pairs, read_gold(folder / f"ali_w2w_{french}_{english}.txt", sizes(pairs), reverse=True)


@pytest.mark.parametrize(("model", "aer"), [("en-fr", 0.291), ("en-fr-transformer", 0.370)])
def test_the_figures_of_the_guide(shared: Path, model: str, aer: float) -> None:
    pairs, gold = story(shared, "LaDerniereClasse", "TheLastLesson")
    assert scored(pairs, gold, Aligner(model)).aer == pytest.approx(aer, abs=0.002)


@pytest.mark.parametrize("model", ["en-fr", "en-fr-transformer"])
def test_each_default_is_better_than_without_it_on_the_choosing_story(shared: Path, model: str) -> None:
    pairs, gold = story(shared, "ChatBotte", "MasterCat")
    aligner = Aligner(model)
    aligner.trace = cache(aligner.trace)  # type: ignore[method-assign]
    best = scored(pairs, gold, aligner).aer
    others = [Way(balance=False), Way(threshold=0.0), Way("none"), Way("intersection"), Way("union")]
    assert all(scored(pairs, gold, aligner, way).aer > best for way in [*others, Way("grow-diag-final-and")])
    aligner.reading = replace(aligner.reading, end="kept")
    assert scored(pairs, gold, aligner).aer > best


WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "the", "black", "cat", "ate", "le", "chat", "noir"]


@pytest.fixture(scope="module")
def bart(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny translator of `transformers`, with random weights."""
    torch.manual_seed(5)
    engine = Tokenizer(models.WordLevel({word: id_ for id_, word in enumerate(WORDS)}, unk_token="[UNK]"))
    engine.pre_tokenizer = pre_tokenizers.Whitespace()
    engine.post_processor = processors.TemplateProcessing(single="$A [SEP]", special_tokens=[("[SEP]", 3)])
    named = {"pad_token": "[PAD]", "unk_token": "[UNK]", "eos_token": "[SEP]"}
    sizes = {"d_model": 20, "encoder_layers": 1, "decoder_layers": 2, "encoder_ffn_dim": 11, "decoder_ffn_dim": 13}
    sizes |= {"encoder_attention_heads": 5, "decoder_attention_heads": 5, "max_position_embeddings": 17}
    ends = {
        "pad_token_id": 0,
        "eos_token_id": 3,
        "bos_token_id": 2,
        "decoder_start_token_id": 3,
        "forced_eos_token_id": 3,
    }
    folder = tmp_path_factory.mktemp("made") / "tiny-bart"
    hf.BartForConditionalGeneration(hf.BartConfig(vocab_size=len(WORDS), **sizes, **ends)).save_pretrained(folder)
    hf.PreTrainedTokenizerFast(tokenizer_object=engine, **named).save_pretrained(folder)
    return folder


def test_a_model_of_transformers_is_read_as_it_gives_its_weights_itself(bart: Path) -> None:
    aligner = Aligner(str(bart), Reading(layer=1, head=3, shift=True))
    found = next(alignments(Pairs(["the black cat ,"], ["le chat noir"], [1]), aligner, way=Way("none", False, 0.0)))
    model = hf.AutoModelForSeq2SeqLM.from_pretrained(bart, attn_implementation="eager").eval()
    ids = {"input_ids": torch.tensor([[4, 5, 6, 1, 3]]), "decoder_input_ids": torch.tensor([[3, 8, 9, 10]])}
    with torch.no_grad():
        theirs = model(**ids, output_attentions=True).cross_attentions[1][0, 3].numpy()
    expected = theirs[1:, :4] / theirs[1:, :4].sum(axis=1, keepdims=True)
    np.testing.assert_allclose(found.weights, expected, atol=1e-5)
    assert list(found.links) == sorted((int(row.argmax()), at) for at, row in enumerate(expected))
    tried = choose(
        Pairs(["the black cat"], ["le chat noir"], [1]), [Gold(frozenset({(2, 1)}), frozenset({(2, 1)}))], aligner
    )
    assert len(tried) == 2 * 6 * 2


def test_the_picture_has_both_alignments_with_signs_and_weights() -> None:
    found = next(alignments(Pairs(["the black cat"], ["le chat noir"], [1]), Aligner("en-fr")))
    assert set(found.links) == {(0, 0), (2, 1), (1, 2)}
    marked = Gold(frozenset({(0, 0), (2, 1)}), frozenset({(0, 0), (2, 1), (1, 1)}))
    drawn = picture(found, marked)
    kinds = dict(zip([link[:2] for link in drawn.links], drawn.kinds, strict=True))
    assert kinds == {(0, 0): "both", (2, 1): "both", (1, 1): "gold", (1, 2): "model"}
    assert all(weight == found.weights[target, source] for source, target, weight in drawn.links)
    assert picture(found).kinds == ()


def test_the_python_face_says_what_the_command_says() -> None:
    pairs = [("the black cat", "le chat noir"), ("", "rien"), ("she sleeps", "elle dort")]
    found = regard.align("en-fr", pairs)
    assert [str(each) for each in found] == ["0-0 1-2 2-1", "", "0-0 1-1"]
    assert [each.passed for each in found] == ["", "empty", ""]
    whole = regard.align("en-fr-transformer", pairs[:1], layer=2, head=0, way=Way("none", False, 0.0))[0]
    by_hand = Aligner("en-fr-transformer", Reading(2, 0, shift=False))
    (expected,) = alignments(Pairs(*[[side] for side in pairs[0]], [1]), by_hand, way=Way("none", False, 0.0))
    assert (whole.links, str(whole)) == (expected.links, pharaoh(expected.links))
