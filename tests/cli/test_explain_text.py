"""`regard explain TEXT --model M`: what is printed is computed again from what is printed; bad wishes are one line."""

import json
import math
import re
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from asking import ask, refused

from redone import redo
from regard.language import LANGUAGES
from regard.tasks.explain_cell import place

TEXT = "Once upon a time there was a little girl."
CELL = ("--model", "tiny-gpt", "--layer", "1", "--head", "2")
RNN = ("The black cat ate the mouse.", "--model", "en-fr", "--query", "1")


class Printed(NamedTuple):
    """A table of a page: its head, and its rows with None where nothing stands."""

    head: list[str]
    rows: list[tuple[str, list[float | None]]]

    @property
    def whole(self) -> list[list[float]]:
        """The rows that are full."""
        return [[v for v in row if v is not None] for _, row in self.rows if None not in row]


def explained(*arguments: str) -> str:
    answer = ask("explain", *arguments)
    assert (answer.code, answer.err) == (0, "")
    return answer.out


def number(text: str) -> float | None:
    return float(text.replace("−∞", "-inf")) if text.strip() else None


def tables(page: str) -> list[Printed]:
    """Every table of a page: a line of names, a rule, and rows till the next empty line; columns end alike."""
    lines, found = page.split("\n"), []
    for at, rule in enumerate(lines):
        if not re.fullmatch("─+", rule):
            continue
        names = list(re.finditer(r"\S+(?: \S+)*", lines[at - 1]))
        edges = [0, names[0].end(), *(name.end() for name in names[1:])]
        rows = []
        for line in lines[at + 1 :]:
            if not line.strip():
                break
            label = re.match(r"\S+(?: \S+)*", line)
            assert label
            numbers = [line[max(start, label.end()) : end] for start, end in pairwise(edges[1:])]
            rows.append((label[0], [number(each) for each in numbers]))
        found.append(Printed([name[0] for name in names], rows))
    return found


def about(came: float, expected: float, digits: int, terms: int = 1, size: float = 1.0) -> None:
    """The same, as far as numbers rounded to so many digits can tell."""
    assert abs(came - expected) <= (terms + 1) * max(1.0, size) * 10.0**-digits, (came, expected)


def product(table: Printed, digits: int) -> None:
    """A sum written out: each term, and Σ."""
    for _, row in [row for row in table.rows if None not in row[1]]:
        one, other, term = (float(v) for v in row if v is not None)
        about(one * other, term, digits, size=max(abs(one), abs(other)))
    *terms, (label, last) = table.rows
    about(sum(float(row[-1]) for _, row in terms if row[-1] is not None), float(last[-1]), digits, len(terms))
    printed = round(sum(float(row[-1]) for _, row in terms if row[-1] is not None), digits)
    assert (label == "Σ =") == (abs(printed - float(last[-1])) < 0.5 * 10.0**-digits)


def summed(table: Printed, digits: int) -> None:
    """Columns that are added: a + b = c."""
    for row in table.whole:
        about(sum(row[:-1]), row[-1], digits, len(row))


def softmax(table: Printed, digits: int) -> None:
    """Largest first; the rest and Σ."""
    total = next(row for label, row in table.rows if label.startswith("Σ"))
    for score, less, power, weight in table.whole:
        about(score - table.whole[0][0], less, digits)
        about(math.exp(less), power, digits)
        about(power / float(total[2]), weight, digits)


def turned(table: Printed, digits: int) -> None:
    for cos, sin, a, b, c, d in table.whole:
        about(a * cos - b * sin, c, digits, 2, max(abs(a), abs(b)))
        about(a * sin + b * cos, d, digits, 2, max(abs(a), abs(b)))


def words(table: Printed, digits: int) -> None:
    """Logits, their exponentials, shares."""
    total = next(row for label, row in table.rows if label.startswith("Σ"))[1]
    for logit, power, share in table.whole:
        about(math.exp(logit - table.whole[0][0]), power, digits, size=2)
        about(power / float(total or 0), share, digits)


def squashed(table: Printed, digits: int) -> None:
    for product, bias, fed, said in table.whole:
        about(product + bias, fed, digits, 2)
        about(math.tanh(fed), said, digits)


