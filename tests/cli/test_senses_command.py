"""`regard senses`: cases, sentences, tables; text, JSON and pictures; one clear line for what is wrong."""

import json
from pathlib import Path

import pytest
from asking import ask, refused

TEXTS = ["I can can a can.", "Open the can.", "She can sing."]
ROWS = (
    "can\t1\tmay\tI can can a can.\ncan\t4\ttin\tI can can a can.\n"
    "can\t2\ttin\tOpen the can.\ncan\t1\tmay\tShe can sing.\n"
)


def told(*options: str | Path) -> dict:
    status, out, err = ask("senses", *options, "--format", "json")
    assert (status, err) == (0, "")
    return json.loads(out)


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "can.tsv"
    path.write_text("word\tindex\tlabel\tsentence\n" + ROWS)
    return path


@pytest.mark.parametrize("word", ["can", "mole", "server", "tower"])
def test_the_notes_cases(word: str) -> None:
    found = told(word)
    assert [layer["layer"] for layer in found["layers"]] == list(range(7))
    assert all(0 <= layer["auc"] <= 1 for layer in found["layers"])
    assert found["layers"][0].keys() == {"layer", "auc", "same", "different", "cosine", "apart"}
    assert found["alone"]["auc"] == 0.5 or word == "tower"  # *Tower* has a capital in the note
    assert found["similarity"] == {}
    assert len(found["parting"]["looks"]) == len(found["occurrences"])
    assert found["chosen"] is None


def test_sentences_as_arguments_files_and_tables_are_one(table: Path, tmp_path: Path) -> None:
    by_table = told("can", "--input", table, "--similarity", "0,6")
    assert set(by_table["similarity"]) == {"0", "6"}
    lines = tmp_path / "sentences.txt"
    lines.write_text("\n".join(TEXTS) + "\n")
    given, filed = (told("can", *each, "--similarity", "all") for each in (TEXTS, [lines]))
    assert given == filed
    assert set(given["similarity"]) == {str(layer) for layer in range(-1, 7)}
    kept = [0, 2, 3, 4]  # without the second *can* of the first sentence
    matrix = [[given["similarity"]["6"][one][other] for other in kept] for one in kept]
    assert matrix == [pytest.approx(row, abs=1e-5) for row in by_table["similarity"]["6"]]
    assert {layer["auc"] for layer in given["layers"]} == {None}


def test_a_table_of_several_words(tmp_path: Path) -> None:
    path = tmp_path / "two.tsv"
    path.write_text(ROWS + "a\t3\tx\tI can can a can.\na\t0\ty\tA can.\n")
    both, one = told("--input", path), told("CAN", "--input", path)
    assert both["pairs"] == {"all": 7, "same": 2, "different": 5}
    assert one["pairs"] == {"all": 6, "same": 2, "different": 4}
    status, out, _ = ask("senses", "--input", path, "--no-looks")
    assert status == 0
    assert out.startswith("2 words on their way through tiny-gpt: 6 occurrences")


def test_standard_input(table: Path) -> None:
    status, out, _ = ask("senses", "--input", "-", "--format", "json", stdin=table.read_bytes())
    assert status == 0
    assert json.loads(out) == told("--input", table)


def test_in_words_as_in_numbers() -> None:
    found, (status, out, _) = told("can"), ask("senses", "can")
    words = " ".join(out.split())
    best = max(found["layers"][1:], key=lambda layer: layer["auc"])
    assert status == 0
    assert f"after layer {best['layer']}: there two occurrences of one sense (18 pairs)" in words
    assert f"in {best['auc']:.2f} of all comparisons" in words
    assert f"p = {found['p']:.3f}" in words
    first = found["parting"]["looks"][0][0]
    assert f"{first['word']} {first['weight']:.2f}" in words
    assert "from left to right" in words


def test_cosines_on_request() -> None:
    status, out, _ = ask("senses", "can", TEXTS[0], "--similarity", "-1,6", "--no-looks")
    found = told("can", TEXTS[0], "--similarity", "6")["similarity"]["6"]
    assert status == 0
    assert "Cosines, words alone" in out
    assert "Cosines, after layer 6" in out
    assert f"{found[0][2]:.2f}" in out.partition("Cosines, after layer 6")[2]


def test_what_is_chance_is_said_to_be() -> None:
    assert told("mole")["p"] > 0.05
    assert "does not tell these senses apart" in " ".join(ask("senses", "mole", "--no-looks").out.split())


@pytest.mark.parametrize("lang", ["zh-Hant", "zh-Hans"])
def test_in_chinese(lang: str) -> None:
    status, out, _ = ask("senses", "can", "--lang", lang)
    assert status == 0
    assert "tiny-gpt：12" in out
    assert "AUC" in out


@pytest.mark.parametrize("form", ["png", "svg", "html", "json"])
def test_a_picture(tmp_path: Path, form: str) -> None:
    path = tmp_path / f"can.{form}"
    status, out, err = ask("senses", "can", *TEXTS, "-o", path)
    assert (status, out) == (0, "")
    assert str(path) in err
    assert path.stat().st_size > 1000


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ([], "can, mole, server, tower"),
        (["dog"], "“dog”"),
        (["can", "I can", "no such word"], "no such word"),
        (["can", "I can"], "stands 1 times"),
        (["can", "I can can", "--input", "x.tsv"], "x.tsv"),
        (["can", "--similarity", "last"], "--similarity last"),
        (["can", "--similarity", "7"], "layers 1 to 6"),
        (["can", "--layer", "7"], "layers 1 to 6"),
        (["can", "--join", "first"], "first"),
        (["can", "--choose"], "half of the words"),
        (["can", "--model", "en-fr"], "en-fr"),
        (["can", "can " * 300], "256"),
        (["can", "-o", "can.gif"], "can.gif"),
        (["--input", "absent.tsv"], "absent.tsv"),
    ],
)
def test_what_cannot_be_is_refused(asked: list[str], said: str) -> None:
    assert said in refused("senses", *asked)


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("can\t1\tI can", "line 6: 3 columns"),
        ("can\t9\t\tI can", "line 6: the index 9"),
        ("can\tone\t\tI can", "line 6: the index is “one”"),
        ("can\t0\t\tI can", "line 6: word 0"),
    ],
)
def test_a_wrong_line_of_a_table_is_named(table: Path, row: str, said: str) -> None:
    table.write_text(table.read_text() + row + "\n")
    assert said in refused("senses", "--input", table)
