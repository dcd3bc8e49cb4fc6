"""What a stranger installs: everything that is imported is asked for, pinned where it was tried, and in the wheel."""

import ast
import re
import subprocess
import sys
import tomllib
import zipfile
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "regard"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def asked(requirements: list[str]) -> set[str]:
    """The names in a list of requirements."""
    return {plain(re.split(r"[<>=!~\[; ]", line)[0]) for line in requirements}


def imported() -> set[str]:
    """Distributions that the package imports, at any time."""
    found: set[str] = set()
    for path in SOURCE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [name.name for name in node.names] if isinstance(node, ast.Import) else []
            names += [str(node.module)] if isinstance(node, ast.ImportFrom) and not node.level else []
            found |= {name.partition(".")[0] for name in names}
    owners = packages_distributions()
    return {plain(owners[name][0]) for name in found - sys.stdlib_module_names - {"regard"}}


def test_what_is_imported_is_asked_for() -> None:
    assert imported() - asked(PROJECT["dependencies"]) == set()


def test_what_is_asked_for_is_imported() -> None:
    assert asked(PROJECT["dependencies"]) - imported() == set()


def test_what_is_asked_for_is_pinned() -> None:
    """By plain versions: no local build such as +cpu, no path, no address."""
    lines = [line for line in (ROOT / "constraints.txt").read_text().splitlines() if not line.startswith("#")]
    assert [line for line in lines if not re.fullmatch(r"[\w.-]+==[\w.]+", line)] == []
    everything = [PROJECT["dependencies"], *PROJECT["optional-dependencies"].values()]
    assert set().union(*map(asked, everything)) - asked(lines) == set()


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """The files in a wheel built here and now."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    with zipfile.ZipFile(next(folder.glob("*.whl"))) as archive:
        return set(archive.namelist())


def test_the_wheel_has_every_file_of_the_package(wheel: set[str]) -> None:
    """Sentences, examples, models and the page's module, not only what is Python."""
    files = {path for path in SOURCE.rglob("*") if path.is_file() and "__pycache__" not in path.parts}
    assert {path.suffix for path in files} >= {".py", ".toml", ".yaml"}
    assert {str(path.relative_to(SOURCE.parent)) for path in files} - wheel == set()


def test_the_wheel_has_nothing_else_but_its_papers(wheel: set[str]) -> None:
    assert {name.split("/")[0] for name in wheel} == {"regard", "regard-0.1.0.dist-info"}
    assert any(name.endswith("licenses/LICENSE") for name in wheel)
    assert any(name.endswith("entry_points.txt") for name in wheel)
