"""What a notebook shows of a picture: one image that holds all, with its words for those who do not see it."""

import re
from base64 import b64decode

import numpy as np
import pytest

from regard import pictures


def grid(title: str, reading: str = "") -> pictures.Grid:
    return pictures.Grid(title, reading, values=np.array([[0.25, 0.75]]), row_names=("a",), column_names=("b", "c"))


@pytest.mark.parametrize(
    ("picture", "alt"),
    [
        (grid("Weights", "They sum to 1."), "Weights They sum to 1."),
        (grid('"<b>" & co'), "&quot;&lt;b&gt;&quot; &amp; co"),
        (pictures.Rows("Both", parts=(grid("One"), pictures.Columns(parts=(grid("Two"),)))), "Both One Two"),
    ],
)
def test_an_image_says_what_it_shows(picture: pictures.Picture, alt: str) -> None:
    shown = picture._repr_html_()
    assert f'alt="{alt}"' in shown
    drawn = b64decode(re.search(r"base64,([^\"]+)", shown)[1])
    assert drawn.rstrip().endswith(b"</svg>")
    points = float(re.search(rb'width="([\d.]+)pt"', drawn)[1])
    assert f"width:{points * 96 / 72:.0f}px" in shown
