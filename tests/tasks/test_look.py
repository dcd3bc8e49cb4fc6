"""What is asked of a trace is what is shown of it: heads, queries, words; in JSON, in tables, in pictures alike."""

import csv
import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from attentive import heads_of, statistics_alone, traced
from regard.core.errors import BadInput
from regard.inspection.standing import roles, standing_out
from regard.inspection.trace import READ, Check, Sequence, Trace
from regard.inspection.wording import worded
from regard.tasks.heads import heads
from regard.tasks.look import Asked, look, looked, queries_of
from regard.tasks.looked import Looked
from regard.tasks.looking import stamp
from regard.tasks.recording import record
from regard.views import terminal
from regard.views.picture import Grid, Marks, Rows, Table, Tiles
from regard.views.telling import standing as standing_told

TEXT = "the cats sat"
SPANS = ((0, 0), (0, 3), (3, 7), (7, 8), (8, 12))
SIDE = Sequence(
    TEXT, ("<s>", "the", " cat", "s", " sat"), (1, 2, 3, 4, 5), (3, 0, 1, 1, 2), SPANS, ("special", *["text"] * 4)
)


def spoken() -> Trace:
    """Five tokens of three words, after one that begins every text."""
    return replace(traced(5, heads=3), sequences={READ: SIDE})


def refusal(asked: Asked, trace: Trace | None = None) -> BadInput:
    with pytest.raises(BadInput) as caught:
        looked(trace or traced(7), asked).json()
    return caught.value


# Words


def test_words_sum_over_keys_and_average_over_queries() -> None:
    trace = spoken()
    heads = looked(trace, Asked(words=True)).heads
    assert heads.queries == ("<s>", "the", "cats", "sat")
    tokens = trace.weights(layer=1, head=2).astype(float)
    keys = np.stack([tokens[:, 0], tokens[:, 1], tokens[:, 2] + tokens[:, 3], tokens[:, 4]], axis=1)
    by_hand = np.stack([keys[0], keys[1], (keys[2] + keys[3]) / 2, keys[4]])
    np.testing.assert_allclose(heads.weights(heads.names.index((1, 2))), by_hand, atol=1e-6)


def test_words_of_other_heads_in_each_layer() -> None:
    """Three heads of the first layer and one of the second: each is still its own."""
    trace = spoken()
    first, second = trace.sites
    whole = looked(trace, Asked(words=True)).heads
    found = worded(trace, ((first, 0), (first, 2), (second, 1)))
    for site, head in ((first, 0), (first, 2), (second, 1)):
        expected = whole.weights(whole.names.index((site.layer, head)))
        np.testing.assert_array_equal(found.weights(layer=site.layer, head=head), expected)


def test_of_text_without_spaces_tokens_are_words() -> None:
    side = Sequence(
        "退貨 cats", ("退", "貨", " cat", "s"), (1, 2, 3, 4), (0, 0, 1, 1), ((0, 1), (1, 2), (2, 6), (6, 7))
    )
    found = worded(replace(traced(4), sequences={READ: side}), ((traced(4).sites[0], 0),))
    assert found.sequences[READ].tokens == ("退", "貨", "cats")


def test_words_of_a_long_text_are_made_of_a_few_heads_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("regard.inspection.wording.MOST_BYTES", 4 * 49 * 3)
    assert refusal(Asked(words=True)).code == "words_too_many"
    assert looked(traced(7), Asked(words=True, layers=(1,))).json()["patterns"]


# Which heads and which queries


def test_a_head_is_named_only_for_what_it_does() -> None:
    """A hundredth of its weight on the token before makes no head of that kind; the sharpest is named anyhow."""
    scores = {"previous": np.array([0.01, 0.2]), "sharp": np.array([0.05, 0.04])}
    assert standing_out(scores) == [(1, "previous"), (0, "sharp")]


def test_a_trace_says_itself_which_model_it_is_of(tmp_path: Path) -> None:
    traced(7).save(tmp_path / "t.safetensors")
    for what in (str(tmp_path / "t.safetensors"), str(tmp_path)):
        with pytest.raises(BadInput) as caught:
            look(what, Asked(), model="tiny-gpt")
        assert caught.value.facts == {"one": "--model", "other": what}


