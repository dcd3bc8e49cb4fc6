"""Examples in docstrings are programs: they run, and print what they say."""

import doctest
import importlib
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
import torch

import regard.core.attend

SOURCE = Path(regard.core.attend.__file__).parents[1]
MODULES = sorted(
    ".".join(("regard", *path.relative_to(SOURCE).with_suffix("").parts)).removesuffix(".__init__")
    for path in SOURCE.rglob("*.py")
    if path.name != "__main__.py"
    and any(">>> " in line and "+SKIP" not in line for line in path.read_text(encoding="utf-8").splitlines())
)


@pytest.fixture
def fresh_start() -> Iterator[None]:
    """Tensors are printed as a reader's own session prints them, and chance begins at the same place."""
    torch.set_printoptions(profile="default")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        yield
    torch.set_printoptions(profile="default")


def run(module: ModuleType) -> doctest.TestResults:
    return doctest.testmod(module, optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE)


@pytest.mark.parametrize("name", MODULES)
def test_examples(name: str, fresh_start: None) -> None:
    results = run(importlib.import_module(name))
    assert results.failed == 0
    assert results.attempted > 0


@pytest.mark.parametrize(("expected", "failed"), [("3", 0), ("4", 1)])
def test_an_example_that_lies_is_caught(expected: str, failed: int, capsys: pytest.CaptureFixture[str]) -> None:
    module = ModuleType("planted", f">>> 1 + 2\n{expected}\n")
    assert run(module).failed == failed
    assert ("Got:\n    3" in capsys.readouterr().out) == bool(failed)


def test_the_core_has_examples() -> None:
    assert {"regard.core.attend", "regard.core.masks", "regard.core.tap", "regard.core.checks"} <= set(MODULES)
