"""The frame of the command line: exit codes, one clear line for each error, languages, speed."""

import os
import re
import subprocess
import sys
from typing import Any

import pytest

from regard.cli import main
from regard.cli.complaints import complaint
from regard.core.errors import BadInput, Failure
from regard.language import LANGUAGES, catalogue, say
from regard.version import __version__

HEAVY = ("torch", "numpy", "matplotlib", "transformers", "tokenizers", "sacrebleu", "rich.console", "yaml")
PROGRAM = [sys.executable, "-W", "error", "-c", "from regard.cli.main import main; main()"]


def regard(*arguments: str | bytes, **more: Any) -> subprocess.CompletedProcess[str]:
    """The real program in a process of its own."""
    return subprocess.run([*PROGRAM, *arguments], capture_output=True, text=True, encoding="utf-8", **more)


def told(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code = main.run(list(arguments))
    out, err = capsys.readouterr()
    return code, out, err


def complained(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """The one line on stderr of a command line that is bad input."""
    code, out, err = told(capsys, *arguments)
    assert (code, out) == (2, "")
    assert err.count("\n") == 1
    assert "Traceback" not in err
    return err


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch) -> Any:
    """A command line whose only command raises what it is given."""

    def plant(error: BaseException) -> None:
        class Command:
            def make_context(self, *_: Any) -> Any:
                raise error

        monkeypatch.setattr(main, "build", lambda _: Command())

    return plant


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["explian", "--help"], ["explian", "explain", "translate"]),
        (["explian"], ["explian", "explain", "translate"]),
        (["explain", "returns", "--fromat", "json"], ["--fromat", "--format", "regard explain"]),
        (["--versoin"], ["--versoin", "--version"]),
        (["explain", "returns", "-q"], ["-q", "--help"]),
        (["explain"], ["WHAT", "regard explain --help"]),
        (["explain", "a", "b"], ["regard explain --help"]),
        (["explain", "returns", "--digits"], ["--digits"]),
        (["explain", "returns", "--digits", "many"], ["--digits"]),
        (["explain", "returns", "--digits", "16"], ["--digits", "15"]),
        (["explain", "returns", "--causal=yes"], ["--causal"]),
        (["--lang", "zh", "explain", "returns"], ["--lang zh", "zh-Hant", "en"]),
        (["explain", "returns", "--lang", "english"], ["english", "zh-Hans"]),
    ],
)
def test_wrong_usage_is_one_line(capsys: pytest.CaptureFixture[str], arguments: list[str], words: list[str]) -> None:
    line = complained(capsys, *arguments)
    assert all(word in line for word in words), line


def test_errors_are_in_the_language_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    """Wherever --lang stands, also for errors before it is parsed."""
    for arguments in (["--lang", "zh-Hant", "explian"], ["explain", "nothing", "--lang=zh-Hant"]):
        assert "沒有" in complained(capsys, *arguments)
    assert "没有" in complained(capsys, "explain", "nothing", "--lang", "zh-Hans")
    assert "No file" in complained(capsys, "explain", "nothing")


def test_a_text_is_no_option(capsys: pytest.CaptureFixture[str]) -> None:
    """After -- everything is an argument, also --lang and --traceback."""
    assert "--traceback" in complained(capsys, "explain", "--", "--traceback")
    assert "--lang" in complained(capsys, "explain", "--", "--lang=zh-Hant")


@pytest.mark.parametrize(
    ("error", "code"), [(BadInput("file_missing", path="x"), 2), (Failure("file_missing", path="x"), 1)]
)
def test_our_errors(capsys: pytest.CaptureFixture[str], failing: Any, error: Exception, code: int) -> None:
    failing(error)
    assert told(capsys) == (code, "", say("errors.file_missing", path="x") + "\n")


def test_what_nobody_expected_is_one_line(capsys: pytest.CaptureFixture[str], failing: Any) -> None:
    failing(ZeroDivisionError("two\nlines \x1b[31m"))
    code, out, err = told(capsys)
    assert (code, out, err.count("\n")) == (1, "", 1)
    assert "ZeroDivisionError: two lines \\x1b[31m" in err
    assert "--traceback" in err