def test_the_first_is_the_first_that_heads_names() -> None:
    """Of a trace with queries and keys; sentences are those of `regard heads`, of statistics alone they are fewer."""
    text = "Once upon a time there was a dog. The dog saw a cat."
    named = heads("tiny-gpt", text, effect=False).heads[0]
    found = look(text, Asked(), model="tiny-gpt")
    assert isinstance(found, Looked)
    site, head = found.heads.places[found.first]
    assert (site.layer, head) == (named.site.layer, named.head)
    share = f"{named.roles['previous']:.2f}"
    assert named.role == "previous"
    told = f"layer {site.layer} head {head} looks at the token just before: {share} of its weight."
    assert told in standing_told(found.heads, "en")
    alone = looked(record("tiny-gpt", text, keep="statistics"), Asked())
    assert alone.first == found.first
    assert {role for _, role, _ in alone.heads.standing} <= {"previous", "first", "itself", "sharp"}


def test_roles_of_a_long_text_are_told_from_some_queries(monkeypatch: pytest.MonkeyPatch) -> None:
    exact = heads_of(traced(11)).standing
    for place in ("inspection.roles", "views.telling"):
        monkeypatch.setattr(f"regard.{place}.SAMPLED", 7)
    some = heads_of(traced(11))
    assert len(some.standing) == len(exact)
    assert some.standing != exact
    assert "7 of the 11 queries" in standing_told(some, "en")


def test_heads_that_stand_out() -> None:
    trace = traced(11)
    found = trace.statistics(layer=1)
    scores = roles(found)
    weights = np.stack([trace.weights(layer=1, head=head) for head in range(3)])
    np.testing.assert_allclose(scores["previous"], [np.diagonal(each, -1).mean() for each in weights], atol=1e-6)
    np.testing.assert_allclose(scores["sharp"], weights[:, 1:].max(-1).mean(-1), atol=1e-6)
    assert len(standing_out(scores)) == 3
    assert standing_out(scores)[0] == (int(scores["previous"].argmax()), "previous")
    assert set(roles(traced(11, keys=13, parts={}).statistics(layer=0))) == {"first", "sharp"}


def test_the_head_that_stands_out_is_shown_where_none_is_named() -> None:
    trace = traced(7)
    found = looked(trace, Asked())
    (pattern,) = found.json()["patterns"]
    assert (pattern["layer"], pattern["head"]) == heads_of(trace).names[found.heads.best]
    np.testing.assert_allclose(
        pattern["weights"], trace.weights(layer=pattern["layer"], head=pattern["head"]), atol=1e-7
    )


def test_several_heads_and_some_queries() -> None:
    trace = traced(7)
    shown = looked(trace, Asked(layers=(1, 0), heads=(2,), query="3-5")).json()
    assert [(each["layer"], each["head"]) for each in shown["patterns"]] == [(0, 2), (1, 2)]
    assert shown["queries"] == [3, 4, 5]
    np.testing.assert_allclose(shown["patterns"][1]["weights"], trace.weights(layer=1, head=2)[3:6], atol=1e-7)
    assert "".join(shown["tokens"]) == trace.sequences[READ].text


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        (Asked(layers=(2,)), "no_site"),
        (Asked(heads=(3,)), "no_head"),
        (Asked(part="cross"), "no_site"),
        (Asked(query="7"), "no_query"),
        (Asked(query="5-3"), "query_form"),
        (Asked(query="-1"), "query_form"),
        (Asked(query="cat"), "query_form"),
    ],
)
def test_what_is_not_there_is_refused(asked: Asked, code: str) -> None:
    assert refusal(asked).code == code


def test_the_range_of_queries_is_said() -> None:
    assert "0 … 6" in str(refusal(Asked(query="7")))
    assert queries_of("6", 7) == range(6, 7)


def test_a_trace_of_statistics_has_pictures_and_no_single_weights() -> None:
    trace = statistics_alone(traced(67))
    assert refusal(Asked(), trace).code == "no_rows_kept"
    assert refusal(Asked(words=True), trace).code == "no_rows_kept"
    assert isinstance(looked(trace, Asked()).picture("en"), Rows)
    assert "<main" in looked(trace, Asked()).html("en")


