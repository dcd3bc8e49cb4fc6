"""`regard generate`: a text that comes as it is written, many of a file; and all that may be wrong with a request."""

import gzip
import json
import os
import pty
import select
import subprocess
from pathlib import Path

import pytest
import torch
from asking import PATIENCE, PROGRAM, ask, refused

import regard
from regard.models import folder
from regard.models.gpt import Gpt, gpt2
from regard.tasks.generation import Generator, load
from regard.tasks.translation import Translator
from regard.text import prose_tokenizers

KEYS = ["prompt", "text", "tokens", "ids", "log_probs", "ended", "score", "seed"]
TEXT = "once upon a time there was a mole\nwho lived in a tower; the mole read\n" * 3
LONGEST = 23


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Untrained, of characters: it lacks all but TEXT's."""
    torch.manual_seed(7)
    letters = prose_tokenizers.train([TEXT], kind="characters", vocab_size=41)
    path = tmp_path_factory.mktemp("models") / "letters"
    sizes = {"vocab_size": letters.vocab_size, "max_len": LONGEST, "d_model": 14, "n_layers": 2, "n_heads": 2}
    gpt = Gpt(gpt2(**sizes))
    with torch.no_grad():
        for each in gpt.parameters():
            each.mul_(3.0)
    folder.save(path, gpt, letters, "# card\n")
    return path


def told(*arguments: str | Path, stdin: str = "") -> list[dict[str, object]]:
    answer = ask("generate", *arguments, "--format", "json", stdin=stdin)
    assert answer.code == 0, answer
    return [json.loads(line, parse_constant=pytest.fail) for line in answer.out.splitlines()]


def test_text_is_the_prompt_and_how_it_goes_on(model: Path) -> None:
    made = load(model).generate("a mole", seed=3, max_tokens=9)
    answer = ask("generate", "a mole", "--model", model, "--seed", "3", "--max-tokens", "9")
    assert answer == (0, f"a mole{made.text}\n", "")


def test_json_is_an_object_a_line_with_the_same_in_it(model: Path) -> None:
    made = load(model).generate(["a mole", "the"], seed=3, max_tokens=9)
    found = told("a mole", "the", "--model", model, "--seed", "3", "--max-tokens", "9")
    assert [list(each) for each in found] == [KEYS, KEYS]
    for each, ours in zip(found, made, strict=True):
        assert each["log_probs"] == pytest.approx(ours.log_probs, abs=1e-5)
        assert {**each, "log_probs": 0, "score": 0} == {**ours.json(), "log_probs": 0, "score": 0}


def test_many_prompts_of_a_file_plain_packed_json_or_piped(model: Path, tmp_path: Path) -> None:
    prompts = [f"{'the mole '[: 1 + i % 9]}" for i in range(70)]  # more than are continued at once
    lines = "".join(f"{prompt}\n" for prompt in prompts)
    objects = "".join(json.dumps({"prompt": prompt, "n": 1}) + "\n" for prompt in prompts)
    (tmp_path / "plain").write_text(lines)
    (tmp_path / "packed").write_bytes(gzip.compress(lines.encode()))
    (tmp_path / "x.jsonl").write_text(objects)
    (tmp_path / "other").write_text(objects.replace("prompt", "begin"))
    how = ["--model", model, "--greedy", "--max-tokens", "3"]
    expected = told(*how, stdin=lines)
    assert [each["prompt"] for each in expected] == prompts
    for asked in (["--input", tmp_path / "packed"], [tmp_path / "plain"], ["-i", tmp_path / "x.jsonl"]):
        assert told(*asked, *how) == expected
    assert told("-i", tmp_path / "other", "--field", "begin", *how) == expected
    assert told(tmp_path / "x.jsonl", *how)[0] == expected[0]


