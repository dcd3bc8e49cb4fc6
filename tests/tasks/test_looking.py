"""Traces show themselves: methods that the roof attaches."""

from html import unescape

import pytest

import regard
from regard.core.errors import BadInput
from regard.inspection.record import record, teacher_forced
from regard.inspection.trace import Trace
from regard.tasks.translation import given_side
from toy import tokenizer, translator


def trace(kind: str) -> Trace:
    source, target = (given_side(text, tokenizer().encode(text)) for text in ("ant bee cat", "cat bee"))
    model = translator(vocab_size=tokenizer().vocab_size, attention=kind)
    return record(model, teacher_forced(source, target, 2), name="toy", fingerprint="0")


def test_a_trace_has_a_page_and_a_frame_for_notebooks() -> None:
    assert regard.load
    whole = trace("dot").html(lang="zh-Hant")  # type: ignore[attr-defined]
    assert whole.startswith("<!doctype html>")
    assert 'lang="zh-Hant"' in whole
    frame = trace("dot")._repr_html_()  # type: ignore[attr-defined]
    assert frame.startswith("<iframe srcdoc=")
    assert unescape(frame).count("<!doctype html>") == 1
    assert '"' not in frame.split('srcdoc="')[1].split('" sandbox')[0]


def test_a_model_without_attention_has_no_picture() -> None:
    assert regard.load
    with pytest.raises(BadInput) as caught:
        trace("none").picture()  # type: ignore[attr-defined]
    assert caught.value.code == "no_attention"


def test_a_notebook_is_told_why_there_is_nothing_to_draw() -> None:
    assert regard.load
    assert "no attention" in trace("none")._repr_html_()  # type: ignore[attr-defined]
