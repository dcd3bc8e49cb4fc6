"""Continuing a text: what is told of it, which prompts are read, which choices can be."""

from typing import Any

import pytest
import torch

from regard.core import products
from regard.core.errors import BadInput
from regard.generation import speculation
from regard.models.folder import Loaded
from regard.models.gpt import Gpt, gpt2
from regard.tasks import generation as tasks
from regard.tasks.generation import Continuation, Generator
from regard.tasks.manners import manners
from regard.text.tokenizers import Encoded

LETTERS = "abcdefghijklmnopqrstuvwxyz \n"
END, UNKNOWN, START = 28, 29, 30
KEYS = ["prompt", "text", "tokens", "ids", "log_probs", "ended", "score", "seed"]
LONGEST = 23


class Letters:
    """A tokenizer of single letters."""

    vocab_size = 31

    def __init__(self, start: int | None = None, end: int | None = END) -> None:
        self.start, self.unknown = start, UNKNOWN
        self.ends = () if end is None else (end,)

    def encode(self, text: str) -> Encoded:
        ids = [LETTERS.find(sign) if sign in LETTERS else UNKNOWN for sign in text]
        return Encoded(ids, list(text), [(i, i + 1) for i in range(len(text))])

    def decode(self, ids: list[int]) -> str:
        return "".join((LETTERS + "$?^")[i] for i in ids)

    def lacking(self, text: str) -> tuple[str, ...]:
        return tuple(dict.fromkeys(sign for sign in text if sign not in LETTERS))

    def kinds(self, ids: list[int]) -> list[str]:
        return ["special" if i in self.ends else "text" for i in ids]

    def tokens(self, ids: list[int]) -> list[str]:
        return [(LETTERS + "$?^")[i] for i in ids]


def generator(start: int | None = None, end: int | None = END) -> Generator:
    torch.manual_seed(11)
    model = Gpt(gpt2(vocab_size=31, max_len=LONGEST, d_model=14, n_layers=2, n_heads=2)).eval()
    with torch.no_grad():
        for weights in model.parameters():
            weights.mul_(4.0)
    return Generator(Loaded(model, Letters(start, end), "letters", "f"))  # type: ignore[arg-type]


def refusal(**how: object) -> BadInput:
    with pytest.raises(BadInput) as caught:
        manners(**how)
    return caught.value


def test_a_continuation_tells_all_that_was_written() -> None:
    made = generator().generate("once", max_tokens=7, seed=3)
    assert list(made.json()) == KEYS
    assert (made.prompt, made.seed) == ("once", 3)
    assert len(made.ids) == len(made.tokens) == len(made.log_probs) <= 7
    assert made.tokens == Letters().tokens(made.ids)
    assert made.text == "".join(made.tokens).removesuffix("$")
    assert made.score == pytest.approx(sum(made.log_probs) / len(made.ids))
    assert UNKNOWN not in {i for n in range(50) for i in generator().generate("a", max_tokens=22, seed=n).ids}


def test_one_for_one_several_for_several() -> None:
    one, two = generator().generate(["ab", "c"], greedy=True, max_tokens=5)
    assert (one.prompt, two.prompt, one.seed) == ("ab", "c", None)
    samples = generator().generate("ab", samples=3, max_tokens=5, seed=1)
    assert [each.prompt for each in samples] == ["ab"] * 3
    assert len({each.text for each in samples}) > 1
    best = generator().generate(["ab", "c"], beam=4, n_best=2, max_tokens=5, length_penalty=0.5)
    assert [len(each) for each in best] == [2, 2]
    assert best[0][0].score >= best[0][1].score == pytest.approx(sum(best[0][1].log_probs) / len(best[0][1].ids) ** 0.5)


def test_without_a_seed_another_text_each_time_and_the_seed_is_told() -> None:
    first, second = (generator().generate("ab", max_tokens=20, temperature=1.0) for _ in range(2))
    assert first.seed != second.seed
    assert generator().generate("ab", max_tokens=20, temperature=1.0, seed=first.seed) == first


def test_a_stream_gives_the_same_in_pieces() -> None:
    whole = generator(end=None).generate("ab", seed=5, stop=["e "])
    flow = generator(end=None).stream("ab", seed=5, stop=["e "])
    assert flow.continuation is None
    pieces = list(flow)
    assert "".join(pieces) == whole.text
    assert len([piece for piece in pieces if piece]) > 1
    assert flow.continuation == whole
    for how in ({"beam": 2}, {"samples": 2}):
        with pytest.raises(BadInput) as caught:
            generator().stream("ab", **how)  # type: ignore[arg-type]
        assert caught.value.code == "stream_of_many"


@pytest.mark.parametrize(("start", "end", "first"), [(START, END, START), (None, END, END), (START, None, START)])
def test_an_empty_prompt_begins_with_the_token_that_begins_or_ends_texts(
    start: int | None, end: int | None, first: int
) -> None:
    asked = generator(start, end)
    assert asked.read("").ids == [first]
    assert asked.generate("", greedy=True, max_tokens=3).prompt == ""
    assert asked.read("ab").ids == ([0, 1] if start is None else [START, 0, 1])


def test_an_empty_prompt_that_nothing_begins_is_refused() -> None:
    with pytest.raises(BadInput) as caught:
        generator(None, None).generate("")
    assert caught.value.code == "prompt_empty"
    assert "letters" in str(caught.value)


