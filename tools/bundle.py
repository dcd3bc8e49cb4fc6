# ruff: noqa: E501 — the card is text
"""Put the best model of a training run into the package, in half precision, with its card.

    python tools/bundle.py RUN NAME --pairs VALID.tsv

The card states what was measured on the bundled weights themselves, after rounding: nothing is copied from the run
but its settings and its time.
"""

import argparse
import json
from pathlib import Path

import torch

from regard.models import folder
from regard.models.rnn import RnnConfig
from regard.models.transformer import TransformerConfig
from regard.tasks.evaluation import Evaluation, evaluate
from regard.tasks.translation import load
from regard.text.pairs import read_pairs

SHELF = Path(__file__).parents[1] / "src" / "regard" / "models" / "bundled"

CARD = """\
---
library_name: regard
pipeline_tag: translation
license: cc-by-2.0
language: [en, fr]
regard:
  languages: English → French
  measured_on: 1435 held-out Tatoeba pairs
  bleu: {bleu:.2f}
  chrf: {chrf:.2f}
---

# {name}: English → French, {kind}

{about}

| | |
|---|---|
| architecture | {architecture} |
| parameters | {parameters:,}, stored in 16 bits |
| data | {pairs:,} English–French sentence pairs of Tatoeba (tatoeba.org, by way of manythings.org/anki), CC BY 2.0 FR; and a tenth as many made by joining two of them |
| command | `{command}` |
| seed | {seed} |
| time | {minutes} minutes on {machine} |
| BLEU | {bleu:.2f} (`{bleu_signature}`) |
| chrF | {chrf:.2f} (`{chrf_signature}`) |

Scores are of beam search (5) on 1,435 Tatoeba pairs kept out of training (`regard evaluate`), measured on the weights in
this folder. By length of the source:

{lengths}
{elsewhere}
## Weak spots

- It knows short everyday sentences. On long ones, on names, numbers and rare words it is often wrong, and it does not
  say so: fluent French is no sign that the meaning was kept.
- *you* may become *tu*, *vous* (one or many), as the data has it; the gender of *I* and *you* is guessed.
- {weak}
- It is for learning and for looking inside, not for use where an error matters.

## Licence and thanks

The weights are under CC BY 2.0 (as the sentences are). Sentences: the contributors of tatoeba.org; pairing:
manythings.org/anki.
"""

RNN = "bidirectional {cell} encoder, {cell} decoder, width {d_model}, embeddings of {d_embedding} shared by source, target and output; attention `{attention}`"
TRANSFORMER = (
    "encoder and decoder of {n_layers} layers each, width {d_model}, {n_heads} heads of {d_head}, feed-forward layers of {hidden} ({activation}), "
    "norms after each part, sinusoidal positions; one matrix shared by source, target and output"
)

MACHINES = {
    "fp32": "one core of a shared two-core machine (AVX2, fp32), its twin training on the other core",
    "bf16": "about half a core of a busy two-core machine (AMX, bf16)",
}

ELSEWHERE = """
## In other programs

The folder is in Marian's form. `transformers` opens it as it is (`MarianMTModel`, `AutoTokenizer`; its beams end with the ids
of `regard translate`), and CTranslate2's own converter takes it: `ct2-transformers-converter --model FOLDER --output_dir OUT`.
"""

ABOUT = {
    "dot": (
        "an RNN translator with attention",
        "For each word it writes, the decoder looks at all encoder states anew (Bahdanau et al. 2015; Luong et al. 2015). "
        "Its twin `en-fr-fixed` has the same parameters, data and steps, but only the encoder's final state.",
        "Its attention is one reading of where it looked. It is not made to be a word alignment, and is often spread "
        "or early on function words.",
    ),
    "none": (
        "an RNN translator without attention",
        "The decoder is handed the encoder's final state at every word, and nothing else: the bottleneck of 2014. It is "
        "here to be compared with its twin `en-fr`, which differs in attention alone.",
        "It loses the thread of sentences of ten words and more; that is what it is here to show. Its weights were "
        "trained while dropout did not yet reach the state that is handed over (it reached the states that `en-fr` "
        "looks at); the command gives slightly other weights since.",
    ),
    "transformer": (
        "a Transformer",
        "Nothing but attention between tokens (Vaswani et al. 2017): every source word looks at the whole source, every "
        "word that is written at those before it and at the source, with several heads in every layer. The same "
        "sentences as `en-fr`, which is an RNN with attention.",
        "It has many patterns, and no one of them is a word alignment. What `regard translate` shows is the mean over "
        "the heads of the last layer of the decoder: one reading of where it looked.",
    ),
}


