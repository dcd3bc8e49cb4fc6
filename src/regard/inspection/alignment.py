"""Alignment: cross-attention read as one matrix, whatever the number of layers and heads that made it."""

from dataclasses import dataclass

import numpy as np

from regard.core.errors import BadInput
from regard.core.protocols import Site
from regard.inspection.trace import Trace


@dataclass(frozen=True)
class Aligned:
    """What each token that was written looked at in the source.

    Attributes:
        site: where.
        weights: (target tokens, source tokens), the mean over the heads of that place; each target's sum to 1.
    """

    site: Site
    weights: np.ndarray


def aligned(trace: Trace, layer: int | None = None) -> Aligned | None:
    """The alignment of a translator's trace; None for a model that does not look at its source.

    Args:
        layer: whose heads are averaged, from 0; None takes the last, as JoeyNMT and CTranslate2 do. In the Transformers
            trained here it agrees best with how people align words (docs/decisions/0014).

    Raises:
        BadInput: `no_site`: there is no such layer.
    """
    places = [site for site in trace.sites if site.part == "cross"]
    if not places:
        return None
    wanted = places[-1].layer if layer is None else layer
    site = next((site for site in places if site.layer == wanted), None)
    if site is None:
        raise BadInput("no_site", part="cross", layer=layer, sites=", ".join(s.address for s in places))
    heads = [trace.weights(part="cross", layer=site.layer, head=head) for head in range(site.n_heads)]
    return Aligned(site, heads[0] if len(heads) == 1 else np.mean(heads, axis=0))