def kind(table: Printed) -> Any:
    """How a table is computed again, by its head."""
    if table.head[-1].startswith("= "):
        return summed
    ends = {"b'": turned, "p": words, "h~ = tanh(u)": squashed}
    if table.head[-1] in ends:
        return ends[table.head[-1]]
    if table.head[-1] == "α" and len(table.head) == 5:
        return softmax
    return product if any(label.startswith("Σ") for label, _ in table.rows) and len(table.head) == 4 else None


@pytest.mark.parametrize("digits", [3, 6, 9])
@pytest.mark.parametrize("arguments", [(TEXT, *CELL), RNN], ids=["a GPT", "the RNN"])
def test_every_printed_table_follows_from_what_is_printed(arguments: tuple[str, ...], digits: int) -> None:
    page = explained(*arguments, "--digits", str(digits))
    found = tables(page)
    again = [(kind(table), table) for table in found]
    for compute, table in again:
        if compute is not None:
            compute(table, digits)
    known = {compute for compute, _ in again}
    assert {product, summed, softmax} <= known
    assert ({words, squashed} <= known) == (arguments is RNN)
    assert len(found) >= 8


@pytest.mark.parametrize("fault", [("Σ", 1), ("= y", 0), ("α", 0)])
def test_a_number_that_is_off_is_seen(fault: tuple[str, int]) -> None:
    """The test above is not blind: a planted wrong number does not pass."""
    found = tables(explained(TEXT, *CELL))
    head, _ = fault
    table = next(t for t in found if head in t.head or any(label.startswith(head) for label, _ in t.rows))
    row = next(row for label, row in table.rows if None not in row or label.startswith(head))
    row[-1] = float(row[-1] or 0) + 0.01
    compute = kind(table)
    with pytest.raises(AssertionError):
        compute(table, 6)


def test_one_table_hands_on_to_the_next() -> None:
    """The sum written out is the first number of all; queries and keys enter the score; the score enters softmax."""
    found = tables(explained(TEXT, *CELL, "--digits", "9"))
    by_head = {tuple(table.head): table for table in found}
    assert len(by_head) == len(found)
    for one, other in pairwise(found):
        if kind(one) is product and other.head[1] == one.head[-1].replace("[i]", "").replace("[i,1]", ""):
            assert one.rows[-1][1][-1] == other.rows[0][1][0]
    terms = by_head[("i", "q[i]", "k[i]", "q[i]·k[i]")]
    score = terms.rows[-1][1][-1]
    scaled = re.search(r"s / √\d+ = (\S+) / \S+ [=≈] (\S+)", explained(TEXT, *CELL, "--digits", "9"))
    assert scaled
    assert float(scaled[1]) == score
    softmaxed = next(table for table in found if kind(table) is softmax)
    assert float(scaled[2]) in [row[0] for row in softmaxed.whole]


@pytest.mark.parametrize("arguments", [(TEXT, *CELL), RNN], ids=["a GPT", "the RNN"])
def test_the_json_has_every_number(arguments: tuple[str, ...]) -> None:
    text = explained(*arguments, "--format", "json")
    told = json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))
    redo(told)
    assert text == explained(*arguments, "--format", "json", "--layout", "key-rows", "--digits", "2")
    assert list(told["steps"]) == ["query", "key", "value", "scores", "scaled", "masked", "weights", "context"]
    look = told["reading"][0]
    assert told["tokens"][look["query_index"]] == look["query"]
    assert told.get("key_tokens", told["tokens"])[look["key_index"]] == look["key"]
    assert told["check"]["deviation"] < 1e-5
    assert ("word" in told) == (arguments is RNN)
    assert ("residual" in told) == (arguments is not RNN)


def test_the_rnn_speaks_as_note_002() -> None:
    page = explained(*RNN)
    assert "h_d" in page
    assert "A = Σ α[j]·h[j]" in page
    assert "[A; h_d]" in page
    assert "“chat” gives" in page
    assert "The likeliest next word is “chat”" in page


