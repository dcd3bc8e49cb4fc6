"""The picture of an alignment: its links, its grid, its reading."""

import numpy as np
import pytest
from samples import SOURCE, TARGET, weights

from regard.views.alignment import alignment, reading
from regard.views.picture import Grid, Links, Rows

# chat and noir change places; the rest stays in order.
ENGLISH = ("the", "black", "cat", "ate", ".")
FRENCH = ("le", "chat", "noir", "a", "mangé", ".")
LOOKED = np.full((6, 5), 0.05)
LOOKED[range(6), (0, 2, 1, 3, 3, 4)] = 0.8


def parts(picture: Rows) -> tuple[Links, Grid]:
    links, grid = picture.parts
    assert isinstance(links, Links)
    assert isinstance(grid, Grid)
    return links, grid


def test_links_are_the_weights_from_the_threshold_on() -> None:
    values = weights(len(TARGET), len(SOURCE))
    links, _ = parts(alignment(SOURCE, TARGET, values, threshold=0.2))
    assert (links.top, links.bottom) == (SOURCE, TARGET)
    expected = {(s, t, values[t, s]) for t in range(len(TARGET)) for s in range(len(SOURCE)) if values[t, s] >= 0.2}
    assert set(links.links) == expected
    assert 0 < len(expected) < values.size


def test_the_grid_holds_every_weight_in_either_layout() -> None:
    values = weights(len(TARGET), len(SOURCE))
    _, by_query = parts(alignment(SOURCE, TARGET, values))
    _, by_key = parts(alignment(SOURCE, TARGET, values, layout="key-rows"))
    np.testing.assert_array_equal(by_query.values, values)
    np.testing.assert_array_equal(by_key.values, values.T)
    assert (by_query.row_names, by_query.column_names) == (TARGET, SOURCE) == (by_key.column_names, by_key.row_names)
    assert (by_query.row_axis, by_query.column_axis) == ("target", "source") == (by_key.column_axis, by_key.row_axis)
    assert "row" in by_query.title
    assert "column" in by_key.title


TOLD = {
    "en": [
        "“le” looks most at “the” (0.80); “chat” at “cat” (0.80); “noir” at “black” (0.80); “mangé” at “ate” (0.80).",
        "Where links cross, the two languages put their words in a different order.",
    ],
    "zh-Hant": [
        "「le」最關注「the」（0.80），「chat」最關注「cat」（0.80），「noir」最關注「black」（0.80），「mangé」最關注「ate」（0.80）。",
        "連線交叉之處，兩種語言的詞序不同。",
    ],
    "zh-Hans": [
        "“le”最关注“the”（0.80），“chat”最关注“cat”（0.80），“noir”最关注“black”（0.80），“mangé”最关注“ate”（0.80）。",
        "连线交叉的地方，两种语言的语序不同。",
    ],
}


@pytest.mark.parametrize("lang", TOLD)
def test_the_reading_tells_the_largest_weights(lang: str) -> None:
    """Of what crosses and of long words first, at most four; in the order of the sentence."""
    picture = alignment(ENGLISH, FRENCH, LOOKED, lang=lang)
    assert picture.reading == (" " if lang == "en" else "").join(TOLD[lang])


def test_the_order_is_told_only_where_it_changes() -> None:
    straight = reading(("a", "b"), ("c", "d"), np.array([[0.9, 0.1], [0.1, 0.9]]), "en")
    turned = reading(("a", "b"), ("c", "d"), np.array([[0.1, 0.9], [0.9, 0.1]]), "en")
    unsure = reading(
        ("a", "b", "x", "y", "z"), ("c", "d"), np.array([[0.2, 0.21] + [0.19] * 3, [0.21, 0.2] + [0.19] * 3]), "en"
    )
    assert ["cross" in told for told in (straight, turned, unsure)] == [False, True, False]


@pytest.mark.parametrize("target", [(".", "</s>"), ()])
def test_without_words_there_is_nothing_to_read(target: tuple[str, ...]) -> None:
    assert alignment(("a",), target, np.ones((len(target), 1))).reading == ""


def test_without_a_source_there_is_nothing_to_read() -> None:
    assert alignment((), ("a",), np.ones((1, 0))).reading == ""


def test_shapes_must_fit() -> None:
    with pytest.raises(ValueError, match="3"):
        alignment(("a", "b"), ("c",), np.ones((1, 3)))
