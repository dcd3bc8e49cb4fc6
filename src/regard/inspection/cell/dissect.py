"""A model's run → every number of one cell, computed again in float64 from what entered, and held against the run."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from regard.core.errors import BadInput, Failure
from regard.core.protocols import Site
from regard.core.recipe import Recipe, biased, seen
from regard.inspection.cell.anatomy import Made, last, made
from regard.inspection.cell.cell import Cell, Hidden
from regard.inspection.cell.heard import Heard, Listener, heard
from regard.inspection.cell.linear import Linear
from regard.inspection.cell.stream import Stream, output_map, stream
from regard.inspection.cell.words import chosen, words
from regard.inspection.keeping import ROUGH, TOLERANCE
from regard.inspection.trace import Check
from regard.inspection.visit import Sink, Text

Run = Callable[[Sink], Tensor | None]
"""Runs a model on one text and hands the sink its visits; the logits of each token, (n, vocab_size), if it has any."""

PARTS = ("query", "key", "value")


@dataclass(frozen=True)
class Asked:
    """Which cell. `key` None: the one looked at most."""

    site: Site
    head: int
    query: int
    key: int | None = None


@dataclass(frozen=True)
class _Seen:
    """The run around one attention: what its kernel did for one head, and which of its rows is the query."""

    text: Text
    calls: list[Heard]
    attention: str
    moment: int
    row: int
    head: int

    def made(self) -> dict[str, Made | None]:
        """How queries, keys and values were made."""
        own = [call for call in self.calls if call.name.startswith(f"{self.attention}.") and call.gave < self.moment]
        entered = {"query": self.text.query, "key": self.text.key, "value": self.text.value}
        return {part: made(own, entered[part], self.head, len(self.text.query)) for part in PARTS}

    def of_head(self, part: str) -> Tensor:
        """What entered the kernel in this head, or came out of it: (n, d), float64."""
        heads: Tensor = getattr(self.text, part)
        return heads[self.head * len(heads) // len(self.text.query)].double()


@torch.inference_mode()
def dissect(
    model: nn.Module, run: Run, asked: Asked, sides: tuple[Sequence[str], Sequence[str]], name: str, fingerprint: str
) -> Cell:
    """Every number of one cell.

    Args:
        sides: the tokens that ask and those that are looked at, as people read them.

    Raises:
        BadInput: `cell_unheard`: the model attended nowhere at this address.
        Failure: `trace_check`: what was computed again is not what the model computed.
    """
    with heard(model, asked.site.address) as listener:
        logits = run(listener)
    around = _seen(listener, asked)
    how = around.made()
    output = output_map(around.calls, around.moment, around.text.context.movedim(0, 1).flatten(1))
    numbers, far = _looked(around, how, asked.key)
    key = int(numbers["at"])
    more, further = _sent(around, numbers, output)
    if output is None:
        more, further = _worded(model, around, numbers, logits, asked.query)
    worst = float(np.max([far, further]))
    tolerance = TOLERANCE if around.text.exact else ROUGH
    if not worst <= tolerance:
        raise Failure("trace_check", deviation=f"{worst:.1e}", tolerance=f"{tolerance:.0e}")
    found = {step: each.detach().cpu().numpy() for step, each in {**numbers, **more}.items() if step != "at"}
    modules = {part: each.module for part, each in how.items() if each is not None and each.module}
    modules |= {} if output is None else {"output": output.name}
    reason = _reason(around.text.recipe, asked, key, found["masked"], sides)
    shown = (tuple(sides[0]), tuple(sides[1]))
    return Cell(
        name, fingerprint, asked.site, asked.head, *shown, asked.query, key, found,
        Check("cell", worst, tolerance), modules, reason,
    )  # fmt: skip


def _seen(listener: Listener, asked: Asked) -> _Seen:
    before = 0
    for moment, visit in listener.visits:
        count = visit.query.shape[-2]
        if asked.query < before + count:
            return _Seen(
                visit.row(0).wide(), listener.calls, listener.attention, moment, asked.query - before, asked.head
            )
        before += count
    raise BadInput("cell_unheard", address=asked.site.address)


def _looked(around: _Seen, how: dict[str, Made | None], key: int | None) -> tuple[dict[str, Tensor], float]:
    """From what enters to this head's context; and how far it is from the kernel's."""
    lines = {part: {} if how[part] is None else how[part].lines() for part in PARTS}  # type: ignore[union-attr]
    whole = {part: lines[part].get("made", around.of_head(part)) for part in PARTS}
    row = _row(around.text.recipe.of_head(around.head), whole["query"][around.row], whole["key"], around)
    at = int(row["weights"].argmax()) if key is None else key
    places = {"query": around.row, "key": at, "value": at}
    numbers = {"at": torch.tensor(at)}
    for part in PARTS:
        numbers |= _part(part, how[part], lines[part], places[part], whole[part])
    context = row["weights"] @ whole["value"]
    numbers |= {"keys": whole["key"], **_terms(around, numbers), **row, "values": whole["value"], "context": context}
    far = [_far(whole[part], around.of_head(part)) for part in ("key", "value")]
    far += [_far(numbers["query"], around.of_head("query")[around.row])]
    return numbers, max(
        *far, _far(context, around.of_head("context")[around.row]), key=lambda each: (each != each, each)
    )


def _part(part: str, how: Made | None, lines: dict[str, Tensor], at: int, whole: Tensor) -> dict[str, Tensor]:
    """One vector's way, its steps named `query_raw`, `query_normed` …"""
    if how is None:
        return {part: whole[at]}
    found = {f"x_{part}": how.x[at]}
    if how.weight is not None:
        found |= {f"w_{part}": how.weight, f"{part}_raw": lines["product"][at]}
    if how.bias is not None:
        found |= {f"b_{part}": how.bias, f"{part}_biased": lines["raw"][at]}
    if how.normed is not None:
        norm = {name: getattr(how.normed, name) for name in ("mean", "size", "gain", "shift")}
        given = {
            name: each[at] if name in ("mean", "size") else each for name, each in norm.items() if each is not None
        }
        found |= {f"{part}_{name}": each for name, each in given.items()} | {f"{part}_normed": lines["normed"][at]}
    if how.turn is not None:
        found |= {f"{part}_pairs": torch.stack([how.turn.first, how.turn.second], 1)}
        found |= {
            f"{part}_cos": how.turn.cos[at],
            f"{part}_sin": how.turn.sin[at],
            f"{part}_turned": lines["turned"][at],
        }
    if how.factor != 1:
        found[f"{part}_factor"] = torch.tensor(how.factor, dtype=torch.float64)
    return found | {part: whole[at]}


