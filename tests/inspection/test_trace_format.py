"""The reader in docs/trace-format.md, twenty lines of numpy, gives what `Trace.weights` gives, for every recipe."""

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from regard.core.protocols import Site
from regard.inspection.keeping import Choice
from regard.inspection.record import record, teacher_forced
from regard.inspection.trace import READ, Check, Sequence, Trace, Written, load
from regard.models.gpt import Gpt, GptConfig
from regard.models.rnn import RnnConfig, RnnTranslator

GUIDE = Path(__file__).parents[2] / "docs" / "trace-format.md"
Reader = Callable[[Path, str, int], np.ndarray]


def program() -> str:
    """The reader as the guide shows it, without the example of its use."""
    (block,) = re.findall(
        r"^```python\n(import json\n.*?)^# For example", GUIDE.read_text(encoding="utf-8"), re.M | re.S
    )
    return block


@pytest.fixture(scope="module")
def reader() -> Reader:
    session: dict[str, Reader] = {}
    exec(compile(program(), str(GUIDE), "exec"), session)
    return session["weights"]


def side(count: int, first: int = 0) -> Sequence:
    """So many tokens."""
    ids = tuple(range(first, first + count))
    return Sequence("", tuple(map(str, ids)), ids, tuple(range(count)), ((0, 0),) * count)


def gpt(heads: tuple[int, ...] | None = None, **more: object) -> Trace:
    torch.manual_seed(3)
    sizes = {"vocab_size": 31, "max_len": 29, "d_model": 24, "n_layers": 2, "n_heads": 6, "d_ff": 7}
    model = Gpt(GptConfig(**sizes, **more)).eval()
    return record(model, {READ: side(23)}, name="toy", fingerprint="ab", choice=Choice(heads=heads))


def rnn(attention: str) -> Trace:
    torch.manual_seed(5)
    config = RnnConfig(vocab_size=31, d_embedding=5, d_model=14, attention=attention)
    sides = teacher_forced(side(11), side(7, first=4), 2)
    return record(RnnTranslator(config).eval(), sides, name="toy", fingerprint="ab")


def made(
    bias: np.ndarray | None = None, visible: np.ndarray | None = None, sinks: bool = False, cap: float | None = None
) -> Trace:
    """A trace of nothing but chance: 4 heads that share 2 keys, 5 queries that end at the last of 7 keys."""
    chance = np.random.default_rng(11)
    parts = {"bias": bias, "visible": visible, "sinks": chance.normal(size=4).astype("f4") if sinks else None}
    address, named = "decoder.layers.0.cross", {part: f"{part}/0" for part, each in parts.items() if each is not None}
    tensors = {f"{part}/0": each for part, each in parts.items() if each is not None}
    for step, shape in {"query": (4, 5, 3), "key": (2, 7, 3)}.items():
        tensors[f"{address}/{step}"] = chance.normal(size=shape).astype("f4")
    tensors[f"{address}/key"][:, 6] *= 1 if visible is None else 900  # where few may look, and nothing may change
    site, recipe = Site(address, "target", "source", 4), Written(0.7, cap, **named)
    sequences = {"target": side(5), "source": side(7)}
    return Trace("toy", "ab", sequences, (site,), tensors, Check("rows", 0.0, 1e-4), {address: recipe})


def drawn(*shape: int) -> np.ndarray:
    return np.random.default_rng(13).normal(size=shape).astype("f4")


HOLES = np.random.default_rng(17).random((5, 7)) < 0.4
HOLES[2] = False
TRACES = {
    "a window and grouped heads": lambda: gpt(n_kv_heads=2, window=5, positions="rotary"),
    "ALiBi": lambda: gpt(positions="alibi"),
    "some heads alone": lambda: gpt(heads=(1, 4), positions="alibi"),
    "additive": lambda: rnn("additive"),
    "general": lambda: rnn("general"),
    "concat": lambda: rnn("concat"),
    "T5's diagonals": lambda: made(bias=drawn(4, 11)),
    "a bias of every cell": lambda: made(bias=drawn(4, 5, 7)),
    "sinks": lambda: made(sinks=True, bias=drawn(4, 11)),
    "a soft cap": lambda: made(cap=0.8, bias=drawn(4, 11)),
    "a mask with holes, and a query that sees nothing": lambda: made(visible=HOLES),
    "spans, and one of nothing": lambda: made(
        visible=np.array([[0, 1], [3, 3], [2, 7], [0, 7], [6, 7]], "i4"), sinks=True
    ),
}


@pytest.mark.parametrize("trace", TRACES.values(), ids=TRACES)
def test_the_reader_gives_what_the_trace_gives(reader: Reader, tmp_path: Path, trace: Callable[[], Trace]) -> None:
    trace().save(tmp_path / "x")
    found = load(tmp_path / "x")
    for site in found.sites:
        for head in found.heads or range(site.n_heads):
            expected = found.weights(part=site.part, layer=site.layer, head=head)
            came = reader(tmp_path / "x", site.address, head)
            np.testing.assert_allclose(came, expected, atol=2e-7)
            assert expected.std() > 1e-3


def test_it_is_short() -> None:
    assert len([line for line in program().splitlines() if line.strip()]) <= 20


def test_every_key_is_described(tmp_path: Path) -> None:
    """Each field of the file stands in the guide, in a table or in bold."""
    from dataclasses import fields

    text = GUIDE.read_text(encoding="utf-8")
    for kind in (Trace, Sequence, Site, Check, Written):
        for each in fields(kind):
            assert f"`{each.name}`" in text or each.name == "tensors", each.name
