"""Tokenizers of language models: any text comes back, what is lacking is named, other models' are read as they are."""

import json
import shutil
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from transformers import AutoTokenizer

from regard.core.errors import BadInput
from regard.text import prose_tokenizers
from regard.text.prose_tokenizers import ProseTokenizer

TEXT = "I can can a can.\n\nThe mole — l'été, 貓。\n"
BYTES = prose_tokenizers.train([TEXT], vocab_size=271)
SIGNS = prose_tokenizers.train([TEXT], kind="characters")


@given(st.text(max_size=53))
def test_bytes_give_back_any_text(text: str) -> None:
    encoded = BYTES.encode(text)
    assert BYTES.decode(encoded.ids) == text
    assert len(encoded.ids) == len(encoded.tokens) == len(encoded.offsets)
    assert "".join(text[a:b] for a, b in dict.fromkeys(encoded.offsets)) == text


@given(st.text(sorted(set(TEXT)), max_size=53))
def test_characters_give_back_what_they_know(text: str) -> None:
    encoded = SIGNS.encode(text)
    assert SIGNS.decode(encoded.ids) == text
    assert encoded.tokens == list(text)
    assert SIGNS.lacking(text) == ()


def test_what_is_lacking_is_named_once_in_order() -> None:
    assert SIGNS.lacking("a狗can🙂狗") == ("狗", "🙂")
    assert SIGNS.encode("a狗c").ids[1] == SIGNS.unknown
    assert BYTES.lacking("a狗can🙂") == ()
    assert BYTES.unknown is None


@pytest.mark.parametrize("tokenizer", [BYTES, SIGNS])
def test_the_end_of_a_text_is_a_token_and_its_name_is_text(tokenizer: ProseTokenizer) -> None:
    assert tokenizer.end is not None
    assert tokenizer.tokens([tokenizer.end]) == ["<|endoftext|>"]
    assert tokenizer.decode([tokenizer.end, *tokenizer.encode("can").ids, tokenizer.end]) == "can"
    assert tokenizer.end not in tokenizer.encode("<|endoftext|>").ids
    assert tokenizer.start is None


def test_vocabularies_keep_to_their_size() -> None:
    assert BYTES.vocab_size == 271
    assert SIGNS.vocab_size == len(set(TEXT)) + 2
    assert prose_tokenizers.train([TEXT], vocab_size=11).vocab_size == 257


@pytest.mark.parametrize("tokenizer", [BYTES, SIGNS])
def test_what_is_written_is_read(tmp_path: Path, tokenizer: ProseTokenizer) -> None:
    path = tmp_path / "tokenizer.json"
    path.write_text(tokenizer.json(), encoding="utf-8")
    again = prose_tokenizers.load(path)
    assert again.encode(TEXT) == tokenizer.encode(TEXT)
    assert (again.end, again.unknown, again.vocab_size) == (tokenizer.end, tokenizer.unknown, tokenizer.vocab_size)


def test_a_llama_tokenizer_is_read_as_it_is(shared: Path) -> None:
    folder = shared / "models" / "stories260K"
    ours, theirs = prose_tokenizers.load(folder / "tokenizer.json"), AutoTokenizer.from_pretrained(folder)
    assert (ours.start, ours.end, ours.vocab_size) == (1, 2, 512)
    for text in ("Once upon a time", " two  spaces", "l'été 🙂 貓\n", ""):
        assert [ours.start, *ours.encode(text).ids] == theirs(text)["input_ids"]
        assert ours.decode(ours.encode(text).ids) == text
        assert ours.decode([1, *ours.encode(text).ids, 2]) == text


def test_gpt2s_two_files_are_read(shared: Path, tmp_path: Path) -> None:
    shutil.copy(shared / "data" / "tokenizers" / "encoder.json", tmp_path / "vocab.json")
    shutil.copy(shared / "data" / "tokenizers" / "vocab.bpe", tmp_path / "merges.txt")
    tokenizer = prose_tokenizers.load(tmp_path / "tokenizer.json")
    assert (tokenizer.end, tokenizer.start, tokenizer.vocab_size) == (50256, None, 50257)
    assert tokenizer.encode("Hello world").ids == [15496, 995]
    assert tokenizer.decode(tokenizer.encode("l'été 🙂 貓\n").ids) == "l'été 🙂 貓\n"


def test_several_ids_may_end_a_text(tmp_path: Path) -> None:
    path = tmp_path / "tokenizer.json"
    path.write_text(BYTES.json(), encoding="utf-8")
    tokenizer = prose_tokenizers.load(path, [7, 11])
    assert (tokenizer.ends, tokenizer.end) == ((7, 11), 7)


BROKEN = ["", "{}", "[]", "no json", '{"version": "1.0", "model": {"type": "BPE", "vocab": {"a": -1}, "merges": []}}']


@pytest.mark.parametrize("content", [*BROKEN, json.dumps({"model": {"type": "BPE", "vocab": {}, "merges": ["a b"]}})])
def test_what_is_no_tokenizer_is_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "tokenizer.json"
    path.write_text(content)
    with pytest.raises(BadInput) as caught:
        prose_tokenizers.load(path)
    assert caught.value.code == "tokenizer_broken"


def test_no_tokenizer_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput) as caught:
        prose_tokenizers.load(tmp_path / "tokenizer.json")
    assert caught.value.code == "tokenizer_absent"
