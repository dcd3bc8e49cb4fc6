"""Translating with a model whose task, and whose right attention, are known: it writes the words backwards."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from regard.core.errors import BadInput
from regard.core.tap import tapped
from regard.generation.search import search
from regard.generation.sentences import rules
from regard.inspection.trace import Check, Sequence, Trace
from regard.models import folder
from regard.models.rnn import CROSS
from regard.tasks.translation import Translation, Translator, given_side, load, written_side
from regard.text import tokenizers
from regard.text.tokenizers import START
from toy import WORDS, reversed_pairs, tokenizer, translator

PAIRS = reversed_pairs(43, seed=9)
SOURCES = [source for source, _ in PAIRS]
KEYS = ["source", "translation", "score", "source_tokens", "target_tokens", "attention", "alignment"]


@pytest.fixture(scope="module")
def model(reverser: Path) -> Translator:
    return load(reverser)


@pytest.fixture(scope="module")
def found(model: Translator) -> list[Translation]:
    return model.translate(SOURCES)


def untrained(**choices: object) -> Translator:
    """A model that knows nothing, so that beams cross all the time."""
    made = translator(vocab_size=tokenizer().vocab_size, **choices)
    return Translator(folder.Loaded(made, tokenizer(), "untrained", "0"))


def backwards(count: int) -> str:
    """The alignment of `count` words in reverse order."""
    return " ".join(f"{i}-{count - 1 - i}" for i in range(count))


# What comes out


def test_the_words_come_out_backwards(found: list[Translation]) -> None:
    right = sum(each.translation == target for each, (_, target) in zip(found, PAIRS, strict=True))
    assert right >= 0.95 * len(PAIRS)


def test_each_word_looks_at_the_word_it_translates(found: list[Translation]) -> None:
    """The right attention of "backwards" is the anti-diagonal, over words, ends left out."""
    wanted = [set(backwards(len(source.split())).split()) for source in SOURCES]
    links = [set(each.alignment.split()) for each in found]
    assert sum(len(a & b) for a, b in zip(wanted, links, strict=True)) >= 0.95 * sum(map(len, wanted))
    assert sum(map(len, links)) <= 1.05 * sum(map(len, wanted))


def test_attention_is_target_by_source_with_the_ends_and_each_row_sums_to_one(found: list[Translation]) -> None:
    for each in found:
        told = each.json()
        assert list(told) == KEYS
        assert told["source_tokens"] == ["▁" + word for word in each.source.split()] + ["</s>"]
        assert told["target_tokens"] == ["▁" + word for word in each.translation.split()] + ["</s>"]
        weights = np.array(told["attention"])
        assert weights.shape == (len(told["target_tokens"]), len(told["source_tokens"]))
        np.testing.assert_allclose(weights.sum(1), 1, atol=1e-6)
        assert each.score < 0


def test_a_batch_equals_each_alone(model: Translator, found: list[Translation]) -> None:
    for each in found[::7]:
        alone = model.translate(each.source)
        assert alone.translation == each.translation
        assert alone.score == pytest.approx(each.score, abs=1e-5)
        np.testing.assert_allclose(alone.weights, each.weights, atol=1e-5)


def test_a_wider_beam_finds_no_worse(found: list[Translation], model: Translator) -> None:
    for narrow, wide in zip(model.translate(SOURCES, beam=1), found, strict=True):
        assert wide.score >= narrow.score - 1e-5
    narrow, wide = (untrained().translate(SOURCES, beam=beam, length_penalty=0.0, look=False) for beam in (1, 5))
    better = sum(w.score > n.score + 1e-5 for n, w in zip(narrow, wide, strict=True))
    assert better > len(SOURCES) / 2


def test_not_to_look_gives_the_same_translation_and_no_trace(model: Translator, found: list[Translation]) -> None:
    plain = model.translate(SOURCES, look=False)
    assert [each.translation for each in plain] == [each.translation for each in found]
    assert {each.trace for each in plain} == {None}
    assert {each.alignment for each in plain} == {""}


# The recorded attention is that of the search


@dataclass
class Followed:
    """A decoder's state, and for each row what it has read."""

    inner: object
    read: Tensor

    def select(self, rows: Tensor) -> "Followed":
        return Followed(self.inner.select(rows), self.read[rows])  # type: ignore[attr-defined]


