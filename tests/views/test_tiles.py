"""Tiles: every medium gives each cell the shade of its value, at its place."""

import re

import numpy as np
import pytest
from browsing import Element, drawn, parsed
from matplotlib.colors import to_rgb
from rich.cells import cell_len
from rich.style import Style
from samples import TILES
from test_html import embedded

from regard.views.data import LEVELS, data
from regard.views.html import render as page
from regard.views.picture import Tiles
from regard.views.png import figure
from regard.views.shade import DARK, LIGHT, colour
from regard.views.terminal import render

VALUES = TILES.values
SIGN = re.compile(r"\x1b\[([0-9;]*)m([^\x1b]*)")


def painted(tile: Element, high: int, wide: int) -> np.ndarray:
    """The shades of a tile's cells, from its paths."""
    found = np.zeros((high, wide))
    for path in tile.all("path"):
        style = path.attributes.get("style", "") or f"--v:{path.attributes.get('style --v')}"
        for x, y in re.findall(r"M(\d+) (\d+)h1v1h-1z", path.attributes["d"]):
            assert found[int(y), int(x)] == 0
            found[int(y), int(x)] = float(style.removeprefix("--v:"))
    return found


@pytest.mark.parametrize("way", ["written", "drawn"])
def test_a_page_has_every_cell_at_its_place(way: str) -> None:
    html = page(TILES)
    root = parsed(html) if way == "written" else drawn(embedded(html))[0]
    table = root.all("table", class_="tiles")[0]
    rows = [row for row in table.all("tr") if row.all("svg")]
    assert [row.all("th")[0].text for row in rows] == ["layer 0", "退貨 <b>"]
    assert [head.text for head in table.all("tr")[1].all("th")] == ["0", "100"]
    found = np.array([[painted(tile, 3, 5) for tile in row.all("svg")] for row in rows])
    np.testing.assert_allclose(found, VALUES, atol=0.5 / LEVELS + 1e-9)
    boxes = [{name.lower(): text for name, text in tile.attributes.items()}["viewbox"] for tile in table.all("svg")]
    assert set(boxes) == {"0 0 5 3"}


def test_a_terminal_with_colour_puts_two_cells_in_a_sign(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLORTERM", "truecolor")
    Style._add.cache_clear()  # rich remembers a style's codes, in the colours of whoever asked first
    lines = [line for line in render(TILES, width=80, colour=True).split("\n") if "▀" in line]
    found = np.zeros((4, 4), dtype=object)
    for at, line in enumerate(lines):
        signs = [style for style, text in SIGN.findall(line) for _ in text if "▀" in text]
        assert len(signs) == 10
        found[at] = [signs[0], signs[4], signs[5], signs[9]]
    for row, (tile, query) in enumerate([(0, 0), (0, 2), (1, 0), (1, 2)]):
        for sign, (to, key) in zip(found[row], [(0, 0), (0, 4), (1, 0), (1, 4)], strict=True):
            red, green, blue = (round(255 * part) for part in to_rgb(colour(VALUES[tile, to, query, key], DARK)))
            assert f"38;2;{red};{green};{blue}" in sign
            assert ("48;2" in sign) == (query == 0)


def test_a_terminal_without_colour_has_a_sign_a_cell() -> None:
    text = render(Tiles(values=np.array([[[[1.0, 0.0], [0.5, 0.25]]]]), column_names=("7",)), width=40, colour=False)
    assert [line.strip() for line in text.split("\n") if line.strip()] == ["7", "█", "▒░"]


@pytest.mark.parametrize("width", [20, 31, 200])
def test_a_narrow_terminal_gets_panels(width: int) -> None:
    values = np.tile(VALUES[:, :1], (1, 7, 1, 1))
    names = tuple(f"s{at}" for at in range(7))
    text = render(Tiles(values=values, row_names=("a", "b"), column_names=names), width=width, colour=False)
    assert re.findall(r"s\d", text) == list(names)
    assert max(map(cell_len, text.split("\n"))) <= width


def test_paper_has_every_cell_in_its_colour() -> None:
    drawing, _ = figure(TILES)
    images = drawing.axes[0].get_images()
    assert len(images) == 4
    for image, tile in zip(images, VALUES.reshape(-1, 3, 5), strict=True):
        wanted = np.array([[to_rgb(colour(round(value * 200) / 200, LIGHT)) for value in row] for row in tile])
        np.testing.assert_allclose(np.asarray(image.get_array())[..., :3], wanted, atol=1 / 255)
    lefts, tops = ([image.get_extent()[side] for image in images] for side in (0, 3))
    assert lefts[0] == lefts[2] < lefts[1] == lefts[3]
    assert tops[0] == tops[1] < tops[2] == tops[3]


def test_one_scale_for_all_tiles_and_a_blank_for_what_is_not_there() -> None:
    values = np.stack([np.full((1, 17, 17), 0.02), np.full((1, 17, 17), np.nan)])
    values[0, 0, 0, 0] = 0.5
    tiles = data(Tiles(values=values))["tiles"]
    assert [shade for shade, _ in tiles[0][0]] == [round(0.04 * LEVELS) / LEVELS, 1.0]
    assert tiles[1][0] == []
