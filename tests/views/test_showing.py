"""Traces show themselves: methods that the roof attaches."""

import json
from html import unescape
from pathlib import Path

import numpy as np
import pytest
from browsing import opened, parsed

import regard
from attentive import statistics_alone, traced
from regard.core.errors import BadInput
from regard.inspection.record import record, teacher_forced
from regard.inspection.trace import Trace
from regard.models.transformer import Transformer, TransformerConfig
from regard.tasks.translation import given_side
from regard.views import look_page
from regard.views.picture import Columns, Rows
from toy import tokenizer, translator


def trace(kind: str) -> Trace:
    """Of an RNN, or of a Transformer."""
    assert regard.load  # the roof attaches what shows a trace when it is first asked for something
    source, target = (given_side(text, tokenizer().encode(text)) for text in ("ant bee cat dog", "cat"))
    sizes = {"vocab_size": tokenizer().vocab_size, "max_len": 13, "d_model": 6, "n_layers": 2, "n_heads": 3}
    if kind == "transformer":
        model = Transformer(TransformerConfig(**sizes, n_decoder_layers=2, d_ff=11)).eval()
    else:
        model = translator(vocab_size=sizes["vocab_size"], attention=kind)
    return record(model, teacher_forced(source, target, 2), name="toy", fingerprint="0")


def test_a_trace_has_a_page_and_a_frame_for_notebooks() -> None:
    whole = trace("dot").html(lang="zh-Hant")  # type: ignore[attr-defined]
    assert whole.startswith("<!doctype html>")
    assert 'lang="zh-Hant"' in whole
    frame = trace("dot")._repr_html_()  # type: ignore[attr-defined]
    assert frame.startswith("<iframe srcdoc=")
    assert unescape(frame).count("<!doctype html>") == 1
    assert '"' not in frame.split('srcdoc="')[1].split('" sandbox')[0]


def test_a_model_without_attention_has_no_picture() -> None:
    with pytest.raises(BadInput) as caught:
        trace("none").picture()  # type: ignore[attr-defined]
    assert caught.value.code == "no_attention"


def test_a_notebook_is_told_why_there_is_nothing_to_draw() -> None:
    assert "no attention" in trace("none")._repr_html_()  # type: ignore[attr-defined]
    untold = record_of("query")._repr_html_()  # type: ignore[attr-defined]
    assert "statistics is not in this trace" in untold
    assert "<" not in untold


def record_of(keep: str) -> Trace:
    found = regard.record("tiny-gpt", "Once upon a time", keep=keep)
    assert isinstance(found, Trace)
    return found


@pytest.mark.parametrize("part", ["encoder", "decoder", "cross"])
def test_of_heads_the_page_is_the_one_to_look_at(part: str) -> None:
    page = trace("transformer").html(part=part)  # type: ignore[attr-defined]
    assert 'look(document.getElementById("regard")' in page
    assert f'"part": "{part}"' in page


def test_a_page_of_a_translator_turns_from_part_to_part(tmp_path: Path) -> None:
    whole = trace("transformer")
    with opened(whole.html(), tmp_path) as browser:  # type: ignore[attr-defined]
        if browser is None:
            return
        view, heard = browser
        chips = view.locator(".parts-of-model button")
        chips.first.wait_for()
        assert sorted(chips.all_inner_texts()) == ["cross", "decoder", "encoder"]
        for part, layer in (("encoder", 1), ("decoder", 0), ("cross", 1)):
            chips.get_by_text(part).click()
            pressed = view.locator(".parts-of-model [aria-pressed='true']")
            pressed.filter(has_text=part).wait_for()
            assert pressed.all_inner_texts() == [part]
            view.wait_for_function("document.activeElement.innerText == '" + part + "'")
            view.locator(".heads td[role]").nth(3 * layer + 2).click()
            view.wait_for_function(f"location.hash.startsWith('#part={part}&head={layer}.2&query=')")
            view.locator(".one h2").filter(has_text=f"layer {layer} head 2").wait_for()
            rows = view.locator(".one tbody tr").all()
            shown = [[float(cell) for cell in row.locator("td").all_inner_texts() if cell] for row in rows]
            wanted = whole.weights(part=part, layer=layer, head=2)
            np.testing.assert_allclose(shown, wanted, atol=6e-3)
        view.reload()
        view.locator(".parts-of-model [aria-pressed='true']").get_by_text("cross").wait_for()
        assert view.locator(".one h2").inner_text() == "layer 1 head 2"
        assert [each for each in heard if not each.startswith("file:")] == []


def test_a_part_that_does_not_fit_is_named_with_its_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(look_page, "MOST_BYTES", 1)
    page = trace("transformer").html()  # type: ignore[attr-defined]
    inside = json.loads(parsed(page).all("script")[0].text)
    assert inside["others"] == []
    assert [each["part"] for each in inside["absent"]] == ["encoder", "decoder"]
    assert inside["absent"][0]["command"].endswith("--part encoder")


def test_a_part_that_is_named_stands_alone() -> None:
    inside = json.loads(parsed(trace("transformer").html(part="encoder")).all("script")[0].text)  # type: ignore[attr-defined]
    assert "others" not in inside


def test_the_picture_of_heads_is_all_of_them_and_one() -> None:
    assert isinstance(traced(7).picture(), Rows | Columns)  # type: ignore[attr-defined]
    assert "<!doctype html>" in statistics_alone(traced(67)).html()  # type: ignore[attr-defined]


def test_a_notebook_without_a_network_shows_all_heads(tmp_path: Path) -> None:
    """In a frame that may run its own script and nothing else."""
    shown = f'<!doctype html><p>Out[1]:</p><div style="width:900px">{traced(67)._repr_html_()}</div>'  # type: ignore[attr-defined]
    with opened(shown, tmp_path) as browser:
        if browser is None:
            return
        view, heard = browser
        frame = view.frame_locator("iframe")
        cells = frame.locator(".heads td[role]")
        cells.first.wait_for()
        assert cells.count() == 6
        cells.nth(4).click()
        assert frame.locator(".one h2").inner_text() == "layer 1 head 1"
        assert heard == []


def test_a_trace_is_loaded_where_no_model_is(tmp_path: Path) -> None:
    whole = traced(7)
    whole.save(tmp_path / "a.safetensors")
    found = regard.load_trace(tmp_path / "a.safetensors")
    np.testing.assert_array_equal(found.weights(layer=1, head=2), whole.weights(layer=1, head=2))
    assert found._repr_html_().startswith("<iframe")  # type: ignore[attr-defined]
    with pytest.raises(BadInput) as caught:
        regard.load_trace(tmp_path / "b.safetensors")
    assert caught.value.code == "file_missing"
