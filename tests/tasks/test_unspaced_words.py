"""Where a script has no spaces between words, what nothing may look at is one token after the other."""

import regard
from regard.inspection.trace import Sequence
from regard.tasks.cuts import _groups


def test_a_text_without_spaces_is_not_one_word() -> None:
    told = regard.evidence("tang", "白日依山", kind="words")
    keys = [told.place(effect)["word"] for effect in told.found.effects]
    assert sorted(keys) == sorted([*"白日依山", "<|endoftext|>"])
    assert sorted(told.place(effect)["key"] for effect in told.found.effects) == [[n] for n in range(5)]


def test_the_pieces_of_one_letter_stay_together() -> None:
    told = regard.evidence("tiny-gpt", "a 黑 b", kind="words")
    found = {told.place(effect)["word"]: told.place(effect)["key"] for effect in told.found.effects}
    assert found == {"a": [0], " ": [1], "黑": [2, 3, 4], "b": [5]}


def test_words_between_spaces_stay_whole_beside_it() -> None:
    side = Sequence("un chat 白日", ("un", " ch", "at", " 白", "日"), (0, 1, 2, 3, 4), (0, 1, 1, 2, 2), SPANS, ())
    assert _groups(side) == [[0], [1, 2], [3], [4]]


SPANS = ((0, 2), (2, 5), (5, 7), (7, 9), (9, 10))
