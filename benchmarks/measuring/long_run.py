"""Our training of hours, in a folder: it may be stopped, and goes on where it was; one judge reads its best model."""

import json
from pathlib import Path
from typing import Any

import numpy as np

from measuring.characters import validation_loss
from peers.nanogpt import NanoSizes
from regard.cli.progress import LmTraining
from regard.core.files import write_whole
from regard.models import folder
from regard.tasks.run_choices import Asked
from regard.tasks.run_log import METRICS
from regard.tasks.training_lm import train_lm


def trained(place: Path, text: Path, sizes: NanoSizes, course: dict[str, Any]) -> tuple[int, float, float]:
    """What `regard train lm` makes of the first nine tenths of a text, on the rest.

    Args:
        place: the folder of the run, and of both parts of the text; what stands there goes on as it was begun.
        course: steps, batches and rates of a new run.

    Returns:
        Steps of the best model, its loss in nats a character over the whole rest, seconds by the clock until then.
    """
    whole = text.read_text(encoding="utf-8")
    cut = len(whole) * 9 // 10
    place.mkdir(parents=True, exist_ok=True)
    learned, judging, run = place / "training.txt", place / "validation.txt", place / "run"
    write_whole(learned, whole[:cut].encode())
    write_whole(judging, whole[cut:].encode())
    data = {"text": [learned], "validation": [judging], "tokenizer": "characters"}
    shape = {"n_layers": sizes.n_layers, "n_heads": sizes.n_heads, "d_model": sizes.d_model, "max_len": sizes.max_len}
    resume = (run / "run.json").is_file()
    asked = Asked() if resume else Asked(data, {**shape, "dropout": sizes.dropout}, course)
    steps = train_lm(run, asked, LmTraining(), resume=resume)["metrics"]["step"]
    return steps, _judged(run / "best", judging, sizes.max_len), _seconds(run / METRICS, steps)


def _judged(best: Path, text: Path, context: int) -> float:
    loaded = folder.load(best)
    ids = loaded.tokenizer.encode(text.read_text(encoding="utf-8")).ids
    file = text.with_suffix(".bin")
    np.array(ids, dtype=np.uint16).tofile(file)
    return validation_loss(loaded.model, file, context)


def _seconds(metrics: Path, step: int) -> float:
    lines = [json.loads(line) for line in metrics.read_text(encoding="utf-8").split("\n") if line]
    return next(float(each["seconds"]) for each in lines if each["kind"] == "validation" and each["step"] == step)
