"""The vectors of texts on their way through a foreign model: its hidden states, with edges cut where asked."""

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from regard.core.errors import BadInput
from regard.core.protocols import Site
from regard.inspection.foreign.record import looking
from regard.inspection.foreign.run import Foreign, run
from regard.inspection.foreign.subject import Cutting
from regard.inspection.foreign.switching import switched, unchanged
from regard.inspection.knockout import Knife, Knockout
from regard.inspection.vectors import Stages


def reading_side(foreign: Foreign) -> Foreign:
    """The side of a model that reads: of one with two sides its encoder."""
    return replace(foreign, model=foreign.model.get_encoder()) if foreign.two_sided else foreign


@torch.inference_mode()
def stages(foreign: Foreign, ids: Tensor, *, sites: Sequence[Site] = (), knockouts: Sequence[Knockout] = ()) -> Stages:
    """The vectors of texts of one length; the last layer's after the final norm, where the family has one.

    Args:
        foreign: one side of a model, as `reading_side` gives it.
        ids: (batch, n).
        sites: where it attends, for knockouts.
        knockouts: what is cut in each row; none: nothing.

    Raises:
        BadInput: `senses_hidden`: it does not hand out its vectors.
    """
    knife = Knife(knockouts, {site.address: site.n_heads for site in sites})
    with looking(foreign, Cutting(foreign.model, knife)) if knockouts else switched(foreign.model, unchanged):
        outputs = run(foreign, {"input_ids": ids}, output_hidden_states=True)
    hidden = getattr(outputs, "hidden_states", None)
    if not hidden:
        raise BadInput("senses_hidden", name=foreign.name, family=type(foreign.model).__name__)
    alone = foreign.model.get_input_embeddings()(ids.to(foreign.model.device))
    return Stages(alone.float().cpu(), torch.stack([each.float().cpu() for each in hidden]))
