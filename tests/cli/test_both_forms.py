"""A picture and JSON at once: neither is lost; a file that cannot be written is refused before any work is done."""

import json
from pathlib import Path

import pytest
from asking import ask, refused

COMMANDS = [
    ("size", "tiny-gpt"),
    ("words", "月", "日", "水", "--model", "tang"),
    ("senses", "can", "--no-looks"),
    ("heads", "Once upon a time", "--no-effect"),
    ("evidence", "Once upon a", "--of", "layers"),
]


@pytest.mark.parametrize("command", COMMANDS, ids=[command[0] for command in COMMANDS])
def test_a_picture_and_json(command: tuple[str, ...], tmp_path: Path) -> None:
    picture = tmp_path / "shown.svg"
    status, out, err = ask(*command, "-o", picture, "--format", "json")
    assert status == 0
    assert json.loads(out)
    assert "shown.svg" in err
    assert picture.read_text(encoding="utf-8").lstrip().startswith(("<?xml", "<svg"))
    status, out, _ = ask(*command, "-o", tmp_path / "told.json")
    assert (status, out) == (0, "")
    assert json.loads((tmp_path / "told.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("command", COMMANDS, ids=[command[0] for command in COMMANDS])
@pytest.mark.parametrize("name", ["told.json", "shown.svg"])
def test_a_folder_that_is_not_there(command: tuple[str, ...], name: str, tmp_path: Path) -> None:
    assert "no folder" in refused(*command, "-o", tmp_path / "nowhere" / name)