def test_a_prompt_is_read_as_far_as_the_model_reads_and_no_further() -> None:
    full = generator(end=None).generate("a" * LONGEST, max_tokens=5)
    assert (full.ended, len(full.ids)) == ("context", 1)
    with pytest.raises(BadInput) as caught:
        generator().generate(["a", "b" * (LONGEST + 1)])
    assert caught.value.facts == {"number": 2, "tokens": LONGEST + 1, "name": "letters", "longest": LONGEST}
    with pytest.raises(BadInput):
        generator(START).generate("a" * LONGEST)  # the token that begins is one too


def test_characters_the_tokenizer_lacks_are_named_once_and_the_rest_is_read() -> None:
    made = generator().generate("貓a鼠b貓", max_tokens=2, greedy=True)
    assert made.unknown == ("貓", "鼠")
    assert made.prompt == "貓a鼠b貓"
    assert generator().generate("ab", max_tokens=2, greedy=True).unknown == ()


@pytest.mark.parametrize("text", ["a\0b", "a\ud800", 5, None, b"ab", ["a", None], [["a"]]])
def test_what_is_no_text_is_refused(text: Any) -> None:
    with pytest.raises(BadInput):
        generator().generate(text)
    with pytest.raises(BadInput):
        generator().stream(text)


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("max_tokens", 0),
        ("temperature", 0.0),
        ("temperature", -1.0),
        ("temperature", float("nan")),
        ("temperature", float("inf")),
        ("top_k", 0),
        ("top_k", -5),
        ("top_p", 0.0),
        ("top_p", 1.5),
        ("top_p", float("nan")),
        ("min_p", -0.1),
        ("min_p", 1.1),
        ("repetition_penalty", 0.0),
        ("repetition_penalty", -1.0),
        ("beam", 0),
        ("beam", 101),
        ("length_penalty", 11.0),
        ("seed", -1),
        ("seed", 2**63),
        ("samples", 0),
        ("samples", 1001),
        ("n_best", 0),
    ],
)
def test_a_choice_out_of_range_is_named_with_its_rule(name: str, wrong: float) -> None:
    told = refusal(**{name: wrong})
    assert told.code in ("setting_bound", "setting_finite")
    assert told.facts["option"] == "--" + name.replace("_", "-")
    assert told.facts["came"] == str(wrong)


@pytest.mark.parametrize(
    ("how", "one", "other"),
    [
        ({"greedy": True, "temperature": 0.5}, "--temperature", "--greedy"),
        ({"greedy": True, "top_k": 5}, "--top-k", "--greedy"),
        ({"greedy": True, "top_p": 0.5}, "--top-p", "--greedy"),
        ({"greedy": True, "min_p": 0.5}, "--min-p", "--greedy"),
        ({"greedy": True, "samples": 2}, "--samples", "--greedy"),
        ({"beam": 3, "greedy": True}, "--greedy", "--beam"),
        ({"beam": 3, "temperature": 0.5}, "--temperature", "--beam"),
        ({"beam": 3, "repetition_penalty": 1.5}, "--repetition-penalty", "--beam"),
        ({"beam": 3, "samples": 2}, "--samples", "--beam"),
        ({"beam": 3, "stop": ["x"]}, "--stop", "--beam"),
    ],
)
def test_choices_that_exclude_each_other_are_both_named(how: dict[str, object], one: str, other: str) -> None:
    told = refusal(**how)
    assert (told.code, told.facts) == ("options_apart", {"one": one, "other": other})


def test_choices_that_can_be_together() -> None:
    manners(greedy=True, repetition_penalty=1.3, stop=["x"], seed=3)
    manners(temperature=0.7, top_k=5, top_p=0.9, min_p=0.1, samples=3)
    manners(beam=5, n_best=5, length_penalty=0.0)
    assert refusal(beam=3, n_best=4).facts == {"n_best": 4, "beam": 3}
    assert refusal(stop=["x", ""]).code == "stop_empty"


def test_continuations_are_plain_data() -> None:
    made = generator().generate("ab", max_tokens=3, seed=1)
    assert Continuation(**{**made.json(), "unknown": ()}) == made


@pytest.mark.parametrize(
    "how", [{"greedy": True}, {"temperature": 1.3, "seed": 3}, {"repetition_penalty": 1.4, "seed": 1}]
)
def test_drafts_change_no_text_whichever_door_the_model_came_through(
    monkeypatch: pytest.MonkeyPatch, how: dict[str, Any]
) -> None:
    """One text is drafted where the model is large; several are not, nor one that is short."""
    monkeypatch.setattr(tasks, "_LONG", 9)
    plain = generator(end=None).generate("ab", max_tokens=20, **how)
    monkeypatch.setattr(products, "WORTH", 1)
    if products.kernel(1) is None:
        pytest.skip("no C compiler here")
    rounds: list[int] = []
    monkeypatch.setattr(speculation._Pace, "learn", lambda self, made, right: rounds.append(made))
    for pieces in (False, True):
        drafting = generator(end=None)
        if pieces:
            flow = drafting.stream("ab", max_tokens=20, **how)
            assert "".join(flow) == plain.text
            made = flow.continuation
        else:
            made = drafting.generate("ab", max_tokens=20, **how)
        assert made is not None
        assert made.ids == plain.ids
        assert made.log_probs == pytest.approx(plain.log_probs, abs=1e-5)
        assert max(rounds) > 0
        rounds.clear()
    drafting.generate(["ab", "c"], max_tokens=20, **how)
    drafting.generate("ab", max_tokens=8, **how)
    assert not rounds


def test_int8_is_not_drafted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(products, "WORTH", 1)
    light = generator()
    light.kind = "int8"
    speaker = light._speaker(manners(max_tokens=100).manner(()), alone=True)
    assert speaker.draft is None
    assert speaker.model is light.model
