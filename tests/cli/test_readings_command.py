"""`regard heads --readings`: every reading of one query side by side, of a GPT and both translators."""

import json

import pytest
from asking import ask, refused

NAMES = ["weight", "norm", "rollout", "flow", "gradient", "knockout"]
LINE = "The black cat ate"


def told(*options: str) -> dict:
    status, out, err = ask("heads", *options, "--readings", "--format", "json")
    assert (status, err) == (0, "")
    return json.loads(out)


@pytest.mark.parametrize("model", ["tiny-gpt", "en-fr", "en-fr-transformer"])
def test_every_reading_has_a_number_for_every_token(model: str) -> None:
    found = told(LINE, "--model", model)
    assert list(found["readings"]) == NAMES
    count = len(found["keys"])
    assert all(len(each) == count for each in found["readings"].values())
    assert sum(found["readings"]["weight"]) == pytest.approx(1, abs=1e-5)
    for name in NAMES[:5]:
        assert min(found["readings"][name]) >= 0
    assert found["agreement"]["weight"]["weight"] == pytest.approx(1)
    assert found["agreement"]["norm"]["flow"] == pytest.approx(found["agreement"]["flow"]["norm"])


def test_one_attention_of_an_rnn_rolls_out_to_half_its_weights() -> None:
    """One step, of which half stays: rollout and flow are both ½·weight, and a knockout is the edge's own."""
    found = told(LINE, "--model", "en-fr", "--query", "1")["readings"]
    half = pytest.approx([each / 2 for each in found["weight"]], abs=1e-6)
    assert found["rollout"] == half
    assert found["flow"] == half
    assert found["knockout"][found["weight"].index(max(found["weight"]))] < -1


def test_one_head_reads_its_own_weights() -> None:
    """As `regard look` shows them."""
    place = ("--layer", "1", "--head", "2")
    found = told(LINE, *place, "--query", "3")
    looked = json.loads(ask("look", LINE, "--model", "tiny-gpt", *place, "--format", "json").out)
    assert found["readings"]["weight"] == pytest.approx(looked["patterns"][0]["weights"][3], abs=1e-6)
    assert found["query_token"] == looked["tokens"][3]
    later = [each[4:] for name, each in found["readings"].items()]
    assert all(value == pytest.approx(0, abs=1e-5) for each in later for value in each)


def test_readings_in_words_and_what_is_refused() -> None:
    status, out, _ = ask("heads", LINE, "--readings", "--lang", "zh-Hant")
    assert status == 0
    assert "切斷" in out
    assert "--readings" in refused("heads", LINE, "--layer", "1")
    assert "decoder.layers.5.self" in refused("heads", LINE, "--readings", "--layer", "9")
    assert "99" in refused("heads", LINE, "--readings", "--query", "99")
