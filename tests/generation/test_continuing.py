"""Continuations keep their laws: a batch is each alone, a stream is the whole, the cache forgets nothing."""

from collections.abc import Sequence
from dataclasses import replace

import pytest
import torch

from regard.core.errors import Failure
from regard.generation.choosing import Choice
from regard.generation.continuing import Continued, Manner, Speaker, continued, started, stream
from regard.generation.search import Rules, search
from regard.models.gpt import Gpt, gpt2, llama

VOCAB, LONGEST = 37, 29
PROMPTS = [[5, 7, 11], [3], [2, 13, 17, 19, 23], [3], [30, 31]]
FORMS = {
    "gpt2": gpt2(vocab_size=VOCAB, max_len=LONGEST, d_model=22, n_layers=3, n_heads=2),
    "llama": llama(vocab_size=VOCAB, max_len=LONGEST, d_model=24, n_layers=2, n_heads=6, n_kv_heads=3, d_ff=41),
}
MANNERS = {
    "greedy": Manner(Choice(greedy=True), max_tokens=13),
    "drawn": Manner(Choice(temperature=1.3), max_tokens=13, seed=3),
    "cut": Manner(Choice(top_k=11, top_p=0.9, min_p=0.01), max_tokens=13, seed=5),
    "penalised": Manner(Choice(repetition_penalty=1.7), max_tokens=13),
    "stopped": Manner(Choice(), max_tokens=13, stops=("a", "<9>")),
    "beam": Manner(beam=3, count=2, max_tokens=13),
}


def decode(ids: Sequence[int]) -> str:
    """The first 26 are letters, the others have their number."""
    return "".join(chr(97 + i) if i < 26 else f"<{i}>" for i in ids)


def speaker(form: str = "gpt2", ends: tuple[int, ...] = (1, 29)) -> Speaker:
    """Large weights make its mind up, so that not every token is as likely as any other."""
    torch.manual_seed(7)
    model = Gpt(FORMS[form]).eval()
    with torch.no_grad():
        for weights in model.parameters():
            weights.mul_(5.0)
    return Speaker(model, decode, LONGEST, ends)


def close(ours: Continued, other: Continued) -> None:
    assert (ours.ids, ours.text, ours.ended) == (other.ids, other.text, other.ended)
    assert ours.log_probs == pytest.approx(other.log_probs, abs=1e-4)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("how", MANNERS.values(), ids=MANNERS)
@pytest.mark.parametrize("batch_tokens", [1, 47, 8192])
def test_a_batch_is_each_alone(form: str, how: Manner, batch_tokens: int) -> None:
    together = continued(speaker(form), PROMPTS, how, batch_tokens=batch_tokens)
    for prompt, made in zip(PROMPTS, together, strict=True):
        for ours, alone in zip(made, continued(speaker(form), [prompt], how)[0], strict=True):
            close(ours, alone)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("how", MANNERS.values(), ids=MANNERS)
def test_log_probabilities_are_those_of_the_whole_text_read_at_once(form: str, how: Manner) -> None:
    """Cached equals uncached; and they are the model's own, whatever was cut or penalised."""
    who = speaker(form)
    for prompt, made in zip(PROMPTS, continued(who, PROMPTS, how), strict=True):
        for each in made:
            with torch.inference_mode():
                logits = who.model(torch.tensor([[*prompt, *each.ids]]))[0]  # type: ignore[operator]
            told = logits.log_softmax(-1)[len(prompt) - 1 : -1].gather(1, torch.tensor(each.ids)[:, None])[:, 0]
            assert each.log_probs == pytest.approx(told.tolist(), abs=1e-4)


@pytest.mark.parametrize("how", [MANNERS["greedy"], MANNERS["drawn"], MANNERS["stopped"]])
def test_a_stream_is_the_whole(how: Manner) -> None:
    for prompt in PROMPTS:
        pieces, flow = [], stream(speaker(), prompt, how)
        while True:
            try:
                pieces.append(next(flow))
            except StopIteration as end:
                whole = end.value
                break
        close(whole, continued(speaker(), [prompt], how)[0][0])
        assert "".join(pieces) == whole.text


