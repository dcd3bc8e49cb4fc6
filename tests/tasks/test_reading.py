"""Texts as models read them: what each token stands for, and what the model does not know, said in three languages."""

import pytest

import regard
from regard.inspection.record import teacher_forced
from regard.inspection.trace import READ, SOURCE, TARGET
from regard.language import LANGUAGES
from regard.tasks.reading import shown, text_side, unknown
from regard.tasks.translation import given_side, written_side
from regard.text import prose_tokenizers, tokenizers

CAT = tokenizers.train(["le chat", "le chat"], vocab_size=30)


def side(text: str = "le 貓"):
    return given_side(text, CAT.encode(text))


def test_every_token_has_a_kind() -> None:
    assert side("le chat").kinds == ("text", "text", "special")
    assert side().kinds[-2:] == ("unknown", "special")
    read = teacher_forced(side(), side("le chat"), 2)[READ]
    assert read.kinds == ("special", "text", "text")
    ids = [*CAT.encode("le chat").ids, 3]
    assert written_side("le chat", ids, CAT).kinds == ("text", "text", "special")
    signs = prose_tokenizers.opening(prose_tokenizers.train(["le chat"], kind="characters", vocab_size=30))
    assert text_side("l貓", signs).kinds == ("special", "text", "unknown")
    assert shown(text_side("l貓", signs)) == ("<|endoftext|>", "l", "貓⟨?⟩")


@pytest.mark.parametrize("lang", LANGUAGES)
def test_unknown_signs_are_counted_and_named(lang: str) -> None:
    sides = teacher_forced(side("le 貓貓狗"), side(), 2)
    told = unknown(sides.values(), lang)
    total = len(sides[SOURCE].ids) + len(sides[TARGET].ids)
    assert all(each in told for each in ("4", str(total), "貓 狗")), told
    assert unknown([side("le chat")], lang) == ""


def test_many_are_cut_and_none_commands_a_terminal() -> None:
    told = unknown([side("".join(map(chr, range(0x4E00, 0x4E40))) + "\x1b")], "en")
    assert "丠" not in told
    assert "…" in told
    assert "\x1b" not in unknown([side("\x1b")], "en")


def test_a_byte_level_model_knows_everything() -> None:
    writer = regard.load("tiny-gpt")
    made = text_side("飛 👨\u200d👩", writer.tokenizer)
    assert set(made.kinds) == {"text"}
    assert shown(made)[:4] == ("飛·1/3", "飛·2/3", "飛·3/3", " ")
