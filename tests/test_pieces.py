"""Tokens as people read them: in four scripts and four kinds of tokenizer, joined, they are the text."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, trainers

from regard.text import prose_tokenizers, tokenizers
from regard.text.pieces import alone, lacking, pieces

TEXTS = {
    "Latin": "Ça va, naïve cœur… e\u0301te\u0302",
    "Chinese": "飛貓在「飛」。 𠮷",
    "Arabic": "مرحبًا بالعالم",
    "emoji": "👨\u200d👩\u200d👧 ❤\ufe0f 🇹🇼 👍🏽",
    "combining": "न\u092eस\u094dत\u0947 Z\u0351\u036b\u0343",
    "spaces": "  a \t b\n\n c  ",
    "marks": "▁a Ġb ▁",
}


def word_pieces() -> Tokenizer:
    """Like MiniLM's: it drops spaces and accents."""
    engine = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    engine.normalizer, engine.pre_tokenizer = normalizers.BertNormalizer(), pre_tokenizers.BertPreTokenizer()
    special = ["[UNK]", "[CLS]", "[SEP]"]
    engine.train_from_iterator(["ca va a b cats"], trainers.WordPieceTrainer(vocab_size=19, special_tokens=special))
    return engine


SOME = ["Ça va cœur", "a b c", "飛在"]
MAKERS = {
    "bytes": lambda: prose_tokenizers.train(SOME, vocab_size=270),
    "metaspace": lambda: tokenizers.train(SOME * 2, vocab_size=40),
    "characters": lambda: prose_tokenizers.train(SOME, kind="characters", vocab_size=30),
    "word pieces": word_pieces,
}
ENGINES = {kind: make() for kind, make in MAKERS.items()}


def read(kind: str, text: str) -> list:
    """The pieces of a text, read by one kind of tokenizer."""
    encoded = ENGINES[kind].encode(text)
    kinds = ["unknown" if token in ("<unk>", "[UNK]") else "text" for token in encoded.tokens]
    return list(pieces(text, encoded.tokens, encoded.offsets, kinds))


def shown(kind: str, text: str) -> list[str]:
    return [piece.shown for piece in read(kind, text)]


@pytest.mark.parametrize("kind", ENGINES)
@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_joined_they_are_the_text(kind: str, text: str) -> None:
    assert "".join(piece.text for piece in read(kind, text)) == text


@pytest.mark.parametrize("kind", ["bytes", "characters"])
@given(text=st.text(st.characters(exclude_categories=["Cs"])))
def test_joined_they_are_any_text(kind: str, text: str) -> None:
    assert "".join(piece.text for piece in read(kind, text)) == text


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_no_byte_is_shown_as_a_letter(text: str) -> None:
    """Every letter that is shown stands in the text."""
    for label in shown("bytes", text):
        assert set(re.sub(r"·\d/\d|U\+[0-9A-F]{4,5}", "", label)) <= set(text)


def test_a_character_in_parts_is_shown_once_with_its_parts() -> None:
    assert shown("bytes", "x貓") == ["x", "貓·1/3", "貓·2/3", "貓·3/3"]
    assert shown("bytes", "\u200d") == ["U+200D·1/3", "U+200D·2/3", "U+200D·3/3"]
    half = pieces("貓貓", ["1", "2", "3"], [(0, 1), (0, 2), (1, 2)])  # the second ends one and begins the other
    assert [each.shown for each in half] == ["貓·1/2", "貓·2/2貓·1/2", "貓·2/2"]
    assert [each.text for each in half] == ["貓", "貓", ""]


@pytest.mark.parametrize("kind", ["bytes", "metaspace", "word pieces"])
def test_a_border_looks_the_same_in_every_tokenizer(kind: str) -> None:
    assert shown(kind, "a b") == ["a", " b"]


def test_a_space_that_a_tokenizer_put_there_is_a_border_and_no_letter() -> None:
    assert [each.shown for each in pieces("飛", ["▁", "<unk>"], [(0, 1), (0, 1)], ["text", "unknown"])] == [
        " ",
        "飛⟨?⟩",
    ]
    assert [each.shown for each in pieces(" a", ["▁", "▁a"], [(0, 1), (0, 2)])] == [" ", " a"]
    assert [each.text for each in pieces("▁", ["▁"], [(0, 1)])] == ["▁"]


def test_a_token_alone_is_text_a_border_or_bytes() -> None:
    engine = ENGINES["bytes"]
    ids = engine.encode("a 貓").ids
    told = [alone(engine.tokens([id_])[0], engine.decode([id_])) for id_ in ids]
    assert told == ["a", " ", "⟨E8⟩", "⟨B2⟩", "⟨93⟩"]
    assert bytes.fromhex("".join(told[2:]).replace("⟩⟨", "")[1:-1]).decode() == "貓"
    assert alone("<0x0A>", "\ufffd") == "⟨0A⟩"
    assert alone("▁", "") == " "
    assert alone("\ufffd", "\ufffd") == "\ufffd"
    assert alone("", "") == ""


def test_what_is_no_text_has_its_own_name() -> None:
    made = pieces(
        "le",
        ["<s>", "le", "</s>", "<pad>"],
        [(0, 0), (0, 2), (2, 2), (0, 0)],
        ["special", "text", "special", "padding"],
    )
    assert [each.shown for each in made] == ["<s>", "le", "</s>", "<pad>"]
    assert "".join(each.text for each in made) == "le"
    assert pieces("", [], []) == ()


def test_unknown_text_is_marked_and_counted() -> None:
    text = "Ça 貓貓"
    assert shown("metaspace", text)[-2:] == ["貓⟨?⟩", "貓⟨?⟩"]
    encoded = ENGINES["metaspace"].encode(text)
    found = lacking(text, encoded.offsets, tokenizers.kinds(encoded.ids))
    assert (found.count, found.signs) == (2, ("貓",))
    assert lacking(text, encoded.offsets, ()).count == 0


def test_tokenizers_say_what_their_ids_stand_for() -> None:
    assert tokenizers.kinds([0, 1, 2, 3, 9]) == ["padding", "unknown", "special", "special", "text"]
    signs = prose_tokenizers.opening(ENGINES["characters"])
    assert signs.kinds([signs.start, *signs.encode("飛貓").ids]) == ["special", "text", "unknown"]
