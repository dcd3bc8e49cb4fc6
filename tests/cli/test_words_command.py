"""`regard words`: every form it answers in, and what it refuses."""

import json
from pathlib import Path

import numpy as np
import pytest
from asking import ask, refused

MADE = "man 1 0 0\nwoman 0 1 0\nking 1 0 3\nqueen 0 1 3\nuncle 1 0 -.4\naunt 0 1 -.4\nnew_york 0 0 1\n"


@pytest.fixture
def made(tmp_path: Path) -> Path:
    (tmp_path / "made.txt").write_text(MADE)
    return tmp_path / "made.txt"


def told(*options: str | Path) -> dict:
    status, out, err = ask("words", "--format", "json", *options)
    assert (status, err) == (0, "")
    return json.loads(out)


def test_the_nearest_words(made: Path) -> None:
    found = told("king - man + woman", "--vectors", made, "--top", "2")
    assert set(found) == {"expression", "answers", "left_out", "vectors", "unit", "lower_cased", "joined"}
    assert [each["word"] for each in found["answers"]] == ["queen", "new_york"]
    assert found["vectors"] == {"name": str(made), "words": 7, "width": 3}
    status, out, _ = ask("words", "king - man + woman", "--vectors", made, "--top", "2")
    assert status == 0
    assert f"queen      {found['answers'][0]['cosine']:.4f}" in out
    assert "words of the question: “king”, “man”, “woman”" in out


def test_a_minus_at_the_beginning_and_names_with_spaces(made: Path) -> None:
    assert told("--vectors", made, "--", "-man + new york")["left_out"] == ["man", "new york"]


def test_the_cosine_of_two_and_of_several(made: Path) -> None:
    two = told("aunt - uncle", "woman - man", "--vectors", made)
    assert two["cosine"] == pytest.approx(two["cosines"][0][1]) == pytest.approx(1)
    assert (
        "cos(aunt - uncle, woman - man) = 1.0000" in ask("words", "aunt - uncle", "woman - man", "--vectors", made).out
    )
    three = told("man", "woman", "king", "--vectors", made)
    assert np.array(three["cosines"]).shape == (3, 3)
    assert "cosine" not in three


def test_raw_and_first(made: Path) -> None:
    unit, raw = (told("king - man", "queen", "--vectors", made, *more)["cosine"] for more in ((), ("--raw",)))
    assert raw == pytest.approx(3 / 10**0.5)
    assert unit != pytest.approx(raw, abs=0.01)
    assert told("king", "--vectors", made, "--first", "4")["vectors"]["words"] == 4


def test_a_direction(made: Path) -> None:
    found = told("aunt", "uncle", "--vectors", made, "--direction", "man:woman,king:queen")
    assert [each["word"] for each in found["words"]] == ["aunt", "uncle"]
    assert found["words"][0]["cosine"] == pytest.approx(-found["words"][1]["cosine"])
    ends = told("--vectors", made, "--direction", "man:woman", "--top", "2")
    assert [each["word"] for each in ends["along"]] == ["aunt", "queen"]
    assert [each["word"] for each in ends["against"]] == ["uncle", "king"]
    assert ends["pairs"] == [{"from": "man", "to": "woman", "cosine": None}]


def test_analogies(made: Path, tmp_path: Path) -> None:
    questions = tmp_path / "questions.txt"
    questions.write_text(": family\nMan Woman King Queen\nman woman uncle aunt\n: cities\nParis France Rome Italy\n")
    found = told("--vectors", made, "--analogies", questions)
    assert {key: found[key] for key in ("accuracy", "right", "asked", "questions", "method")} == {
        "accuracy": 1.0, "right": 2, "asked": 2, "questions": 3, "method": "add",
    }  # fmt: skip
    assert [each["accuracy"] for each in found["sections"]] == [1.0, None]
    status, out, _ = ask("words", "--vectors", made, "--analogies", questions, "--method", "mul")
    assert status == 0
    assert "3CosMul: 2 of 2 right" in " ".join(out.split())
    assert "2 of 3" in " ".join(out.split())
    assert told("--vectors", made, "--analogies", questions, "--no-lower")["asked"] == 1


def test_a_word_that_is_cut_is_explained() -> None:
    found = told("unicorn")
    assert len(found["joined"]["unicorn"]) > 1
    assert "is no token: its vector is the mean of the" in " ".join(ask("words", "unicorn").out.split())


@pytest.mark.parametrize("form", ["png", "svg", "html", "pdf"])
def test_a_picture(made: Path, tmp_path: Path, form: str) -> None:
    path = tmp_path / f"words.{form}"
    status, out, err = ask("words", "king - man + woman", "--vectors", made, "-o", path)
    assert (status, out) == (0, "")
    assert str(path) in err
    if form in ("svg", "html"):
        assert "new_york" in path.read_text(encoding="utf-8")
    assert path.stat().st_size > 1000


def test_json_into_a_file(made: Path, tmp_path: Path) -> None:
    assert ask("words", "king", "--vectors", made, "-o", tmp_path / "found.json").code == 0
    assert json.loads((tmp_path / "found.json").read_text())["expression"] == "king"


@pytest.mark.parametrize("lang", ["zh-Hant", "zh-Hans"])
@pytest.mark.parametrize("what", [["king"], ["king", "man"], ["--direction", "man:woman"]])
def test_in_chinese(made: Path, lang: str, what: list[str]) -> None:
    status, out, _ = ask("words", *what, "--vectors", made, "--lang", lang)
    assert status == 0
    assert {"zh-Hant": "詞向量：", "zh-Hans": "词向量："}[lang] in out


def test_what_cannot_be_is_refused(made: Path, tmp_path: Path) -> None:
    bad = tmp_path / "bad.txt"
    bad.write_text(MADE + "cat 1 2\n")
    three = tmp_path / "three.txt"
    three.write_text("man woman king\n")
    assert "written most like it: queen" in refused("words", "quene", "--vectors", made)
    assert "king - man" in refused("words", "king-man", "--vectors", made)
    assert "line 8" in refused("words", "king", "--vectors", bad)
    assert "3 words came" in refused("words", "--analogies", three, "--vectors", made)
    assert "no pair" in refused("words", "--direction", "man", "--vectors", made)
    assert "Nothing was asked" in refused("words", "--vectors", made)
    assert "leave one out" in refused("words", "king", "--vectors", made, "--model", "tang")
    assert "leave them out" in refused("words", "king", "--vectors", made, "--analogies", three)
    assert "character 7" in refused("words", "king -", "--vectors", made)
    assert "none.txt" in refused("words", "king", "--vectors", tmp_path / "none.txt")
    assert "add" in refused("words", "--analogies", three, "--vectors", made, "--method", "ad")
    assert "tiny-gpt" in refused("words", "king", "--model", "tiny-gtp")