def _terms(around: _Seen, numbers: dict[str, Tensor]) -> dict[str, Tensor]:
    """What the score of this query and key is summed of."""
    vector = around.text.recipe.vector
    if vector is None:
        return {"terms": numbers["query"] * numbers["key"]}
    both = (numbers["query"] + numbers["key"]).tanh()
    return {"scorer": vector.double(), "both": both, "terms": vector.double() * both}


def _row(recipe: Recipe, query: Tensor, keys: Tensor, around: _Seen) -> dict[str, Tensor]:
    """One query's scores, step by step to its weights, (keys,) each."""
    one = slice(around.row, around.row + 1)
    vector = None if recipe.vector is None else recipe.vector.double()
    scores = keys @ query if vector is None else (keys + query).tanh() @ vector
    found = {"scores": scores, "scale": torch.tensor(recipe.scale, dtype=torch.float64)}
    found["multiplied"] = scores * recipe.scale
    if recipe.softcap is not None:
        cap = torch.tensor(recipe.softcap, dtype=torch.float64)
        found |= {"softcap": cap, "capped": cap * (found["multiplied"] / cap).tanh()}
    scaled = last(found)
    bias = biased(recipe, around.text.query.shape[1], len(keys), one)
    if bias is not None:
        found["bias"] = bias[0, 0].double()
        scaled = scaled + found["bias"]
    allowed = seen(recipe, len(keys), one)
    masked = scaled if allowed is None else scaled.masked_fill(~allowed[0], float("-inf"))
    return found | {"scaled": scaled, "masked": masked} | _shares(masked, recipe.sinks)


