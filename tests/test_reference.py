"""The reference is in step with the program: every public name, every command, every word."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import regard
from regard.cli import main

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"

sys.path.insert(0, str(DOCS / "extensions"))
import commands  # noqa: E402
import signatures  # noqa: E402

DESCRIBED = re.findall(
    r"^\.\. auto\w+:: (\S+)", (DOCS / "reference/python.md").read_text(encoding="utf-8"), re.MULTILINE
)


def found(name: str) -> Any:
    """What stands under a dotted name."""
    parts = name.split(".")
    at = next(n for n in range(len(parts), 0, -1) if ".".join(parts[:n]) == "regard" or _is_module(parts[:n]))
    value: Any = __import__(".".join(parts[:at]), fromlist=["_"])
    for part in parts[at:]:
        value = getattr(value, part)
    return value


def _is_module(parts: list[str]) -> bool:
    return (ROOT / "src" / Path(*parts)).with_suffix(".py").is_file()


@pytest.mark.parametrize("name", sorted(set(regard.__all__) - {"__version__"}))
def test_every_public_name_is_described(name: str) -> None:
    told = any(each == f"regard.{name}" or each.startswith(f"regard.{name}.") for each in DESCRIBED)
    assert told, "describe it in docs/reference/python.md"


@pytest.mark.parametrize("name", DESCRIBED)
def test_what_is_described_is_there_and_says_what_it_is(name: str) -> None:
    assert found(name).__doc__


@pytest.mark.parametrize("room", ["masks", "scorers", "pictures"])
def test_a_room_of_small_things_is_described_whole(room: str) -> None:
    """But for what is abstract, and for what other rooms of ours alone call."""
    module = getattr(regard, room)
    internal = {"Mask", "Scorer", "allowed", "visible", "spanned", "hide"}
    own = {name for name, each in vars(module).items() if getattr(each, "__module__", "") == module.__name__}
    public = {name for name in own if name[0] != "_" and callable(vars(module)[name])}
    values = {"dot", "scaled_dot"}
    assert public - internal - values <= {name.rpartition(".")[2] for name in DESCRIBED}


def test_a_signature_is_shown_as_it_is_written() -> None:
    shown = signatures.written(regard.attend)
    assert shown is not None
    assert shown[0].startswith("(query: Float[Tensor, '*#batch queries d_query'], key: ")
    assert shown[1] == "Float[Tensor, '*#batch queries d_value']"
    assert signatures.written(3) is None


def test_every_command_is_listed() -> None:
    listed = list(commands.commands())
    assert {first for first, *_ in listed} == set(main.COMMANDS)
    assert ("train", "lm") in listed
    assert ("train",) not in listed


@pytest.mark.parametrize("names", [("look",), ("train", "lm")])
def test_help_is_what_the_command_prints(names: tuple[str, ...]) -> None:
    program = f"import sys; from regard.cli import main; sys.argv[1:] = {[*names, '--help']!r}; main.main()"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert commands.told(*names) == done.stdout
    assert done.stdout.count("--") > 5


def test_a_command_without_help_stops_the_build() -> None:
    with pytest.raises(commands.ExtensionError):
        commands.told("nothing-of-the-kind")