def test_an_argument_is_one_prompt_whatever_lines_it_has_and_may_be_a_files_name(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    how = ["--model", model, "--greedy", "--max-tokens", "2"]
    assert [each["prompt"] for each in told("a\nmole", *how)] == ["a\nmole"]
    monkeypatch.chdir(tmp_path)
    Path("mole").write_text("the\ntime\n")
    assert [each["prompt"] for each in told("mole", *how)] == ["the", "time"]
    assert [each["prompt"] for each in told("mole", "--text", *how)] == ["mole"]


def test_several_of_each_prompt(model: Path) -> None:
    samples = told("a", "the", "--model", model, "--samples", "3", "--seed", "5", "--max-tokens", "7")
    assert [each["prompt"] for each in samples] == ["a"] * 3 + ["the"] * 3
    assert {each["seed"] for each in samples} == {5}
    best = told("a", "--model", model, "--beam", "4", "--n-best", "3", "--max-tokens", "7")
    assert [each["score"] for each in best] == sorted((each["score"] for each in best), reverse=True)
    answer = ask("generate", "a", "the", "--model", model, "--samples", "2", "--seed", "5", "--max-tokens", "7")
    shown = (samples[place] for place in (0, 1, 3, 4))
    assert answer.out == "\n\n".join(each["prompt"] + each["text"] for each in shown) + "\n"


def test_a_stop_string_may_be_a_new_line(model: Path) -> None:
    made = [told("a", "--model", model, "--seed", f"{n}", "--stop", "\\n", "--stop", "mole")[0] for n in range(9)]
    assert {"stop"} <= {each["ended"] for each in made}
    assert not [each for each in made if "\n" in str(each["text"])]


def test_the_end_of_the_context_is_told(model: Path) -> None:
    answer = ask("generate", "a" * 20, "--model", model, "--greedy", "--repetition-penalty", "1.2")
    assert answer.code == 0
    assert "reads at most 23 tokens" in answer.err


def test_unknown_characters_are_named_and_it_goes_on(model: Path) -> None:
    answer = ask("generate", "a貓b鼠", "--model", model, "--greedy", "--max-tokens", "2")
    assert answer.out.startswith("a貓b鼠")
    assert answer.err.count("\n") == 1
    assert answer.err.rstrip().endswith(": 貓 b 鼠")


def test_an_empty_prompt_begins_with_the_end_of_a_text(model: Path) -> None:
    assert told("", "--model", model, "--greedy", "--max-tokens", "2")[0]["prompt"] == ""


@pytest.mark.parametrize("weights", ["bf16", "int8"])
def test_lighter_weights(model: Path, weights: str) -> None:
    exact, light = (told("a", "--model", model, "--greedy", "--weights", each)[0] for each in ("fp32", weights))
    assert light["log_probs"] != exact["log_probs"]
    assert light["log_probs"][0] == pytest.approx(exact["log_probs"][0], abs=0.1)  # type: ignore[index]


def test_one_door_opens_each_family(model: Path) -> None:
    assert isinstance(regard.load(model), Generator)
    assert isinstance(regard.load("en-fr"), Translator)


# Bad input


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--top-k", "0"], "--top-k = 0, and it must be ≥ 1"),
        (["--temperature", "-1"], "--temperature = -1.0"),
        (["--temperature", "0"], "--temperature = 0.0"),
        (["--temperature", "nan"], "finite number"),
        (["--top-p", "0"], "--top-p = 0.0"),
        (["--top-p", "1.5"], "--top-p = 1.5"),
        (["--max-tokens", "0"], "--max-tokens = 0"),
        (["--max-tokens", "x"], "“x”"),
        (["--beam", "0"], "--beam = 0"),
        (["--beam", "2", "--n-best", "3"], "--beam 2 keeps 2"),
        (["--greedy", "--temperature", "1"], "--temperature and --greedy"),
        (["--greedy", "--samples", "2"], "--samples and --greedy"),
        (["--beam", "2", "--stop", "x"], "--stop and --beam"),
        (["--stop", ""], "stop string is empty"),
        (["--weights", "int4"], "int8"),
        (["--format", "yaml"], "--format yaml"),
        (["--input", "x.txt"], "by --input"),
    ],
)
def test_a_wrong_option_is_one_line(model: Path, options: list[str], said: str) -> None:
    assert said in refused("generate", "a", "--model", model, *options)


def test_a_prompt_longer_than_the_model_reads_is_named_with_the_numbers(model: Path, tmp_path: Path) -> None:
    assert "has 24 tokens, and letters reads at most 23" in refused("generate", "a" * 24, "--model", model)
    (tmp_path / "x").write_text("a\n" * 65 + "a" * 24 + "\n")
    answer = ask("generate", "--input", tmp_path / "x", "--model", model, "--max-tokens", "1", "--greedy")
    assert (answer.code, answer.err.count("\n")) == (2, 1)
    assert "Prompt 66" in answer.err
    assert answer.out  # the first were written


def test_wrong_files_and_models(model: Path, tmp_path: Path) -> None:
    (tmp_path / "x.jsonl").write_text('{"prompt": "a"}\n{"text": "b"}\n')
    assert "line 2" in ask("generate", tmp_path / "x.jsonl", "--model", model, "--greedy").err
    assert "no-file" in refused("generate", "--input", tmp_path / "no-file", "--model", model)
    assert "regard translate" in refused("generate", "a", "--model", "en-fr")
    assert "regard generate" in refused("translate", "a", "--model", model)
    assert "nowhere" in refused("generate", "a", "--model", "nowhere")


# On a terminal


def test_a_text_comes_piece_by_piece_and_commands_nothing(model: Path) -> None:
    """The real program, on a terminal: speed and seed stand below; a prompt's escape is shown, not obeyed."""
    control, terminal = pty.openpty()
    command = [*PROGRAM, "generate", "a \x1b[31m", "--model", str(model), "--seed", "3", "--max-tokens", "9"]
    done = subprocess.Popen(command, stdin=terminal, stdout=terminal, stderr=terminal, env={**os.environ, "TERM": "x"})
    os.close(terminal)
    shown = b""
    while select.select([control], [], [], PATIENCE)[0]:
        try:
            shown += os.read(control, 1 << 16)
        except OSError:
            break
    assert done.wait(PATIENCE) == 0
    assert b"\x1b" not in shown
    assert b"a \\x1b[31m" in shown
    assert b"Seed 3." in shown
    assert b"tokens in" in shown
