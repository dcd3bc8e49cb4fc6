"""Where the attention's output goes: into the residual stream, found by value among what modules took and gave."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product

import torch
from torch import Tensor

from regard.inspection.cell.anatomy import Normed
from regard.inspection.cell.heard import Heard
from regard.inspection.cell.linear import Linear, linears, rough, same
from regard.inspection.cell.norms import norm

SUM_CLOSE, SUM_ROUGH = 2e-3, 1e-1
"""How far a difference in the stream may be from what was added, by its largest entry: the stream itself is larger."""


@dataclass(frozen=True)
class Stream:
    """before + factor · normed(output) [+ beside] = after, of one position, (d_model,) each, as modules had them.

    Attributes:
        normed: a norm between the output and the stream (Gemma 2, OLMo 2).
        beside: what the layer adds at the same time (GPT-NeoX's feed-forward).
    """

    before: Tensor
    after: Tensor
    normed: Normed | None = None
    factor: float = 1.0
    beside: Tensor | None = None


def output_map(calls: Sequence[Heard], moment: int, joined: Tensor) -> Linear | None:
    """The map that was given all heads' contexts (n, heads · d), beside each other."""
    after = [call for call in calls if call.took > moment and any(same(each, joined) for each in call.given)]
    return next(linears(after), None)


def stream(calls: Sequence[Heard], output: Linear, row: int) -> Stream | None:
    """The residual stream before and after, at one position; None where nothing heard is their sum."""
    size, within = output.y.shape, SUM_ROUGH if rough(output.y) else SUM_CLOSE
    vectors = list(_vectors(calls, size, row))
    earlier = [vector for moment, vector in vectors if moment < output.moment]
    later = [vector for moment, vector in vectors if moment > output.moment]
    ways = list(_added(calls, output, row))
    for plain in (True, False):  # a factor is the last thing to think of: a norm of one vector is one, too
        for normed, added in ways:
            for before, after in product(earlier, later):
                factor = _factor(after - before, added, within)
                if factor is not None and (factor == 1) == plain:
                    return Stream(before, after, normed, factor)
    return _beside(earlier, later, output.y[row].double(), within)


def _vectors(calls: Sequence[Heard], size: torch.Size, row: int) -> Iterator[tuple[int, Tensor]]:
    """What was given and made, one position of each, by the moment."""
    found = [(call.took, each) for call in calls for each in call.given]
    found += [(call.gave, call.made) for call in calls if call.made is not None]
    for moment, tensor in sorted(found, key=lambda each: each[0]):
        if tensor.shape == size:
            yield moment, tensor[row].double()


def _added(calls: Sequence[Heard], output: Linear, row: int) -> Iterator[tuple[Normed | None, Tensor]]:
    """The output itself, and as norms after it made it."""
    yield None, output.y[row].double()
    for call in calls:
        if call.took < output.moment or len(call.given) != 1 or call.made is None or not same(call.given[0], output.y):
            continue
        x = output.y.double()
        formula = norm(call, x, call.made)
        if formula is not None:
            parts = {name: each[row : row + 1] for name, each in formula.parts(x).items() if name in ("mean", "size")}
            yield Normed(parts.get("mean"), parts["size"], formula.gain, formula.shift), call.made[row].double()


def _factor(difference: Tensor, added: Tensor, within: float) -> float | None:
    """f, where this difference is f · added; None where it is not."""
    size = added.abs().max()
    factor = float((difference * added).sum() / added.square().sum().clamp(min=1e-30))
    factor = 1.0 if abs(factor - 1) < within / 2 else factor
    close = (difference - factor * added).abs().max() <= within * abs(factor) * size
    return factor if bool(close) and abs(factor) > 1e-6 and bool(size > 0) else None


def _beside(earlier: Sequence[Tensor], later: Sequence[Tensor], added: Tensor, within: float) -> Stream | None:
    """Another module's vectors are added at the same time."""
    for before, after in product(earlier, later):
        rest = after - before - added
        for other in later:
            if other is not after and _factor(rest, other, within) == 1.0:
                return Stream(before, after, beside=other)
    return None
