"""A trace file gives back what was saved, and nothing else: cut, altered or foreign files are refused."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import save_file

from regard.core.errors import BadInput
from regard.core.protocols import Site
from regard.inspection.trace import Check, Sequence, Trace, load

SOURCE = Sequence(
    "le chat noir",
    ("▁le", "▁ch", "at", "▁noir", "</s>"),
    (7, 8, 9, 10, 3),
    (0, 1, 1, 2, 3),
    ((0, 2), (2, 5), (5, 7), (7, 12), (12, 12)),
)
TARGET = Sequence("黑貓", ("黑", "貓", "</s>"), (5, 6, 3), (0, 0, 1), ((0, 1), (1, 2), (2, 2)))  # fmt: skip
CROSS = Site("decoder.layers.0.cross", "target", "source", 2)


def trace(fill: float = 0.25) -> Trace:
    """Two heads, three queries, five keys."""
    chance = np.random.default_rng(5)
    tensors = {
        f"{CROSS.address}/weights": chance.dirichlet(np.ones(5), (2, 3)).astype(np.float32),
        f"{CROSS.address}/masked": np.where(np.eye(3, 5) > 0, -np.inf, fill).astype(np.float32)[None].repeat(2, 0),
    }
    return Trace("toy", "ab12", {"source": SOURCE, "target": TARGET}, (CROSS,), tensors, Check("full", 3e-8, 1e-4))


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    trace().save(tmp_path / "toy.trace")
    return tmp_path / "toy.trace"


def refused(path: Path) -> str:
    with pytest.raises(BadInput) as caught:
        load(path)
    assert str(path) in str(caught.value)
    return caught.value.code


def test_what_is_saved_is_loaded(saved: Path) -> None:
    came, wanted = load(saved), trace()
    assert replace(came, tensors={}) == replace(wanted, tensors={})
    assert came.tensors.keys() == wanted.tensors.keys()
    for name, tensor in wanted.tensors.items():
        np.testing.assert_array_equal(came.tensors[name], tensor)
        assert came.tensors[name].dtype == tensor.dtype


def test_safetensors_and_json_are_enough_to_read_it(saved: Path) -> None:
    with safe_open(saved, framework="numpy") as file:
        facts = json.loads(file.metadata()["regard"])
        weights = file.get_tensor("decoder.layers.0.cross/weights")
    assert facts["format"] == "regard-trace-2"
    assert facts["sequences"]["target"]["tokens"] == ["黑", "貓", "</s>"]
    np.testing.assert_array_equal(weights, trace().tensors["decoder.layers.0.cross/weights"])


def test_a_trace_cut_short_is_refused(saved: Path) -> None:
    whole = saved.read_bytes()
    for length in (0, 1, 7, 8, 100, len(whole) // 2, len(whole) - 1):
        saved.write_bytes(whole[:length])
        assert refused(saved) == "trace_broken"


def test_no_changed_byte_goes_unseen(saved: Path) -> None:
    """In the head, in the words, in the numbers: one bit, anywhere, and the trace is refused."""
    whole = saved.read_bytes()
    for at in range(0, len(whole), 13):
        saved.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        assert refused(saved) in ("trace_broken", "trace_version")


@pytest.mark.parametrize("told", [None, "null", "[1]", '{"format": "regard-trace-1"}'])
def test_another_version_and_other_files_are_refused(tmp_path: Path, told: str | None) -> None:
    save_file({"a": np.zeros(3)}, tmp_path / "x", metadata=None if told is None else {"regard": told})
    assert refused(tmp_path / "x") == "trace_version"


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    assert refused(tmp_path) == "file_missing"
    assert refused(tmp_path / "none") == "file_missing"


def test_steps_are_asked_for_by_place() -> None:
    made = trace()
    np.testing.assert_array_equal(made.weights(head=1), made.tensors["decoder.layers.0.cross/weights"][1])
    np.testing.assert_array_equal(made.weights(part="decoder", head=0), made.weights(part="cross", layer=0))
    assert np.isneginf(made.tensor("masked")).sum() == 3


@pytest.mark.parametrize(
    ("asked", "code", "named"),
    [
        ({"head": 2}, "no_head", "2, counted from 0"),
        ({"head": -1}, "no_head", "2, counted from 0"),
        ({"layer": 1}, "no_site", "decoder.layers.0.cross"),
        ({"part": "encoder"}, "no_site", "decoder.layers.0.cross"),
        ({"step": "value"}, "step_not_kept", "decoder.layers.0.cross/weights"),
    ],
)
def test_what_is_not_in_it_is_refused_and_what_is_there_is_named(asked: dict, code: str, named: str) -> None:
    with pytest.raises(BadInput, match=named) as caught:
        trace().tensor(**{"step": "weights", **asked})
    assert caught.value.code == code


def test_words_are_those_between_spaces_and_the_end() -> None:
    assert SOURCE.word_list() == ("le", "chat", "noir", "</s>")
    assert TARGET.word_list() == ("黑貓", "</s>")


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="asks Linux what a process took at most")
def test_saving_takes_no_second_copy(tmp_path: Path) -> None:
    """In a process of its own: of one that is larger already the system would tell nothing."""
    program = """if True:
        import sys, numpy as np
        from pathlib import Path
        from regard.inspection import trace_file

        def memory(name):
            line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(name))
            return 1024 * int(line.split()[1])

        tensors = {f"{n}/query": np.full((2**20, 4), n, np.float32) for n in range(5)}
        Path("/proc/self/clear_refs").write_text("5")
        before = memory("VmRSS")
        trace_file.write(sys.argv[1], {}, tensors)
        assert memory("VmHWM") - before < 2**24, memory("VmHWM") - before
    """
    subprocess.run([sys.executable, "-c", program, str(tmp_path / "a.safetensors")], check=True)