def main() -> None:
    """Bundle one run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path)
    parser.add_argument("name")
    parser.add_argument("--pairs", type=Path, required=True)
    asked = parser.parse_args()
    best, target = folder.load(asked.run / "best"), SHELF / asked.name
    folder.save(target, best.model, best.tokenizer, "", dtype=torch.float16)
    found = evaluate(load(target), read_pairs([asked.pairs]))
    folder.save(target, best.model, best.tokenizer, card(asked.run, asked.name, found), dtype=torch.float16)
    print(f"{target}: BLEU {found.overall.bleu:.2f}, chrF {found.overall.chrf:.2f}")


def card(run: Path, name: str, found: Evaluation) -> str:
    """The card's text, from the run's own files and the measurement."""
    facts, report = (json.loads((run / f).read_text(encoding="utf-8")) for f in ("run.json", "data.json"))
    settings, model = facts["settings"], facts["settings"]["model"]
    seconds = [json.loads(line).get("seconds", 0) for line in (run / "metrics.jsonl").read_text().splitlines()]
    built = folder.load(SHELF / name).model
    kind, about, weak = ABOUT[model.get("attention", "transformer")]
    return CARD.format(
        name=name,
        kind=kind,
        about=about,
        weak=weak,
        architecture=architecture(built.config),
        machine=MACHINES[settings["precision"]],
        elsewhere="" if "attention" in model else ELSEWHERE,
        parameters=sum(p.numel() for p in built.parameters()),
        pairs=report["kept"],
        command=command(facts, built.config, name),
        seed=settings["seed"],
        minutes=round(max(seconds) / 60),
        bleu=found.overall.bleu,
        chrf=found.overall.chrf,
        bleu_signature=found.overall.signatures["bleu"],
        chrf_signature=found.overall.signatures["chrf"],
        lengths=lengths(found),
    )


def architecture(config: RnnConfig | TransformerConfig) -> str:
    """What the model is made of, in a line."""
    if isinstance(config, RnnConfig):
        return RNN.format(**config.model_dump() | {"cell": config.cell.upper()})
    more = {"hidden": config.hidden, "d_head": config.d_model // config.n_heads}
    return TRANSFORMER.format(**config.model_dump() | more)


def command(facts: dict, config: RnnConfig | TransformerConfig, name: str) -> str:
    """The command that gives these weights again, at the same number of threads."""
    settings, words = facts["settings"], ["regard train translation --pairs train.tsv --validation valid.tsv"]
    words += [f"--joined {facts['data']['joined']}"]
    words += ["--model transformer"] if isinstance(config, TransformerConfig) else []
    for field, kind in type(config).model_fields.items():
        value = getattr(config, field)
        if value != kind.default and field not in ("vocab_size", "model_type"):
            words.append(f"--{field.replace('_', '-')} {value}")
    words += [f"--steps {settings['steps']} --threads {settings['threads']} --output runs/{name}"]
    return " ".join(words)


def lengths(found: Evaluation) -> str:
    """The table of scores by length."""
    rows = [
        f"| {bucket} | {count} | {scores.bleu:.1f} | {scores.chrf:.1f} |"
        for bucket, (count, scores) in found.by_length.items()
        if scores
    ]
    return "\n".join(["| words | pairs | BLEU | chrF |", "|---|---|---|---|", *rows])


if __name__ == "__main__":
    main()
