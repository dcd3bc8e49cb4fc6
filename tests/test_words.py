"""From pieces to words, and alignments in Pharaoh's format."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from regard.core.errors import BadInput
from regard.language import LANGUAGES, say
from regard.text.tokenizers import SPACE, train
from regard.text.words import (
    parse_pharaoh,
    pharaoh,
    read_pharaoh,
    strongest,
    to_words,
    token_groups,
    word_groups,
    word_spans,
)

TEXT = st.text(st.sampled_from("ab é貓.\u202f\u3000\u2028\t"), max_size=17)
SAMPLE = ["chat", "noir", "l'eau", "l'été", "x9", "zzz", "Cours", "!"]
TOKENIZERS = {kind: train(SAMPLE * 3, kind=kind, vocab_size=43) for kind in ("bpe", "words", "characters")}  # type: ignore[arg-type]
LINKS = st.sets(st.tuples(st.integers(0, 10**9 - 1), st.integers(0, 13)))


@given(st.text())
def test_words_stand_between_spaces(text: str) -> None:
    assert [text[start:end] for start, end in word_spans(text)] == text.split()


def test_groups_by_hand() -> None:
    text = "le  petit chat "
    offsets = [(0, 1), (1, 3), (3, 4), (4, 7), (7, 9), (9, 14), (14, 15), (15, 15), (15, 15)]
    assert word_groups(text, offsets).tolist() == [0, 0, 1, 1, 1, 2, 2, 3, 4]
    assert word_groups("", [(0, 0)]).tolist() == [0]
    assert word_groups("  ", [(0, 1), (1, 2), (2, 2)]).tolist() == [0, 0, 1]
    assert word_groups("a", []).tolist() == []


@given(TEXT, st.lists(st.integers(1, 4), max_size=23))
def test_each_piece_is_in_one_word_and_in_its_own(text: str, widths: list[int]) -> None:
    ends = [min(len(text), int(end)) for end in np.cumsum(widths)]
    offsets = [*zip([0, *ends[:-1]], ends, strict=False), (len(text), len(text))]
    groups = word_groups(text, offsets)
    assert len(groups) == len(offsets)
    for (start, end), group in zip(offsets, groups, strict=True):
        if letters := [i for i in range(start, end) if not text[i].isspace()]:
            first, last = word_spans(text)[group]
            assert first <= letters[0] < last
        elif start == end:
            assert group >= len(word_spans(text))
        elif word_spans(text):
            assert group == min(len(word_spans(text)) - 1, len(text[:start].split()))


@given(st.lists(st.sampled_from(SAMPLE), max_size=7))
@pytest.mark.parametrize("kind", ["bpe", "words", "characters"])
def test_offsets_and_tokens_agree(kind: str, texts: list[str]) -> None:
    """Two ways to the same words: the pieces' places in the text, and the pieces joined."""
    text = " ".join(texts)
    tokenizer = TOKENIZERS[kind]
    encoded = tokenizer.encode(text)
    by_place = word_groups(text, [*encoded.offsets, (len(text), len(text))]).tolist()
    assert token_groups([*encoded.tokens, "</s>"], space=SPACE, special={"</s>"}).tolist() == by_place
    assert len(set(by_place)) == len(texts) + 1


def test_weights_of_words_by_hand() -> None:
    """Source: un|der|stand + end; target: com|prendre + end. Sum over the source's pieces, mean over the target's."""
    weights = np.array([[0.1, 0.2, 0.3, 0.4], [0.3, 0.1, 0.5, 0.1], [0.0, 0.25, 0.0, 0.75]], dtype=np.float32)
    words = to_words(weights, np.array([0, 0, 1, 2]), np.array([0, 0, 1]))
    np.testing.assert_allclose(words, [[0.35, 0.4, 0.25], [0.25, 0.0, 0.75]], atol=1e-7)
    assert words.dtype == np.float64


GROUPS = st.lists(st.booleans(), min_size=1, max_size=11).map(lambda new: np.cumsum(new) - new[0])


