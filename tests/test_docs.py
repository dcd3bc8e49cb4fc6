"""The documents are programs: what README and the guides show is run, and what they link to exists."""

import gzip
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
README, TWIN = ROOT / "README.md", ROOT / "README.zh-Hant.md"
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
GUIDES = sorted(ROOT.glob("docs/**/*.md"))
CHECKPOINT = ROOT / "src/regard/models/bundled/tiny-gpt"
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)
REGARD = f'regard() {{ "{sys.executable}" -c "from regard.cli.main import main; main()" "$@"; }}'

# What the commands find in the folder they are typed in.
SENTENCES = [
    f"the {what} {who} {does}"
    for what in ["black", "old", "red"]
    for who in ["cat", "mouse", "dog", "car"]
    for does in ["sleeps", "eats", "runs", "sings"]
]
PAIRS = [f"{text}\t{' '.join(reversed(text.split()))}" for text in SENTENCES]

LENGTH = re.compile(r" --(steps|minutes) \d+")


def blocks(path: Path, language: str) -> list[str]:
    """The fenced blocks of one language, in order."""
    return [text for name, text in BLOCK.findall(path.read_text(encoding="utf-8")) if name == language]


def shortened(line: str) -> str:
    """A command as it is shown, but that training takes two steps instead of an hour."""
    if (not line.startswith("regard train ") and " regard train " not in line) or "--resume" in line:
        return line
    typed = line.partition(" #")[0].rstrip()
    end = " &" if typed.endswith(" &") else ""
    return LENGTH.sub("", typed.removesuffix(end)) + " --steps 2" + end


def test_training_is_shortened_and_nothing_else() -> None:
    assert (
        shortened("regard train lm --text a --minutes 60 --output b") == "regard train lm --text a --output b --steps 2"
    )
    assert shortened("cat a | regard train lm --text -") == "cat a | regard train lm --text - --steps 2"
    assert shortened("regard train lm --output b --minutes 5  # an hour") == "regard train lm --output b --steps 2"
    assert shortened("regard train lm --output b --steps 99 &") == "regard train lm --output b --steps 2 &"
    unchanged = ["regard train lm --output a --resume", "regard look train", "regard generate a"]
    assert [shortened(line) for line in unchanged] == unchanged


def sections() -> dict[str, str]:
    """Heading → all that a reader types under it, but for `make`."""
    parts = re.split(r"^#+ (.+)$", README.read_text(encoding="utf-8"), flags=re.MULTILINE)
    scripts = {}
    for heading, text in zip(parts[1::2], parts[2::2], strict=True):
        lines = [line for name, block in BLOCK.findall(text) if name == "sh" for line in block.splitlines()]
        scripts[heading] = "\n".join(shortened(line) for line in lines if not line.startswith("make "))
    return {heading: script for heading, script in scripts.items() if script}


def program(guide: Path) -> str:
    """All that a reader of a guide types, in order: commands, and Python as a program of its own."""
    lines: list[str] = []
    for name, text in BLOCK.findall(guide.read_text(encoding="utf-8")):
        if name == "sh":
            lines += map(shortened, text.splitlines())
        elif name == "python":
            lines += ["python - <<'END'", text.rstrip("\n"), "END"]
    return "\n".join(lines)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where a reader sits who has the files that the documents speak of."""
    fields = [dict(zip(("en", "fr"), pair.split("\t"), strict=True)) for pair in PAIRS]
    files = {
        "matrices.yaml": blocks(ROOT / "docs" / "by-hand.md", "yaml")[0],
        "sentences.txt": "\n".join(SENTENCES) + "\n",
        "prompts.txt": "\n".join(SENTENCES[:3]) + "\n",
        "domain.txt": "sleeps cat the\neats mouse\n",
        "pairs.tsv": "\n".join(PAIRS) + "\n",
        "pairs.jsonl": "".join(json.dumps(row) + "\n" for row in fields),
        "stories/one.txt": "\n".join(SENTENCES * 20) + "\n",
        "stories/two.txt": "\n".join(reversed(SENTENCES * 20)) + "\n",
    }
    (tmp_path / "stories").mkdir()
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    shutil.copytree(CHECKPOINT, tmp_path / "checkpoint")
    (tmp_path / "pairs.tsv.gz").write_bytes(gzip.compress(files["pairs.tsv"].encode()))
    return tmp_path


def run(script: str, folder: Path) -> str:
    """What a script prints; it must come to its end, without a traceback."""
    head = f"set -euo pipefail\n{REGARD}\npython() {{ '{sys.executable}' \"$@\"; }}\nset -x\n"
    done = subprocess.run(["bash", "-c", head + script], cwd=folder, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    return done.stdout


def test_readme_has_what_is_looked_for() -> None:
    """Guards the tests below against looking at nothing."""
    assert sum(script.count("regard ") for script in sections().values()) >= 10
    assert len(blocks(README, "python")) == 3


@pytest.mark.parametrize("heading", sections())
def test_the_commands_of_readme_run(folder: Path, heading: str) -> None:
    """Those under Translate, Write and Evaluate need the bundled models."""
    assert run(sections()[heading], folder)


def test_the_guides_have_what_is_looked_for() -> None:
    programs = [program(guide) for guide in GUIDES]
    assert sum(each.count("regard ") for each in programs) >= 20
    assert sum(each.count("python -") for each in programs) >= 4


@pytest.mark.parametrize("guide", [guide for guide in GUIDES if program(guide)], ids=lambda path: path.name)
def test_the_guides_run(folder: Path, guide: Path) -> None:
    """From the first line to the last, as one session. `generation` and `one-word` need the bundled models."""
    assert run(program(guide), folder)


def test_the_python_of_readme_runs(capsys: pytest.CaptureFixture[str]) -> None:
    """One session from block to block. The first and the last need bundled models."""
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
