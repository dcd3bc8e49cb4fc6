"""The measurements' own arithmetic: turns, ratios, plans, joined sentences, whole checkpoints."""

import importlib
from dataclasses import asdict
from multiprocessing import Pipe
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

import kill
import long_sentences
import translation_speed as speed
from measuring.pairs import tokenizer_of, training_pairs, write_pairs
from measuring.turns import gate, in_turn, ratio
from regard.core.files import whole_folder
from regard.text.pairs import Pairs, read_pairs
from regard.training.examples import Examples
from toy import reversed_pairs
from translation_quality import Costs, Watch


def toy(count: int = 211) -> Pairs:
    found = reversed_pairs(count)
    return Pairs([a for a, _ in found], [b for _, b in found], list(range(1, len(found) + 1)))


def test_peers_take_turns_and_the_first_round_does_not_count() -> None:
    called = []

    def peer(name: str, tokens: int):  # type: ignore[no-untyped-def]
        return lambda: called.append(name) or (tokens, 2.0)

    speeds = in_turn({"a": peer("a", 10), "b": peer("b", 4)}, rounds=2)
    assert called == ["a", "b"] * 3
    assert speeds == {"a": [5.0, 5.0], "b": [2.0, 2.0]}


def test_a_ratio_is_taken_within_a_round() -> None:
    """Round 2 was slow for both: the ratio of the medians would be 4, and in no round was it so."""
    assert ratio([6.0, 1.0, 8.0], [2.0, 0.5, 1.0]) == (3.0, 2.0, 8.0)


def test_a_gate_lets_so_many_steps_pass_and_adds_their_tokens() -> None:
    here, there = Pipe()
    here.send(True)
    passing = gate(there, 3)
    here.send(True)
    for tokens in (3, 5, 7):
        passing.send(tokens)
    assert here.recv()[0] == 15
    here.close()
    passing.send(1)
    passing.send(1)
    with pytest.raises(SystemExit):
        passing.send(1)


def test_our_few_batches_are_spread_over_all_lengths_and_a_share_holds_only_theirs(tmp_path: Path) -> None:
    pairs = toy()
    examples = Examples(pairs.source, pairs.target, tokenizer_of(pairs, 60))
    chosen = speed.our_batches(examples, 100, 5)
    longest = [max(len(examples.target[i]) for i in each) for each in chosen]
    assert longest == sorted(longest)
    assert longest[0] < longest[-1]
    share = speed._share(pairs, chosen, tokenizer=tmp_path, threads=1, tokens=100)
    assert [[share.pairs.source[i] for i in each] for each in share.batches] == [
        [pairs.source[i] for i in each] for each in chosen
    ]
    assert len(share.pairs) == sum(len(each) for each in chosen)


def test_the_tokens_counted_are_the_same_on_both_sides() -> None:
    pairs = toy()
    examples = Examples(pairs.source, pairs.target, tokenizer_of(pairs, 60))
    rows = np.arange(31)
    theirs = speed.joey.collated([examples.source[i][:-1] for i in rows], [examples.target[i][1:-1] for i in rows])
    assert theirs.tokens == int((examples.of(rows).expected != 0).sum())


def test_a_plan_fills_the_time_and_no_more() -> None:
    costs = Costs(setup=7.0, step=0.5, validation=10.0, checkpoint=2.0)
    steps = costs.steps_in(519.0)
    assert steps == 961  # (519 − 7 − 10 − 2) / (0.5 + 10/1000 + 2/200)
    assert costs.steps_in(1.0) == 1


def test_a_watch_tells_steps_from_validations(monkeypatch: pytest.MonkeyPatch) -> None:
    moments = iter([0.0, 2.0, 3.0, 8.0, 8.5, 9.0, 13.0, 15.0])
    monkeypatch.setattr("translation_quality.time.perf_counter", lambda: next(moments))
    watch = Watch()
    for kind in ("data", "start", "step", "step", "step", "validation", "checkpoint"):
        watch(kind, {"tokens": 11} if kind == "step" else {})
    assert asdict(watch.costs()) == {"setup": 3.0, "step": 2.0, "validation": 4.0, "checkpoint": 2.0}
    assert watch.tokens == 33


def test_joined_pairs_have_ten_to_thirty_words_and_stay_pairs() -> None:
    """Sentence i has 1–23 words, all of them `i` on one side and `-i` on the other."""
    lengths = [1 + i % 23 for i in range(46)]
    sides = [[" ".join([f"{sign}{i}"] * n) for i, n in enumerate(lengths)] for sign in ("", "-")]
    pairs = Pairs(*sides, list(range(1, 47)))
    made = long_sentences.joined(pairs, 97, seed=2)
    assert len(made) == len(set(made.source)) == 97
    sizes = [len(text.split()) for text in made.source]
    assert (min(sizes), max(sizes)) == (10, 30)
    for source, target, line in zip(made.source, made.target, made.line, strict=True):
        halves = list(dict.fromkeys(source.split()))
        assert len(halves) == 2
        assert source.split() == [half for half in halves for _ in range(lengths[int(half)])]
        assert target.split() == [f"-{word}" for word in source.split()]
        assert line == int(halves[0]) + 1
    assert long_sentences.joined(pairs, 97, seed=2) == made != long_sentences.joined(pairs, 97, seed=3)


def test_pairs_are_written_as_they_are_read(tmp_path: Path) -> None:
    pairs = toy(13)
    assert read_pairs([write_pairs(tmp_path / "p.tsv", pairs)]) == pairs
    but = pairs.take([0, 3])
    assert len(training_pairs(tmp_path / "p.tsv", but=but, at_most=5)) == 5
    assert len(training_pairs(tmp_path / "p.tsv", but=but)) == len(pairs) - 2


def test_a_torn_checkpoint_and_a_lost_one_are_seen(tmp_path: Path) -> None:
    for step in (5, 10):
        with whole_folder(tmp_path / f"step-{step:08d}") as folder:
            for name in kill.TENSORS:
                save_file({"a": torch.ones(3)}, folder / name)
    found = kill._found(tmp_path, 1, "training", 0.5, seen=True)
    assert (found.newest_step, found.torn, found.lost) == (10, 0, False)
    newest = tmp_path / "step-00000010" / "model.safetensors"
    newest.write_bytes(newest.read_bytes()[:-1])
    found = kill._found(tmp_path, 2, "training", 0.5, seen=True)
    assert (found.newest_step, found.torn, found.lost) == (5, 1, False)
    (tmp_path / "step-00000005" / "optimizer.safetensors").unlink()
    assert kill._found(tmp_path, 3, "training", 0.5, seen=True).lost
    assert not kill._found(tmp_path / "nothing", 4, "starting", 0.5, seen=False).lost


def test_bits_are_compared_not_values() -> None:
    zero, minus_zero = torch.zeros(3), -torch.zeros(3)
    assert kill._same_bits(zero, zero.clone())
    assert not kill._same_bits(zero, minus_zero)


@pytest.mark.parametrize("name", ["long_sentences", "kill", "translation_quality", "translation_speed"])
def test_each_measurement_says_what_it_needs(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        importlib.import_module(name).main(["--help"])
    assert left.value.code == 0
    assert "--quick" in capsys.readouterr().out
