"""`regard evaluate --text`: perplexity in words, as JSON, as a picture; models side by side; bad input in one line."""

import gzip
import json
import math
import re
import shutil
from pathlib import Path

import pytest
from asking import ask, refused

from regard.models import folder
from regard.models.gpt import Gpt, gpt2
from regard.text import prose_tokenizers

TEXT = "the mole in the tower\nthe tower\n" * 3


@pytest.fixture
def text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A text, and two models that have learnt nothing: `pieces` and `signs`."""
    monkeypatch.chdir(tmp_path)
    for name, kind in (("pieces", "bpe"), ("signs", "characters")):
        tokenizer = prose_tokenizers.train([TEXT], kind=kind, vocab_size=263)  # type: ignore[arg-type]
        config = gpt2(vocab_size=tokenizer.vocab_size, max_len=17, d_model=14, n_heads=7, n_layers=1)
        folder.save(Path(name), Gpt(config), tokenizer, "# card\n")
    Path("text.txt").write_text(TEXT)
    return Path("text.txt")


def told(*arguments: str | Path, stdin: str = "") -> dict:
    answer = ask("evaluate", *arguments, "--format", "json", stdin=stdin)
    assert (answer.code, answer.err, answer.out.count("\n")) == (0, "", 1), answer
    return json.loads(answer.out)


def test_a_person_gets_a_table_and_a_program_the_same_figures(text: Path) -> None:
    one = told("--text", text, "--model", "signs", "--stride", "5")
    assert (one["model"], one["documents"], one["tokens"], one["bytes"]) == ("signs", 1, len(TEXT) - 1, len(TEXT) - 1)
    assert (one["context"], one["stride"]) == (17, 5)
    assert one["perplexity"] == pytest.approx(math.exp(one["nats_per_token"]))
    shown = ask("evaluate", "--text", text, "--model", "signs", "--stride", "5").out
    names = ("nats_per_token", "bits_per_byte", "perplexity")
    row = rf"^signs +{len(TEXT) - 1} +{len(TEXT) - 1} +" + " +".join(re.escape(f"{one[name]:.4f}") for name in names)
    assert re.search(rf"{row} +17 +5$", shown, re.MULTILINE), shown
    assert "every token is foretold once" in shown
    assert "different tokens" not in shown


def test_what_a_model_lacks_commands_no_terminal(text: Path) -> None:
    text.write_text(TEXT + "\x1b[31mQ\u202e")
    answer = ask("evaluate", "--text", text, "--model", "signs")
    assert r"\x1b" in answer.err
    assert r"\u202e" in answer.err
    assert "\x1b" not in answer.err


def test_models_side_by_side(text: Path) -> None:
    both = ("--model", "signs", "--model", "pieces")
    found = told("--text", text, *both)["models"]
    assert [each["model"] for each in found] == ["signs", "pieces"]
    assert found[0] == told("--text", text, "--model", "signs")
    answer = ask("evaluate", "--text", text, *both, "--picture", "x.png", "--picture", "x.html")
    assert "only bits a byte compares them" in answer.out
    assert answer.err.startswith("Wrote x.png.\nWrote x.html.")
    assert f"{found[1]['perplexity']:.4f}" in Path("x.html").read_text()


def test_texts_come_from_folders_json_lines_gz_and_pipes(text: Path) -> None:
    Path("many").mkdir()
    Path("many/a.txt.gz").write_bytes(gzip.compress(TEXT.encode()))
    Path("many/b.jsonl").write_text(json.dumps({"body": TEXT}) + "\n" + json.dumps({"body": "the"}) + "\n")
    alone = told("--text", text, "--model", "signs")
    assert told("--text", "-", "--model", "signs", stdin=TEXT) == alone
    assert told("--text", "many/a.txt.gz", "--model", "signs") == alone
    lines = told("--text", "many/b.jsonl", "--field", "body", "--model", "signs")
    assert (lines["documents"], lines["tokens"]) == (2, alone["tokens"] + 2)
    assert told("--text", text, "--text", "many/a.txt.gz", "--model", "signs")["documents"] == 2


def test_without_a_model_it_is_tiny_gpt(text: Path) -> None:
    assert told("--text", text)["model"] == "tiny-gpt"


def test_characters_that_it_lacks_are_named(text: Path) -> None:
    text.write_text("the 飛 mole ☃ 飛")
    answer = ask("evaluate", "--text", text, "--model", "signs")
    assert answer.err == (
        "signs does not know these characters of the text, and foretold a sign for unknown in their place: 飛 ☃\n"
    )
    assert ask("evaluate", "--text", text, "--model", "pieces").err == ""


@pytest.mark.parametrize(("lang", "said"), [("zh-Hant", "困惑度"), ("zh-Hans", "困惑度")])
def test_it_speaks_chinese(text: Path, lang: str, said: str) -> None:
    shown = ask("evaluate", "--text", text, "--model", "signs", "--lang", lang).out
    assert said in shown
    assert not re.search("perplexity|window|step", shown)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--text", "none.txt"], "No file none.txt"),
        (["--text", "empty"], "holds no text"),
        (["--text", "empty.txt"], "has 0 tokens, and signs can foretell none"),
        (["--text", "latin1.txt"], "latin1.txt, line 1"),
        (["--text", "text.txt", "--field", "body"], "this is no JSON"),
        (["--text", "text.txt", "--stride", "0"], "--stride is 0, and signs reads at most 17"),
        (["--text", "text.txt", "--stride", "18"], "from 1 to 17"),
        (["--text", "text.txt", "--beam", "2"], "--beam and --text were both given"),
        (["--text", "text.txt", "--columns", "1,2"], "--columns and --text were both given"),
        (["--text", "text.txt", "--model", "en-fr"], "en-fr is no language model"),
        (["--text", "text.txt", "--model", "empty"], "empty is no model folder"),
        (["--text", "text.txt", "--picture", "x.bmp"], "x.bmp"),
    ],
    ids=str,
)
def test_what_is_wrong_is_said_in_one_line(text: Path, arguments: list[str], told: str) -> None:
    Path("empty").mkdir()
    Path("empty.txt").write_text("")
    Path("latin1.txt").write_bytes(b"b\xe9\n")
    assert told in refused("evaluate", "--model", "signs", *arguments)


def test_two_folders_of_one_name_are_told_apart(text: Path) -> None:
    shutil.copytree("pieces", "other/signs")
    found = told("--text", text, "--model", "signs", "--model", "other/signs")["models"]
    assert [each["model"] for each in found] == ["signs", "other/signs"]
