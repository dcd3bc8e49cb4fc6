"""The path that one attention takes: torch's kernel wherever nobody asks for the steps between."""

from torch import Tensor

from regard.core.attend import StepTap, attend, untouched
from regard.core.biases import Bias
from regard.core.fused import fused
from regard.core.masks import Mask
from regard.core.scorers import Scorer, scaled_dot
from regard.core.tap import Place


def attended(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    *,
    scorer: Scorer,
    bias: Bias | None = None,
    mask: Mask | None = None,
    tap: StepTap | None = None,
) -> Tensor:
    """`attend`, by the quickest path that shows `tap` all it asks for. Both paths are given the same mask.

    Args are those of `attend`. An `Observer` sees queries, keys, values and context of the fused kernel itself.
    """
    place = tap if isinstance(tap, Place) else None
    if place is not None:
        mask = place.scored(scorer, bias, mask)
    if scorer is not scaled_dot or (tap is not None and (place is None or place.between)):
        return attend(query, key, value, scorer=scorer, bias=bias, mask=mask, tap=tap)
    show = tap or untouched
    query, key, value = show("query", query), show("key", key), show("value", value)
    return show("context", fused(query, key, value, bias=bias, mask=mask))
