"""Pictures as files: the numbers, the bytes, the fonts."""

import logging
import re
import threading
from pathlib import Path

import matplotlib
import matplotlib.font_manager
import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text as Written
from samples import CHINESE, EMPTY, EVERYTHING, HOSTILE, MARKS, SOURCE, TABLE, aligned, grid, weights

from regard.core.errors import BadInput, Failure
from regard.views import png
from regard.views.alignment import alignment
from regard.views.picture import Columns, Formula, Grid, Links, Marks, Picture, Rows, Series, Text
from regard.views.png import fonts

NOWHERE = "\U0010fffd"  # private use: no font has a glyph for it
NUMBER = re.compile(r"−?\d+\.\d+|−∞")


def words(picture: Picture, lang: str = "en") -> list[str]:
    """Every piece of text of the drawn figure, in the order it was drawn."""
    with matplotlib.rc_context():
        drawn, _ = png.figure(picture, lang=lang)
        return [text for each in drawn.findobj(Written) if (text := each.get_text()) and each.get_visible()]


def number(text: str) -> float:
    return float(text.replace("−", "-").replace("∞", "inf"))


def numbers(picture: Picture) -> list[float]:
    return [number(text) for text in words(picture) if NUMBER.fullmatch(text)]


@pytest.mark.parametrize("heat", [True, False])
def test_numbers_of_a_grid(heat: bool) -> None:
    picture = grid(3, 5, heat=heat)
    values = picture.values[~np.isnan(picture.values)]
    np.testing.assert_allclose(numbers(picture), values, atol=5e-4)


def test_numbers_stand_under_and_beside_their_names() -> None:
    picture = Grid(values=np.arange(10).reshape(2, 5) / 10, row_names=("q0", "q1"), column_names=tuple("abcde"))
    with matplotlib.rc_context():
        drawn, _ = png.figure(picture)
    at = {text.get_text(): text.get_position() for text in drawn.findobj(Written)}
    for (row, column), value in np.ndenumerate(picture.values):
        x, y = at[f"{value:.2f}"]
        assert x == at["abcde"[column]][0]
        assert y == at[f"q{row}"][1]


def test_a_large_grid_has_a_scale_for_its_numbers() -> None:
    picture = Grid(values=weights(29, 31), row_names=("r",) * 29, column_names=("c",) * 31)
    assert numbers(picture) == pytest.approx([picture.values.min(), picture.values.max()], abs=5e-3)
    assert words(picture).count("c") == 31


def test_numbers_of_an_alignment() -> None:
    links, matrix = aligned().parts
    assert isinstance(links, Links)
    assert isinstance(matrix, Grid)
    written = sorted((bottom, -weight) for _, bottom, weight in links.links)
    assert numbers(links) == pytest.approx([-weight for _, weight in written], abs=5e-3)
    assert numbers(matrix) == pytest.approx(matrix.values.ravel(), abs=5e-3)
    for tokens in (links.top, links.bottom):
        assert set(tokens) <= set(words(links))


def test_names_of_many_keep_apart() -> None:
    """Names below an axis are broken where they would run into each other; a long legend takes a second line."""
    names = ("one", "two, with input feeding", "three, with input feeding", "four", "five", "six", "seven", "eight")
    one = Marks(series=(Series("score", names, tuple(map(float, range(8))), "points"),))
    assert {"one", "two, with\ninput\nfeeding"} <= set(words(one))
    many = Marks(series=tuple(Series(f"{name} of them", ("a", "b"), (1.01, 2.02)) for name in names))
    with matplotlib.rc_context():
        drawn, _ = png.figure(many, lang="en")
        places = [each.get_position() for each in drawn.findobj(Written) if each.get_text().endswith(" of them")]
    assert len({x for x, _ in places}) < len(places) == 8
    assert len({y for _, y in places}) > 1
    assert not {"1.01", "2.02"} & set(words(many)), "numbers beside so many lines would not be read"


def test_numbers_of_marks_and_tables() -> None:
    marks = words(MARKS)
    assert [text for text in marks if "±" in text] == ["48.2 ±1.8", "41.0 ±1.1", "33.1 ±2.3"]
    assert {"47.1", "36.2", "−2.9", "en-fr", "en-fr-fixed", "1–5", "words", "BLEU"} <= set(marks)
    assert {"412", "48.20", "−3.05", "en-fr", "sentences"} <= set(words(TABLE))


