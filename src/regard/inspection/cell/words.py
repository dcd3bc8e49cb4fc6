"""Note 002's end: context and decoder state, concatenated, fed forward, and the word that is chosen."""

from collections.abc import Sequence
from typing import Protocol

import torch
from torch import Tensor, nn

from regard.inspection.cell.heard import Heard
from regard.inspection.cell.linear import linears, same

MOST = 6
"""So many of the likeliest words have their vectors shown."""


class Writer(Protocol):
    """A model whose next word is that whose vector is most like what was said."""

    embedding: nn.Embedding
    head_bias: Tensor


def words(
    model: Writer, calls: Sequence[Heard], moment: int, context: Tensor, row: int
) -> tuple[dict[str, Tensor], Tensor] | None:
    """`joined`, `w_joined`, `b_joined`, `fed`, `said`, `logits` … of one position, and the `joined` that was heard.

    Args:
        context: (n, d), what attention gave; the map that is given it with the state beside it is looked for.

    Returns:
        None where there is no such map.
    """
    if not isinstance(getattr(model, "head_bias", None), Tensor):
        return None
    d = context.shape[1]
    for linear in linears([call for call in calls if call.took > moment]):
        if linear.x.shape[1] > d and len(linear.x) == len(context) and same(linear.x[:, :d], context):
            assert linear.bias is not None
            state, weight, bias = linear.x[row, d:].double(), linear.weight.double(), linear.bias.double()
            return {"state": state, "w_joined": weight, "b_joined": bias} | _word(model), linear.x[row].double()
    return None


def _word(model: Writer) -> dict[str, Tensor]:
    return {"w_words": model.embedding.weight.detach().double(), "b_words": model.head_bias.detach().double()}


def chosen(found: dict[str, Tensor], context: Tensor) -> dict[str, Tensor]:
    """Every step from the context (d,) to the likeliest words.

    Returns:
        `joined`, `joined_raw`, `fed`, `said`, `logits`, `best` (their numbers), `w_best`, `b_best`, `probabilities`.
    """
    joined = torch.cat([context, found["state"]])
    raw = joined @ found["w_joined"]
    fed = raw + found["b_joined"]
    said = fed.tanh()
    logits = found["w_words"] @ said + found["b_words"]
    best = logits.topk(min(MOST, len(logits))).indices
    largest = logits.max()
    shares = (logits - largest).exp()
    steps = {"state": found["state"], "joined": joined, "w_joined": found["w_joined"], "joined_raw": raw}
    steps |= {"b_joined": found["b_joined"], "fed": fed, "said": said, "logits": logits, "best": best}
    steps |= {"w_best": found["w_words"][best], "b_best": found["b_words"][best]}
    ends = {"logit_largest": largest, "logit_total": shares.sum(), "probabilities": shares / shares.sum()}
    return steps | ends