class Follower:
    """A decoder that writes down, for all that it ever read, what it looked at then."""

    def __init__(self, model: torch.nn.Module) -> None:
        self.model, self.seen = model, {}

    def start(self, source: Tensor) -> Followed:
        return Followed(self.model.start(source), torch.zeros(len(source), 0, dtype=torch.long))  # type: ignore

    def step(self, state: Followed, ids: Tensor) -> tuple[Tensor, Followed]:
        read = torch.cat([state.read, ids[:, None]], dim=1)
        kept = {}
        with tapped(lambda address, step, tensor: kept.setdefault((address, step), tensor)):
            logits, inner = self.model.step(state.inner, ids)  # type: ignore[operator]
        for row, weights in zip(read.tolist(), kept[CROSS, "weights"][:, 0], strict=True):
            self.seen[tuple(row)] = weights.numpy()
        return logits, Followed(inner, read)


@pytest.mark.parametrize("kind", ["dot", "additive"])
def test_the_recorded_attention_is_that_of_each_step_however_the_beam_was_reordered(kind: str) -> None:
    """One sentence at a time, so that what was read names the hypothesis; padding stands after it."""
    asked = untrained(attention=kind, cell="lstm" if kind == "dot" else "gru")
    crossed = 0
    for text in ("ant bee cat dog eel fox gnu", "lark jay"):
        told = asked.translate(text)
        follower = Follower(asked.model)
        ids = [*told.trace.sequences["source"].ids]
        source = torch.tensor([[*ids, 0, 0]])
        first = torch.tensor([START])
        best = search(follower, follower.start(source), first, [2 * len(ids) + 10], rules(5))[0][0]
        assert tuple(best.ids) == told.trace.sequences["target"].ids
        for at, weights in enumerate(told.weights):
            stepped = follower.seen[(START, *best.ids[:at])]
            np.testing.assert_allclose(stepped[: len(ids)], weights, atol=1e-5)
            assert (stepped[len(ids) :] == 0).all()
        crossed += len({tuple(read[:2]) for read in follower.seen if len(read) == 3})
    assert crossed > 2  # there was something to reorder


def test_a_given_translation_is_recorded_as_well(model: Translator, found: list[Translation]) -> None:
    each = found[0]
    trace = model.record(f" {each.source} ", each.translation, keep=("weights", "scores"))
    np.testing.assert_allclose(trace.weights(), each.weights, atol=1e-6)
    assert len(trace.tensors) == 2
    for texts in (("", "ant"), ("ant", "  ")):
        with pytest.raises(BadInput) as caught:
            model.record(*texts)
        assert caught.value.code == "text_empty"


# Odd sentences


@pytest.mark.parametrize("text", ["", "   ", "\t", "\u00a0", "\u3000"])
def test_an_empty_sentence_has_an_empty_translation(model: Translator, text: str) -> None:
    before, empty, after = model.translate(["ant bee", text, "cat"])
    assert (before.translation, after.translation) == ("bee ant", "cat")
    assert empty.json() == dict(zip(KEYS, [text, "", None, [], [], None, ""], strict=True))


def test_outer_spaces_are_nothing(model: Translator) -> None:
    plain, spaced = model.translate(["ant bee cat", "\t ant bee cat  "])
    assert (
        (spaced.translation, spaced.alignment) == (plain.translation, plain.alignment) == ("cat bee ant", "0-2 1-1 2-0")
    )
    assert spaced.source == "\t ant bee cat  "


@pytest.mark.parametrize("space", ["  ", "\u00a0", "\u2003", "\t", "\u3000"])
def test_words_are_counted_between_any_spaces(model: Translator, space: str) -> None:
    """Though the tokenizer knows plain spaces only, and the others are signs that it does not know."""
    made = model.translate(space.join(["ant", "bee", "cat"]))
    words = made.trace.sequences["source"].words
    assert (min(words), max(words)) == (0, 3)
    assert {int(link.split("-")[0]) for link in made.alignment.split()} <= {0, 1, 2}


def test_a_long_sentence_is_read_as_far_as_the_model_reads(model: Translator) -> None:
    text = " ".join(WORDS * 1000)
    made = model.translate(text, beam=1)
    assert made.unread == 12 * 1000 - 500
    assert made.trace.sequences["source"].text == text[: len(" ".join((WORDS * 1000)[:500]))]
    assert made.weights.shape[1] == 501
    assert made.source == text
    assert made.picture("en")


def test_a_model_without_attention_translates_and_shows_nothing() -> None:
    made = untrained(attention="none").translate("ant bee")
    assert (made.weights, made.picture(), made.alignment) == (None, None, "")
    assert made.json()["attention"] is None
    assert made.json()["source_tokens"] == ["▁ant", "▁bee", "</s>"]


