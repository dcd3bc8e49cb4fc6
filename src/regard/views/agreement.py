"""What was found on top of what people marked: the links of one pair, told apart by sign and colour."""

from collections.abc import Collection, Sequence

import numpy as np

from regard.language import say
from regard.views.picture import Links

Link = tuple[int, int]


def agreement(
    source: Sequence[str],
    target: Sequence[str],
    weights: np.ndarray,
    *,
    found: Collection[Link],
    gold: Collection[Link] | None = None,
    check: str = "",
    lang: str | None = None,
    digits: int = 2,
) -> Links:
    """The links of one pair, with the weights that they were read from.

    Args:
        source, target: the words.
        weights: (target words, source words); links that only people marked show theirs, too.
        found: (source word, target word).
        gold: what people marked, sure or possible; None where nobody did.

    Raises:
        ValueError: the weights do not fit the words.
    """
    if weights.shape != (len(target), len(source)):
        raise ValueError(f"weights: {weights.shape} != {(len(target), len(source))}")
    drawn = sorted({*found, *(gold or ())})
    kinds = (
        tuple("both" if link in found and link in gold else "model" if link in found else "gold" for link in drawn)
        if gold is not None
        else ()
    )
    counts = {kind: kinds.count(kind) for kind in ("both", "gold", "model")}
    return Links(
        title=say("views.agreement_title" if kinds else "views.alignment_title", lang),
        top=tuple(source),
        bottom=tuple(target),
        links=tuple((s, t, float(weights[t, s])) for s, t in drawn),
        kinds=kinds,
        digits=digits,
        reading=say("views.agreement_reading", lang, **counts) if kinds else say("views.agreement_no_gold", lang),
        check=check,
    )
