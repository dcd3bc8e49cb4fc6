"""Train a translator on pairs of sentences: read, clean, cut into tokens, train, keep the best; or resume."""

import json
import os
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from regard.core.errors import BadInput
from regard.core.files import write_whole
from regard.generation.sentences import rules, translate
from regard.models import folder
from regard.models.rnn import RnnConfig, RnnTranslator
from regard.models.transformer import Transformer, TransformerConfig
from regard.tasks.cards import training_card
from regard.tasks.run_choices import Asked as Asked
from regard.tasks.run_choices import Data, chosen_for, drafted, refuse_fleeting
from regard.tasks.run_folder import carry_out
from regard.tasks.run_log import RunLog, Tell
from regard.tasks.spool import SPOOL, keep, placed
from regard.tasks.watching import pair_probe
from regard.text import tokenizers
from regard.text.doctor import clean, split
from regard.text.joining import with_joined
from regard.text.lines import STDIN
from regard.text.pairs import Pairs, read_pairs
from regard.text.tokenizers import Tokenizer
from regard.training.examples import Examples
from regard.training.loop import Report, Run
from regard.training.loss import validation_loss
from regard.training.metrics import quality
from regard.training.settings import TranslationSettings

MODELS: dict[str, tuple[type[Any], type[Any]]] = {
    "regard-rnn": (RnnConfig, RnnTranslator),
    "regard-transformer": (TransformerConfig, Transformer),
}
"""Each `model_type` with the class of its config, and its own."""

COURSES: dict[str, dict[str, Any]] = {
    "regard-transformer": {"learning_rate": 1.5e-3},
}
"""What suits a kind of model, where it is not what `TranslationSettings` says."""

SAMPLED = 500
"""At most so many validation sentences, evenly spaced, are translated at each validation."""


def train_translation(output: Path, asked: Asked, tell: Tell, *, resume: bool = False) -> Report:
    """Train a translator into the folder `output`, or resume the run that stands there: see `run_folder.carry_out`."""
    return carry_out(Translation(output), output, asked, tell, resume=resume)


@dataclass(frozen=True)
class Sides:
    """The pairs that a run learns from, and those that judge it."""

    training: Pairs
    validation: Pairs


