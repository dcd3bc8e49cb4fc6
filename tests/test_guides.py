"""The guides are programs: each states what it shows and proves it, twins compute the same, and no page asks a host."""

import ast
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
GUIDES = sorted(DOCS.glob("guides/*.md"))
TWINS = sorted(DOCS.glob("zh-Hant/guides/*.md"))
CELL = re.compile(r"^```\{code-cell\}[^\n]*\n(.*?)^```", re.MULTILINE | re.DOTALL)
OPTIONS = re.compile(r"\A(?::[^\n]*\n)+|\A---\n.*?^---\n", re.MULTILINE | re.DOTALL)
HEAD = "---\nfile_format: mystnb\nkernelspec:\n  name: python3\n"

sys.path.insert(0, str(DOCS / "extensions"))
from alone import requests  # noqa: E402


def cells(page: str) -> list[str]:
    """The code of a guide, cell by cell, without the options of the cells."""
    return [OPTIONS.sub("", cell) for cell in CELL.findall(page)]


def proves(page: str) -> bool:
    """Whether some cell asserts something."""
    return any(isinstance(node, ast.Assert) for cell in cells(page) for node in ast.walk(ast.parse(cell)))


class Wordless(ast.NodeTransformer):
    """Takes the words out of a program; what it computes stays."""

    def visit_Constant(self, node: ast.Constant) -> ast.Constant:
        return ast.Constant("…") if isinstance(node.value, str) else node

    def visit_JoinedStr(self, node: ast.JoinedStr) -> ast.JoinedStr:
        return ast.JoinedStr([self.visit(part) for part in node.values if isinstance(part, ast.FormattedValue)])


def computed(page: str) -> list[str]:
    """What the cells of a guide compute, whatever language their words are in, but for what chooses the language."""
    trees = [ast.parse(cell) for cell in cells(page) if "REGARD_LANG" not in cell]
    return [ast.unparse(Wordless().visit(tree)) for tree in trees]


def numbers(page: str) -> list[str]:
    """The numbers with a point that the text states, in any order."""
    return sorted(re.findall(r"\d+\.\d+", CELL.sub("", page)))


def test_the_helpers_see_what_they_look_for() -> None:
    page = '```{code-cell}\n:tags: [hide-input]\n\nassert f("x", 2)\n```\n0.25\n'
    assert cells(page) == ['\nassert f("x", 2)\n']
    assert proves(page)
    assert not proves(page.replace("assert f", "f"))
    assert computed(page) == computed(page.replace('"x"', '"期限"'))
    assert computed(page) != computed(page.replace("2", "3"))
    assert numbers(page) == ["0.25"]


@pytest.mark.parametrize("guide", [*GUIDES, *TWINS], ids=lambda path: str(path.relative_to(DOCS)))
def test_a_guide_is_run_and_proves_what_it_says(guide: Path) -> None:
    page = guide.read_text(encoding="utf-8")
    assert page.startswith(HEAD)
    assert proves(page)


@pytest.mark.parametrize("twin", TWINS, ids=lambda path: path.name)
def test_a_twin_computes_and_states_the_same(twin: Path) -> None:
    page, other = twin.read_text(encoding="utf-8"), (DOCS / "guides" / twin.name).read_text(encoding="utf-8")
    assert computed(page) == computed(other)
    assert numbers(page) == numbers(other)


@pytest.mark.parametrize(
    ("page", "asked"),
    [
        ('<script src="https://a.org/x.js"></script>', ["https://a.org/x.js"]),
        ('<link rel="stylesheet" href="//a.org/x.css">', ["//a.org/x.css"]),
        ("<style>@import url('http://a.org/x.css');</style>", ["http://a.org/x.css"]),
        ('<div style="background: url(//a.org/x.png)">', ["//a.org/x.png"]),
        ('<iframe srcdoc="&lt;img src=https://a.org/x&gt;">', ["https://a.org/x"]),
        ('<a href="https://a.org">read</a><link rel="canonical" href="https://a.org"><img src="data:,x">', []),
    ],
)
def test_what_a_page_asks_is_seen(page: str, asked: list[str]) -> None:
    assert requests(page) == asked


def built(folder: Path, page: str) -> subprocess.CompletedProcess[str]:
    """The pages of a folder that holds one, built as the project's are."""
    (folder / "docs").mkdir()
    (folder / "docs/index.md").write_text(HEAD + "---\n# A page\n\n" + page)
    command = [sys.executable, "-m", "sphinx", "-q", "-W", "-c", str(DOCS), "docs", "out/docs"]
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    return subprocess.run(command, cwd=folder, env=kept, capture_output=True, text=True, timeout=180)


KERNEL = """
import json, os, sys
from ipykernel.connect import get_connection_file
way = json.load(open(get_connection_file()))["transport"]
json.dump([os.getpid(), sys.prefix, way, os.environ["HF_HUB_OFFLINE"]], open({place!r}, "w"))
"""


def test_a_cell_runs_with_our_python_opens_no_port_and_its_kernel_ends(tmp_path: Path) -> None:
    facts = tmp_path / "facts.json"
    done = built(tmp_path, f"```{{code-cell}}{KERNEL.format(place=str(facts))}```\n\n$x^2$\n")
    assert done.returncode == 0, done.stderr
    process, *told = json.loads(facts.read_text())
    assert told == [sys.prefix, "ipc", "1"]
    assert not Path("/proc", str(process)).exists()
    assert "<msup>" in (tmp_path / "out/docs/index.html").read_text()


def test_a_claim_that_fails_stops_the_build(tmp_path: Path) -> None:
    done = built(tmp_path, "```{code-cell}\nassert 1 + 1 == 3\n```\n")
    assert done.returncode != 0
    assert "AssertionError" in done.stderr


def test_a_page_that_asks_another_host_stops_the_build(tmp_path: Path) -> None:
    done = built(tmp_path, '<img src="https://example.org/x.png">\n')
    assert done.returncode != 0
    assert "index.html: https://example.org/x.png" in done.stderr


def test_the_check_builds_the_pages() -> None:
    rules = (ROOT / "Makefile").read_text()
    assert re.search(r"^check:.*\n(?:\t.*\n)*?\t@\$\(MAKE\) --no-print-directory docs\n", rules, re.MULTILINE)
    assert re.search(r"^docs:.*\n(?:\t.*\n)*?\t@.*sphinx .*-W ", rules, re.MULTILINE)
