"""Pairs from standard input: kept in the run, so that a resume has them; JSON lines and packed ones as well."""

import gzip
import io
import json
import sys
from pathlib import Path

import pytest

from regard.core.errors import BadInput
from regard.tasks.training import Asked, train_translation
from toy import reversed_pairs

QUICK = {"steps": 3, "evaluate_every": 3, "batch_tokens": 211, "threads": 1, "precision": "fp32", "device": "cpu"}
TINY = {"d_embedding": 7, "d_model": 22, "input_feeding": "luong"}
TEXT = "".join(json.dumps({"en": s, "xx": t}) + "\n" for s, t in reversed_pairs(211)).encode()


def pipe(monkeypatch: pytest.MonkeyPatch, raw: bytes) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(raw)))


def train(output: Path, *, resume: bool = False, steps: int = 3, **data: object) -> dict:
    asked = Asked({} if resume else {"pairs": [Path("-")], "tokenizer": "words", **data}, {} if resume else TINY,
                  {} if resume else {**QUICK, "steps": steps})  # fmt: skip
    return train_translation(output, asked, lambda *_: None, resume=resume)


@pytest.mark.parametrize("packed", [False, True])
def test_a_run_from_a_pipe_is_resumed_without_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, packed: bool) -> None:
    raw = gzip.compress(TEXT) if packed else TEXT
    pipe(monkeypatch, raw)
    first = train(tmp_path / "run", columns=("xx", "en"))
    assert (tmp_path / "run" / "stdin.txt").read_bytes() == raw
    pipe(monkeypatch, b"")
    assert train(tmp_path / "run", resume=True) == first
    (tmp_path / "run" / "stdin.txt").write_bytes(gzip.compress(TEXT + TEXT))
    with pytest.raises(BadInput) as caught:
        train(tmp_path / "run", resume=True)
    assert caught.value.code == "data_changed"


def test_standard_input_is_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pipe(monkeypatch, TEXT)
    with pytest.raises(BadInput) as caught:
        train(tmp_path / "run", validation=[Path("-")])
    assert (caught.value.code, caught.value.facts["count"]) == ("stdin_twice", 2)
