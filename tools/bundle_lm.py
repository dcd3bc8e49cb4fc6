# ruff: noqa: E501 — the cards are text
"""Put the best language model of a training run into the package, in half precision, with its card.

    python tools/bundle_lm.py RUN NAME

The card states what was measured on the bundled weights themselves, after rounding, and shows what they write: nothing is
copied from the run but its settings and its time.
"""

import argparse
import json
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from regard.models import folder
from regard.models.gpt import GptConfig
from regard.tasks.generation import Generator
from regard.text.prose_tokenizers import opening
from regard.training.loss import validation_loss
from regard.training.windows import Windows

SHELF = Path(__file__).parents[1] / "src" / "regard" / "models" / "bundled"

CARD = """\
---
library_name: regard
pipeline_tag: text-generation
license: {licence}
language: [{language}]
regard:
  languages: {languages}
  measured_on: {measured_on}
  bits_per_byte: {bits:.3f}
---

# {name}: {title}

{about}

| | |
|---|---|
| architecture | {architecture} |
| parameters | {parameters:,}, stored in 16 bits |
| data | {data} |
| command | `{command}` |
| seed | {seed} |
| steps | {step}, the best by validation of {done} (planned: {steps}) |
| time | {minutes} minutes by the clock, on a share of a busy two-core machine with AMX (bf16), one thread |
| loss | {loss:.4f} nats a token, {bits:.4f} bits a byte, on {tokens:,} tokens that it never saw |

The folder is in {form}'s form: `transformers` opens it as it is.

## What it writes

{samples}

## What it cannot do

{weak}

## Licence and thanks

{thanks}
"""


@dataclass(frozen=True)
class About:
    """What a person has to say of a model: all that no file knows."""

    title: str
    about: str
    data: str
    source: str
    licence: str
    language: str
    languages: str
    measured_on: str
    prompts: tuple[str, ...]
    weak: str
    thanks: str
    short: bool
    """Whether its documents are short, and a prompt begins one."""


ABOUT = {
    "tiny-gpt": About(
        title="a small GPT that writes like old English books",
        about="Six layers of six heads that learnt to say the next piece of a text from Grimm's tales, the Brontës' novels and Shakespeare's plays. It is made to be looked into: with learned positions, one word in three places begins as one vector and becomes three.",
        data="Grimms' Fairy Tales (English), the novels of the Brontë sisters, and Shakespeare's plays in the selection called tiny Shakespeare, 5.5 MB, all in the public domain; the last tenth of each file was held out",
        source="--text GrimmsFairyTales.txt --text bronte.txt --text tiny-shakespeare.txt",
        licence="cc0-1.0",
        language="en",
        languages="English",
        measured_on="the last tenth of each text",
        prompts=("Once upon a time", "I can", "KING RICHARD:"),
        weak="- It writes sentences that sound right and mean little. It has no facts, follows no instruction, answers no question.\n- It knows nothing after the nineteenth century, and has the manners and prejudices of its books.\n- It reads 256 tokens, about 180 words; what lies further back is gone.\n- It is for learning and for looking inside.",
        thanks="The weights are in the public domain (CC0), as the texts are. Texts: Project Gutenberg; tiny Shakespeare was put together by Andrej Karpathy.",
        short=False,
    ),
    "tang": About(
        title="絕句與律詩, a character at a time",
        about="A GPT in Llama's form (rotary positions, SwiGLU, root mean square norms) that learnt the shape of Tang poems from 11,752 of them: lines of five or of seven characters, in pairs. Each character is one token.",
        data="the poems of the Complete Tang Poems (全唐詩) whose lines have five characters throughout, or seven, at most sixteen lines, without titles (`tools/tang.py`): 11,752 poems, public domain; the last tenth was held out",
        source="--text tang.jsonl --tokenizer characters",
        licence="cc0-1.0",
        language="zh",
        languages="Chinese (Traditional), verse of the Tang",
        measured_on="the last tenth of the poems",
        prompts=("", "春", "明月"),
        weak="- It keeps the form and the vocabulary; the sense seldom lasts longer than a couplet. It knows nothing of tones, and rhymes by accident.\n- Characters that its poems do not have are unknown to it, and modern Chinese is foreign to it. Simplified characters become `<unk>`.\n- It writes no titles and no prose.\n- Whole phrases of real poems come back: do not take what it writes for its own.",
        thanks="The weights are in the public domain (CC0), as the poems are.",
        short=True,
    ),
}


