"""Planted heads are found in their roles, by hand-made weights and in a circuit built by hand."""

import numpy as np
import pytest
from test_evidence import FIRST, SECOND, TEXT, induction, side

from regard.core.errors import BadInput
from regard.core.protocols import Site
from regard.inspection.heads import LOCAL, Tally, lead, named, wanted
from regard.inspection.record import record, teacher_forced
from regard.inspection.roles import heads, standing_out
from regard.inspection.trace import Check, Sequence, Trace
from toy import translator

IDS = (4, 9, 2, 4, 9, 11, 2, 4, 13, 9, 4)  # 11 tokens, three of which come again
N = len(IDS)
SELF, CROSS = "encoder.layers.0.self", "decoder.layers.0.cross"


def trace_of(weights: np.ndarray, ids: tuple[int, ...] = IDS, address: str = SELF) -> Trace:
    keys = side(*ids)
    queries = keys if address == SELF else side(*range(weights.shape[1]))
    asked = "source" if address == SELF else "target"
    sites = (Site(address, asked, "source", len(weights)),)
    sides: dict[str, Sequence] = {"source": keys, asked: queries}
    return Trace("m", "", sides, sites, {f"{address}/weights": weights.astype(np.float32)}, Check("rows", 0, 1e-4))


def planted(*keys: list[int] | np.ndarray, n_keys: int = N) -> np.ndarray:
    """One head a list: query i looks at key keys[i], but for a breath that lets every key be seen."""
    return np.stack([np.eye(n_keys)[each] * 0.99 + 0.01 / n_keys for each in keys])


def after_earlier(i: int) -> int:
    return next((j for j in range(1, i) if IDS[j - 1] == IDS[i]), i)


def again(i: int) -> int:
    return next((j for j in range(N) if j != i and IDS[j] == IDS[i]), i)


PLANTS = {
    "previous": [max(0, i - 1) for i in range(N)],
    "first": [0] * N,
    "itself": list(range(N)),
    "next": [min(N - 1, i + 1) for i in range(N)],
    "duplicate": [again(i) for i in range(N)],
    "induction": [after_earlier(i) for i in range(N)],
    "last": [N - 1] * N,
}


@pytest.mark.parametrize("role", PLANTS)
def test_a_planted_head_has_its_role(role: str) -> None:
    (found,) = heads([trace_of(planted(PLANTS[role]))])
    assert found.role == role
    assert found.roles[role] == pytest.approx(0.99 + 0.01 / N * (1 if role != "duplicate" else 2), abs=0.02)
    assert found.roles[role] == max(share or 0 for name, share in found.roles.items() if name not in ("local",))
    assert found.sharpness is not None
    assert found.sharpness > 0.9


def test_an_even_head_and_one_without_a_role() -> None:
    even = np.full((1, N, N), 1 / N)
    found = heads([trace_of(even)])[0]
    assert (found.role, found.roles["uniform"], found.sharpness) == (
        "uniform",
        pytest.approx(1),
        pytest.approx(0, abs=1e-6),
    )
    assert found.roles["previous"] == pytest.approx(1 / N)
    assert all(abs(found.lead(role)) < 1e-6 for role in found.roles if role != "uniform")
    far = planted([(i + 6) % N for i in range(N)])
    assert heads([trace_of(far)])[0].role is None


def test_a_head_that_spreads_over_its_neighbours_is_local() -> None:
    near = np.array([[1.0 if abs(i - j) <= LOCAL else 0.002 for j in range(N)] for i in range(N)])
    (found,) = heads([trace_of(near[None] / near.sum(-1, keepdims=True))])
    assert found.role == "local"
    assert found.roles["local"] > 0.98  # type: ignore[operator]


def test_shares_by_hand() -> None:
    """Causal: a b a. Query 1 gives the one before 0.25, query 2 gives 0.5 and 0.125 to what came before."""
    weights = np.array([[[1, 0, 0], [0.25, 0.75, 0], [0.125, 0.5, 0.375]]])
    visible = np.tril(np.ones((3, 3), dtype=bool))
    tally = Tally()
    tally.take(weights, visible, wanted(np.arange(3), 3, (7, 8, 7), None))
    expected = {"previous": 0.375, "first": 0.1875, "itself": 0.5625, "duplicate": 0.125, "induction": 0.5}
    assert {role: tally.mean(role, 0) for role in expected} == pytest.approx(expected)
    assert tally.of_even("previous") == pytest.approx((1 / 2 + 1 / 3) / 2)
    assert [tally.mean(role, 0) for role in ("next", "last", "local")] == [None] * 3
    away = [(0.25 + 0.25) / 2, (1 / 3 - 0.125 + 0.5 - 1 / 3 + 0.375 - 1 / 3) / 2]
    assert tally.mean("uniform", 0) == pytest.approx(1 - np.mean(away))
    sharp = [1 + (0.25 * np.log(0.25) + 0.75 * np.log(0.75)) / np.log(2)]
    sharp.append(1 + sum(w * np.log(w) for w in (0.125, 0.5, 0.375)) / np.log(3))
    assert tally.mean("sharpness", 0) == pytest.approx(np.mean(sharp))