@pytest.mark.parametrize("text", [5, None, b"ant", ["ant", None]])
def test_what_is_no_text_is_refused(model: Translator, text: Any) -> None:
    with pytest.raises(BadInput) as caught:
        model.translate(text)
    assert caught.value.code == "one_text"


@pytest.mark.parametrize("look", [True, False])
def test_what_the_tokenizer_lacks_is_told(look: bool) -> None:
    model = untrained()
    assert model.translate("ant 飛 bee 🎉", look=look).unknown == ("飛", "🎉")
    assert model.translate("ant bee", look=look).unknown == ()


@pytest.mark.parametrize("beam", [0, -1, 101])
def test_a_beam_out_of_range_is_refused(model: Translator, beam: int) -> None:
    with pytest.raises(BadInput) as caught:
        model.translate("ant", beam=beam)
    assert caught.value.facts == {"beam": beam, "most": 100}


@pytest.mark.parametrize("penalty", [float("nan"), float("inf"), float("-inf"), 11.0])
def test_a_length_penalty_that_is_no_number_is_refused(model: Translator, penalty: float) -> None:
    with pytest.raises(BadInput) as caught:
        model.translate("ant", length_penalty=penalty)
    assert caught.value.code == "length_penalty"


# From pieces to words


def test_the_alignment_of_words_by_hand() -> None:
    """un|happy cat → chat mal|heureux: the pieces of a source word are summed, those of a target word averaged."""
    ids, no_spans = (4, 5, 6, 3), ((0, 0),) * 4
    source = Sequence("unhappy cat", ("▁un", "happy", "▁cat", "</s>"), ids, (0, 0, 1, 2), no_spans)
    target = Sequence("chat malheureux", ("▁chat", "▁mal", "heureux", "</s>"), ids, (0, 1, 1, 2), no_spans)
    weights = np.array([[[0.3, 0.2, 0.5, 0], [0.3, 0.3, 0.4, 0], [0, 0.45, 0.4, 0.15], [0, 0, 0, 1]]], np.float32)
    sides, check = {"source": source, "target": target}, Check("full", 0, 1)
    trace = Trace("m", "f", sides, translator().sites, {f"{CROSS}/weights": weights}, check)
    made = Translation("unhappy cat", "chat malheureux", -1.0, trace)
    assert made.alignment == "0-0 0-1"  # .3 + .2 ties with .5, the first wins; (.6 + .45) / 2 beats .4
    weights[0, 0] = [0.3, 0.19, 0.51, 0]
    assert made.alignment == "0-1 1-0"


TEXT = st.text(st.sampled_from("ab é貓.☃\u202f\u3000\u2028\t▁<>/s"), max_size=17)
SAMPLE = ["ab ba é. a▁b", "a b </s>"] * 3
TOKENIZERS = {kind: tokenizers.train(SAMPLE, kind=kind, vocab_size=29) for kind in ("bpe", "words", "characters")}  # type: ignore[arg-type]


@given(TEXT)
@pytest.mark.parametrize("kind", list(TOKENIZERS))
def test_what_is_given_keeps_its_words_and_signs(kind: str, text: str) -> None:
    """Whatever the tokenizer knows or not: as many words as between spaces, and the spans cover every sign."""
    side = given_side(text, TOKENIZERS[kind].encode(text))
    n_words = len(text.split())
    assert set(range(n_words)) <= set(side.words)
    assert len(side.word_list()) == max(side.words) + 1
    covered = {at for start, end in side.spans for at in range(start, end)}
    assert {at for at, sign in enumerate(side.text) if not sign.isspace()} <= covered
    assert side.text == text[: len(side.text)]
    assert not text[len(side.text) :].strip()


@given(st.lists(st.integers(4, 28), max_size=11))
@pytest.mark.parametrize("kind", list(TOKENIZERS))
def test_what_is_written_keeps_its_words_and_signs(kind: str, ids: list[int]) -> None:
    """Any output a model may write: words as between spaces, and each token's span holds what it wrote."""
    engine = TOKENIZERS[kind]
    ids = [i for i in ids if i < engine.vocab_size]
    text = engine.decode(ids).strip()
    side = written_side(text, [*ids, 3], engine)
    assert side.word_list()[: len(text.split())] == tuple(text.split())
    assert "".join(text[start:end] for start, end in side.spans).strip() == text
    for token, (start, end) in zip(side.tokens[:-1], side.spans, strict=False):
        assert text[start:end].strip() in token.replace("▁", " ")
    assert side.spans[-1] == (len(text), len(text))