@pytest.mark.parametrize("where", [["--traceback", "explain", "no.yaml"], ["explain", "no.yaml", "--traceback"]])
def test_the_traceback_on_request(capsys: pytest.CaptureFixture[str], where: list[str]) -> None:
    code, _, err = told(capsys, *where)
    assert code == 2
    assert "Traceback" in err
    assert "BadInput" in err


def test_an_interrupt(capsys: pytest.CaptureFixture[str], failing: Any) -> None:
    failing(KeyboardInterrupt())
    assert told(capsys) == (130, "", "")


def test_an_error_of_a_book_s_length_is_cut() -> None:
    line = complaint(BadInput("file_missing", path="x" * 10**6))
    assert len(line) == 1000
    assert line.endswith("…")


def test_nobody_reads_on() -> None:
    """`regard explain --help | head -1`: no complaint, no traceback."""
    command = f"{' '.join(map(repr, PROGRAM))} explain --help | head -1"
    done = subprocess.run(["bash", "-c", f"set -o pipefail; {command}"], capture_output=True, text=True)
    assert (done.stdout.count("\n"), done.stderr) == (1, "")
    assert done.returncode in (0, 141)  # 0 where all of it fitted into the pipe


def test_a_pipe_that_is_closed_at_once() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run([*PROGRAM, "--help"], stdout=writer, stderr=subprocess.PIPE, text=True)
    os.close(writer)
    assert (done.returncode, done.stderr) == (141, "")


def test_bytes_that_are_no_text() -> None:
    """A lone surrogate in argv, and an output encoding that has no Chinese."""
    done = regard("explain", b"\xff\xfe.yaml")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "Traceback" not in done.stderr
    narrow = regard("--lang", "zh-Hant", env=os.environ | {"PYTHONIOENCODING": "ascii"})
    assert narrow.returncode == 0
    assert "\\u6ce8\\u610f\\u529b" in narrow.stdout


def test_the_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert told(capsys, "--version") == (0, f"regard {__version__}\n", "")


@pytest.mark.parametrize("lang", LANGUAGES)
def test_help_is_written_by_hand_in_every_language(capsys: pytest.CaptureFixture[str], lang: str) -> None:
    """Every command, every option of it: in the catalogue, and shown."""
    code, out, _ = told(capsys, "--lang", lang)
    assert code == 0
    assert re.sub(r"\s", "", catalogue(lang, "cli")["regard"]) in re.sub(r"\s", "", out)
    command = main.build([])
    waiting = [command]
    while waiting:
        here = waiting.pop()
        assert here.help, here.name
        assert [parameter.name for parameter in here.params if not parameter.help] == [], here.name
        waiting += getattr(here, "commands", {}).values()


@pytest.mark.parametrize("command", [[], *([name] for name in main.COMMANDS)])
def test_help_loads_nothing_heavy(command: list[str]) -> None:
    """What makes it answer at once; seconds are for benchmarks."""
    program = f"""
import sys
from regard.cli.main import run
assert run({[*command, "--help"]!r}) == 0
print([name for name in {(*HEAVY, "pydantic")!r} if name in sys.modules], file=sys.stderr)"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stderr == "[]\n"


def test_help_after_anything_else_is_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    """The quick way to help and typer's own print the same."""
    quick = told(capsys, "explain", "--help")
    assert quick == told(capsys, "--lang", "en", "explain", "--help") == told(capsys, "explain", "returns", "--help")
    assert quick[0] == 0
    assert told(capsys, "--help") == told(capsys, "--lang", "en", "--help") == told(capsys)


def test_import_regard_loads_nothing_heavy() -> None:
    program = f"""
import sys, regard
assert [name for name in {HEAVY!r} if name in sys.modules] == []
assert 'attend' in dir(regard)
assert regard.attend is regard.attend and 'torch' in sys.modules
try:
    regard.nothing
except AttributeError as error:
    print(error)"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout == "module 'regard' has no attribute 'nothing'\n", done.stderr
