"""Record a foreign model while it writes: prompt, cached steps and beams, as one trace of the final sequence."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from transformers import DynamicCache, EncoderDecoderCache

from regard.core.errors import BadInput, Failure, RegardError
from regard.inspection.foreign.reading import Reading, target_sides
from regard.inspection.foreign.record import Looker, chosen, looking, refuse_unless_whole
from regard.inspection.foreign.run import Foreign, first_line
from regard.inspection.foreign.switching import asks
from regard.inspection.foreign.tokens import side_of, written
from regard.inspection.keeping import Checking, Choice, Keeper, steps_of
from regard.inspection.trace import READ, SOURCE, Trace
from regard.inspection.trace import Sequence as Side


class Pen(Looker):
    """Is shown every attention of every step, and hands whole batches to one keeper: the winner is known at the end."""

    def __init__(self, model: Any, keeper: Keeper, expected: dict[str, int]) -> None:
        super().__init__(model)
        self._keeper, self._expected = keeper, expected

    def saw(self, module: nn.Module, given: dict[str, Any], output: Tensor, weights: Tensor | None) -> Tensor:
        """One attention has run."""
        visit = self.calls.visit(module, given, output, weights)
        if self.address.startswith("encoder"):
            self._expected[self.address] = visit.query.shape[2]  # it runs once
        self._keeper(self.address, visit)
        return output


def write(
    foreign: Foreign,
    reading: Reading,
    *,
    keep: str | Collection[str] = "qk",
    check: Checking = "rows",
    choice: Choice | None = None,
    manner: Mapping[str, Any],
) -> Trace:
    """Let a model write after one text, and record it while it does.

    Args:
        reading: one text; of a model with two sides its source.
        keep: names of `keeping.KEEPS`, or of steps.
        check: `rows`, or `full`: every row of the stitched matrix.
        choice: which parts, layers and heads; None for all.
        manner: of its `generate`: `max_new_tokens`, `num_beams`, `do_sample` …

    Raises:
        BadInput: `foreign_bypass`: its family hides its attention; `no_site`, `head_absent`, `keep_unknown`.
        Failure: `trace_check`; `foreign_failed`: it broke off.
    """
    if not asks(foreign.model) or not foreign.model.can_generate():
        raise BadInput("foreign_silent", name=foreign.name, family=type(foreign.model).__name__)
    choice, expected = choice or Choice(), dict[str, int]()
    keeper = Keeper(steps_of(keep), check, choice, expected)
    pen = Pen(foreign.model, keeper, expected)
    with looking(foreign, pen):
        ids, rows = _generated(foreign, reading.inputs, manner)
    keeper.finish(rows)
    refuse_unless_whole(foreign, pen.places, choice)
    sites, heads = chosen(pen.places.ordered(), choice), None if choice.heads is None else tuple(sorted(choice.heads))
    facts = (foreign.name, foreign.fingerprint, _sequences(foreign, reading, ids), sites)
    return Trace(*facts, keeper.tensors, keeper.checked(), keeper.recipes, heads)


def _generated(foreign: Foreign, inputs: Mapping[str, Any], manner: Mapping[str, Any]) -> tuple[list[int], list[int]]:
    """What was written, and in which row of each step's batch it stood."""
    model, prompt = foreign.model, inputs["input_ids"].shape[1]
    cache = DynamicCache()  # of all that was read, also where a window would do with less
    memory = EncoderDecoderCache(cache, DynamicCache()) if foreign.two_sided else cache
    told_all = {"attention_mask": torch.ones_like(inputs["input_ids"]), **inputs}
    placed = {name: each.to(model.device) for name, each in told_all.items()}
    told = {"return_dict_in_generate": True, "output_scores": True, "past_key_values": memory}
    try:
        found = model.generate(**placed, **manner, **told)
    except RegardError:
        raise
    except (RuntimeError, ValueError, IndexError, TypeError, KeyError, AttributeError) as error:
        raise Failure("foreign_failed", name=foreign.name, reason=first_line(error)) from error
    ids = found.sequences[0, 1 if foreign.two_sided else prompt :].tolist()
    beams = getattr(found, "beam_indices", None)
    if beams is None:
        return ids, [0] * len(ids)
    rows = [row for row in beams[0].tolist() if row >= 0]
    return ids[: len(rows)], rows


def _sequences(foreign: Foreign, reading: Reading, ids: Sequence[int]) -> dict[str, Side]:
    """What was read and written; the last token of all was written and never read."""
    if foreign.two_sided:
        _, pairs = target_sides(foreign, [written(foreign.tokenizer, ids)])
        return {SOURCE: reading.sequences[0][SOURCE], **pairs[0]}
    whole = [*reading.inputs["input_ids"][0].tolist(), *ids[:-1]]
    return {READ: side_of(foreign.tokenizer, written(foreign.tokenizer, whole), [True] * len(whole))}
