"""The house: which room may import which, read from the source itself.

Two wings on one foundation under one roof: the wing that makes (layers, models, training, generation) and the wing that
looks (inspection, views) never import each other; imports point down only; there are no circles.
"""

import ast
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[1] / "src" / "regard"

FLOORS = {
    **{"version": 0},
    **{"core": 1, "text": 1, "language": 1},
    **{"layers": 2, "inspection": 2},
    **{"models": 3, "views": 3},
    **{"training": 4, "generation": 4},
    **{"tasks": 5},
    **{"cli": 6, "web": 6, "regard": 6},
}
BESIDE = {("text", "core")}  # the one step sideways: text refuses with core's errors
NOTHING_OF_OURS = {"core", "language"}
MAKES = {"layers", "models", "training", "generation"}
LOOKS = {"inspection", "views"}
NO_TORCH = ("regard.views.", "regard.text.", "regard.language.", "regard.core.errors.")
TORCH = {"torch", "safetensors.torch"}


@dataclass(frozen=True)
class Import:
    """`importer` imports `imported`; at once, or only when a function runs or types are checked."""

    importer: str
    imported: str
    at_once: bool


def modules(root: Path) -> dict[str, Path]:
    """Dotted name → file, of every module of the package that lies in `root`."""
    found = {}
    for path in root.rglob("*.py"):
        parts = ("regard", *path.relative_to(root).with_suffix("").parts)
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def statements(node: ast.AST, at_once: bool = True) -> Iterator[tuple[ast.AST, bool]]:
    """Every node below, and whether it runs when the module is imported."""
    for child in ast.iter_child_nodes(node):
        later = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        later |= isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test)
        yield child, at_once
        yield from statements(child, at_once and not later)


def named(node: ast.AST, module: str, is_package: bool) -> list[str]:
    """What a node imports: a statement, or `import_module("…")`."""
    match node:
        case ast.Import(names=names):
            return [name.name for name in names]
        case ast.ImportFrom(module=base, names=names, level=level):
            above = module.split(".")[: len(module.split(".")) - level + is_package] if level else []
            start = ".".join([*above, *([base] if base else [])])
            return [f"{start}.{name.name}" for name in names]
        case ast.Call(func=func, args=[ast.Constant(value=str(name)), *_]) if ast.unparse(func).endswith(
            "import_module"
        ):
            return [name]
    return []


def imports(root: Path) -> list[Import]:
    """Every import of the package; `from a import b` is a.b where that is a module, else a."""
    ours, found = modules(root), []
    for module, path in ours.items():
        for node, at_once in statements(ast.parse(path.read_text(encoding="utf-8"))):
            for name in named(node, module, path.name == "__init__.py"):
                base = name.rpartition(".")[0]
                real = base if name not in ours and (base in ours or base in TORCH) else name
                found.append(Import(module, real, at_once))
    return found


def room(module: str) -> str:
    """The room a module of ours stands in; `python -m regard` is a face like the command line."""
    parts = module.split(".")
    return {"__main__": "cli"}.get(parts[1], parts[1]) if len(parts) > 1 else "regard"


def ours(found: list[Import]) -> list[Import]:
    return [one for one in found if one.imported.split(".")[0] == "regard"]


def refusal(one: Import) -> str | None:
    """Why this import may not be, or None."""
    here, there = room(one.importer), room(one.imported)
    unknown = {here, there} - FLOORS.keys()
    if unknown:
        return f"no such room in the design: {', '.join(unknown)}"
    if here == there:
        return None
    if here in NOTHING_OF_OURS and there != "version":
        return f"{here} imports nothing of ours"
    if (here in MAKES and there in LOOKS) or (here in LOOKS and there in MAKES):
        return "the wing that makes and the wing that looks never meet"
    if FLOORS[there] >= FLOORS[here] and (here, there) not in BESIDE:
        return f"imports point down only: {here} is on floor {FLOORS[here]}, {there} on {FLOORS[there]}"
    return None


def wrong_ways(found: list[Import]) -> list[str]:
    told = [(one, refusal(one)) for one in ours(found)]
    return [f"{one.importer} imports {one.imported}: {why}" for one, why in told if why]


def loaded(module: str, found: list[Import]) -> set[str]:
    """Every module that importing `module` runs: what it imports at once, and the packages around that."""
    reached, waiting = set(), [module]
    while waiting:
        name = waiting.pop()
        if name not in reached:
            reached.add(name)
            waiting += [one.imported for one in found if one.importer == name and one.at_once]
            waiting += [name.rpartition(".")[0]] if "." in name and name.startswith("regard.") else []
    return reached


def is_torch(name: str) -> bool:
    return name in TORCH or name.startswith("torch.")