def _shares(masked: Tensor, sinks: Tensor | None) -> dict[str, Tensor]:
    """Softmax, step by step; a sink takes part and gives nothing."""
    sink = None if sinks is None else sinks[0].double()
    largest = masked.max() if sink is None else torch.maximum(masked.max(), sink)
    if torch.isinf(largest):
        nothing = torch.zeros_like(masked)
        return {
            "largest": torch.zeros_like(largest),
            "exponentials": nothing,
            "total": nothing.sum(),
            "weights": nothing,
        }
    found = {} if sink is None else {"sink": sink, "sink_exponential": (sink - largest).exp()}
    powers = (masked - largest).exp()
    total = powers.sum() + (0 if sink is None else found["sink_exponential"])
    return found | {"largest": largest, "exponentials": powers, "total": total, "weights": powers / total}


def _sent(around: _Seen, numbers: dict[str, Tensor], output: Linear | None) -> tuple[dict[str, Tensor], float]:
    """Through W_O into the residual stream."""
    if output is None:
        return {}, 0.0
    context, d = numbers["context"], len(numbers["context"])
    mine = output.weight[around.head * d : around.head * d + d].double()
    whole = output.x[around.row].double()
    rest = whole.clone()
    rest[around.head * d : around.head * d + d] = 0
    found = {"w_output": mine, "head_output": context @ mine, "others": rest @ output.weight.double()}
    summed = found["head_output"] + found["others"]
    if output.bias is not None:
        found["b_output"] = output.bias.double()
        summed = summed + found["b_output"]
    found["output"] = summed
    far = _far(summed, output.y[around.row].double())
    into = stream(around.calls, output, around.row)
    if into is None:
        return found, far
    found |= _streamed(into, summed)
    return found, max(far, _far(found["after"], into.after))


def _streamed(into: Stream, output: Tensor) -> dict[str, Tensor]:
    found = dict[str, Tensor]()
    added = output
    if into.normed is not None:
        found |= {
            f"output_{name}": each
            for name in ("mean", "size", "gain", "shift")
            if (each := getattr(into.normed, name)) is not None
        }
        added = found["output_normed"] = into.normed(output[None])[0]
    if into.factor != 1:
        found["output_factor"] = torch.tensor(into.factor, dtype=torch.float64)
        added = added * into.factor
    found |= {"before": into.before, "added": added}
    after = into.before + added
    if into.beside is not None:
        found["beside"] = into.beside
        after = after + into.beside
    return found | {"after": after}


def _worded(
    model: nn.Module, around: _Seen, numbers: dict[str, Tensor], logits: Tensor | None, query: int
) -> tuple[dict[str, Tensor], float]:
    """Note 002: context and state, fed forward, to a word."""
    found = words(model, around.calls, around.moment, around.text.context[0], around.row)  # type: ignore[arg-type]
    if found is None or logits is None:
        return {}, 0.0
    steps = chosen(found[0], numbers["context"])
    return steps, max(_far(steps["joined"], found[1]), _far(steps["logits"], logits[query].double()))


def _far(came: Tensor, expected: Tensor) -> float:
    return float((came - expected).abs().max() / expected.abs().max().clamp(min=1e-30)) if expected.numel() else 0.0


def _reason(
    recipe: Recipe, asked: Asked, key: int, masked: np.ndarray, sides: tuple[Sequence[str], Sequence[str]]
) -> Hidden:
    """Why the query may not see this key."""
    if np.isfinite(masked[key]):
        return ""
    if asked.site.queries != asked.site.keys:
        return "mask"
    return "later" if key > asked.query else "far"
