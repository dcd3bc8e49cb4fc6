"""`regard generate`: where a text begins in, how it goes on out, as it is written."""

import json
import sys
import time
from collections.abc import Iterator
from itertools import islice
from typing import Annotated, Any

import typer

from regard.cli.output import named
from regard.cli.parameters import AsText, Encoding, Lang, Source
from regard.cli.progress import counting
from regard.core.nearest import one_of
from regard.language import say
from regard.models.catalogue import DEFAULTS

CHUNK = 64
"""Prompts that are continued together."""


def generate(
    prompts: Annotated[list[str] | None, typer.Argument(metavar="PROMPT", show_default=False)] = None,
    model: Annotated[str, typer.Option(metavar="MODEL")] = DEFAULTS["generation"],
    source: Source = None,
    field: Annotated[str | None, typer.Option(metavar="NAME", show_default=False)] = None,
    max_tokens: Annotated[int, typer.Option(metavar="N")] = 200,
    greedy: Annotated[bool, typer.Option("--greedy")] = False,
    temperature: Annotated[float | None, typer.Option(metavar="X", show_default=False)] = None,
    top_k: Annotated[int | None, typer.Option(metavar="N", show_default=False)] = None,
    top_p: Annotated[float | None, typer.Option(metavar="X", show_default=False)] = None,
    min_p: Annotated[float | None, typer.Option(metavar="X", show_default=False)] = None,
    repetition_penalty: Annotated[float | None, typer.Option(metavar="X", show_default=False)] = None,
    seed: Annotated[int | None, typer.Option(metavar="N", show_default=False)] = None,
    samples: Annotated[int, typer.Option(metavar="N")] = 1,
    beam: Annotated[int, typer.Option(metavar="N")] = 1,
    n_best: Annotated[int, typer.Option(metavar="N")] = 1,
    length_penalty: Annotated[float, typer.Option(metavar="X")] = 1.0,
    stop: Annotated[list[str] | None, typer.Option(metavar="TEXT", show_default=False)] = None,
    weights: Annotated[str, typer.Option(metavar="fp32|bf16|int8")] = "fp32",
    form: Annotated[str, typer.Option("--format", metavar="text|json")] = "text",
    text: AsText = False,
    encoding: Encoding = "utf-8",
    lang: Lang = None,
) -> None:
    from regard.tasks.generation import load
    from regard.tasks.manners import manners
    from regard.tasks.sources import openings

    one_of(form, ("text", "json"), "--format")
    how: dict[str, Any] = {"max_tokens": max_tokens, "greedy": greedy, "beam": beam, "length_penalty": length_penalty}
    how |= {"temperature": temperature, "top_k": top_k, "top_p": top_p, "min_p": min_p, "seed": seed}
    how |= {"repetition_penalty": repetition_penalty, "samples": samples, "n_best": n_best}
    how |= {"stop": [_unescaped(each) for each in stop or []]}
    how["seed"] = manners(**how).seeded()
    generator = load(model, weights=weights)
    one = form == "text" and beam == samples == 1 and (len(prompts or []) == 1 or _typed(prompts, source))
    texts = openings(prompts or [], source, field=field, as_text=text, encoding=encoding)
    shown = _streamed(generator, texts, how) if one else _together(generator, texts, how, form)
    _summed_up(generator, shown, greedy or beam > 1)


def _typed(prompts: list[str] | None, source: str | None) -> bool:
    """Whether somebody types the prompts; who does is told how to end."""
    typed = not prompts and source in (None, "-") and sys.stdin is not None and sys.stdin.isatty()
    if typed:
        print(say("cli.type_prompt"), file=sys.stderr)
    return typed


def _streamed(generator: Any, texts: Iterator[str], how: dict[str, Any]) -> Iterator[Any]:
    """One text after another, each shown as it is written."""
    for number, prompt in enumerate(texts):
        flow = generator.stream(prompt, **how)
        print(end="\n" * bool(number) + _harmless(flow.prompt.text), flush=True)
        for piece in flow:
            print(end=_harmless(piece), flush=True)
        print(flush=True)
        yield flow.continuation


def _together(generator: Any, texts: Iterator[str], how: dict[str, Any], form: str) -> Iterator[Any]:
    """Many texts, `CHUNK` at a time, shown when they are written."""
    first = 1
    while chunk := list(islice(texts, CHUNK)):
        last = first + len(chunk) - 1
        read = [generator.read(text, number) for number, text in enumerate(chunk, start=first)]
        with counting(len(chunk) * how["samples"], say("cli.continuing", first=first, last=last)) as done:
            found = generator.generate(read, **how, done=done)
        for number, each in enumerate(each for one in found for each in (one if isinstance(one, list) else [one])):
            if form == "json":
                print(json.dumps(each.json(), ensure_ascii=False, allow_nan=False))
            else:
                print("\n" * (first > 1 or number > 0) + _harmless(each.prompt + each.text))
            yield each
        print(end="", flush=True)
        first = last + 1


def _summed_up(generator: Any, shown: Iterator[Any], certain: bool) -> None:
    """Let all be shown; then tell what a reader should know of it, and on a terminal how fast it was."""
    start, tokens, seed, told = time.monotonic(), 0, None, set()
    for each in shown:
        tokens, seed = tokens + len(each.ids), each.seed
        told |= {say("cli.signs_unknown", signs=named(each.unknown))} if each.unknown else set()
        told |= {say("cli.context_full", longest=generator.model.config.max_len)} if each.ended == "context" else set()
    if sys.stderr.isatty():
        seconds = time.monotonic() - start
        told.add(say("cli.generated", tokens=tokens, seconds=f"{seconds:.1f}", rate=f"{tokens / seconds:.0f}"))
        told |= {say("cli.seeded", seed=seed)} if seed is not None else set()
    for line in sorted(told):
        print(line, file=sys.stderr)


def _harmless(text: str) -> str:
    """On a terminal, signs that would command it are escaped: a model may write any."""
    return _escaped(text) if sys.stdout.isatty() else text


def _escaped(text: str) -> str:
    return "".join(sign if sign.isprintable() or sign in "\n\t" else repr(sign)[1:-1] for sign in text)


def _unescaped(text: str) -> str:
    """A stop string as it was meant: \\n is a new line, \\t a tab."""
    return text.replace("\\n", "\n").replace("\\t", "\t")
