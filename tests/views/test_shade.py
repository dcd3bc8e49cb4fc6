"""Shades and colours: linear, even to the eye, readable."""

import re
from importlib.resources import files

import numpy as np
import pytest

from regard.views.shade import DARK, LIGHT, Ramp, colour, contrast, ink, shades


def lightness(tint: str) -> float:
    """L* of CIE Lab, worked out here by another way than the ramp is made by."""
    linear = [((int(tint[at : at + 2], 16) / 255 + 0.055) / 1.055) ** 2.4 for at in (1, 3, 5)]
    return float(116 * (np.array(linear) @ [0.2126, 0.7152, 0.0722]) ** (1 / 3) - 16)


def test_small_weights_are_shaded_as_they_are() -> None:
    values = np.array([[0.25, 0.75], [0.0, -np.inf]])
    np.testing.assert_array_equal(shades(values), [[0.25, 0.75], [0.0, np.nan]])


def test_weights_of_long_rows_are_shaded_by_the_largest() -> None:
    np.testing.assert_allclose(shades(np.full((1, 20), 0.05)), 1.0)


def test_scores_are_shaded_by_their_largest_size() -> None:
    np.testing.assert_allclose(shades(np.array([[-4.0, 2.0, np.nan]])), [[-1.0, 0.5, np.nan]])


def test_nothing_and_zeros() -> None:
    assert shades(np.zeros((0, 3))).shape == (0, 3)
    np.testing.assert_array_equal(shades(np.zeros((2, 3))), np.zeros((2, 3)))


@pytest.mark.parametrize("ramp", [LIGHT, DARK])
@pytest.mark.parametrize("sign", [1, -1])
def test_steps_of_lightness_are_even(ramp: Ramp, sign: int) -> None:
    levels = np.array([lightness(colour(sign * shade, ramp)) for shade in np.linspace(0, 1, 11)])
    steps = np.diff(levels) * np.sign(levels[-1] - levels[0])
    assert steps.min() > 0.6 * steps.mean()
    assert steps.max() < 1.4 * steps.mean()


@pytest.mark.parametrize("ramp", [LIGHT, DARK])
def test_ends_are_what_they_are_said_to_be(ramp: Ramp) -> None:
    assert [colour(shade, ramp) for shade in (0.0, 1.0, -1.0, 7.0)] == [ramp.low, ramp.high, ramp.negative, ramp.high]


@pytest.mark.parametrize("ramp", [LIGHT, DARK])
def test_every_number_can_be_read(ramp: Ramp) -> None:
    for shade in np.linspace(-1, 1, 81):
        assert contrast(ink(shade, ramp), colour(shade, ramp)) >= 4.5


def test_the_page_has_the_same_colours() -> None:
    style = (files("regard.views") / "page" / "regard.css").read_text(encoding="utf-8")
    found = [dict(re.findall(r"--([\w-]+): (#?[\w.]+);", block)) for block in style.split("@media (prefers-color")[:2]]
    for names, ramp in zip(found, (LIGHT, DARK), strict=True):
        assert (names["low"], names["high"], names["negative"]) == ramp
        for sign, turn in ((1, float(names["turn"])), (-1, float(names["turn-negative"]))):
            for shade, on in ((turn - 0.005, names["on-low"]), (turn + 0.005, names["on-high"])):
                assert contrast(on, colour(sign * shade, ramp)) >= 4.5
