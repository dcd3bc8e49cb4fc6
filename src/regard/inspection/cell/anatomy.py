"""How queries, keys and values of one head were made: found by value among the maps that were heard.

x → x·W → + b → norm → turned by its place → what entered the kernel        (each but the first may be absent)
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from regard.inspection.cell.heard import Heard
from regard.inspection.cell.linear import CLOSE, ROUGH, Linear, cuts, linears, rough, same
from regard.inspection.cell.norms import norm
from regard.inspection.cell.turning import Turn, turning


@dataclass(frozen=True)
class Normed:
    """A norm as it was applied: (x − mean) / size · gain + shift.

    Attributes:
        mean, size: (n, 1); over all heads together in some families.
        gain, shift: (d,) of this head.
    """

    mean: Tensor | None
    size: Tensor
    gain: Tensor
    shift: Tensor | None

    def __call__(self, x: Tensor) -> Tensor:
        """Vectors (n, d), normed."""
        found = (x if self.mean is None else x - self.mean) / self.size * self.gain
        return found if self.shift is None else found + self.shift


@dataclass(frozen=True)
class Made:
    """How n vectors of one head were made, in float64.

    Attributes:
        x: (n, d_in), what enters.
        weight: (d_in, d) of this head; None where x itself is the query or key.
        bias: (d,).
        factor: of what comes out of all that.
    """

    module: str
    x: Tensor
    weight: Tensor | None = None
    bias: Tensor | None = None
    normed: Normed | None = None
    turn: Turn | None = None
    factor: float = 1.0

    def lines(self) -> dict[str, Tensor]:
        """Every step, (n, …) each, in order: `product`, `raw`, `normed`, `turned`, and `made`, the last."""
        found = {"product": self.x if self.weight is None else self.x @ self.weight}
        if self.bias is not None:
            found["raw"] = found["product"] + self.bias
        if self.normed is not None:
            found["normed"] = self.normed(last(found))
        if self.turn is not None:
            found["turned"] = self.turn(last(found))
        return found | {"made": last(found) * self.factor}


def last(lines: dict[str, Tensor]) -> Tensor:
    """The last step so far."""
    return list(lines.values())[-1]


def distinct(heads: Tensor) -> Tensor:
    """Heads (heads, n, d) without those that repeat the one before them for a group of queries."""
    for count in range(1, len(heads)):
        group = len(heads) // count
        if len(heads) % count == 0 and torch.equal(heads[::group].repeat_interleave(group, 0), heads):
            return heads[::group]
    return heads


def made(calls: Sequence[Heard], entered: Tensor, head: int, n_heads: int) -> Made | None:
    """How what entered the kernel was made; None where no map that was heard explains it.

    Args:
        calls: those of the attention's modules, before the kernel ran.
        entered: (heads, n, d), queries, keys or values.
        head: which of the `n_heads` patterns.
    """
    entered = distinct(entered)
    at = head * len(entered) // n_heads
    for linear in reversed(list(linears(calls))):
        if len(linear.y) != entered.shape[1]:
            continue
        for columns in cuts(linear.y.shape[1], entered.shape[2], len(entered), n_heads):
            found = _explained(linear, columns, entered, calls, at)
            if found is not None:
                return found
    return _itself(calls, entered)


def _explained(linear: Linear, columns: Tensor, entered: Tensor, calls: Sequence[Heard], at: int) -> Made | None:
    raw = linear.y[:, columns].movedim(1, 0)
    mine = columns[at].to(linear.weight.device)
    for normed, before in _norms(raw, calls, at):
        how = _to_kernel(before, entered)
        if how is not None:
            turn, factor = how
            bias = None if linear.bias is None else linear.bias[mine].double()
            weight = linear.weight[:, mine].double()
            return Made(linear.name, linear.x.double(), weight, bias, normed, turn, factor)
    return None


def _norms(raw: Tensor, calls: Sequence[Heard], at: int) -> Iterator[tuple[Normed | None, Tensor]]:
    """Heads (heads, n, d) as they are, and as each module that was given them made them."""
    yield None, raw
    heads, n, d = raw.shape
    joined = raw.movedim(0, 1)
    for call in calls:
        if len(call.given) != 1 or call.made is None or call.made.shape != call.given[0].shape:
            continue
        x, y = call.given[0], call.made
        forms = {(heads, n, d): raw, (n, heads, d): joined, (n, heads * d): joined.flatten(1)}
        form = forms.get(tuple(x.shape))
        formula = norm(call, x.double(), y) if form is not None and same(x, form) else None
        if formula is None:
            continue
        parts = formula.parts(x.double())
        if x.ndim == 2:  # one norm over all heads
            mine, rows = slice(at * d, at * d + d), {name: parts.get(name) for name in ("mean", "size")}
            shift = None if formula.shift is None else formula.shift[mine]
            yield (
                Normed(rows["mean"], parts["size"], formula.gain[mine], shift),
                y.unflatten(1, (heads, d)).movedim(1, 0),
            )
            continue
        mean, size = (
            None if name not in parts else _of_head(parts[name], x.shape, heads, at) for name in ("mean", "size")
        )
        assert size is not None
        yield Normed(mean, size, formula.gain, formula.shift), y if tuple(y.shape) == (heads, n, d) else y.movedim(1, 0)


def _of_head(rows: Tensor, shape: torch.Size, heads: int, at: int) -> Tensor:
    return rows[at] if shape[0] == heads and rows.shape[0] == heads else rows[:, at]


def _to_kernel(before: Tensor, entered: Tensor) -> tuple[Turn | None, float] | None:
    """A turn, a factor, or nothing between these (heads, n, d)."""
    if same(before, entered):
        return None, 1.0
    within = ROUGH if rough(before, entered) else CLOSE
    before, entered = before.double(), entered.double()
    factor = float((before * entered).sum() / before.square().sum().clamp(min=1e-30))
    if same(before * factor, entered, within):
        return None, factor
    turn = turning(before, entered, within)
    return None if turn is None else (turn, 1.0)


def _itself(calls: Sequence[Heard], entered: Tensor) -> Made | None:
    """What entered is what a module of the attention was given (scores of states alone, Luong's dot)."""
    whole = entered.movedim(0, 1).flatten(1)
    for call in reversed(calls):
        for tensor in call.given:
            if tensor.ndim == 2 and same(tensor, whole):
                return Made("", tensor.double())
    return None