def torch_where_none_belongs(found: list[Import], names: list[str]) -> list[str]:
    """Modules of the rooms without torch that import it, at any time themselves, or at once through another."""
    told = []
    for module in names:
        if f"{module}.".startswith(NO_TORCH):
            itself = {one.imported for one in found if one.importer == module}
            torch = sorted(name for name in itself | loaded(module, found) if is_torch(name))
            told += [f"{module} imports torch ({torch[0]})"] if torch else []
    return told


def circles(found: list[Import]) -> list[str]:
    """Circles among modules and among rooms, at most one each."""
    told = []
    for level, name_of in (("modules", str), ("rooms", room)):
        graph: dict[str, set[str]] = {}
        for one in ours(found):
            here, there = name_of(one.importer), name_of(one.imported)
            graph.setdefault(here, set()).update({there} - ({here} if level == "rooms" else set()))
        try:
            TopologicalSorter(graph).prepare()
        except CycleError as error:
            told.append(f"a circle of {level}: {' → '.join(error.args[1])}")
    return told


def breaches(root: Path) -> list[str]:
    """Everything in the package at `root` that breaks the house, one line each."""
    found = imports(root)
    return [*wrong_ways(found), *torch_where_none_belongs(found, list(modules(root))), *circles(found)]


def test_the_house_stands() -> None:
    assert breaches(SOURCE) == []


def test_the_source_was_read() -> None:
    """Guards the test above against looking at nothing."""
    assert Import("regard.text.tokenizers", "regard.core.errors", True) in imports(SOURCE)


PLANTED = {
    "core imports nothing of ours": {"core/planted.py": "import regard.language"},
    "language imports nothing of ours": {"language/planted.py": "from ..core import errors"},
    "regard.inspection.planted imports regard.layers": {"inspection/planted.py": "from regard import layers"},
    "regard.views.planted imports regard.models": {"views/planted.py": "def f():\n    from regard.models import rnn"},
    "regard.training.planted imports regard.views.picture": {"training/planted.py": "import regard.views.picture as p"},
    "regard.models.planted imports regard.generation": {"models/planted.py": "import regard.generation.search"},
    "layers is on floor 2, models on 3": {"layers/planted.py": "from ..models import rnn"},
    "training is on floor 4, generation on 4": {"training/planted.py": "import_module('regard.generation')"},
    "tasks is on floor 5, cli on 6": {"tasks/planted.py": "import regard.cli"},
    "tasks is on floor 5, regard on 6": {"tasks/planted.py": "import regard"},
    "cli is on floor 6, web on 6": {"cli/planted.py": "from regard import web", "web/__init__.py": ""},
    "regard.__main__ imports regard.web": {"__main__.py": "import regard.web", "web/__init__.py": ""},
    "no such room in the design: utils": {"utils/__init__.py": "", "tasks/planted.py": "from regard.utils import f"},
    "regard.views.planted imports torch": {"views/planted.py": "def f():\n    import torch.nn.functional as F"},
    "regard.text.planted imports torch (safetensors.torch)": {"text/planted.py": "from safetensors.torch import load"},
    "regard.views.planted imports torch (torch)": {
        "views/planted.py": "from regard.inspection.planted import f",
        "inspection/planted.py": "from torch import Tensor",
    },
    "regard.core.errors imports torch": {"core/__init__.py": "import torch"},
    "a circle of modules: regard.core.": {
        "core/one.py": "def f():\n    from . import two",
        "core/two.py": "from regard.core.one import f",
    },
    "a circle of rooms": {"core/planted.py": "import regard.text.tokenizers"},
}  # fmt: skip


@pytest.mark.parametrize(("complaint", "files"), PLANTED.items(), ids=PLANTED)
def test_a_planted_breach_is_caught(tmp_path: Path, complaint: str, files: dict[str, str]) -> None:
    root = tmp_path / "regard"
    shutil.copytree(SOURCE, root, ignore=lambda _, names: {n for n in names if Path(n).suffix not in {"", ".py"}})
    for path, text in files.items():
        (root / path).parent.mkdir(exist_ok=True)
        (root / path).write_text(text)
    assert any(complaint in line for line in breaches(root)), breaches(root)


def test_what_may_be_is_let_be(tmp_path: Path) -> None:
    root = tmp_path / "regard"
    files = {
        "text/planted.py": "from regard.core.errors import BadInput",
        "inspection/planted.py": "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import torch",
        "views/planted.py": "from regard.inspection.planted import Trace",
        "tasks/planted.py": "from regard.views import planted\nfrom regard.models import planted as made",
        "models/planted.py": "import torch\nfrom regard.core.errors import BadInput",
        "core/errors.py": "from regard.version import __version__",
    }
    for path, text in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)
    assert breaches(root) == []


def test_rooms_without_torch_load_none() -> None:
    """The same, seen at run time: what other libraries bring counts too."""
    names = [name for name in modules(SOURCE) if f"{name}.".startswith(NO_TORCH)]
    program = f"import sys, {', '.join(names)}\nassert 'torch' not in sys.modules"
    done = subprocess.run([sys.executable, "-W", "error", "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