def test_title_reading_and_check_stand_in_the_picture() -> None:
    assert {"Everything", "A reading.", "Of two lines.", "checked"} <= set(words(EVERYTHING))
    drawn = words(aligned())
    assert max(drawn.index(text) for text in SOURCE) < drawn.index("checked: rows")


def test_a_formula_is_set_or_written_plainly() -> None:
    latex = r"\frac{a}{\sqrt{d_k}}"
    assert words(Formula(latex=latex, plain="a/√d")) == [f"${latex}$"]
    for unknown in (r"\begin{bmatrix}1\end{bmatrix}", r"\text{貓}", r"\frac{", "a$b", ""):
        assert words(Formula(latex=unknown, plain="plain")) == ["plain"]


def test_columns_stand_beside_each_other_where_they_fit() -> None:
    def size(count: int) -> np.ndarray:
        with matplotlib.rc_context():
            return np.asarray(png.figure(Columns(parts=(grid(2, 3),) * count))[0].get_size_inches())

    one, two, nine = size(1), size(2), size(9)
    assert two[0] > 1.5 * one[0]
    assert two[1] == one[1]
    assert nine[0] == one[0]
    assert nine[1] > 5 * one[1]


@pytest.mark.parametrize("ending", ["png", "svg", "pdf"])
def test_the_same_picture_gives_the_same_bytes(ending: str, tmp_path: Path) -> None:
    picture = Rows(parts=(grid(2, 3, row_names=("貓", "cat")), MARKS))
    for name in ("one", "other"):
        png.save(picture, tmp_path / f"{name}.{ending}", lang="zh-Hant")
    one, other = ((tmp_path / f"{name}.{ending}").read_bytes() for name in ("one", "other"))
    assert one == other
    assert len(one) > 5000
    assert not re.search(rb"Matplotlib|20\d\d-\d\d-\d\d|/CreationDate", one)
    assert sorted(path.name for path in tmp_path.iterdir()) == [f"one.{ending}", f"other.{ending}"]


def test_an_svg_holds_every_number(tmp_path: Path) -> None:
    picture = grid(3, 5)
    png.save(picture, tmp_path / "a.svg")
    found = re.findall(r"<!-- (\S+) -->", (tmp_path / "a.svg").read_text(encoding="utf-8"))
    expected = picture.values[~np.isnan(picture.values)]
    np.testing.assert_allclose([number(text) for text in found if NUMBER.fullmatch(text)], expected, atol=5e-4)


def test_the_process_keeps_its_settings(tmp_path: Path) -> None:
    before = dict(matplotlib.rcParams)
    with matplotlib.rc_context({"font.size": 31, "text.parse_math": True, "axes.facecolor": "red"}):
        during = dict(matplotlib.rcParams)
        png.save(grid(), tmp_path / "a.png")
        assert dict(matplotlib.rcParams) == during
    png.save(grid(), tmp_path / "b.png")
    assert dict(matplotlib.rcParams) == before
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