def test_too_many_numbers_for_one_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("regard.tasks.looked.MOST_NUMBERS", 48)
    assert refusal(Asked()).code == "look_too_many"
    assert looked(traced(7), Asked(query="2")).json()["patterns"]


# Forms


def test_a_csv_has_a_line_a_weight() -> None:
    trace = traced(5)
    lines = list(csv.DictReader(io.StringIO(looked(trace, Asked(layers=(1,), query="2-3")).csv())))
    assert len(lines) == 3 * 2 * 5
    for line in lines:
        place = {"layer": int(line["layer"]), "head": int(line["head"])}
        weight = trace.weights(**place)[int(line["query_index"]), int(line["key_index"])]
        assert float(line["weight"]) == pytest.approx(float(weight), abs=1e-7)


@pytest.mark.parametrize("width", [None, 80])
def test_pictures_show_the_same_numbers(width: int | None) -> None:
    trace = traced(7)
    one = looked(trace, Asked(layers=(1,), heads=(2,))).picture("en", width=width)
    assert isinstance(one, Grid)
    np.testing.assert_allclose(one.values, trace.weights(layer=1, head=2), atol=1e-7)
    turned = looked(trace, Asked(layers=(1,), heads=(2,))).picture("en", width=width, layout="key-rows")
    assert isinstance(turned, Grid)
    np.testing.assert_array_equal(turned.values, one.values.T)
    assert (turned.row_axis, turned.column_axis) == ("key", "query")


def test_one_query_is_a_list_of_its_largest_weights() -> None:
    trace = traced(67)
    marks = looked(trace, Asked(layers=(1,), heads=(2,), query="41")).picture("en")
    assert isinstance(marks, Marks)
    weights = trace.weights(layer=1, head=2)[41]
    np.testing.assert_allclose(marks.series[0].y, np.sort(weights)[::-1][:8], atol=1e-7)
    assert [int(str(label).split()[0]) for label in marks.series[0].x] == np.argsort(-weights)[:8].tolist()
    text = terminal.render(marks, width=80, colour=False)
    assert all(f"{weight:.4f}" in text for weight in marks.series[0].y)
    across = looked(trace, Asked(query="41")).picture("en")
    assert isinstance(across, Rows)
    assert isinstance(across.parts[1], Table)
    assert len(across.parts[1].rows) == 6


def test_a_long_head_is_a_map_of_blocks_that_fits() -> None:
    trace = traced(131)
    for width in (60, 100):
        rows = looked(trace, Asked(layers=(1,), heads=(2,))).picture("en", width=width)
        assert isinstance(rows, Rows)
        assert isinstance(rows.parts[0], Tiles)
        high, wide = rows.parts[0].values.shape[2:]
        size = -(-131 // high)
        assert wide <= width - 8
        weights = trace.weights(layer=1, head=2).astype(float)
        blocks = np.add.reduceat(np.add.reduceat(weights, range(0, 131, size), axis=0), range(0, 131, size), axis=1)
        counts = np.diff([*range(0, 131, size), 131])
        np.testing.assert_allclose(rows.parts[0].values[0, 0], blocks / counts[:, None], atol=1e-6)
        assert max(map(len, terminal.render(rows, width=width, colour=False).split("\n"))) <= width


def test_each_check_is_told() -> None:
    told = [stamp(Check(kind, 1e-7, 1e-4), "en") for kind in ("rows", "full", "sums")]
    assert ["32 queries" in told[0], "logits" in told[1], "itself" in told[2]] == [True] * 3


def test_a_trace_is_looked_at_without_its_model(tmp_path: Path) -> None:
    trace = traced(7)
    trace.save(tmp_path / "t.safetensors")
    found = look(str(tmp_path / "t.safetensors"), Asked(layers=(0,), heads=(1,)))
    np.testing.assert_allclose(found.json()["patterns"][0]["weights"], trace.weights(layer=0, head=1), atol=1e-7)
