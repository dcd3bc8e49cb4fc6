"""What every test has: no network, one thread, strict skips, checked shapes, and the data folder if it is there."""

import os
from pathlib import Path

import pytest
from jaxtyping import install_import_hook

from strict import pytest_make_collect_report, pytest_runtest_makereport

__all__ = ["pytest_make_collect_report", "pytest_runtest_makereport", "shared"]

# Before torch is imported, and for the programs that tests start: two workers then fit two cores.
os.environ["OMP_NUM_THREADS"] = os.environ["MKL_NUM_THREADS"] = "1"
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["REGARD_LANG"] = "en"

# Before regard is imported: the shapes in these rooms' annotations are checked at every call.
install_import_hook(("regard.core", "regard.layers"), "checked.answered")


@pytest.fixture(autouse=True)
def in_english() -> None:
    """Whatever language a test before this one asked for."""
    from regard.language import choose  # not before the hook

    choose(None)


@pytest.fixture(scope="session")
def reverser(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run of a model that reverses words nearly without a fault; the workers of one test run share it."""
    from trained import trained_once  # imports regard, so not before the hook

    return trained_once(shared_place(tmp_path_factory) / "reverser")


@pytest.fixture(scope="session")
def transformer_reverser(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same of a Transformer."""
    from trained import GENTLY, TRANSFORMER, trained_once

    return trained_once(shared_place(tmp_path_factory) / "transformer_reverser", TRANSFORMER, **GENTLY)


def shared_place(factory: pytest.TempPathFactory) -> Path:
    """A folder that the workers of one test run share."""
    base = factory.getbasetemp()
    return base.parent if "PYTEST_XDIST_WORKER" in os.environ else base


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder ../shared (data that is not part of the project), or a skip."""
    folder = Path(__file__).parents[2] / "shared"
    if not (folder / "data").is_dir():
        pytest.skip("needs the data folder ../shared, which is not here")
    return folder
