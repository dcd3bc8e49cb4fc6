"""`regard evidence`: weights beside effects, in every form; what cannot be cut is refused with the numbers."""

import json
import re

import pytest
from asking import ask

from regard.views.evidence import NAMED, evidence

LINE, MODEL = "The black cat ate the mouse.", ("--model", "en-fr")


def told(*options: str) -> dict:
    status, out, err = ask("evidence", LINE, *MODEL, *options, "--format", "json")
    assert (status, err) == (0, "")
    return json.loads(out)


def test_each_edge_with_its_weight_and_its_effect() -> None:
    found = told("--top", "5")
    assert set(found) == {"target", "baseline", "how", "effects", "agreement", "weight_agreement"}
    assert found["target"]["tokens"][-1] == "</s>"
    assert len(found["effects"]) == 5
    first = found["effects"][0]
    assert first["address"] == "decoder.layers.0.cross"
    assert first["delta_log_prob"] < -1
    assert first["kl"] > 0.5
    changes = [abs(each["delta_log_prob"]) for each in found["effects"]]
    assert changes == sorted(changes, reverse=True)
    assert -1 <= found["agreement"] <= 1


def test_it_looks_most_at_x_and_without_x() -> None:
    """Note 003's scene, made real: the sentence names the edge, the weight and what its loss costs."""
    first = told("--top", "3")["effects"][0]
    status, out, _ = ask("evidence", LINE, *MODEL, "--top", "3")
    words = " ".join(out.split())
    query, key = first["query_token"].strip(), first["key_token"].strip()
    sentence = f"“{query}” looks at “{key}” with the weight {first['weight']:.2f}"
    assert status == 0
    assert sentence in words
    assert f"without that edge the log-probability falls by {-first['delta_log_prob']:.2f} nats" in words


def test_one_edge_alone_is_the_same_as_among_others() -> None:
    first = told("--top", "3")["effects"][0]
    alone = told("--query", str(first["query"]), "--key", str(first["key"]))["effects"]
    assert len(alone) == 1
    assert alone[0]["delta_log_prob"] == pytest.approx(first["delta_log_prob"], abs=1e-5)
    assert alone[0]["weight"] == pytest.approx(first["weight"], abs=1e-6)


@pytest.mark.parametrize(("kind", "field"), [("words", "word"), ("heads", "head"), ("layers", "address")])
def test_words_heads_and_layers(kind: str, field: str) -> None:
    found = told("--of", kind)["effects"]
    assert all(field in each for each in found)
    if kind == "words":
        assert {each["word"] for each in found} == {"The", "black", "cat", "ate", "the", "mouse.", "</s>"}


def test_a_span_is_named_by_its_numbers_or_by_its_text() -> None:
    """Nothing may look at *black cat*; the tokens 1 and 2 of the source."""
    by_text, by_number = told("--key", "black cat"), told("--key", "1-2")
    assert by_text["effects"] == by_number["effects"]
    (effect,) = by_text["effects"]
    assert (effect["key"], effect["key_token"]) == ([1, 2], " black cat")
    (alone,) = told("--query", "mangé", "--key", "ate")["effects"]
    assert (alone["query"], alone["key"], alone["weight"] > 0.9) == (4, 3, True)
    status, out, _ = ask("evidence", LINE, *MODEL, "--key", "black cat")
    assert status == 0
    assert "If nothing may look at “black cat” (cross layer 0), the log-probability falls by" in " ".join(out.split())


def test_one_by_one_within_what_is_named() -> None:
    found = told("--of", "queries", "--query", "2-4")["effects"]
    assert sorted(each["query"] for each in found) == [2, 3, 4]
    edges = told("--of", "edges", "--query", "mangé", "--top", "50")["effects"]
    assert {each["query"] for each in edges} == {4}
    assert told("--of", "edges", "--part", "cross", "--top", "3")["effects"] == told("--top", "3")["effects"]


def test_patching_from_the_same_text_and_from_another() -> None:
    """The RNN hands on what it found in the source: with that of the dog, *chat* is not what it would say."""
    same = told("--patch", LINE, "--of", "queries")
    assert all(abs(each["delta_log_prob"]) <= 1e-5 for each in same["effects"])
    assert same["patch"]["log_prob"] == pytest.approx(same["baseline"]["log_prob"])
    other = told("--patch", "The black dog ate the mouse.", "--of", "queries")
    first = other["effects"][0]
    assert (first["query_token"], first["rank"] > 1, other["how"]) == (" chat", True, "patched")
    assert "".join(other["patch"]["tokens"]).startswith("The black dog")
    assert told("--how", "mean", "--query", "4")["effects"][0]["delta_log_prob"] < -1


