"""The one door: what `make` says where something is missing, and that a text reaches the program as it was typed.

Nothing is installed here: programs that only write down what they were given stand in for the real ones.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
NOTES_ARGUMENTS = """
import json, os, sys
facts = {"arguments": sys.argv[1:], "pythonpath": os.environ.get("PYTHONPATH")}
open("came.json", "w").write(json.dumps(facts))
"""


def program(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)
    return path


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A folder (with a space in its name) that holds the door alone."""
    folder = tmp_path / "my project"
    (folder / "tools").mkdir(parents=True)
    for name in ("Makefile", "tools/environment.sh", "pyproject.toml", "constraints.txt"):
        shutil.copy2(ROOT / name, folder / name)
    return folder


@pytest.fixture
def ready(project: Path) -> Path:
    """The same with an environment that is in order, whose `regard` notes what it is given."""
    program(project / ".venv/bin/python", f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    program(project / ".venv/bin/regard", '#!/bin/sh\nexec .venv/bin/python notes.py "$@"\n')
    (project / "notes.py").write_text(NOTES_ARGUMENTS)
    (project / ".venv/ready").write_text(f"{project.resolve()}\n")
    return project


def make(folder: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS", "TEXT"))}
    return subprocess.run(
        ["make", *arguments], cwd=folder, env=kept | environment, capture_output=True, text=True, timeout=60
    )


HARD = [
    "costs $5 or $$6, $(shell touch broken) `touch broken`",
    'it\'s "so" \\ # 100 % $(',
    "-x --help",
    "黑貓 吃了；老鼠",
]


@pytest.mark.parametrize("text", HARD)
@pytest.mark.parametrize("way", ["argument", "environment"])
def test_a_text_arrives_as_typed(ready: Path, text: str, way: str) -> None:
    done = make(ready, "run", f"TEXT={text}") if way == "argument" else make(ready, "run", TEXT=text)
    assert done.returncode == 0, done.stderr
    assert json.loads((ready / "came.json").read_text())["arguments"][-2:] == ["--", text]
    assert not (ready / "broken").exists()


def test_run_has_a_text_of_its_own_and_keeps_the_users_pythonpath_out(ready: Path) -> None:
    done = make(ready, "-j", "run", PYTHONPATH="/somewhere/else")
    came = json.loads((ready / "came.json").read_text())
    assert came["arguments"][-1] == "the black cat ate the mouse"
    assert came["pythonpath"] is None
    assert "regard --help" in done.stdout


def test_help_is_what_make_alone_gives(project: Path) -> None:
    shown = make(project).stdout
    assert all(f"make {name}" in shown for name in ("run", "test", "check", "bench"))


def only(folder: Path, *names: str) -> str:
    """A PATH with the plain tools of a system and nothing else."""
    tools = folder / "tools only"
    tools.mkdir()
    for name in ("sh", "sed", "env", "dirname", "cat", "rm", "tail", "grep", "tee", *names):
        (tools / name).symlink_to(str(shutil.which(name)))
    return str(tools)


def one_line(done: subprocess.CompletedProcess[str]) -> str:
    """What the door itself said on stderr (make adds a line about the target)."""
    lines = [line for line in done.stderr.splitlines() if not line.startswith("make")]
    assert done.returncode == 2
    assert len(lines) == 1, done.stderr
    return lines[0]


def test_no_python(project: Path, tmp_path: Path) -> None:
    path = only(tmp_path, "make")
    assert "no python3 found: install Python 3.11 or newer" in one_line(make(project, "test", PATH=path, PYTHON=""))


@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        (
            'case "$2" in *version_info*) exit 1;; *) echo 3.9.2;; esac',
            "Python 3.11 or newer is needed, python3 is 3.9.2",
        ),
        ('case "$2" in *ensurepip*) exit 1;; esac', "python3 has no venv: install it"),
        ('case "$*" in *--clear*) echo first; echo "no space left" >&2; exit 1;; esac', "made: no space left"),
    ],
    ids=["too old", "no venv", "venv fails"],
)
def test_a_python_that_will_not_do(project: Path, tmp_path: Path, answers: str, expected: str) -> None:
    path = only(tmp_path, "make")
    program(Path(path) / "python3", f"#!/bin/sh\n{answers}\n")
    assert expected in one_line(make(project, "test", PATH=path, PYTHON=""))


PIP_FAILS = """#!/bin/sh
case "$*" in
  *"pip install"*) env > pip-saw; echo 'Downloading big-1.whl (906.4 MB)'; echo 'ERROR: no network' >&2; exit 1;;
esac
"""


def test_an_install_that_fails_says_so_and_is_tried_again(project: Path) -> None:
    program(project / ".venv/bin/python", PIP_FAILS)
    for _ in range(2):
        done = make(project, "test", PIP_TARGET="/elsewhere", PIP_USER="1", PIP_PROXY="proxy:1")
        assert done.returncode == 2
        assert "downloading big-1.whl (906.4 MB)" in done.stdout
        assert "ERROR: no network" in done.stderr
        assert "could not be installed" in done.stderr
    saw = (project / "pip-saw").read_text()
    assert "PIP_TARGET" not in saw
    assert "PIP_USER=0" in saw
    assert "PIP_PROXY=proxy:1" in saw


def test_a_moved_folder_is_made_again(ready: Path, tmp_path: Path) -> None:
    program(ready / ".venv/bin/python", PIP_FAILS)
    assert "installing the packages" not in make(ready, "run").stdout
    moved = ready.rename(tmp_path / "moved")
    assert "installing the packages" in make(moved, "run").stdout
