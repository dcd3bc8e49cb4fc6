"""What was seen of a model's attentions on a text, as the steps of mixing that readings are made of."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from regard.core.protocols import Site
from regard.inspection.knockout import at
from regard.inspection.readings import Mixing
from regard.inspection.trace import SOURCE
from regard.inspection.trace import Sequence as Side
from regard.models.gpt import Gpt
from regard.models.rnn import RnnTranslator
from regard.models.transformer import Transformer
from regard.tasks.generation import Generator
from regard.tasks.translation import Translator


@dataclass(frozen=True)
class Seen:
    """What was seen of one place: (heads, queries, keys), (heads, keys, d), (heads, queries, d)."""

    weights: Tensor
    value: Tensor
    gradient: Tensor | None = None


def mixing(
    site: Site,
    sequences: Mapping[str, Side],
    seen: Mapping[str, Seen],
    outputs: Mapping[str, Tensor | None],
    head: int | None,
    first: int,
) -> Mixing:
    """One place, with the heads asked for; what is written stands after the source, from `first` on."""
    here, heads = seen[site.address], at(head)
    rows, columns = (
        slice(0, len(sequences[name].ids)) if name == SOURCE else slice(first, first + len(sequences[name].ids))
        for name in (site.queries, site.keys)
    )
    through = outputs.get(site.address)
    value = None if through is None else (here.value @ through)[heads]
    gradient = None if here.gradient is None else (here.gradient @ here.value.transpose(-1, -2))[heads]
    return Mixing(rows, columns, here.weights[heads], value, gradient)


def outputs_of(of: Any, sites: Sequence[Site], read: Any) -> Mapping[str, Tensor | None]:
    """The output matrices, a slice a head: (heads, d_value, d_model); None where one is not known."""
    if isinstance(of, Translator | Generator):
        return {site.address: _output(of.model, site) for site in sites}
    from regard.inspection.foreign.outputs import outputs

    return outputs(of, read)


@torch.no_grad()
def _output(model: Any, site: Site) -> Tensor | None:
    """That of one of our attentions. An RNN has none: what its one head finds is handed on as it is."""
    if isinstance(model, RnnTranslator):
        return torch.eye(model.config.d_model)[None]
    if isinstance(model, Gpt):
        attention: Any = model.layers[site.layer].attention
    elif isinstance(model, Transformer):
        stack: Any = model.encoder if site.part == "encoder" else model.decoder
        attention = stack[site.layer].cross_attention if site.part == "cross" else stack[site.layer].self_attention
    else:
        return None
    linear = attention.to_output
    if not isinstance(linear, nn.Linear):
        return None
    return linear.weight.float().T.reshape(site.n_heads, -1, linear.out_features)
