"""A trace tells the same statistics whether it kept them, or queries and keys, or the weights."""

import numpy as np
import pytest
import torch

from inspection.test_record_own import TEXT, gpt, side, transformer
from regard.core.errors import BadInput
from regard.inspection.record import record, teacher_forced
from regard.inspection.trace import Sequence, Trace, load

LONG = side(*[i * i % 17 for i in range(131)])
NEAR = ("itself", "before", "distance")


def of_gpt(keep: str, text: Sequence = TEXT, **choices: object) -> Trace:
    return record(gpt(**choices), {"read": text}, name="toy", fingerprint="f", keep=keep)


@pytest.mark.parametrize("keep", ["statistics", "weights"])
@pytest.mark.parametrize("form", ["gpt2", "llama"])
def test_kept_or_computed_they_are_the_same(keep: str, form: str) -> None:
    kept, computed = of_gpt(keep, form=form), of_gpt("qk", form=form)
    for name, expected in computed.statistics(layer=1).named().items():
        if keep == "weights" and name == "log_sum_exp":
            continue
        np.testing.assert_allclose(getattr(kept.statistics(layer=1), name), expected, atol=2e-6, err_msg=name)
        of_head = getattr(kept.statistics(layer=1, head=2), name)
        np.testing.assert_allclose(of_head, expected[2], atol=2e-6, err_msg=name)
    entropy = computed.statistics(layer=1, head=2).entropy
    w = computed.weights(layer=1, head=2)
    np.testing.assert_allclose(entropy, -(w * np.log(np.where(w > 0, w, 1))).sum(-1), atol=1e-5)


def test_statistics_alone_keep_no_vectors_and_survive_the_file(tmp_path: object) -> None:
    trace = of_gpt("statistics")
    assert {name.rsplit("/")[-1] for name in trace.tensors} == set(trace.statistics().named())
    trace.save(f"{tmp_path}/t.safetensors")
    for name, expected in trace.statistics(layer=1).named().items():
        np.testing.assert_array_equal(getattr(load(f"{tmp_path}/t.safetensors").statistics(layer=1), name), expected)


def test_of_a_cross_attention_nothing_is_near() -> None:
    sequences = teacher_forced(side(4, 9, 2, 16, 1), side(3, 8, 5, 7, 6, 2, 1), start=2)
    trace = record(transformer(), sequences, name="toy", fingerprint="f", keep="statistics")
    found = trace.statistics(part="cross", layer=1)
    assert all(getattr(found, name) is None for name in NEAR)
    assert found.entropy.shape == (3, 7)
    assert found.received.shape == (3, 5)
    assert trace.statistics(part="encoder").distance.shape == (3, 5)


@pytest.mark.parametrize("peak", [False, True])
def test_a_coarser_map_is_made_of_a_finer_one(peak: bool) -> None:
    """131 tokens: blocks of 3 are kept; 22 blocks at most are of 6, 17 of 8, which 3 does not divide."""
    kept, computed = (of_gpt(keep, LONG, max_len=131) for keep in ("statistics", "qk"))
    for size in (64, 50, 22, 11):
        found, expected = (trace.pooled(size, layer=1, head=1, peak=peak) for trace in (kept, computed))
        assert found.shape == expected.shape
        assert max(found.shape) <= size
        np.testing.assert_allclose(found, expected, atol=1e-6)
    with pytest.raises(BadInput) as refused:
        kept.pooled(17)
    assert refused.value.code == "map_not_kept"
    assert computed.pooled(131, head=1).shape == (131, 131)
    np.testing.assert_allclose(computed.pooled(131, head=1), computed.weights(head=1), atol=1e-6)


def test_what_tells_nothing_is_refused() -> None:
    with pytest.raises(BadInput) as refused:
        of_gpt("value").statistics()
    assert refused.value.code == "step_not_kept"


def test_some_heads_alone() -> None:
    from regard.inspection.keeping import Choice

    few, all_ = (
        record(gpt(), {"read": TEXT}, name="toy", fingerprint="f", keep="statistics", choice=Choice(heads=heads))
        for heads in ([2, 0], None)
    )
    np.testing.assert_allclose(few.statistics(head=2).received, all_.statistics(head=2).received, atol=1e-6)
    with torch.inference_mode():
        assert few.statistics().entropy.shape == (2, 7)