@pytest.mark.parametrize("lang", LANGUAGES)
def test_a_page_is_as_wide_as_a_terminal(lang: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from rich.cells import cell_len

    monkeypatch.setenv("COLUMNS", "80")
    page = explained(TEXT, *CELL, "--lang", lang)
    assert max(map(cell_len, page.split("\n"))) <= 80


def test_every_form_holds_the_same_weight(tmp_path: Path) -> None:
    weight = f"{json.loads(explained(TEXT, *CELL, '--format', 'json'))['reading'][0]['weight']:.6f}"
    for ending, begins in (
        ("md", "# One cell"),
        ("tex", "% xelatex"),
        ("html", "<!doctype html>"),
        ("txt", "One cell"),
    ):
        path = tmp_path / f"cell.{ending}"
        assert ask("explain", TEXT, *CELL, "-o", path).code == 0
        content = path.read_text(encoding="utf-8")
        assert content.startswith(begins)
        assert weight in content
        assert "nan" not in re.findall(r"[a-z]+", content.lower()) or ending == "html"


def test_tokens_may_be_named_by_their_text() -> None:
    by_text = explained(TEXT, *CELL, "--query", "little", "--key", "upon", "--format", "json")
    look = json.loads(by_text)["reading"][0]
    assert (look["query"].strip(), look["key"].strip()) == ("little", "upon")
    numbers = ("--query", str(look["query_index"]), "--key", str(look["key_index"]))
    assert explained(TEXT, *CELL, *numbers, "--format", "json") == by_text


def test_a_key_that_may_not_be_seen() -> None:
    page = explained(TEXT, *CELL, "--query", "1", "--key", "3")
    assert "may not look at" in page
    assert "the mask makes the score −∞" in " ".join(page.split())
    look = json.loads(explained(TEXT, *CELL, "--query", "1", "--key", "3", "--format", "json"))["reading"][0]
    assert (look["weight"], look["hidden"]) == (0.0, "later")


def test_a_text_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "text.txt"
    path.write_text(TEXT, encoding="utf-8")
    assert explained(str(path), *CELL) == explained(TEXT, *CELL)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((TEXT, "--model", "tiny-gpt", "--head", "0"), ["--layer", "0 to "]),
        ((TEXT, "--model", "tiny-gpt", "--layer", "0"), ["--head", "0 to "]),
        ((TEXT, "--model", "tiny-gpt", "--layer", "99", "--head", "0"), ["99", "0 to "]),
        ((TEXT, "--model", "tiny-gpt", "--layer", "0", "--head", "99"), ["99", "counted from 0"]),
        ((TEXT, "--model", "tiny-gpt", "--layer", "0", "--head", "-1"), ["-1"]),
        ((TEXT, *CELL, "--part", "cross"), ["cross", "decoder"]),
        ((TEXT, *CELL, "--part", "middle"), ["middle", "encoder"]),
        ((TEXT, *CELL, "--query", "99"), ["--query", "99"]),
        ((TEXT, *CELL, "--query", "-1"), ["--query", "-1"]),
        ((TEXT, *CELL, "--key", "girls"), ["--key", "girls", "girl"]),
        ((TEXT, *CELL, "--query", "a"), ["--query", "several"]),
        ((TEXT, "--model", "tiny-gtp", "--layer", "0", "--head", "0"), ["tiny-gtp", "tiny-gpt"]),
        (("", *CELL), ["text"]),
        (("word " * 9999, *CELL), ["tokens", "at most"]),
        (("The cat.", "--model", "en-fr-fixed"), ["en-fr-fixed", "no attention"]),
        ((TEXT, *CELL, "--format", "python"), ["python", "json"]),
        ((TEXT, *CELL, "--causal"), ["--causal"]),
        ((TEXT, *CELL, "--blank", "weights"), ["--blank"]),
        (("returns", "--layer", "1"), ["--layer", "--model"]),
        ((TEXT, "--text"), ["--model"]),
    ],
)
def test_bad_wishes(arguments: tuple[str, ...], words: list[str]) -> None:
    told = refused("explain", *arguments)
    assert all(word in told for word in words), told


def test_a_token_is_its_number_or_its_text() -> None:
    tokens = ["the", " cat", "7", " cat"]
    assert [place(each, tokens, "--query") for each in ("the", 0, "3", 2)] == [0, 0, 3, 2]
