"""Tokenizers give back what they were given; batches hold everything once and nothing over budget."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from regard.core.errors import BadInput
from regard.text import tokenizers
from regard.text.batches import batches, in_order, padded
from regard.text.joining import join, with_joined
from regard.text.pairs import Pairs
from regard.text.tokenizers import END, PAD, SPECIAL, START, UNKNOWN

LINES = ["the black cat ate the mouse.", "l'eau d'Aujourd'hui coûte 25 € !", "我喜歡貓。", "don't"] * 3
LETTERS = sorted({c for line in LINES for c in line} - {" "})


@pytest.fixture(scope="module", params=["bpe", "words", "characters"])
def tokenizer(request: pytest.FixtureRequest) -> tokenizers.Tokenizer:
    return tokenizers.train(LINES, kind=request.param, vocab_size=211)


def test_the_four_special_tokens_come_first(tokenizer: tokenizers.Tokenizer) -> None:
    assert tuple(tokenizer.tokens([PAD, UNKNOWN, START, END])) == SPECIAL
    assert tokenizer.vocab_size <= 211


@pytest.mark.parametrize("line", LINES[:4])
def test_a_line_comes_back(tokenizer: tokenizers.Tokenizer, line: str) -> None:
    encoded = tokenizer.encode(line)
    assert tokenizer.decode([START, *encoded.ids, END, PAD]) == line
    assert "".join(encoded.tokens).replace("▁", " ").removeprefix(" ") == line


@given(st.lists(st.text(LETTERS, min_size=1, max_size=7), min_size=1, max_size=5).map(" ".join))
def test_any_text_of_known_letters_comes_back(text: str) -> None:
    tokenizer = tokenizers.train(LINES, kind="bpe", vocab_size=211)
    encoded = tokenizer.encode(text)
    assert tokenizer.decode(encoded.ids) == text
    for token, (first, last) in zip(encoded.tokens, encoded.offsets, strict=True):
        assert token.removeprefix("▁") in text[first:last]


def test_the_words_of_special_tokens_are_text(tokenizer: tokenizers.Tokenizer) -> None:
    assert not {PAD, START, END} & set(tokenizer.encode("the </s> <pad> cat <s>").ids)


def test_it_is_saved_and_loaded(tmp_path: Path, tokenizer: tokenizers.Tokenizer) -> None:
    path = tmp_path / "tokenizer.json"
    path.write_text(tokenizer.json(), encoding="utf-8")
    again = tokenizers.load(path)
    assert [again.encode(line) for line in LINES] == [tokenizer.encode(line) for line in LINES]


@pytest.mark.parametrize("content", ["", "{}", "[]", "no json", '{"version": "1.0", "model": {"type": "BPE"}}'])
def test_what_is_no_tokenizer_is_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "tokenizer.json"
    path.write_text(content)
    with pytest.raises(BadInput) as caught:
        tokenizers.load(path)
    assert caught.value.code == "tokenizer_broken"


LENGTHS = st.lists(st.tuples(st.integers(1, 31), st.integers(1, 37)), min_size=1, max_size=101)


@given(LENGTHS, st.integers(1, 211), st.integers(0, 5), st.integers(0, 5))
def test_each_example_is_in_one_batch_and_no_batch_is_over_budget(
    lengths: list[tuple[int, int]], tokens: int, seed: int, epoch: int
) -> None:
    source, target = zip(*lengths, strict=True)
    groups = batches(source, target, tokens=tokens, seed=seed, epoch=epoch)
    assert sorted(np.concatenate(groups).tolist()) == list(range(len(lengths)))
    for group in groups:
        longest = max(max(source[i], target[i]) for i in group)
        assert len(group) == 1 or longest * len(group) <= tokens
    again = batches(source, target, tokens=tokens, seed=seed, epoch=epoch)
    assert [g.tolist() for g in again] == [g.tolist() for g in groups]
    assert len(batches(source, target, tokens=tokens, seed=seed + 1, epoch=epoch + 1)) == len(groups)


def test_another_epoch_is_another_order() -> None:
    lengths = [5] * 97
    orders = [np.concatenate(batches(lengths, lengths, tokens=50, seed=1, epoch=e)).tolist() for e in range(3)]
    assert orders[0] != orders[1] != orders[2]


@given(st.lists(st.integers(1, 31), max_size=53), st.integers(1, 97))
def test_in_order_is_longest_first(lengths: list[int], tokens: int) -> None:
    flat = [i for group in in_order(lengths, tokens=tokens) for i in group.tolist()]
    assert sorted(flat) == list(range(len(lengths)))
    assert [lengths[i] for i in flat] == sorted(lengths, reverse=True)


def test_padding_is_on_the_right() -> None:
    assert padded([[5], [6, 7]], 0).tolist() == [[5, 0], [6, 7]]
    assert padded([], 0).shape == (0, 0)


@given(st.floats(0, 3), st.integers(0, 7))
def test_joined_pairs_are_two_pairs_side_by_side(share: float, seed: int) -> None:
    pairs = Pairs(["a b", "c", "d e f"], ["A", "B C", "D"], [1, 2, 5])
    joined = with_joined(pairs, share, seed)
    assert len(joined) == 3 + round(3 * share)
    known = list(zip(pairs.source, pairs.target, strict=True))
    for source, target in list(zip(joined.source, joined.target, strict=True))[3:]:
        assert any(source == join(a, c) and target == join(b, d) for a, b in known for c, d in known)
    assert with_joined(pairs, share, seed) == joined
