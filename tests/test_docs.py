"""The documents are programs: what README shows is run, and what it links to exists."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
README, TWIN = ROOT / "README.md", ROOT / "README.zh-Hant.md"
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)
REGARD = f'regard() {{ "{sys.executable}" -c "from regard.cli.main import main; main()" "$@"; }}'

# What README's commands find in the folder they are typed in.
SENTENCES = [
    f"the {what} {who} {does}"
    for what in ["black", "old", "red"]
    for who in ["cat", "mouse", "dog", "car"]
    for does in ["sleeps", "eats", "runs", "sings"]
]
PAIRS = [f"{text}\t{' '.join(reversed(text.split()))}" for text in SENTENCES]


def blocks(path: Path, language: str) -> list[str]:
    """The fenced blocks of one language, in order."""
    return [text for name, text in BLOCK.findall(path.read_text(encoding="utf-8")) if name == language]


def sections() -> dict[str, str]:
    """Heading → all that a reader types under it, but for `make`."""
    parts = re.split(r"^#+ (.+)$", README.read_text(encoding="utf-8"), flags=re.MULTILINE)
    scripts = {}
    for heading, text in zip(parts[1::2], parts[2::2], strict=True):
        lines = [line for name, block in BLOCK.findall(text) if name == "sh" for line in block.splitlines()]
        scripts[heading] = "\n".join(line for line in lines if not line.startswith("make "))
    return {heading: script for heading, script in scripts.items() if script}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where a reader sits who has the files that README speaks of."""
    (tmp_path / "matrices.yaml").write_text(blocks(README, "yaml")[0])
    (tmp_path / "sentences.txt").write_text("\n".join(SENTENCES) + "\n")
    (tmp_path / "pairs.tsv").write_text("\n".join(PAIRS) + "\n")
    return tmp_path


def test_readme_has_what_is_looked_for() -> None:
    """Guards the tests below against looking at nothing."""
    assert sum(script.count("regard ") for script in sections().values()) >= 10
    assert len(blocks(README, "python")) == 2


@pytest.mark.parametrize("heading", sections())
def test_the_commands_of_readme_run(folder: Path, heading: str) -> None:
    """Those under Translate, Train and Evaluate need the bundled models, or train one."""
    program = f"set -euo pipefail\n{REGARD}\npython() {{ '{sys.executable}' \"$@\"; }}\nset -x\n{sections()[heading]}"
    done = subprocess.run(["bash", "-c", program], cwd=folder, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout


def test_the_python_of_readme_runs(capsys: pytest.CaptureFixture[str]) -> None:
    """One session from block to block. The first needs the bundled model."""
    session: dict[str, object] = {}
    for block in blocks(README, "python"):
        exec(compile(block, str(README), "exec"), session)
    assert "chat" in capsys.readouterr().out


def bare(text: str) -> str:
    return re.sub(r"\s*#.*", "", text)


@pytest.mark.parametrize("language", ["sh", "python", "yaml"])
def test_the_twin_shows_the_same(language: str) -> None:
    assert [bare(block) for block in blocks(TWIN, language)] == [bare(block) for block in blocks(README, language)]


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links_lead_somewhere(document: Path) -> None:
    """docs/images/alignment.png is made with the bundled model."""
    targets = re.findall(r"\]\(([^)#\s]+)", document.read_text(encoding="utf-8"))
    missing = [target for target in targets if "://" not in target and not (document.parent / target).exists()]
    assert missing == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_make_target_that_is_named_exists(document: Path) -> None:
    named = set(re.findall(r"(?:`|^)make ([a-z]+)", document.read_text(encoding="utf-8"), re.MULTILINE))
    assert named <= set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))


def test_the_changelog_knows_this_version() -> None:
    from regard.version import __version__

    assert f"## [{__version__}]" in (ROOT / "CHANGELOG.md").read_text()


def test_importing_regard_is_quick_and_takes_no_torch() -> None:
    program = "import sys, regard, regard.cli.main\nassert 'torch' not in sys.modules"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, env=dict(os.environ))
    assert done.returncode == 0, done.stderr
