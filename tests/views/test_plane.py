"""Names on a plane cover neither each other nor a point, and every medium draws the same."""

import json
import re
from itertools import combinations

import numpy as np
import pytest

from regard.views import html, terminal
from regard.views.picture import Marks, Series
from regard.views.plane import laid

SHEET = (300.0, 200.0)


def measure(name: str) -> tuple[float, float]:
    return 6.0 * len(name), 10.0


def crowd(count: int, seed: int = 0, spread: float = 1.0) -> Marks:
    points = np.random.default_rng(seed).normal(size=(count, 2)) * spread
    names = tuple(f"word{at}" for at in range(count))
    return Marks(series=(Series("all", tuple(points[:, 0]), tuple(points[:, 1]), "points", labels=names),))


def boxes(picture: Marks) -> list[tuple[float, float, float, float]]:
    spots = laid(picture, SHEET, measure, 5.0, 20.0)
    return [(*s.place, s.place[0] + 6.0 * len(s.label), s.place[1] + 10.0) for s in spots if s.place is not None]


@pytest.mark.parametrize("count", [1, 7, 41, 211])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_no_name_covers_another(count: int, seed: int) -> None:
    found = boxes(crowd(count, seed))
    for one, other in combinations(found, 2):
        assert one[0] >= other[2] or other[0] >= one[2] or one[1] >= other[3] or other[1] >= one[3]
    assert all(box[0] >= 0 and box[1] >= 0 and box[2] <= SHEET[0] and box[3] <= SHEET[1] for box in found)
    assert len(found) == count or count > 40


def test_no_name_covers_a_point() -> None:
    spots = laid(crowd(41), SHEET, measure, 5.0, 20.0)
    for box in boxes(crowd(41)):
        assert not any(box[0] < spot.x < box[2] and box[1] < spot.y < box[3] for spot in spots)


def test_one_step_is_as_long_on_both_axes() -> None:
    corners = Marks(series=(Series("", (0.0, 3.0, 0.0), (0.0, 0.0, 1.0), "points", labels=("a", "b", "c")),))
    a, b, c = laid(corners, SHEET, measure, 5.0, 20.0)
    assert b.x - a.x == pytest.approx(3 * (a.y - c.y))
    assert c.y < a.y  # up is up


@pytest.mark.parametrize("picture", [crowd(1), crowd(5, spread=0.0), Marks(series=(Series("", (), (), labels=()),))])
def test_points_in_one_place_or_none(picture: Marks) -> None:
    terminal.render(picture)
    html.render(picture)
    laid(picture, SHEET, measure, 5.0, 20.0)


def test_the_page_has_every_name_and_number() -> None:
    picture = crowd(7)
    page = html.render(picture)
    data = json.loads(re.search(r'id="regard-data">(.*?)</script>', page).group(1))
    spots = data["plane"]["spots"]
    assert [spot["label"] for spot in spots] == list(picture.series[0].labels)
    for name, x in zip(picture.series[0].labels, picture.series[0].x, strict=True):
        assert f"<td >{name}</td>" in page
        assert f"{x:.2f}".replace("-", "−") in page


def test_a_terminal_shows_names_of_every_script() -> None:
    names = ("國王", "queen", "\x1b[31m")
    picture = Marks(series=(Series("kind", (0.0, 1.0, 2.0), (0.0, 1.0, 0.0), "points", labels=names),), x_axis="axis")
    drawn = terminal.render(picture, width=60, colour=False)
    assert all(name in drawn for name in ("國王", "queen", "\\x1b[31m", "● kind", "→ axis"))
    assert "\x1b" not in drawn
    assert drawn.count("●") == 4
