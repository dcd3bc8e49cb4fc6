"""Train a language model on any text: read, cut into tokens, train, keep the best; or resume."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from regard.core.errors import BadInput
from regard.generation.choosing import Choice, chance
from regard.generation.writing import Line, write
from regard.models import folder
from regard.models.forms import form_of
from regard.models.gpt import Gpt, GptConfig
from regard.tasks.cards import lm_card
from regard.tasks.lm_choices import LmData, refuse_small_vocabulary, settled, vocabulary, with_form
from regard.tasks.run_choices import Asked, drafted, refuse_fleeting
from regard.tasks.run_folder import carry_out
from regard.tasks.run_log import RunLog, Tell
from regard.tasks.spool import SPOOL, keep, placed
from regard.tasks.watching import text_probe
from regard.text import corpus, prose_tokenizers
from regard.text.corpus import Corpus, Tokens
from regard.text.lines import STDIN
from regard.training import trial
from regard.training.loop import Report, Run
from regard.training.loss import validation_loss
from regard.training.settings import LmSettings
from regard.training.windows import Windows

TOKENS = "tokens"
SAMPLE = 60
"""So many tokens show how the model writes by now."""

MANY = 100
"""So many documents teach how one begins: every text that the model reads then begins where the one before ends."""

JUDGED = 2**16
"""At most about so many tokens of the validation text, evenly spaced, are measured at each validation."""


def train_lm(output: Path, asked: Asked, tell: Tell, *, resume: bool = False) -> Report:
    """Train a language model into the folder `output`, or resume the run there: see `run_folder.carry_out`."""
    return carry_out(LanguageModel(output), output, asked, tell, resume=resume)


@dataclass(frozen=True)
class LanguageModel:
    """The task of `regard train lm`."""

    output: Path
    name = "lm"
    schema = LmData
    settings = LmSettings
    tried = trial.CHOICES
    before = (folder.TOKENIZER, SPOOL, TOKENS)
    probe = staticmethod(text_probe)

    def refuse(self, asked: Asked, data: LmData) -> None:
        form_of(drafted(LmSettings, GptConfig, with_form(asked), data.vocab_size or 257).model)
        refuse_small_vocabulary(data)
        if data.tokenizer_from is not None and not data.tokenizer_from.exists():
            raise BadInput("file_missing", path=str(data.tokenizer_from))
        paths = [*data.text, *(data.validation or ())]
        refuse_fleeting(path for path in paths if str(path) != STDIN)
        keep(paths, self.output)

    def read(self, output: Path, data: LmData, seed: int, tell: Tell) -> Corpus:
        whole, validation = (corpus.files(placed(side, self.output)) for side in (data.text, data.validation or []))
        judging = {path.resolve() for path in validation}
        training = [path for path in whole if path.resolve() not in judging]
        if not training:
            raise BadInput("text_judged")
        if both := [path for path in whole if path.resolve() in judging]:
            tell("apart", {"count": len(both), "path": str(both[0])})
        return Corpus(training, validation, data.field, data.encoding, data.held_out)

    def load_tokenizer(self, path: Path) -> Any:
        return prose_tokenizers.load(path)

    def new_tokenizer(self, data: LmData, material: Corpus) -> Any:
        if data.tokenizer_from:
            place = data.tokenizer_from
            return prose_tokenizers.load(place / folder.TOKENIZER if place.is_dir() else place)
        size = data.vocab_size or (
            vocabulary(sum(map(len, material.pieces()))) if data.tokenizer == "bpe" else 1_000_000
        )
        tokenizer = prose_tokenizers.train(material.pieces(), kind=data.tokenizer, vocab_size=size)
        return prose_tokenizers.opening(tokenizer) if material.has(MANY) else tokenizer

    def settled(self, asked: Asked, data: LmData, tokenizer: Any, material: Corpus) -> LmSettings:
        tokens = corpus.tokens(material, tokenizer, self.output / TOKENS)
        settings = settled(asked, data, tokenizer.vocab_size, tokens)
        for side in corpus.SIDES:
            Windows(getattr(tokens, side), settings.model.max_len, side)  # refused here, before the run is begun
        return settings

    def run(
        self, output: Path, settings: LmSettings, tokenizer: Any, material: Corpus, tell: Tell
    ) -> tuple[Run, Report]:
        tokens = corpus.tokens(material, tokenizer, output / TOKENS)
        windows = Windows(tokens.training, settings.model.max_len)
        facts = {"tokens": len(tokens.training), "validation": len(tokens.validation), "documents": tokens.documents}

        def save_best(model: Any, measured: Report) -> None:
            folder.save(output / "best", model, tokenizer, lm_card(settings, measured, facts))

        run = Run(
            settings,
            Gpt(settings.model).to(settings.device),
            tokenizer,
            lambda number: windows.batch(number, size=settings.batch_size, seed=settings.seed),
            Judge(settings, tokenizer, tokens),
            save_best,
            output,
            RunLog(output, settings, tell),
        )
        return run, facts

    def files(self, output: Path, data: LmData) -> list[Path]:
        return corpus.files(placed([*data.text, *(data.validation or [])], self.output))


class Judge:
    """Validation: the loss on windows of the held-out text, evenly spaced, and a sample of what the model writes."""

    def __init__(self, settings: LmSettings, tokenizer: Any, tokens: Tokens) -> None:
        context = settings.model.max_len
        self.settings, self.tokenizer = settings, tokenizer
        self.windows = Windows(tokens.validation, context, "validation")
        count = max(1, min(len(self.windows), JUDGED // context))
        self.chosen = np.linspace(0, len(self.windows) - 1, count).astype(np.int64)
        self.bytes_per_token = tokens.bytes["validation"] / len(tokens.validation)
        self.prompt = torch.from_numpy(tokens.validation[: max(1, min(8, context // 2))].astype(np.int64))

    def __call__(self, model: Any) -> Report:
        size = max(1, 8192 // self.settings.model.max_len)
        parts = np.split(self.chosen, range(size, len(self.chosen), size))
        loss = validation_loss(model, map(self.windows.number, parts))
        bits = loss / np.log(2) / self.bytes_per_token
        return {
            "loss": loss,
            "bits_per_byte": float(bits),
            "perplexity": float(np.exp(min(loss, 700.0))),
            "score": -loss,
            "sample": {"prompt": self.tokenizer.decode(self.prompt.tolist()), "text": self._sample(model)},
        }

    def _sample(self, model: Any) -> str:
        """At most `SAMPLE` tokens after the prompt, drawn at temperature 0.8."""
        prompt = self.prompt.to(next(model.parameters()).device)
        room = self.settings.model.max_len - len(prompt) + 1
        line = Line(min(SAMPLE, room), ends=(), chance=chance(self.settings.seed))
        for _ in write(model, model.start(prompt[None, :-1]), prompt[-1:], [line], Choice(temperature=0.8)):
            pass
        return str(self.tokenizer.decode(line.ids))