def test_two_at_once_do_not_mix(tmp_path: Path) -> None:
    pictures = {"a": grid(2, 3), "b": Text(text="退貨")}
    for name, picture in pictures.items():
        png.save(picture, tmp_path / f"{name}.png")
    threads = [
        threading.Thread(target=png.save, args=(pictures[name], tmp_path / f"{name}{at}.png"))
        for name in pictures
        for at in range(1, 3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for name in pictures:
        assert {path.read_bytes() for path in tmp_path.glob(f"{name}*.png")} == {
            (tmp_path / f"{name}.png").read_bytes()
        }


# Fonts: `filterwarnings = error` turns every missing glyph that matplotlib meets into a failure.


def cjk_face(lang: str) -> str:
    return next((face for face in fonts.FACES[lang] if face in fonts._known()), "")


@pytest.mark.parametrize("lang", ["en", "zh-Hant", "zh-Hans"])
def test_chinese_has_a_font_or_a_named_warning(lang: str, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        titles = alignment(("cat",), ("chat",), np.eye(1), lang=lang)
        note = png.save(titles, tmp_path / "a.png", lang=lang)
        own = png.save(Grid(values=np.eye(3), row_names=CHINESE, column_names=CHINESE), tmp_path / "b.png", lang=lang)
    assert (note is None) == (lang == "en")
    assert own is not None
    assert caplog.records == []
    if face := cjk_face(lang):
        assert own.face == face
        assert own.missing == ()
        assert face in own.sentence
    else:
        assert "U+8CA8" in own.sentence
        assert set("".join(CHINESE)) <= set(own.missing)


def test_each_region_has_its_own_face(monkeypatch: pytest.MonkeyPatch) -> None:
    han = frozenset(map(ord, "貓"))
    monkeypatch.setattr(fonts, "covered", lambda family: frozenset() if family == fonts.LATIN else han)
    monkeypatch.setattr(fonts, "_known", lambda: {"Noto Sans CJK SC", "Noto Sans CJK TC", "Noto Sans CJK JP"})
    chosen = {lang: fonts.choose("貓", lang)[0].families[1] for lang in fonts.FACES}
    assert chosen == {"en": "Noto Sans CJK SC", "zh-Hant": "Noto Sans CJK TC", "zh-Hans": "Noto Sans CJK SC"}


@pytest.mark.parametrize("lang", fonts.FACES)
def test_a_font_installed_of_late_is_of_the_readers_region_too(monkeypatch: pytest.MonkeyPatch, lang: str) -> None:
    late = ("Noto Sans CJK HK", "Noto Sans CJK SC", "Noto Sans CJK TC")
    known: set[str] = set()
    monkeypatch.setattr(fonts, "covered", lambda family: frozenset() if family == fonts.LATIN else {ord("貓")})
    monkeypatch.setattr(fonts, "_known", lambda: known)
    monkeypatch.setattr(fonts, "_newly_installed", lambda: known.update(late) or late)
    assert fonts.choose("貓", lang)[0].families == (fonts.LATIN, f"Noto Sans CJK {'TC' if lang == 'zh-Hant' else 'SC'}")


def test_a_sign_without_a_font_is_drawn_as_its_code_point(tmp_path: Path) -> None:
    picture = Text(text=f"a{NOWHERE}b")
    note = png.save(picture, tmp_path / "a.png", lang="en")
    assert note is not None
    assert note.missing == (NOWHERE,)
    assert "U+10FFFD" in note.sentence
    assert words(picture) == ["aU+10FFFDb"]


def test_without_any_cjk_font(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """What a machine shows that has no fonts but those that matplotlib brings."""
    bundled = [face for face in matplotlib.font_manager.fontManager.ttflist if "matplotlib" in face.fname]
    monkeypatch.setattr(matplotlib.font_manager.fontManager, "ttflist", bundled)
    monkeypatch.setattr(fonts, "findSystemFonts", list)
    fonts._newly_installed.cache_clear()
    note = png.save(Links(top=("貓",), bottom=("cat",), links=((0, 0, 1.0),)), tmp_path / "a.png", lang="zh-Hans")
    fonts._newly_installed.cache_clear()
    assert note is not None
    assert note.missing == ("貓",)
    assert "U+8C93" in note.sentence


def test_a_font_installed_after_matplotlib_looked_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    manager = matplotlib.font_manager.fontManager
    path = next(face.fname for face in manager.ttflist if face.name == "STIXSizeOneSym")
    monkeypatch.setattr(manager, "ttflist", [face for face in manager.ttflist if face.name != "STIXSizeOneSym"])
    monkeypatch.setattr(fonts, "findSystemFonts", lambda: [path, "/no/such/font.ttf"])
    fonts._newly_installed.cache_clear()
    assert fonts._newly_installed() == ("STIXSizeOneSym",)
    fonts._newly_installed.cache_clear()


# Bad input


def test_an_unknown_ending_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput) as told:
        png.save(grid(), tmp_path / "a.bmp")
    assert (told.value.code, told.value.facts["given"]) == ("picture_format", ".bmp")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(Failure):
        png.save(Text(text="a"), tmp_path / "no" / "a.png")


@pytest.mark.parametrize(
    "token", [HOSTILE, "\x1b[31m", "\ud800", "$x^2$", "\\alpha", "%", "e\u0301", "--", "x" * 10_000]
)
def test_any_token_can_be_drawn(token: str, tmp_path: Path) -> None:
    names = (token, "cat")
    matrix = Grid(values=weights(2, 2), row_names=names, column_names=names)
    png.save(Rows(parts=(matrix, Links(top=names, bottom=names, links=((0, 1, 0.5),)))), tmp_path / "a.svg")
    assert "<img" not in (tmp_path / "a.svg").read_text(encoding="utf-8").replace("<image", "")


@pytest.mark.parametrize("picture", EMPTY)
def test_nothing_can_be_drawn(picture: Picture) -> None:
    with matplotlib.rc_context():
        assert isinstance(png.figure(picture)[0], Figure)