def test_greedy_is_a_beam_of_one() -> None:
    who = speaker()
    greedy = continued(who, PROMPTS, MANNERS["greedy"])
    for prompt, made in zip(PROMPTS, greedy, strict=True):
        beam = search(who.model, *started(who.model, [prompt]), [13], Rules(who.ends))[0]
        assert [h.ids for h in beam] == [made[0].ids]
        assert beam[0].log_probs == pytest.approx(made[0].log_probs, abs=1e-5)


def test_a_seed_decides_and_samples_differ() -> None:
    how = replace(MANNERS["drawn"], count=5)
    first, again = continued(speaker(), PROMPTS, how), continued(speaker(), PROMPTS, how)
    assert first == again
    assert len({tuple(each.ids) for each in first[0]}) == 5
    for one, other in zip(first[1], first[3], strict=True):  # the same prompt
        close(one, other)
    others = continued(speaker(), PROMPTS, replace(how, seed=4))
    assert all(one != other for one, other in zip(first, others, strict=True))
    fewer = continued(speaker(), PROMPTS[2:3], replace(how, count=2))[0]
    for ours, alone in zip(first[2], fewer, strict=False):
        close(ours, alone)


def test_it_ends_at_the_end_token_and_says_so() -> None:
    found = {
        each.ended: each for one in continued(speaker(), PROMPTS, replace(MANNERS["drawn"], count=7)) for each in one
    }
    assert found.keys() >= {"end", "length"}
    ended = found["end"]
    assert ended.ids[-1] in (1, 29)
    assert not {1, 29} & set(ended.ids[:-1])
    assert ended.text == decode(ended.ids[:-1])
    assert len(found["length"].ids) == 13
    assert found["length"].text == decode(found["length"].ids)


@pytest.mark.parametrize("how", [Manner(max_tokens=100), Manner(beam=2, max_tokens=100)], ids=["drawn", "beam"])
def test_it_ends_when_the_model_can_read_no_more(how: Manner) -> None:
    """The last token is written by a full context, and read by nobody."""
    prompts = [[4] * n for n in (1, 7, LONGEST)]
    for prompt, made in zip(prompts, continued(speaker(ends=()), prompts, how), strict=True):
        assert (made[0].ended, len(made[0].ids)) == ("context", LONGEST - len(prompt) + 1)


def test_a_stop_string_ends_the_text_before_it_whatever_its_borders() -> None:
    plain = continued(speaker(ends=()), [[5]], Manner(Choice(), max_tokens=11, seed=1))[0][0]
    whole = plain.text
    stop = whole[3:6]
    cut = continued(speaker(ends=()), [[5]], Manner(Choice(), max_tokens=11, seed=1, stops=(stop,)))[0][0]
    assert (cut.ended, cut.text) == ("stop", whole[: whole.index(stop)])
    assert cut.ids == plain.ids[: len(cut.ids)]
    assert stop in decode(cut.ids)
    assert stop not in decode(cut.ids[:-1])


def test_the_penalty_counts_the_prompt_and_what_was_written() -> None:
    """So strong a penalty lets nothing come twice."""
    how = Manner(Choice(greedy=True, repetition_penalty=1e9), max_tokens=20)
    for prompt, made in zip(PROMPTS, continued(speaker(ends=()), PROMPTS, how), strict=True):
        assert len({*prompt, *made[0].ids}) == len(prompt) + 20


def test_samples_share_one_reading_of_the_prompt() -> None:
    who, read = speaker(), []
    start = who.model.start
    who.model.start = lambda ids, real: read.append(ids.shape) or start(ids, real)  # type: ignore[method-assign]
    continued(who, [[5, 7, 11]], replace(MANNERS["drawn"], count=5))
    assert read == [(1, 2)]


@pytest.mark.parametrize("how", [MANNERS["greedy"], MANNERS["drawn"], MANNERS["beam"]], ids=["greedy", "drawn", "beam"])
def test_a_model_that_is_not_finite_writes_nothing(how: Manner) -> None:
    broken = speaker()
    with torch.no_grad():
        broken.model.norm.weight[3] = float("nan")  # type: ignore[attr-defined]
    with pytest.raises(Failure) as caught:
        continued(broken, PROMPTS, how)
    assert (caught.value.code, caught.value.facts) == ("logits_not_finite", {"number": 1})
