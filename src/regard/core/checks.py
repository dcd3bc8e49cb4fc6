"""What attention asks of its tensors. Each breach is one clear error that names the shapes and the rule."""

import torch
from torch import Tensor

from regard.core.errors import BadInput
from regard.core.scorers import Scorer


def check_shapes(query: Tensor, key: Tensor, value: Tensor, scorer: Scorer) -> None:
    """Refuse tensors that do not fit together. Reads shapes and types only, never a number: no synchronisation.

    Raises:
        BadInput: `attend_no_tensor`, `attend_types`, `attend_axes`, `attend_not_floating`, `attend_keys`,
        `attend_widths`, `attend_leading`.
    """
    for name, tensor in (("query", query), ("key", key), ("value", value)):
        if not isinstance(tensor, Tensor):
            raise BadInput("attend_no_tensor", name=name, came=type(tensor).__name__)
    shapes = {"query": list(query.shape), "key": list(key.shape), "value": list(value.shape)}
    if min(query.ndim, key.ndim, value.ndim) < 2:
        raise BadInput("attend_axes", **shapes)
    if not (query.is_floating_point() and key.is_floating_point() and value.is_floating_point()):
        raise BadInput("attend_not_floating", query=_type(query), key=_type(key), value=_type(value))
    if not query.dtype == key.dtype == value.dtype:
        raise BadInput("attend_types", query=_type(query), key=_type(key), value=_type(value))
    if key.shape[-2] != value.shape[-2]:
        raise BadInput("attend_keys", n_keys=key.shape[-2], n_values=value.shape[-2], **shapes)
    expected = scorer.widths(query.shape[-1])
    if expected is not None and expected != (query.shape[-1], key.shape[-1]):
        names = {"scorer": type(scorer).__name__, "d_query": expected[0], "d_key": expected[1]}
        raise BadInput("attend_widths", **names, **shapes)
    if not query.shape[:-2] == key.shape[:-2] == value.shape[:-2]:
        _check_leading(query, key, value, shapes)


def _check_leading(query: Tensor, key: Tensor, value: Tensor, shapes: dict[str, list[int]]) -> None:
    try:
        torch.broadcast_shapes(query.shape[:-2], key.shape[:-2], value.shape[:-2])
    except RuntimeError as error:
        raise BadInput("attend_leading", **shapes) from error


def _type(tensor: Tensor) -> str:
    return str(tensor.dtype).removeprefix("torch.")


def first_non_finite(name: str, tensor: Tensor) -> None:
    """Refuse NaN and infinity, naming the first place in reading order; `masked` may hold the −inf of hidden places.

    Waits for the device: for derivations and refusals, not for training.

    Args:
        name: the step (or the input) that is asked about.
        tensor: its numbers, any shape.

    Raises:
        BadInput: `not_finite`, with name, index (a list, counted from 0) and the value found there.

    >>> first_non_finite("masked", torch.tensor([[0.5, float("-inf")]]))
    """
    wrong = ~tensor.isfinite()
    if name == "masked":
        wrong &= tensor != float("-inf")
    if wrong.any():
        index = wrong.nonzero()[0].tolist()
        raise BadInput("not_finite", name=name, index=index, value=tensor[tuple(index)].item())
