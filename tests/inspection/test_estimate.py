"""Memory is counted before anything runs: to the byte what stays, and what cannot fit is refused with the numbers."""

from pathlib import Path

import pytest

from regard.core.errors import BadInput, Failure
from regard.core.protocols import Site
from regard.inspection import estimate
from regard.inspection.estimate import Place, refuse_unless_it_fits
from regard.inspection.keeping import KEEPS, Choice, steps_of
from regard.inspection.record import record
from regard.inspection.trace import READ, Sequence
from regard.models.gpt import Gpt, gpt2, llama

GROUPED = Gpt(llama(vocab_size=23, max_len=31, d_model=24, n_layers=3, n_heads=4, n_kv_heads=2, d_head=6)).eval()
PLAIN = Gpt(gpt2(vocab_size=23, max_len=31, d_model=15, n_layers=2, n_heads=3)).eval()
SIDE = Sequence("", ("a",) * 17, tuple(range(17)), tuple(range(17)), ((0, 0),) * 17)


def recorded(model: Gpt, keep: str, choice: Choice | None = None):
    return record(model, {READ: SIDE}, name="toy", fingerprint="ab", keep=keep, choice=choice)


@pytest.mark.parametrize("keep", KEEPS)
@pytest.mark.parametrize("model", [GROUPED, PLAIN], ids=["grouped", "plain"])
def test_what_is_kept_is_what_was_said(model: Gpt, keep: str) -> None:
    """To the byte, but for masks, and for statistics whose number of keys a query depends on the text."""
    trace = recorded(model, keep)
    kept = sum(array.nbytes for name, array in trace.tensors.items() if name.startswith("decoder"))
    said = estimate.estimate(estimate.places(model.sites, {READ: 17}, model.config, None), steps_of(keep)).kept
    assert said == kept if keep != "statistics" else kept <= said < 2**20


def test_only_what_was_chosen_counts() -> None:
    choice = Choice(layers=[1], heads=[0, 2])
    trace = recorded(GROUPED, "weights", choice)
    sites = [site for site in GROUPED.sites if choice.takes(site.address)]
    said = estimate.estimate(estimate.places(sites, {READ: 17}, GROUPED.config, choice.heads), steps_of("weights"))
    assert said.kept == sum(array.nbytes for array in trace.tensors.values()) == 2 * 17 * 17 * 4


def test_a_place_or_a_part_that_is_not_there_is_refused() -> None:
    for choice in (Choice(layers=[3]), Choice(parts=["cross"])):
        with pytest.raises(BadInput) as caught:
            recorded(GROUPED, "qk", choice)
        assert caught.value.code == "no_site"


@pytest.fixture
def narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine with sixteen gigabytes free."""
    monkeypatch.setattr(estimate, "free", lambda: 16 * 10**9)


BIG = [Place(12, 12, 64, 20_000, 20_000)] * 12


@pytest.mark.usefixtures("narrow")
def test_what_cannot_fit_is_refused_with_the_numbers() -> None:
    with pytest.raises(Failure) as caught:
        refuse_unless_it_fits(BIG, steps_of("weights"))
    told = str(caught.value)
    assert caught.value.code == "memory_short"
    for said in ("230.4 GB", "16.0 GB", "12 attentions", "20000 × 20000", "keep qk (", "statistics ("):
        assert said in told
    assert refuse_unless_it_fits(BIG, steps_of("qk")).peak < 3 * 10**9
    assert refuse_unless_it_fits(BIG, steps_of("statistics")).kept < 10**9
    with pytest.raises(Failure):
        refuse_unless_it_fits(BIG, steps_of("qk"), texts=11)


def test_a_model_is_refused_before_it_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is computed: the model would raise."""
    monkeypatch.setattr(estimate, "free", lambda: 10**6)
    monkeypatch.setattr(GROUPED, "features", lambda *ids: 1 / 0)
    with pytest.raises(Failure) as caught:
        recorded(GROUPED, "weights")
    assert caught.value.code == "memory_short"
    monkeypatch.setattr(estimate, "free", lambda: None)  # nobody says: it is tried
    with pytest.raises(ZeroDivisionError):
        recorded(GROUPED, "weights")


def test_the_machine_says_what_is_free() -> None:
    free = estimate.free()
    assert free is not None
    assert 2**20 < free < 2**50


def test_a_container_holds_less(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, text in {"max": "1000\n", "current": "700\n", "stat": "anon 5\ninactive_file 50\n"}.items():
        (tmp_path / f"memory.{name}").write_text(text)
    monkeypatch.setattr(estimate, "CONTAINER", tmp_path)
    assert estimate.free() == 350
    (tmp_path / "memory.max").write_text("max\n")
    assert estimate.free() != 350


class Config:
    """As `transformers` calls it."""

    num_attention_heads, num_key_value_heads, num_hidden_layers, hidden_size, is_encoder_decoder = 4, 2, 2, 20, True


def test_configs_of_others_are_understood() -> None:
    sites = estimate.sites_of(Config, writes=False)
    assert [site.address for site in sites][::2] == [
        "encoder.layers.0.self",
        "decoder.layers.0.self",
        "decoder.layers.0.cross",
    ]
    place = estimate.places(sites[4:], {"target": 7, "source": 11}, Config, None)[0]
    assert place == Place(4, 2, 5, 7, 11)
    assert estimate.sites_of(object(), writes=True) == ()
    assert estimate.places([Site("decoder.layers.0.self", READ, READ, 3)], {READ: 7}, object(), None)[0].d_head == 0
