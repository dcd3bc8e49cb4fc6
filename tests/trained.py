"""Tiny models that were really trained: they reverse words, and where they should look is known."""

from pathlib import Path

from filelock import FileLock

from regard.tasks.training import Asked, train_translation
from toy import reversed_pairs, write_pairs

DATA = {"tokenizer": "words", "vocab_size": 31, "held_out": 97}
SIZES = {"d_embedding": 31, "d_model": 62, "dropout": 0.0}
TRANSFORMER = {"model_type": "regard-transformer", "d_model": 62, "n_layers": 1, "n_decoder_layers": 2, "n_heads": 2}
TRANSFORMER |= {"d_ff": 127, "dropout": 0.0, "max_len": 101}
COURSE = {"steps": 200, "batch_tokens": 601, "learning_rate": 5e-3, "label_smoothing": 0.0, "evaluate_every": 100}
GENTLY = {"steps": 300, "learning_rate": 3e-3, "warmup": 60}
MACHINE = {"threads": 1, "precision": "fp32", "device": "cpu"}


def trained_once(folder: Path, sizes: dict[str, object] | None = None, **course: object) -> Path:
    """The run in `folder`, made where it is not there yet; some seconds. An RNN's, unless `sizes` say otherwise."""
    with FileLock(f"{folder}.lock"):
        folder.mkdir(exist_ok=True)
        if not (folder / "run" / "best").is_dir():
            pairs = write_pairs(folder / "pairs.tsv", reversed_pairs(3001))
            asked = Asked({"pairs": [pairs], **DATA}, sizes or SIZES, {**COURSE, **MACHINE, **course})
            train_translation(folder / "run", asked, lambda kind, facts: None)
    return folder / "run"