def test_another_translation_and_another_cut() -> None:
    given = told("--target", "Le chat noir dort.", "--how", "zeroed", "--top", "2")
    assert given["baseline"]["log_prob"] < told()["baseline"]["log_prob"]


def test_a_language_model_and_its_continuation() -> None:
    status, out, _ = ask("evidence", "Once upon a", "--target", " time", "--top", "4", "--format", "json")
    found = json.loads(out)
    assert status == 0
    assert found["target"]["tokens"] == [" time"]
    assert all(each["address"].startswith("decoder.layers") for each in found["effects"])


@pytest.mark.parametrize("lang", ["zh-Hant", "zh-Hans"])
def test_in_chinese(lang: str) -> None:
    status, out, _ = ask("evidence", LINE, *MODEL, "--top", "2", "--lang", lang)
    assert status == 0
    assert re.search("(對數機率|对数概率)下降", out.replace("\n", ""))


@pytest.mark.parametrize(
    ("options", "named"),
    [
        (("--layer", "7"), "decoder.layers.0.cross"),
        (("--head", "3"), "1"),
        (("--query", "99"), "99"),
        (("--part", "cross"), "--layer"),
        (("--how", "gently"), "renormalised"),
        (("--of", "letters"), "words"),
        (("--top", "0"), "--top"),
        (("--key", "moon"), "moon"),
        (("--key", "3-99"), "3-99"),
        (("--key", "ate", "--patch", LINE), "--of heads"),
        (("--of", "words", "--how", "mean"), "--of heads"),
        (("--how", "zeroed", "--patch", LINE), "--patch"),
        (("--vector", "mean", "--target", "Le chat"), "--vector"),
        (("--vector", "99"), "99"),
    ],
)
def test_what_cannot_be_cut_is_refused(options: tuple[str, ...], named: str) -> None:
    status, out, err = ask("evidence", LINE, *MODEL, *options)
    assert (status, out) == (2, "")
    assert named in err
    assert "None" not in err
    assert "Traceback" not in err


def test_a_long_target_is_named_by_its_beginning() -> None:
    found = evidence([], [f"t{n}" for n in range(NAMED + 5)], -1.5, float("nan"), how="zeroed", lang="en")
    assert found.title is not None
    assert f"t{NAMED - 1} …”" in found.title
    assert f"t{NAMED}" not in found.title


def test_a_model_without_attention_and_an_empty_text() -> None:
    for line, model in ((LINE, "en-fr-fixed"), (" ", "tiny-gpt")):
        status, out, err = ask("evidence", line, "--model", model)
        assert (status, out, len(err.strip().splitlines())) == (2, "", 1)


def test_texts_that_cannot_be_laid_on_each_other_and_words_that_come_twice() -> None:
    status, out, err = ask("evidence", "Once upon a time", "--patch", "Once upon the long day")
    assert (status, out) == (2, "")
    assert "5 tokens and the other 6" in err
    status, out, _ = ask("evidence", "Once upon a time", "--patch", "Once upon the long day", "--query", "2")
    assert status == 0
    status, out, err = ask("evidence", "the cat saw the dog", "--key", "the")
    assert (status, out) == (2, "")
    assert "2 times" in err


def test_a_vector_in_place_of_words() -> None:
    status, out, _ = ask("evidence", "Once upon a time", "--vector", "time", "--top", "3", "--format", "json")
    found = json.loads(out)
    assert status == 0
    assert found["target"] == {"tokens": [" time"], "vector": [4]}
    assert found["baseline"] == {"log_prob": None}
    cosines = [each["cosine"] for each in found["effects"]]
    assert cosines == sorted(cosines)
    assert 0 < cosines[0] < 1
    assert {each["delta_log_prob"] for each in found["effects"]} == {None}
    status, out, _ = ask("evidence", "Once upon a time", "--vector", "mean", "--of", "layers")
    assert status == 0
    assert "cosine" in out