def main() -> None:
    """Bundle one run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path)
    parser.add_argument("name", choices=ABOUT)
    asked = parser.parse_args()
    best, target = folder.load(asked.run / "best"), SHELF / asked.name
    tokenizer = opening(best.tokenizer) if ABOUT[asked.name].short else best.tokenizer
    folder.save(target, best.model, tokenizer, "", dtype=torch.float16)
    loaded = folder.load(target)
    loss, tokens = measured(asked.run, loaded.model)
    folder.save(target, best.model, tokenizer, card(asked.run, loaded, loss, tokens), dtype=torch.float16)
    print(f"{target}: {loss:.4f} nats a token")


def measured(run: Path, model: torch.nn.Module) -> tuple[float, int]:
    """Nats a token over all of the held-out text, and how many tokens that is."""
    windows = Windows(np.load(run / "tokens" / "validation.npy", mmap_mode="r"), model.config.max_len)
    parts = np.array_split(np.arange(len(windows)), max(1, len(windows) // 16))
    return validation_loss(model, map(windows.number, parts)), len(windows) * windows.context


def card(run: Path, loaded: folder.Loaded, loss: float, tokens: int) -> str:
    """The card's text, from the run's own files and the measurement."""
    about, name = ABOUT[loaded.name], loaded.name
    facts = json.loads((run / "run.json").read_text(encoding="utf-8"))
    held = json.loads((run / "tokens" / "manifest.json").read_text(encoding="utf-8"))
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text(encoding="utf-8").splitlines()]
    judged = [line for line in lines if line["kind"] == "validation"]
    ids = len(np.load(run / "tokens" / "validation.npy", mmap_mode="r"))
    settings = facts["settings"]
    return CARD.format(
        **{field: getattr(about, field) for field in ("title", "about", "data", "licence", "language", "languages")},
        **{field: getattr(about, field) for field in ("measured_on", "weak", "thanks")},
        name=name,
        form={"gpt2": "GPT-2", "llama": "Llama"}[settings["form"]],
        architecture=architecture(loaded.model.config),
        parameters=sum(p.numel() for p in loaded.model.parameters()),
        command=command(facts, about, name),
        seed=settings["seed"],
        step=max(judged, key=lambda line: line["score"])["step"],
        done=max(line["step"] for line in lines),
        steps=settings["steps"],
        minutes=round(max(line["seconds"] for line in judged) / 60),
        loss=loss,
        bits=loss / math.log(2) * ids / held["bytes"]["validation"],
        tokens=tokens,
        samples=samples(Generator(loaded), about.prompts),
    )


def architecture(config: GptConfig) -> str:
    """What the model is made of, in a line."""
    sizes = f"{config.n_layers} layers, {config.n_heads} heads, width {config.d_model}, {config.hidden} inside the feed-forward layers"
    return f"{sizes}; {config.positions} positions, a context of {config.max_len} tokens, a vocabulary of {config.vocab_size:,}"


def command(facts: dict, about: About, name: str) -> str:
    """The command that made these weights, as it is typed today."""
    settings, model = facts["settings"], facts["settings"]["model"]
    vocabulary = f"--vocab-size {model['vocab_size']} " if facts["data"]["tokenizer"] == "bpe" else ""
    sizes = f"--n-layers {model['n_layers']} --n-heads {model['n_heads']} --d-model {model['d_model']} --context {model['max_len']}"
    course = f"--dropout {model['dropout']} --batch-size {settings['batch_size']} --learning-rate {settings['learning_rate']} --steps {settings['steps']}"
    if settings["optimizer"] != "adamw":
        course += f" --optimizer {settings['optimizer']} --schedule {settings['schedule']} --weight-decay {settings['weight_decay']}"
    rest = f"--evaluate-every {settings['evaluate_every']} --patience {settings['patience']} --threads {settings['threads']}"
    return f"regard train lm {about.source} {vocabulary}--form {settings['form']} {sizes} {course} {rest} --output runs/{name}"


def samples(generator: Generator, prompts: tuple[str, ...]) -> str:
    """What the model writes after these prompts, with the first three seeds; none is picked."""
    found = [generator.generate(prompt, max_tokens=100, seed=seed) for seed, prompt in enumerate(prompts, start=1)]
    return "\n\n".join(f"```text\n{each.prompt}{each.text.rstrip()}\n```" for each in found)


if __name__ == "__main__":
    main()
