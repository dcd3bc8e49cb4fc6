"""Checkpoints: a folder a step, written whole, that a run resumes from to the same numbers.

    RUN/run.json            the settings and the data's fingerprints
    RUN/metrics.jsonl       a line a report
    RUN/step-00001200/      config.json model.safetensors tokenizer.json optimizer.safetensors state.json manifest.json
    RUN/best/               the model that scored best in validation, ready to use

The order of the data and the dropout of a step are pure functions of (seed, step), so the step is all the position
there is, and no random state needs to be kept.
"""

import json
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch.optim import Optimizer

from regard.core.errors import BadInput, RegardError
from regard.core.files import remove_leftovers, retried, verify, whole_folder
from regard.models import folder

FORMAT = "regard-checkpoint-1"
OPTIMIZER, STATE = "optimizer.safetensors", "state.json"
KEEP = 2


@dataclass
class Standing:
    """Where a run stands: steps done, the best validation score so far, validations since it, seconds spent."""

    step: int = 0
    best: float | None = None
    stale: int = 0
    seconds: float = 0.0


def save(run: Path, model: Any, optimizers: Sequence[Optimizer], tokenizer: Any, standing: Standing) -> Path:
    """Write `step-N` whole (three tries), and only then remove all but the newest `KEEP`."""
    target = run / f"step-{standing.step:08d}"

    def write() -> None:
        with whole_folder(target, format=FORMAT, step=standing.step) as temporary:
            folder.write_parts(temporary, model, tokenizer, dtype=torch.float32)
            save_file(_optimizer_tensors(model, optimizers), temporary / OPTIMIZER)
            (temporary / STATE).write_text(json.dumps(asdict(standing)) + "\n", encoding="utf-8")

    retried(write)
    earlier = [path for path in _newest_first(run) if path.name <= target.name]
    later = [path for path in _newest_first(run) if path.name > target.name]  # damaged ones that a resume passed over
    for old in [*later, *earlier[KEEP:]]:
        shutil.rmtree(old, ignore_errors=True)
    return target


def latest(run: Path) -> tuple[Path | None, list[RegardError]]:
    """The newest checkpoint whose files agree with its manifest, and what was wrong with newer ones."""
    remove_leftovers(run)
    wrong: list[RegardError] = []
    for path in _newest_first(run):
        try:
            _accept(path)
        except RegardError as error:
            wrong.append(error)
        else:
            return path, wrong
    return None, wrong


def restore(path: Path, model: Any, optimizers: Sequence[Optimizer]) -> Standing:
    """Put weights and optimizers back as they were at this checkpoint."""
    folder.restore(path, model)
    _restore_optimizers(load_file(path / OPTIMIZER), model, optimizers)
    return Standing(**json.loads((path / STATE).read_text(encoding="utf-8")))


def _accept(path: Path) -> None:
    manifest = verify(path)
    if manifest.get("format") != FORMAT:
        raise BadInput("checkpoint_version", path=str(path), came=str(manifest.get("format")), expected=FORMAT)


def _newest_first(run: Path) -> Iterator[Path]:
    return iter(sorted((p for p in run.glob("step-*") if p.is_dir()), reverse=True))


def _optimizer_tensors(model: Any, optimizers: Sequence[Optimizer]) -> dict[str, torch.Tensor]:
    """The optimizers' tensors under `ENTRY.PARAMETER`."""
    owner = _owners(optimizers)
    return {
        f"{entry}.{name}": tensor.contiguous()
        for name, parameter in model.named_parameters()
        for entry, tensor in owner[parameter].state[parameter].items()
    }


def _restore_optimizers(tensors: dict[str, torch.Tensor], model: Any, optimizers: Sequence[Optimizer]) -> None:
    parameters, owner = dict(model.named_parameters()), _owners(optimizers)
    for key, tensor in tensors.items():
        entry, name = key.split(".", 1)
        parameter = parameters[name]
        owner[parameter].state[parameter][entry] = tensor.to(parameter.device)


def _owners(optimizers: Sequence[Optimizer]) -> dict[torch.Tensor, Optimizer]:
    """Which optimizer moves which parameter."""
    return {p: optimizer for optimizer in optimizers for group in optimizer.param_groups for p in group["params"]}
