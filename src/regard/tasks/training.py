"""Train a translator on pairs of sentences: read, clean, cut into tokens, train, keep the best; or resume."""

import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import torch
from filelock import FileLock, Timeout

from regard.core.errors import BadInput
from regard.core.files import sha256, write_whole
from regard.generation.sentences import rules, translate
from regard.models import folder
from regard.models.rnn import RnnTranslator
from regard.tasks.cards import training_card
from regard.tasks.run_choices import Asked, Data, drafted, refuse_other_choices, settled, valid
from regard.tasks.run_log import RunLog, Tell, forget_after, outcome
from regard.text import tokenizers
from regard.text.doctor import clean, split
from regard.text.joining import with_joined
from regard.text.lines import STDIN, shown_name
from regard.text.pairs import Pairs, read_pairs
from regard.text.tokenizers import Tokenizer
from regard.training import checkpoint
from regard.training.examples import Examples
from regard.training.loop import Report, Run, train
from regard.training.loss import validation_loss
from regard.training.metrics import quality
from regard.training.settings import Settings

BEFORE = ("data.json", folder.TOKENIZER)
"""What is written before `run.json`: where there is no more, no run was begun."""

SAMPLED = 500
"""At most so many validation sentences, evenly spaced, are translated at each validation."""


def train_translation(output: Path, asked: Asked, tell: Tell, *, resume: bool = False) -> Report:
    """Train a translator into the folder `output`, or resume the run that stands there.

    A resumed run obeys what it wrote down; what is asked for besides must not differ from that.

    Returns:
        steps, loss, metrics and checkpoint: the path of the best model.

    Raises:
        BadInput: data or settings that break a rule; a folder in use, or not empty; data that changed since.
        Stopped: a signal came (see `training.loop`).
    """
    if resume and not output.is_dir():
        raise BadInput("nothing_to_resume", path=str(output))
    with _locked(output):
        settings, tokenizer, sides = (_again if resume else _begin)(output, asked, tell)
        training, validation = sides
        torch.manual_seed(settings.seed)
        run = _run(output, settings, tokenizer, training, validation, tell)
        resume_from, wrong = checkpoint.latest(output)
        if wrong and resume_from is None:
            raise wrong[0]
        for error in wrong:
            tell("warning", {"error": error})
        start = {"settings": settings, "parameters": sum(p.numel() for p in run.model.parameters())}
        tell("start", start | {"resume_from": resume_from, "pairs": len(training), "validation": len(validation)})
        forget_after(output, resume_from)
        standing = train(run, resume_from)
        return outcome(output, standing.step)


def _begin(output: Path, asked: Asked, tell: Tell) -> tuple[Settings, Tokenizer, tuple[Pairs, Pairs]]:
    """A new run: clean the data, train the tokenizer, settle every choice, and write them down."""
    if any(p for p in output.iterdir() if not p.name.startswith(".") and p.name not in BEFORE):
        raise BadInput("output_not_empty", path=str(output))
    data = valid(Data, asked.data)
    drafted(asked, data.vocab_size)  # a choice that breaks a rule is refused before the work, not after
    for path in (*data.pairs, *(data.validation or ())):
        lasting = (
            os.path.isfile(path) or os.path.isdir(path) or not os.path.exists(path)
        )  # the latter are refused below
        if not lasting or str(path) == STDIN:
            raise BadInput("pairs_fleeting", path=shown_name(path))
    sides = _sides(data, int(asked.run.get("seed", 1)), output, tell)
    lines = (line for side in (sides[0].source, sides[0].target) for line in side)
    tokenizer = tokenizers.train(lines, kind=data.tokenizer, vocab_size=data.vocab_size)
    settings = settled(asked, tokenizer, sides[0], data.epochs)
    write_whole(output / folder.TOKENIZER, tokenizer.json().encode())
    facts = {
        "data": data.model_dump(mode="json"),
        "settings": settings.model_dump(),
        "files": _hashes(data),
    }
    write_whole(output / "run.json", (json.dumps(facts, indent=1, ensure_ascii=False) + "\n").encode())
    return settings, tokenizer, sides


