"""From what a family hands its attention kernel to a `Visit`: which arguments mean what, and which are refused."""

from collections.abc import Iterator
from functools import cached_property
from typing import Any

import torch
from torch import Tensor, nn

from regard.core.errors import BadInput
from regard.core.masks import Mask, causal, of
from regard.core.recipe import Recipe
from regard.inspection.visit import Visit, diagonals

MEANT = {"query", "key", "value", "attention_mask", "scaling", "softcap", "position_bias", "s_aux", "is_causal"}
"""Arguments that we compute with."""

HARMLESS = {
    *("dropout", "sliding_window", "position_ids", "position_embeddings", "cache_position", "use_cache"),
    *("output_attentions", "output_hidden_states", "output_router_logits", "return_dict", "deterministic"),
    *("num_items_in_batch", "logits_to_keep", "cu_seq_lens_q", "cu_seq_lens_k", "max_length_q", "max_length_k"),
}
"""Arguments that change no weight: nothing drops out of a model at rest, and a window stands in the mask already."""


class Seen(Mask):
    """A matrix (batch, 1, queries, keys) of who may see whom; what it comes to for each text is found once."""

    def __init__(self, matrix: Tensor) -> None:
        self.matrix = matrix
        self._rule, self._spans, self._rows = of(matrix), dict[int, Tensor | None](), dict[int, Seen]()

    def allows(self, queries: int, keys: int, device: torch.device | str | None = None) -> Tensor:
        """The matrix itself."""
        return self._rule.allows(queries, keys, device)

    def spans(self, queries: int, keys: int, row: int = 0) -> Tensor | None:
        """As the matrix has it, remembered."""
        if row not in self._spans:
            self._spans[row] = of(self.matrix.expand(-1, -1, queries, -1)).spans(queries, keys, row)
        return self._spans[row]

    @cached_property
    def blind(self) -> Tensor | None:
        """(batch, 1, queries, 1), True at queries that see nothing; None where all see something."""
        found = ~self.matrix.any(-1, keepdim=True)
        return found if bool(found.any()) else None

    def row(self, at: int) -> "Seen":
        """The mask of one text alone."""
        if len(self.matrix) == 1:
            return self
        if at not in self._rows:
            self._rows[at] = Seen(self.matrix[at : at + 1])
        return self._rows[at]


class Calls:
    """Makes visits of the calls of one run; masks and biases that layers share are turned into ours once."""

    def __init__(self) -> None:
        self._masks: dict[Any, tuple[Tensor, Seen]] = {}
        self._biases: dict[Any, tuple[Tensor, Tensor]] = {}

    def visit(self, module: nn.Module, given: dict[str, Any], output: Tensor, weights: Tensor | None) -> Visit:
        """What one attention did, for a whole batch.

        Raises:
            BadInput: `foreign_argument`, `foreign_mask`: it computes in a way that is not known here.
        """
        _refuse_unknown(module, given)
        query, key, value = given["query"], given["key"], given["value"]
        mask, length = self._mask(module, given)
        recipe = Recipe(
            scale=_scale(given),
            softcap=given.get("softcap"),
            bias=self._bias(given.get("position_bias"), module, length),
            sinks=None if given.get("s_aux") is None else given["s_aux"].detach().float().flatten(),
        )
        context = output.transpose(1, 2)
        blind = mask.blind if isinstance(mask, Seen) else None
        if blind is not None:  # kernels differ on such rows: they say nothing
            context = context.masked_fill(blind, 0)
            weights = None if weights is None else weights.masked_fill(blind, 0)
        return Visit(query, key[:, :, :length], value[:, :, :length], context, recipe, mask, weights)

    def _mask(self, module: nn.Module, given: dict[str, Any]) -> tuple[Mask | None, int]:
        """Who may see whom, and how many keys there are to see."""
        mask, queries, keys = given["attention_mask"], given["query"].shape[2], given["key"].shape[2]
        if mask is not None:
            return self._seen(mask, module), keys
        is_causal = given.get("is_causal")
        is_causal = getattr(module, "is_causal", True) if is_causal is None else is_causal
        if not is_causal or queries == 1:
            return None, keys
        return causal(), queries  # of a cache with room to spare, the kernel reads what is filled

    def _seen(self, mask: Tensor, module: nn.Module) -> Seen:
        name = (mask.data_ptr(), mask.shape, mask.stride(), mask.dtype)
        if name not in self._masks:  # the tensor is held, so that no other comes to lie in its place
            self._masks[name] = (mask, Seen(allowed(mask, module)))
        return self._masks[name][1]

    def _bias(self, bias: Tensor | None, module: nn.Module, length: int) -> Tensor | None:
        if bias is None:
            return None
        name = (bias.data_ptr(), bias.shape, bias.stride(), bias.dtype)
        if name not in self._biases:
            if len(bias) > 1 and not bool((bias == bias[:1]).all()):
                raise BadInput("foreign_argument", module=type(module).__name__, name="position_bias")
            found = diagonals(bias[0, ..., :length].detach().float())
            assert found is not None
            self._biases[name] = (bias, found)
        return self._biases[name][1]


def rows(visit: Visit) -> Iterator[Visit]:
    """A visit of each text of the batch alone."""
    for at in range(len(visit.query)):
        mask = visit.mask.row(at) if isinstance(visit.mask, Seen) else visit.mask
        query, key, value, context = (
            each[at : at + 1] for each in (visit.query, visit.key, visit.value, visit.context)
        )
        weights = None if visit.weights is None else visit.weights[at : at + 1]
        yield Visit(query, key, value, context, visit.recipe, mask, weights)


def _scale(given: dict[str, Any]) -> float:
    scale = given.get("scaling")
    return float(given["query"].shape[-1] ** -0.5 if scale is None else scale)


def allowed(mask: Tensor, module: nn.Module) -> Tensor:
    """Their mask as ours: bool, True = may see. Theirs is that already, or it is added: 0, and a number beyond all."""
    if mask.ndim != 4:
        raise BadInput("foreign_mask", module=type(module).__name__, came=list(mask.shape))
    if mask.dtype == torch.bool:
        return mask
    allowed = mask > torch.finfo(mask.dtype).min / 2
    if bool((mask.masked_fill(~allowed, 0) != 0).any()):
        raise BadInput("foreign_mask", module=type(module).__name__, came=str(mask.dtype).removeprefix("torch."))
    return allowed


def _refuse_unknown(module: nn.Module, given: dict[str, Any]) -> None:
    """What we do not know may change the weights."""
    for name, came in given.items():
        if came is not None and name not in MEANT and name not in HARMLESS:
            raise BadInput("foreign_argument", module=type(module).__name__, name=name)
    if given.get("dropout"):
        raise BadInput("foreign_argument", module=type(module).__name__, name="dropout")
