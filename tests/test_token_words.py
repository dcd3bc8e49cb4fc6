"""The words among a model's tokens, for each way in which tokenizers mark the beginning of a word."""

import pytest
from tokenizers import Tokenizer, decoders, models, pre_tokenizers

from regard.text import prose_tokenizers, tokenizers
from regard.text.token_words import TokenWords


def wordpiece() -> Tokenizer:
    vocab = {"[UNK]": 0, "[PAD]": 1, "unicorn": 2, "##s": 3, "horn": 4, "!": 5, "[unused1]": 6, "##horn": 7, "貓": 8}
    engine = Tokenizer(models.WordPiece(vocab, unk_token="[UNK]"))
    engine.add_special_tokens(["[UNK]", "[PAD]"])
    engine.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    engine.decoder = decoders.WordPiece()
    engine.enable_padding(length=16)
    engine.enable_truncation(1)
    return engine


def test_wordpiece() -> None:
    words = TokenWords(wordpiece(), 9)
    assert words.whole() == {"unicorn": 2, "horn": 4, "貓": 8}
    assert words.cut("unicorns") == [2, 3]  # and neither padded nor cut short
    assert [words.shown(each) for each in (2, 3)] == ["unicorn", "##s"]
    assert words.cut("zebra") == []
    assert words.every() == {"unicorn": 2, "##s": 3, "horn": 4, "!": 5, "##horn": 7, "貓": 8}


def test_byte_level() -> None:
    engine = Tokenizer.from_str(prose_tokenizers.train(["a cat, a cat, acat 貓 貓"], vocab_size=290).json())
    words = TokenWords(engine, engine.get_vocab_size())
    whole = words.whole()
    assert {"cat", "a", "貓"} <= set(whole)
    assert engine.id_to_token(whole["cat"]) == "Ġcat"
    assert words.cut("cat") == [whole["cat"]]
    assert next(words.shown(each) for each in words.cut("catty")) == " cat"
    assert all("\ufffd" not in word for word in whole)
    assert {" cat", "t"} <= set(words.every())


@pytest.mark.parametrize("kind", ["words", "bpe"])
def test_a_sign_for_the_space(kind: tokenizers.Kind) -> None:
    engine = Tokenizer.from_str(
        tokenizers.train(["the cat", "the cats sat", "貓 cat"], kind=kind, vocab_size=60).json()
    )
    words = TokenWords(engine, engine.get_vocab_size())
    assert "the" in words.whole()
    assert "at" not in words.whole()
    assert words.cut("the") == [words.whole()["the"]]
    assert not any(word.startswith(("▁", "<")) for word in words.whole())


def test_characters() -> None:
    engine = Tokenizer.from_str(prose_tokenizers.train(["月明。星稀"], kind="characters").json())
    words = TokenWords(engine, engine.get_vocab_size())
    assert set(words.whole()) == set("月明星稀")
    assert words.cut("明月") == [words.whole()["明"], words.whole()["月"]]
    assert words.cut("海") == []


def test_tokens_without_a_vector_are_no_words() -> None:
    assert set(TokenWords(wordpiece(), 4).whole()) == {"unicorn"}
