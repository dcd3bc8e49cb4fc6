"""What is read from a translator's weights, by hand: layer, head, the query a step later, the end of the sentence."""

from dataclasses import replace

import numpy as np
import pytest

from regard.core.errors import BadInput
from regard.core.protocols import Site
from regard.inspection.alignment import Reading, readings, word_weights
from regard.inspection.trace import Check, Sequence, Trace

SOURCE = Sequence(
    "le chaton", ("▁le", "▁chat", "on", "</s>"), (5, 6, 7, 3), (0, 1, 1, 2), ((0, 2), (2, 7), (7, 9), (9, 9))
)
TARGET = Sequence("the kitten", ("▁the", "▁kitten", "</s>"), (8, 9, 3), (0, 1, 2), ((0, 3), (3, 10), (10, 10)))
FIRST = np.array([[0.5, 0.25, 0.0, 0.25], [0.1, 0.2, 0.2, 0.5], [0.0, 0.0, 0.2, 0.8]])
SECOND = np.array([[0.1, 0.1, 0.1, 0.7], [0.0, 0.5, 0.5, 0.0], [1.0, 0.0, 0.0, 0.0]])


def trace() -> Trace:
    sites = tuple(Site(f"decoder.layers.{n}.cross", "target", "source", 2) for n in range(2))
    kept = {f"{site.address}/weights": np.stack([FIRST, SECOND] if site.layer else [SECOND, SECOND]) for site in sites}
    return Trace("toy", "0", {"source": SOURCE, "target": TARGET}, sites, kept, Check("rows", 0.0, 1e-4))


def test_the_weight_on_the_end_is_shared_among_words_before_heads_are_averaged() -> None:
    one = np.array([[0.5 / 0.75, 0.25 / 0.75], [0.1 / 0.5, 0.4 / 0.5]])
    other = np.array([[1 / 3, 2 / 3], [0.0, 1.0]])
    np.testing.assert_allclose(word_weights(trace(), Reading()), (one + other) / 2)
    np.testing.assert_allclose(word_weights(trace(), Reading(head=0)), one)
    np.testing.assert_allclose(word_weights(trace(), Reading(layer=0)), other)


def test_the_weight_on_the_end_may_stay_as_a_column_of_its_own() -> None:
    found = word_weights(trace(), Reading(head=0, end="kept"))
    np.testing.assert_allclose(found, [[0.5, 0.25, 0.25], [0.1, 0.4, 0.5]])


def test_the_query_a_step_later_reads_the_word() -> None:
    found = word_weights(trace(), Reading(head=1, shift=True))
    np.testing.assert_allclose(found, [[0.0, 1.0], [1.0, 0.0]])


def test_a_query_that_looks_at_the_end_alone_looks_at_no_word() -> None:
    lonely = trace()
    weights = lonely.tensors["decoder.layers.1.cross/weights"]
    weights[0, 0] = [0.0, 0.0, 0.0, 1.0]
    assert word_weights(lonely, Reading(head=0))[0].tolist() == [0.0, 0.0]


def test_what_is_tried_is_each_once_the_last_layers_mean_first() -> None:
    found = readings(trace().sites, Reading(end="kept"))
    assert found[0] == Reading(1, None, False, "kept")
    assert len(set(found)) == len(found) == 2 * 3 * 2
    single = [replace(site, n_heads=1) for site in trace().sites]
    assert {each.head for each in readings(single)} == {None}


def test_a_place_that_is_not_there_is_refused() -> None:
    for reading, code in ((Reading(layer=2), "no_site"), (Reading(head=2), "no_head")):
        with pytest.raises(BadInput) as error:
            word_weights(trace(), reading)
        assert error.value.code == code
    with pytest.raises(BadInput) as error:
        word_weights(replace(trace(), sites=()), Reading())
    assert error.value.code == "no_attention"
