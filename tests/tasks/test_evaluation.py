"""Evaluation: what sacrebleu says of each length, and whether a difference is more than chance."""

import json
import random
from pathlib import Path

import pytest
from sacrebleu.metrics import BLEU, CHRF

from regard.tasks import evaluation
from regard.tasks.evaluation import compare, compare_all, evaluate
from regard.tasks.translation import Translation
from regard.text.pairs import Pairs
from regard.views import terminal

SENTENCES = [
    "a b c d e f",
    "the black cat ate the mouse today",
    "one two three four five six seven",
    "go on now then you",
]


class Saying:
    """A model that answers from a list."""

    def __init__(self, name: str, answers: dict[str, str]) -> None:
        self.name, self.answers = name, answers

    def translate(self, texts: list[str], **how: object) -> list[Translation]:
        assert how["look"] is False
        return [Translation(text, self.answers[text], -1.0, None) for text in texts]


def pairs(sources: list[str], targets: list[str]) -> Pairs:
    return Pairs(sources, targets, list(range(1, len(sources) + 1)))


def test_figures_are_sacrebleus_over_all_and_by_length() -> None:
    sources = [" ".join("w" * (n + 1) for n in range(count)) for count in (1, 5, 6, 9, 10, 14, 15, 40)]
    targets = [f"{source} and so on" for source in sources]
    answers = dict(zip(sources, [*targets[:3], *sources[3:]], strict=True))
    found = evaluate(Saying("m", answers), pairs(sources, targets))  # type: ignore[arg-type]
    told = [answers[source] for source in sources]
    assert found.overall.bleu == BLEU().corpus_score(told, [targets]).score
    assert found.overall.chrf == CHRF().corpus_score(told, [targets]).score
    assert {name: count for name, (count, _) in found.by_length.items()} == {"1–5": 2, "6–9": 2, "10–14": 2, "15+": 2}
    quality = found.by_length["6–9"][1]
    assert quality is not None
    assert quality.bleu == BLEU().corpus_score(told[2:4], [targets[2:4]]).score
    assert "tok:13a" in found.overall.signatures["bleu"]


def test_chinese_is_measured_in_letters_and_scored_in_letters() -> None:
    found = evaluate(Saying("m", {"黑貓吃了那隻老鼠": "黑貓"}), pairs(["黑貓吃了那隻老鼠"], ["黑貓吃了那隻老鼠"]))  # type: ignore[arg-type]
    assert found.by_length["6–9"][0] == 1
    assert "tok:zh" in found.overall.signatures["bleu"]


def test_json_is_strict_and_a_length_without_pairs_has_no_score() -> None:
    found = evaluate(Saying("m", {"a b": "a b"}), pairs(["a b"], ["a b"]))  # type: ignore[arg-type]
    told = json.loads(json.dumps(found.json(), allow_nan=False))
    assert list(told) == ["model", "pairs", "bleu", "chrf", "signatures", "by_length"]
    assert told["by_length"][3] == {"source_words": "15+", "pairs": 0, "bleu": None, "chrf": None}
    assert [each["source_words"] for each in told["by_length"]] == ["1–5", "6–9", "10–14", "15+"]


def spoiled(lines: list[str], share: float, seed: int) -> list[str]:
    """The lines with a share of their words replaced."""
    chance = random.Random(seed)
    return [" ".join("x" if chance.random() < share else word for word in line.split()) for line in lines]


@pytest.fixture(scope="module")
def references() -> list[str]:
    return [f"{line} {n}" for n in range(41) for line in SENTENCES]


def test_a_real_difference_is_no_chance(references: list[str]) -> None:
    better, worse = spoiled(references, 0.1, 1), spoiled(references, 0.3, 2)
    found = compare(better, worse, references)
    assert found.difference > 5
    assert found.p_value < 0.01
    back = compare(worse, better, references)
    assert back.difference == pytest.approx(-found.difference)
    assert back.p_value < 0.01


def test_no_difference_is_chance(references: list[str]) -> None:
    one, other = spoiled(references, 0.2, 3), spoiled(references, 0.2, 4)
    assert compare(one, other, references).p_value > 0.05
    same = compare(one, one, references)
    assert same.difference == 0
    assert same.p_value > 0.5


def test_the_difference_is_that_of_the_scores(references: list[str]) -> None:
    one, other = spoiled(references, 0.1, 5), spoiled(references, 0.2, 6)
    scores = [BLEU().corpus_score(lines, [references]).score for lines in (one, other)]
    assert compare(one, other, references, samples=50).difference == pytest.approx(scores[0] - scores[1])


@pytest.mark.parametrize("lang", ["en", "zh-Hant", "zh-Hans"])
def test_models_side_by_side_as_a_picture(references: list[str], lang: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evaluation, "compare", lambda *a: compare(*a, samples=50))
    made = pairs(references, references)
    told = [spoiled(references, share, seed) for seed, share in enumerate((0, 0.2, 0.3))]
    models = [Saying(f"m{n}", dict(zip(references, lines, strict=True))) for n, lines in enumerate(told)]
    found = [evaluate(model, made) for model in models]  # type: ignore[arg-type]
    compared = compare_all(found, references)
    assert [(each["model"], each["against"]) for each in compared] == [("m0", "m1"), ("m0", "m2")]
    shown = terminal.render(evaluation.picture(found, compared, lang), width=200)
    for each in found:
        assert f"{each.overall.bleu:.2f}" in shown
    for each in compared:
        assert f"{each['difference']:+.2f}" in shown
        assert f"p = {each['p_value']:.3f}" in shown
    assert "tok:13a" in shown


def test_the_model_that_reverses_is_perfect(reverser: Path) -> None:
    from regard.tasks.translation import load
    from toy import reversed_pairs

    sources, targets = zip(*reversed_pairs(61, seed=4), strict=True)
    done = []
    found = evaluate(load(reverser), pairs(list(sources), list(targets)), beam=1, done=done.append)
    assert found.overall.bleu > 95
    assert sum(done) == len(sources)
    assert found.model == "run"
