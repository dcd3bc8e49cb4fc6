"""Optimizers: AdamW for everything, or Muon for the matrices inside and AdamW for the rest."""

from collections.abc import Iterable, Sequence
from typing import Any

from torch import nn
from torch.optim import AdamW, Muon, Optimizer

from regard.training.settings import Settings


def make(model: nn.Module, settings: Settings) -> list[Optimizer]:
    """The optimizers of a run; together they hold every parameter once.

    `muon` (Jordan et al. 2024) turns each matrix's momentum into a near-orthogonal step, scaled so that it is as long
    as AdamW's (Liu et al. 2025, §2.2): one learning rate serves both. Embeddings, head, norms and biases are AdamW's.
    """
    inside, tables, vectors = _kinds(model)
    if settings.optimizer == "muon":
        muon = Muon(inside, weight_decay=settings.weight_decay, adjust_lr_fn="match_rms_adamw")
        return [muon, _adamw([(tables, settings.weight_decay), (vectors, 0.0)], settings)]
    if settings.decayed == "all":
        return [_adamw([(list(model.parameters()), settings.weight_decay)], settings)]
    return [_adamw([([*inside, *tables], settings.weight_decay), (vectors, 0.0)], settings)]


def _adamw(parts: Sequence[tuple[list[Any], float]], settings: Settings) -> Optimizer:
    groups = [{"params": parameters, "weight_decay": decay} for parameters, decay in parts if parameters]
    return AdamW(groups, lr=settings.learning_rate, betas=(settings.beta1, settings.beta2), fused=True)


def _kinds(model: nn.Module) -> tuple[list[Any], list[Any], list[Any]]:
    """Matrices inside the model; embeddings and head, whose rows are tokens or places; vectors."""
    size = getattr(getattr(model, "config", None), "vocab_size", None)
    embeddings = {id(each.weight) for each in model.modules() if isinstance(each, nn.Embedding)}
    kinds: tuple[list[Any], list[Any], list[Any]] = ([], [], [])
    for parameter in model.parameters():
        table = id(parameter) in embeddings or parameter.shape[0] == size
        kinds[2 if parameter.ndim < 2 else 1 if table or parameter.ndim > 2 else 0].append(parameter)
    return kinds


def parameters(optimizers: Iterable[Optimizer]) -> list[Any]:
    """Every parameter that these move; a model would look through all its modules for them."""
    return [each for optimizer in optimizers for group in optimizer.param_groups for each in group["params"]]


def set_rate(optimizers: Iterable[Optimizer], rate: float) -> None:
    """This learning rate for every group."""
    for optimizer in optimizers:
        for group in optimizer.param_groups:
            group["lr"] = rate