def _again(output: Path, asked: Asked, tell: Tell) -> tuple[Settings, Tokenizer, tuple[Pairs, Pairs]]:
    """A run that was begun: its choices as written down, its data as long as it has not changed."""
    path = output / "run.json"
    if not path.is_file():
        raise BadInput("nothing_to_resume", path=str(output))
    try:
        facts = json.loads(path.read_text(encoding="utf-8"))
        data = Data.model_validate(facts["data"])
        settings = Settings.model_validate_json(json.dumps(facts["settings"]))
        digests = dict(facts["files"])
    except (ValueError, KeyError, TypeError) as error:
        raise BadInput("run_broken", path=str(path), reason=str(error).splitlines()[0]) from error
    refuse_other_choices(asked, data, settings)
    for name, digest in _hashes(data).items():
        if digests.get(name) != digest:
            raise BadInput("data_changed", path=name)
    tokenizer = tokenizers.load(output / folder.TOKENIZER)
    return settings, tokenizer, _sides(data, settings.seed, output, tell)


def _sides(data: Data, seed: int, output: Path, tell: Tell) -> tuple[Pairs, Pairs]:
    """Training and validation pairs, cleaned; the report is told and written."""
    pairs = read_pairs(data.pairs, columns=data.columns, encoding=data.encoding)
    if data.validation:
        validation, _ = clean(read_pairs(data.validation, columns=data.columns, encoding=data.encoding))
        training, report = clean(pairs, validation=validation)
    else:
        whole, report = clean(pairs)
        training, validation = split(whole, validation=max(1, min(data.held_out, len(whole) // 10)), seed=seed)
    write_whole(output / "data.json", (json.dumps(report.json(), indent=1) + "\n").encode())
    tell("data", {"report": report, "training": len(training), "validation": len(validation)})
    return with_joined(training, data.joined, seed), validation


def _run(output: Path, settings: Settings, tokenizer: Tokenizer, training: Pairs, validation: Pairs, tell: Tell) -> Run:
    """All parts of the run, put together."""
    held_out = Examples(validation.source, validation.target, tokenizer)

    def validate(model: RnnTranslator) -> Report:
        every = -(-len(validation) // SAMPLED)
        source, reference = validation.source[::every], validation.target[::every]
        outputs = [t.outputs for t in translate(model, tokenizer, source, rules())]
        texts = [found[0].text if found else "" for found in outputs]
        scores = quality(texts, reference)
        pick = len(texts) * 2 // 3
        loss = validation_loss(model, held_out, settings.batch_tokens)
        return {
            "loss": loss,
            "bleu": scores.bleu,
            "chrf": scores.chrf,
            "signatures": scores.signatures,
            "score": scores.bleu - loss / 1e6,  # BLEU decides; where it stands still, at 0 in the beginning, the loss
            "sample": {"source": source[pick], "translation": texts[pick], "reference": reference[pick]},
        }

    def save_best(model: RnnTranslator, facts: Report) -> None:
        folder.save(output / "best", model, tokenizer, training_card(settings, facts, len(training)))

    model = RnnTranslator(settings.model).to(settings.device)
    examples = Examples(training.source, training.target, tokenizer)
    return Run(settings, model, tokenizer, examples, validate, save_best, output, RunLog(output, settings, tell))


def _hashes(data: Data) -> dict[str, str]:
    paths: Sequence[Path] = [*data.pairs, *(data.validation or [])]
    return {str(path): sha256(path) for path in paths if os.path.isfile(path)}


@contextmanager
def _locked(output: Path) -> Iterator[None]:
    """One process a run folder; the lock goes with its process, however that ends."""
    lock = FileLock(output / ".lock", timeout=0.5)
    try:
        output.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except Timeout as error:
        raise BadInput("run_locked", path=str(output)) from error
    except OSError as error:
        raise BadInput("output_folder", path=str(output), reason=error.strerror or str(error)) from error
    try:
        yield
    finally:
        lock.release()
