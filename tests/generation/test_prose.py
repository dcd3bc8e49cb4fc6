"""Tokens become text: whole characters, stop strings across any borders, nothing given that is taken back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer, decoders, models, pre_tokenizers

from regard.generation.prose import UNFINISHED, Prose

TEXT = st.text(st.sampled_from("ab c貓é\n👩"), max_size=13)


def bytewise() -> Tokenizer:
    """Byte-level, a byte a token: every character beyond ASCII lies across tokens."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    engine = Tokenizer(models.BPE({sign: i for i, sign in enumerate(alphabet)}, []))
    engine.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    engine.decoder = decoders.ByteLevel()
    return engine


def falling_back() -> Tokenizer:
    """As Llama's: ▁ for a space, one at the head taken away, bytes as <0x..>."""
    vocab = {f"<0x{byte:02X}>": byte for byte in range(256)}
    vocab |= {sign: 256 + i for i, sign in enumerate(["▁", "a", "b", "▁a", "ab"])}
    engine = Tokenizer(models.BPE(vocab, [("▁", "a"), ("a", "b")], byte_fallback=True))
    from tokenizers import normalizers

    engine.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    strip = decoders.Strip(" ", 1, 0)
    engine.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), strip])
    return engine


ENGINES = {"bytewise": bytewise(), "falling back": falling_back()}


def letters(ids: list[int]) -> str:
    return "".join("abcd"[i] for i in ids)


@pytest.mark.parametrize("kind", ENGINES)
@given(TEXT, TEXT)
def test_the_pieces_make_the_text(kind: str, before: str, after: str) -> None:
    """Even where the next character begins in the last of the prompt's tokens; each piece is whole by itself."""
    engine = ENGINES[kind]
    ids = engine.encode(before + after).ids
    given_ = ids[: len(engine.encode(before).ids)]
    prose = Prose(engine.decode, given_)
    pieces = [prose.take(i) for i in ids[len(given_) :]] + [prose.close()]
    assert "".join(pieces) == prose.text == engine.decode(ids)[len(engine.decode(given_)) :]
    assert not any(UNFINISHED in piece for piece in pieces)


def test_a_character_waits_for_its_last_byte() -> None:
    engine = ENGINES["bytewise"]
    prose = Prose(engine.decode, [])
    assert [prose.take(i) for i in engine.encode("a貓b").ids] == ["a", "", "", "貓", "b"]


def test_bytes_that_never_make_a_character_are_said_at_the_end() -> None:
    engine = ENGINES["bytewise"]
    prose = Prose(engine.decode, [])
    assert [prose.take(i) for i in engine.encode("a貓").ids[:-1]] == ["a", "", ""]
    assert prose.close() == UNFINISHED
    assert prose.text == "a" + UNFINISHED
    assert prose.close() == ""


def test_a_space_at_the_head_stays_after_others() -> None:
    engine = ENGINES["falling back"]
    ids = engine.encode("a a").ids
    assert engine.decode(ids[1:]) == "a"  # the decoder alone would lose it
    assert Prose(engine.decode, ids[:1]).take(ids[1]) == " a"


@given(st.lists(st.integers(0, 3), max_size=19), st.lists(st.text("abcd", min_size=1, max_size=4), max_size=3))
def test_the_text_ends_before_the_first_stop_string(ids: list[int], stops: list[str]) -> None:
    """Against the whole text cut after the fact; what was given out is never taken back."""
    prose, given_, taken = Prose(letters, [2], stops), "", 0
    for id_ in ids:
        given_ += prose.take(id_)
        taken += 1
        if prose.stopped:
            break
    given_ += prose.close()
    cuts = [(letters(ids).find(stop), stop) for stop in stops if stop in letters(ids)]
    ends = [at + len(stop) for at, stop in cuts]
    assert prose.stopped == bool(cuts)
    if cuts:
        assert taken == min(ends)
        assert given_ == prose.text == letters(ids)[: min(at for at, stop in cuts if at + len(stop) == taken)]
    else:
        assert given_ == prose.text == letters(ids)


def test_what_may_begin_a_stop_string_is_held_back_and_given_when_it_does_not() -> None:
    prose = Prose(letters, [], ["abc", "bd"])
    assert [prose.take(i) for i in (3, 0, 1, 0, 1, 3)] == ["d", "", "", "ab", "", "a"]
    assert (prose.stopped, prose.text) == (True, "daba")
    assert prose.take(0) == prose.close() == ""


def test_the_prompt_is_no_part_of_a_stop_string() -> None:
    prose = Prose(letters, [0], ["ab"])
    assert (prose.take(1), prose.stopped) == ("b", False)