def test_cross_attention_that_goes_along_and_that_agrees() -> None:
    order = [0, 3, 1, 4, 2]  # what most heads look at
    along = [0, 1, 2, 3, 4]
    weights = planted(order, order, along, [4] * 5, n_keys=5)
    found = heads([trace_of(weights, (1, 2, 3, 4, 5), CROSS)])
    assert [each.role for each in found] == ["alignment", "alignment", "diagonal", "last"]
    assert "previous" not in found[0].roles


def test_the_circuit_built_by_hand() -> None:
    """Layer 0 head 0 looks back; layer 1 head 0 finds what came after the earlier A; the others look evenly."""
    model = induction()
    trace = record(model, {"read": TEXT}, name="m", fingerprint="")
    found = {(each.site.address, each.head): each for each in heads([trace])}
    assert found[FIRST, 0].roles["previous"] == pytest.approx(1, abs=1e-6)
    assert found[SECOND, 0].roles["induction"] == pytest.approx(1, abs=1e-6)
    assert {place: each.role for place, each in found.items()} == {
        (FIRST, 0): "previous", (FIRST, 1): "uniform", (SECOND, 0): "induction", (SECOND, 1): "uniform",
    }  # fmt: skip
    places = [(site, head) for site in trace.sites for head in range(2)]
    stand = standing_out(trace, places, np.zeros(4), 2)
    assert [(*places[at], role) for at, role, _ in stand] == [
        (trace.sites[0], 0, "previous"),
        (trace.sites[1], 0, "induction"),
    ]
    assert [share for _, _, share in stand] == pytest.approx([1, 1], abs=1e-6)
    assert [(at, role) for at, role, _ in standing_out(trace, places, np.array([0, 0.25, 0, 0.5]))][2:] == [
        (3, "sharp"),
        (1, "sharp"),
    ]


def test_several_texts_count_by_their_queries() -> None:
    one, other = trace_of(planted(PLANTS["previous"])), trace_of(planted(PLANTS["first"]))
    (both,) = heads([one, other])
    (alone,), (apart,) = heads([one]), heads([other])
    assert both.roles["previous"] == pytest.approx((alone.roles["previous"] + apart.roles["previous"]) / 2)  # type: ignore[operator]


def test_of_queries_and_keys_as_of_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks of three queries, from q and k, tell what kept weights tell."""
    monkeypatch.setattr("regard.inspection.roles.SCRATCH", 4 * 2 * 3 * 6)
    model = induction()
    qk, weights = (record(model, {"read": TEXT}, name="m", fingerprint="", keep=keep) for keep in ("qk", "weights"))
    for one, other in zip(heads([qk]), heads([weights]), strict=True):
        for role in ("previous", "induction"):
            assert one.roles[role] == pytest.approx(other.roles[role], abs=1e-5)


def test_a_translator_of_one_head_and_a_trace_that_tells_nothing() -> None:
    model = translator(attention="dot")
    sides = teacher_forced(side(5, 6, 7, 8, 3), side(11, 12, 3), 2)
    (found,) = heads([record(model, sides, name="m", fingerprint="")])
    assert set(found.roles) == {"first", "last", "diagonal", "alignment", "uniform"}
    with pytest.raises(BadInput, match="record again"):
        heads([record(model, sides, name="m", fingerprint="", keep="statistics")])


def test_a_lead_is_counted_from_an_even_head() -> None:
    assert lead(0.5, 0.5) == 0
    assert named({"first": 0.5, "uniform": 0.9}, {"first": 0.5, "uniform": 1.0}) == "uniform"
    assert named({"first": 0.7, "local": 0.99, "uniform": 0.1}, {"first": 0.5, "local": 0.5, "uniform": 1.0}) == "first"
    assert named({"first": None, "uniform": None}, {"first": None, "uniform": None}) is None