@given(GROUPS, GROUPS, st.integers(0, 99))
def test_weights_of_words_against_a_slow_twin(source: np.ndarray, target: np.ndarray, seed: int) -> None:
    weights = np.random.default_rng(seed).dirichlet(np.ones(len(source)), size=(3, len(target)))
    words = to_words(weights, source, target)
    np.testing.assert_allclose(words.sum(axis=-1), 1.0)
    assert words.shape == (3, target.max() + 1, source.max() + 1)
    for head in range(3):
        for t in range(words.shape[1]):
            rows = [weights[head, i] for i in range(len(target)) if target[i] == t]
            for s in range(words.shape[2]):
                slow = sum(row[j] for row in rows for j in range(len(source)) if source[j] == s) / len(rows)
                assert words[head, t, s] == pytest.approx(slow)


def test_no_weights() -> None:
    assert to_words(np.zeros((0, 0)), np.array([]), np.array([])).shape == (0, 0)
    assert strongest(np.zeros((1, 1)), n_source=0, n_target=0) == []


def test_the_strongest_links() -> None:
    """The end of the sentence may draw most of the weight; it is no word, on neither side."""
    weights = np.array([[0.2, 0.1, 0.7], [0.0, 0.6, 0.4], [0.0, 0.0, 1.0], [0.3, 0.3, 0.4]])
    assert strongest(weights, n_source=2, n_target=3) == [(0, 0), (1, 1)]
    assert strongest(weights, n_source=2, n_target=4) == [(0, 0), (0, 3), (1, 1)]
    assert strongest(weights, n_source=2, n_target=3, threshold=0.6) == [(1, 1)]
    assert strongest(weights, n_source=3, n_target=3, threshold=0.61) == [(2, 0), (2, 2)]


@given(LINKS, LINKS)
def test_pharaoh_there_and_back(sure: set[tuple[int, int]], possible: set[tuple[int, int]]) -> None:
    line = pharaoh(sure, possible)
    assert parse_pharaoh(line) == (sure, sure | possible)
    assert parse_pharaoh(f"7\t{line} \r") == (sure, sure | possible)


def test_pharaoh_by_hand() -> None:
    assert pharaoh([(10, 0), (2, 1), (2, 0)], [(2, 1), (0, 3)]) == "0p3 2-0 2-1 10-0"
    assert (pharaoh([]), parse_pharaoh("")) == ("", (set(), set()))
    assert parse_pharaoh("0-0\t1-17\t2-2")[0] == {(0, 0), (1, 17), (2, 2)}  # a number before a tab stands at the head


@pytest.mark.parametrize(
    "item",
    [
        "1",
        "1-",
        "-1-2",
        "1:2",
        "1-2-3",
        "1-2:0.5",
        "a-b",
        "1P2",
        "١-٢",
        "1-" + "9" * 9999,
        "0-0,1-1",
        "9" * 9999 + "-1",
    ],
)
def test_malformed_links(tmp_path: Path, item: str) -> None:
    file = tmp_path / "gold.txt"
    file.write_text(f"0-0 1p1\n\n0-0 {item} 2-2\n", encoding="utf-8")
    with pytest.raises(BadInput) as told:
        read_pharaoh(file)
    assert told.value.facts == {"path": str(file), "line": 3, "item": item[:40]}
    said = {lang: say(f"errors.{told.value.code}", lang=lang, **told.value.facts) for lang in LANGUAGES}
    assert said["en"] == (
        f"{file}, line 3: “{item[:40]}” is no word link: write i-j (sure) or ipj (possible), source word before target "
        "word, counted from 0, such as 0-0 1p2."
    )
    assert len(set(said.values())) == 3


def test_real_gold_alignments(shared: Path) -> None:
    folder = shared / "data/alignments/alibi/ChatBotte_MasterCat"
    gold = read_pharaoh(folder / "ali_w2w_ChatBotte_MasterCat.txt")
    source = (folder / "ChatBotte_sents.txt").read_text(encoding="utf-8").split("\n")
    assert gold[0] == (
        {(0, 0), (1, 1), (2, 2), (3, 4)},
        {(0, 0), (1, 1), (2, 2), (3, 4), (4, 5), (5, 5), (6, 6), (6, 7)},
    )
    assert len(gold) <= len(source)
