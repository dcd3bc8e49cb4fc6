"""The picture of scores by length."""

import math

import pytest

from regard.views.lengths import by_length
from regard.views.picture import Marks, Rows, Table

BUCKETS = ("1–5", "6–9", "10–14", "15+")
ATTENTION = dict(zip(BUCKETS, (48.2, 41.0, 37.7, 33.1), strict=True))
FIXED = dict(zip(BUCKETS, (47.1, 36.2, 24.0, 12.9), strict=True))


def scores(**models: dict[str, float]) -> dict[str, dict[str, dict[str, float]]]:
    return {name: {b: {"BLEU": v, "chrF": v + 20} for b, v in found.items()} for name, found in models.items()}


def parts(picture: Rows) -> tuple[Table, Marks]:
    table, marks = picture.parts
    assert isinstance(table, Table)
    assert isinstance(marks, Marks)
    return table, marks


def test_the_table_has_every_score() -> None:
    counts = dict(zip(BUCKETS, (412, 980, 377, 91), strict=True))
    table, _ = parts(by_length(scores(ours=ATTENTION, fixed=FIXED), counts=counts, lang="en"))
    assert table.head == ("words", "sentences", "BLEU ours", "BLEU fixed", "chrF ours", "chrF fixed")
    assert table.rows[1] == ("6–9", 980, 41.0, 36.2, 61.0, 56.2)
    assert [row[0] for row in table.rows] == list(BUCKETS)


def test_the_first_score_is_drawn_a_line_a_model() -> None:
    errors = scores(ours=dict.fromkeys(BUCKETS, 1.1), fixed={"15+": 2.5})
    _, marks = parts(by_length(scores(ours=ATTENTION, fixed=FIXED), errors=errors, lang="en"))
    assert (marks.y_axis, marks.title) == ("BLEU", "BLEU by length of the source sentence")
    assert [(series.name, series.x, series.y) for series in marks.series] == [
        ("ours", BUCKETS, tuple(ATTENTION.values())),
        ("fixed", BUCKETS, tuple(FIXED.values())),
    ]
    assert marks.series[0].errors == (1.1,) * 4
    assert [math.isnan(error) for error in marks.series[1].errors] == [True, True, True, False]


@pytest.mark.parametrize(
    ("models", "expected"),
    [
        (
            {"ours": ATTENTION, "fixed": FIXED},
            "ours leads fixed most at 15+ words: by 20.2 BLEU; least at 1–5 words: by 1.1.",
        ),
        (
            {"fixed": FIXED, "ours": ATTENTION},
            "ours leads fixed most at 15+ words: by 20.2 BLEU; least at 1–5 words: by 1.1.",
        ),
        ({"ours": {"1–5": 3.0}, "fixed": {"1–5": 1.0}}, "ours leads fixed most at 1–5 words: by 2.0 BLEU."),
        ({"ours": ATTENTION}, ""),
        ({"ours": {"1–5": 3.0}, "fixed": {"15+": 1.0}}, ""),
    ],
)
def test_the_reading_tells_where_one_leads(models: dict[str, dict[str, float]], expected: str) -> None:
    assert by_length(scores(**models), lang="en").reading == expected


def test_what_was_not_measured_is_blank() -> None:
    table, marks = parts(by_length(scores(ours=ATTENTION, fixed={"1–5": 1.0}), lang="en"))
    assert isinstance(table.rows[3][2], float)
    assert math.isnan(table.rows[3][2])
    assert math.isnan(marks.series[1].y[3])


def test_nothing_measured() -> None:
    assert by_length({}, lang="en").parts == (Table(head=("words",), digits=1),)
