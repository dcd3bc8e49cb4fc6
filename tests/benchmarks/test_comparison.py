"""The comparison: what is done is not done again, the rate fits the budget, and the page says the runs' figures."""

import json
from pathlib import Path
from typing import Any

import pytest

import comparison
from measuring import budget
from measuring.comparison_page import by_kind, page, picture, table
from measuring.pairs import tokenizer_of
from regard.models.catalogue import listed
from regard.text.pairs import Pairs
from regard.training.settings import rate
from toy import reversed_pairs


def result(name: str, seed: int, bleu: float) -> dict[str, Any]:
    return {
        "name": name, "seed": seed, "minutes": 7, "pairs": 1301, "judged": 97, "precision": "fp32", "parameters": 1009,
        "bleu": bleu, "chrf": bleu + 11, "signatures": {"bleu": "nrefs:1"},
        "training": {"tokens_a_second": 500.0 + seed, "steps": 71},
        "sentences_a_second": {"1": 31.0, "5": 13.0},
        "by_length": [{"source_words": "1–5", "pairs": 89, "bleu": bleu + 2, "chrf": 3.0},
                      {"source_words": "15+", "pairs": 0, "bleu": None, "chrf": None}],
    }  # fmt: skip


RESULTS = [result("dot", 2, 23.0), result("none", 1, 5.0), result("dot", 1, 19.0)]
FACTS = {"processor": "P", "torch": "T", "date": "D"}


def test_the_page_says_means_and_ranges() -> None:
    kinds = by_kind(RESULTS, list(comparison.VARIANTS))
    assert [row[:6] for row in table(kinds).rows] == [
        ("none", 1, "1,009", "5.0", "16.0", "501"),
        ("dot", 2, "1,009", "21.0 (19.0–23.0)", "32.0 (30.0–34.0)", "501"),  # speeds: the first seed's
    ]
    marks = picture(kinds).parts[0].series[0]  # type: ignore[attr-defined]
    assert (marks.x, marks.y, marks.errors) == (("none", "dot"), (5.0, 21.0), (0.0, 2.0))
    text = page(RESULTS, list(comparison.VARIANTS), FACTS)
    assert "| 1–5 | 89 | 7.0 | 23.0 |" in text
    assert "15+" not in text
    stated = {each["name"]: each.get("bleu") for each in listed()}
    assert f"`en-fr-transformer` has {stated['en-fr-transformer']:.1f} BLEU" in text


def test_the_rate_follows_the_share_of_the_budget() -> None:
    """Whatever a step costs, at half of the budget the rate is what it is at half of a run that was planned."""
    settings = budget._settings({"d_embedding": 7, "d_model": 22}, 31, 1, 101)
    rates = [rate(step, budget._fitting(settings, step, 0.5)) for step in (50, 500, 5000)]
    assert rates == pytest.approx([settings.learning_rate * 0.5 / 0.96] * 3, rel=0.02)
    assert rate(990, budget._fitting(settings, 990, 0.99)) < 0.02 * settings.learning_rate
    assert rate(10, budget._fitting(settings, 10, 0.01)) < 0.3 * settings.learning_rate


@pytest.mark.parametrize("name", ["none", "dot, input feeding (Luong)", "Transformer"])
def test_every_kind_trains_within_its_time(name: str) -> None:
    sides = reversed_pairs(211)
    pairs = Pairs([s for s, _ in sides], [t for _, t in sides], range(len(sides)))
    sizes = {"d_model": 22} | ({"n_heads": 2} if name == "Transformer" else {"d_embedding": 7})
    choices = comparison.VARIANTS[name] | sizes
    model, spent = budget.train(choices, pairs, tokenizer_of(pairs, 97), seconds=0.7, seed=3, batch_tokens=211)
    assert 0.7 <= spent.seconds < 3
    assert spent.steps > 1
    assert spent.tokens > 97
    assert not model.training
    _, again = budget.train(choices, pairs, tokenizer_of(pairs, 97), seconds=0.01, steps=3, seed=4, batch_tokens=211)
    assert again.steps == 3


def test_what_is_done_is_not_done_again(tmp_path: Path) -> None:
    asked = comparison._asked(["--work", str(tmp_path), "--seeds", "1", "2", "--only", "dot", "none"])
    left = lambda: list(comparison._left(asked, asked.seeds))  # noqa: E731
    assert left() == [("none", 1), ("dot", 1), ("none", 2), ("dot", 2)]
    facts = result("dot", 1, 3.0) | {"settings": comparison._settings(asked)}
    comparison._place(asked, "dot", 1).write_text(json.dumps(facts))
    assert left() == [("none", 1), ("none", 2), ("dot", 2)]
    assert comparison._steps(asked, "dot", 1) is None
    assert comparison._steps(asked, "dot", 2) == 71
    comparison._place(asked, "dot", 2).write_text(json.dumps(facts | {"seed": 2}))
    assert left() == [("none", 1), ("none", 2)]
    other = facts | {"seed": 2, "training": {"steps": 73}}  # not as many as the first
    comparison._place(asked, "dot", 2).write_text(json.dumps(other))
    assert left() == [("none", 1), ("none", 2), ("dot", 2)]
    asked.minutes = 11.0
    assert ("dot", 1) in left()
    places = {comparison._place(asked, name, 1) for name in comparison.VARIANTS}
    assert len(places) == len(comparison.VARIANTS)
