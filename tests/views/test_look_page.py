"""The page of heads: its numbers are the recorder's, its arithmetic the recipe's; and it can be walked by keys."""

import json
import re
import subprocess
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from browsing import opened, parsed
from playwright._impl._driver import compute_driver_executable
from samples import HOSTILE

from attentive import causal, heads_of, statistics_alone, traced
from regard.inspection.trace import Trace
from regard.views.look_page import Page, data, render

N, KEYS = 67, 71
STEP = 0.5e-4 + 1e-7


def shown(page: Page, asked: list[tuple[int, int]]) -> list[dict[str, Any]]:
    """What the page's own arithmetic makes of its data."""
    module = Path(str(files("regard.views") / "page" / "weights.js"))
    told = json.dumps({"module": module.as_uri(), "data": data(page, "en"), "asked": asked})
    node, script = compute_driver_executable()[0], Path(__file__).with_name("rows.mjs")
    done = subprocess.run([node, "--no-warnings", script], input=told, capture_output=True, text=True, encoding="utf-8")
    assert done.returncode == 0, done.stderr
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return found


def diagonals(heads: int, queries: int, keys: int) -> np.ndarray:
    return np.random.default_rng(7).normal(size=(heads, queries + keys - 1)).astype(np.float32)


RECIPES: dict[str, dict[str, Any]] = {
    "causal": {},
    "grouped heads": {"heads": 6, "kv_heads": 2},
    "soft cap": {"recipe": {"softcap": 1.5}},
    "bias by distance": {"parts": {"visible": causal(N), "bias": diagonals(3, N, N)}},
    "bias by pair": {"parts": {"bias": np.random.default_rng(5).normal(size=(3, N, N)).astype(np.float32)}},
    "any mask": {"parts": {"visible": np.random.default_rng(3).random((N, N)) < 0.3}},
    "nothing seen": {"parts": {"visible": np.array([[0, 0], *[[0, at] for at in range(1, N)]], dtype=np.int32)}},
    "sinks": {"parts": {"visible": causal(N), "sinks": np.array([0.7, -1.0, 3.0], dtype=np.float32)}},
    "additive": {"parts": {"vector": np.array([1, -2, 0.5, 3, 1], dtype=np.float32)}, "recipe": {"scale": 1.0}},
    "cross": {"keys": KEYS, "parts": {}},
    "cross with bias": {"keys": KEYS, "parts": {"bias": diagonals(3, N, KEYS)}},
}


@pytest.mark.parametrize("kind", RECIPES)
def test_rows_of_the_page_are_the_recorders(kind: str) -> None:
    trace = traced(N, **RECIPES[kind])
    heads = heads_of(trace)
    asked = [(1, 0), (1, 1), (1, 41), (4, 66)]
    for (head, query), told in zip(asked, shown(Page(heads, exact=(1, 4)), asked), strict=True):
        wanted = heads.weights(head, slice(query, query + 1))[0]
        assert told["exact"]
        np.testing.assert_allclose(told["row"], wanted, atol=1e-6)
        best = np.argsort(-wanted, kind="stable")[:8]
        np.testing.assert_allclose([weight for _, weight in told["largest"]], wanted[best][wanted[best] > 0], atol=1e-6)
        assert told["pattern"][:2] == list(heads.weights(head).shape)
        np.testing.assert_allclose(np.reshape(told["pattern"][2], told["pattern"][:2]), heads.weights(head), atol=1e-6)


def test_a_dropped_scale_would_be_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    heads = heads_of(traced(N))
    page = data(Page(heads, exact=(1,)), "en")
    page["recipes"][1]["scale"] = 1.0
    monkeypatch.setattr("test_look_page.data", lambda *_: page)
    (told,) = shown(Page(heads), [(1, 41)])
    assert np.abs(np.array(told["row"]) - heads.weights(1)[41]).max() > 0.01


def test_of_other_heads_it_has_maps_statistics_and_the_largest_weights() -> None:
    heads = heads_of(traced(N))
    found = heads.statistics
    (told,) = shown(Page(heads, exact=(1,)), [(5, 41)])
    assert not told["exact"]
    assert told["row"] is None
    wanted = heads.weights(5)[41]
    assert {key for key, _ in told["largest"]} == set(np.argsort(-wanted)[:8].tolist())
    np.testing.assert_allclose([weight for _, weight in told["largest"]], np.sort(wanted)[::-1][:8], atol=STEP)
    for name, value in told["statistics"].items():
        column = getattr(found, name)
        near = {"entropy": 0.5e-3, "distance": 0.5e-2}.get(name, STEP) + 1e-6
        assert value == pytest.approx(column[5, 41], abs=near)
        assert told["means"][name] == pytest.approx(column[5, 1:].mean(), abs=near)
    assert told["pattern"][:2] == [34, 34]
    np.testing.assert_allclose(np.reshape(told["pattern"][2], (34, 34)), found.pooled[5], atol=STEP)


def test_of_a_short_text_it_has_every_weight() -> None:
    heads = heads_of(traced(13))
    (told,) = shown(Page(heads), [(4, 11)])
    np.testing.assert_allclose(told["row"], heads.weights(4)[11], atol=1e-7)
    assert "query/4" not in data(Page(heads), "en")["arrays"]