@dataclass(frozen=True)
class Translation:
    """The task of `regard train translation`."""

    output: Path
    name = "translation"
    schema = Data
    settings = TranslationSettings
    tried = ()  # its batches are of many shapes, and each would be compiled anew
    before = ("data.json", folder.TOKENIZER, SPOOL)
    probe = staticmethod(pair_probe)

    def refuse(self, asked: Asked, data: Data) -> None:
        _drafted(_suited(asked), data.vocab_size)
        paths = [*data.pairs, *(data.validation or ())]
        refuse_fleeting(path for path in paths if str(path) != STDIN)
        keep(paths, self.output)

    def read(self, output: Path, data: Data, seed: int, tell: Tell) -> Sides:
        """Training and validation pairs, cleaned; the report is told and written."""
        pairs = read_pairs(placed(data.pairs, output), columns=data.columns, encoding=data.encoding)
        if data.validation:
            validation, _ = clean(
                read_pairs(placed(data.validation, output), columns=data.columns, encoding=data.encoding)
            )
            training, report = clean(pairs, validation=validation)
        else:
            whole, report = clean(pairs)
            training, validation = split(whole, validation=max(1, min(data.held_out, len(whole) // 10)), seed=seed)
        write_whole(output / "data.json", (json.dumps(report.json(), indent=1) + "\n").encode())
        tell("data", {"report": report, "training": len(training), "validation": len(validation)})
        return Sides(with_joined(training, data.joined, seed), validation)

    def new_tokenizer(self, data: Data, material: Sides) -> Tokenizer:
        lines = (line for side in (material.training.source, material.training.target) for line in side)
        return tokenizers.train(lines, kind=data.tokenizer, vocab_size=data.vocab_size)

    def load_tokenizer(self, path: Path) -> Tokenizer:
        return tokenizers.load(path)

    def settled(self, asked: Asked, data: Data, tokenizer: Tokenizer, material: Sides) -> TranslationSettings:
        asked = _suited(asked)
        draft = _drafted(asked, tokenizer.vocab_size)
        examples = Examples(material.training.source, material.training.target, tokenizer)
        _refuse_long(draft, examples)
        _refuse_long(draft, Examples(material.validation.source, material.validation.target, tokenizer))
        per_epoch = examples.batches_per_epoch(draft.batch_tokens)
        return chosen_for(asked, draft, -(-per_epoch // draft.accumulate), data.epochs)

    def run(
        self, output: Path, settings: TranslationSettings, tokenizer: Tokenizer, material: Sides, tell: Tell
    ) -> tuple[Run, Report]:
        training, validation = material.training, material.validation
        examples = Examples(training.source, training.target, tokenizer)

        def save_best(model: Any, facts: Report) -> None:
            folder.save(output / "best", model, tokenizer, training_card(settings, facts, len(training)))

        run = Run(
            settings,
            MODELS[settings.model.model_type][1](settings.model).to(settings.device),
            tokenizer,
            lambda number: examples.batch(number, tokens=settings.batch_tokens, seed=settings.seed),
            Judge(settings, tokenizer, validation),
            save_best,
            output,
            RunLog(output, settings, tell),
        )
        return run, {"pairs": len(training), "validation": len(validation)}

    def files(self, output: Path, data: Data) -> list[Path]:
        return [path for path in placed([*data.pairs, *(data.validation or [])], output) if os.path.isfile(path)]


def _suited(asked: Asked) -> Asked:
    """What was asked for, over what suits this kind of model."""
    course = COURSES.get(asked.model.get("model_type", ""), {})
    return replace(asked, run={**course, **asked.run})


def _drafted(asked: Asked, vocab_size: int) -> TranslationSettings:
    config, _ = MODELS[asked.model.get("model_type", "regard-rnn")]
    return drafted(TranslationSettings, config, asked, vocab_size)


def _refuse_long(settings: TranslationSettings, examples: Examples) -> None:
    """A pair that the model could not read whole is told before any training.

    Raises:
        BadInput: `pair_length`.
    """
    most = getattr(settings.model, "max_len", sys.maxsize)
    longest = max(max(map(len, examples.source), default=0), max(map(len, examples.target), default=1) - 1)
    if longest > most:
        raise BadInput("pair_length", came=longest, most=most)


class Judge:
    """Validation: the loss on all held-out pairs, BLEU and chrF on an even sample of them."""

    def __init__(self, settings: TranslationSettings, tokenizer: Tokenizer, validation: Pairs) -> None:
        every = -(-len(validation) // SAMPLED)
        self.settings, self.tokenizer = settings, tokenizer
        self.source, self.reference = validation.source[::every], validation.target[::every]
        self.held_out = Examples(validation.source, validation.target, tokenizer)

    def __call__(self, model: Any) -> Report:
        outputs = [t.outputs for t in translate(model, self.tokenizer, self.source, rules())]
        texts = [found[0].text if found else "" for found in outputs]
        scores = quality(texts, self.reference)
        pick = len(texts) * 2 // 3
        loss = self._loss(model)
        return {
            "loss": loss,
            "bleu": scores.bleu,
            "chrf": scores.chrf,
            "signatures": scores.signatures,
            "score": scores.bleu - loss / 1e6,  # BLEU decides; where it stands still, at 0 in the beginning, the loss
            "sample": {"source": self.source[pick], "translation": texts[pick], "reference": self.reference[pick]},
        }

    def _loss(self, model: Any) -> float:
        tokens = self.settings.batch_tokens
        count = self.held_out.batches_per_epoch(tokens)
        return validation_loss(model, (self.held_out.batch(n, tokens=tokens, seed=0) for n in range(count)))
