"""A skip fails under REGARD_STRICT=1 unless its reason names a GPU, TeX, LibreOffice or ../shared."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = """
import pytest

def test_runs(): pass
def test_plain(): pytest.skip("no mood for it")
@pytest.mark.skip
def test_bare(): pass
@pytest.mark.xfail
def test_expected(): assert False
@pytest.mark.parametrize("what", ["a GPU", "TeX (xelatex)", "the data folder ../shared"])
def test_excused(what): pytest.skip(f"needs {what}")
@pytest.fixture
def absent(): pytest.skip("not here")
def test_fixture(absent): pass
"""


def outcomes(folder: Path, strict: str) -> dict[str, int]:
    """How many tests passed, failed, were skipped … in `TESTS` beside a module that skips itself whole."""
    (folder / "test_some.py").write_text(TESTS)
    (folder / "test_whole.py").write_text("import pytest\npytest.importorskip('no_such_library')\n")
    environment = os.environ | {"REGARD_STRICT": strict, "PYTHONPATH": str(Path(__file__).parent)}
    environment["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    command = [sys.executable, "-m", "pytest", "-q", "-p", "strict", "-p", "no:cacheprovider", "--rootdir", ".", "."]
    done = subprocess.run(
        [*command, "--continue-on-collection-errors"], cwd=folder, env=environment, capture_output=True, text=True
    )
    last = done.stdout.strip().splitlines()[-1]
    return {word: int(count) for count, word in re.findall(r"(\d+) (\w+)", last)}


@pytest.mark.parametrize(
    ("strict", "expected"),
    [
        ("0", {"passed": 1, "skipped": 7, "xfailed": 1}),
        ("1", {"passed": 1, "skipped": 3, "failed": 2, "errors": 3}),
    ],
)
def test_a_skip_without_excuse_fails_when_strict(tmp_path: Path, strict: str, expected: dict[str, int]) -> None:
    assert outcomes(tmp_path, strict) == expected