def test_of_a_trace_of_statistics_it_has_these() -> None:
    whole = traced(N)
    heads = heads_of(statistics_alone(whole))
    (told,) = shown(Page(heads, exact=(1,)), [(1, 41)])
    assert not told["exact"]
    wanted = np.sort(heads_of(whole).weights(1)[41])[::-1][:8]
    np.testing.assert_allclose([weight for _, weight in told["largest"]], wanted, atol=STEP)


def test_the_data_is_strict_and_inert() -> None:
    page = render(Page(heads_of(traced(N, tokens=(HOSTILE, "<b>"))), exact=(0,)), lang="en")
    tree = parsed(page)
    assert len(tree.all("script")) == 2
    assert tree.all("img") == []
    inside = json.loads(tree.all("script")[0].text, parse_constant=pytest.fail)
    assert inside["queries"][0] == HOSTILE
    assert "<" not in tree.all("script")[0].text
    assert not re.search(r"https?://(?!www\.w3\.org/)|@import|url\(|\bfetch\(|innerHTML|\beval\(", page)
    assert tree.all("main")[0].all("h1")[0].text


@pytest.mark.parametrize("lang", ["en", "zh-Hant", "zh-Hans"])
def test_every_sentence_of_the_module_is_given(lang: str) -> None:
    module = (files("regard.views") / "page" / "look.js").read_text(encoding="utf-8")
    words = data(Page(heads_of(traced(N))), lang)["words"]
    assert set(re.findall(r"words\.([a-z_]+)", module)) <= set(words)
    assert {"stat_entropy", "stat_distance"} <= set(words)


# In a browser, where there is one.


def page_of(trace: Trace, **choice: Any) -> str:
    return render(Page(heads_of(trace), command="regard look t.safetensors", check="checked", **choice), lang="en")


def test_a_head_and_a_token_are_chosen_by_pointing_and_by_keys(tmp_path: Path) -> None:
    trace = traced(N, tokens=(HOSTILE, "cat"))
    heads = heads_of(trace)
    with opened(page_of(trace, opened=1, exact=(1,), query=41), tmp_path) as browser:
        if browser is None:
            return
        view, heard = browser
        view.wait_for_function("performance.getEntriesByName('regard-drawn').length > 0")
        assert view.locator("img").count() == 0

        def numbers() -> list[tuple[int, float]]:
            rows = view.locator("table.largest tr").all_inner_texts()
            return [(int(row.split("\t")[0]), float(row.split("\t")[2])) for row in rows]

        def wanted(head: int, query: int) -> list[tuple[int, float]]:
            weights = heads.weights(head)[query]
            return [(int(key), pytest.approx(weights[key], abs=6e-5)) for key in np.argsort(-weights)[:8]]

        assert numbers() == wanted(1, 41)
        assert "its queries and keys are in this file" in view.locator(".one .hint").inner_text()
        view.locator(".heads td[tabindex='0']").focus()
        view.keyboard.press("ArrowRight")
        assert view.locator(".one h2").inner_text() == "layer 0 head 2"
        assert view.locator(".one code").inner_text() == "regard look t.safetensors --layer 0 --head 2 -o head.html"
        assert numbers() == wanted(2, 41)
        view.keyboard.press("ArrowDown")
        assert view.locator(".one h2").inner_text() == "layer 1 head 2"
        view.locator(".token[tabindex='0']").focus()
        view.keyboard.press("ArrowLeft")
        assert numbers() == wanted(5, 40)
        view.locator(".token").nth(1).hover()
        assert numbers() == [(key, weight) for key, weight in wanted(5, 1) if key < 2]
        view.locator(".heads td[role]").nth(1).click()
        view.mouse.move(0, 0)
        assert numbers() == wanted(1, 40)
        assert view.evaluate("location.hash") == "#head=0.1&query=40"
        view.locator("details.numbers summary").click()
        view.locator("details.numbers tbody tr").nth(N - 1).wait_for(state="attached")
        assert view.locator("details.numbers tbody tr").count() == N
        first = view.locator("details.numbers tbody tr").nth(40).locator("td").nth(1).inner_text()
        assert [float(each.rsplit(" ", 1)[1]) for each in first.split(" · ")] == [weight for _, weight in wanted(1, 40)]
        assert heard == []


def test_a_short_text_is_a_grid_and_turns(tmp_path: Path) -> None:
    trace = traced(7)
    wanted = heads_of(trace).weights(1)
    with opened(page_of(trace, opened=1, layout="key-rows"), tmp_path) as browser:
        if browser is None:
            return
        view, heard = browser
        view.wait_for_selector(".one table.cells")

        def cells() -> np.ndarray:
            rows = view.locator(".one tbody tr").all()
            return np.array([[float(cell) for cell in row.locator("td").all_inner_texts()] for row in rows])

        np.testing.assert_allclose(cells(), wanted.T, atol=6e-3)
        view.locator(".turn").click()
        np.testing.assert_allclose(cells(), wanted, atol=6e-3)
        assert heard == []
