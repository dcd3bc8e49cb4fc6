"""`regard heads`: roles, sharpness and effects in every form; texts of a file are averaged."""

import json
from pathlib import Path

import pytest
from asking import ask, refused

LINE = "Once upon a time there was a dog. The dog saw a"


def told(*options: str | Path) -> dict:
    status, out, err = ask("heads", *options, "--format", "json")
    assert (status, err) == (0, "")
    return json.loads(out)


def test_all_heads_with_roles_and_effects() -> None:
    found = told(LINE)
    assert set(found) == {"heads", "tokens", "texts", "check"}
    assert len(found["heads"]) == 36
    for head in found["heads"]:
        assert set(head) == {"address", "layer", "head", "role", "roles", "sharpness", "effect"}
        assert all(share is None or 0 <= share <= 1 for share in head["roles"].values())
        assert 0 <= head["sharpness"] <= 1
    evidence = json.loads(ask("evidence", LINE, "--of", "heads", "--top", "36", "--format", "json").out)["effects"]
    cut = {(each["address"], each["head"]): each["delta_log_prob"] for each in evidence}
    assert cut == {(each["address"], each["head"]): pytest.approx(each["effect"], abs=1e-4) for each in found["heads"]}


def test_the_order_asked_for() -> None:
    sizes = [abs(each["effect"]) for each in told(LINE, "--by", "effect")["heads"]]
    assert sizes == sorted(sizes, reverse=True)
    near = [each["roles"]["local"] for each in told(LINE, "--by", "local", "--no-effect")["heads"]]
    assert near == sorted(near, reverse=True)


def test_in_words_as_in_numbers() -> None:
    first = told(LINE, "--by", "effect")["heads"][0]
    status, out, _ = ask("heads", LINE, "--by", "effect", "--top", "3")
    words = " ".join(out.split())
    assert status == 0
    assert f"layer {first['layer']} head {first['head']}" in words
    way = "falls" if first["effect"] < 0 else "rises"
    assert f"{way} by {abs(first['effect']):.2f} nats" in words
    assert "Heads not shown: 33" in words


def test_a_translator_and_its_parts() -> None:
    found = told("The black cat ate the mouse.", "--model", "en-fr-transformer", "--no-effect")
    known = {each["address"].rpartition(".")[2]: set(each["roles"]) for each in found["heads"]}
    assert "alignment" in known["cross"]
    assert "induction" in known["self"]
    assert all(each["effect"] is None for each in found["heads"])
    assert found["key_tokens"][-1] == "</s>"


def test_texts_of_a_file_are_averaged(tmp_path: Path) -> None:
    lines = ["A cat sat", "The dog ran to the park and"]
    path = tmp_path / "texts.txt"
    path.write_text("\n\n".join(lines) + "\n")
    both = {(each["layer"], each["head"]): each["effect"] for each in told("--input", path)["heads"]}
    one, other = ({(e["layer"], e["head"]): e["effect"] for e in told(line)["heads"]} for line in lines)
    assert both == {place: pytest.approx((one[place] + other[place]) / 2, abs=1e-6) for place in one}


@pytest.mark.parametrize("lang", ["zh-Hant", "zh-Hans"])
def test_in_chinese(lang: str) -> None:
    status, out, _ = ask("heads", "A cat sat", "--no-effect", "--top", "2", "--lang", lang)
    assert status == 0
    assert "（--top）" in out


def test_what_cannot_be_is_refused() -> None:
    assert "induction" in refused("heads", LINE, "--by", "inducton")
    assert "at least one word" in refused("heads", " ")
    assert "en-fr-fixed" in refused("heads", "The cat.", "--model", "en-fr-fixed")
