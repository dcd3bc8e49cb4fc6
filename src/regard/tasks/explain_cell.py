"""Explain one cell of a model's pattern: a text, a place, a query and a key → every number from x to the stream."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

from regard.core.attend import STEPS
from regard.core.errors import BadInput
from regard.core.nearest import nearest
from regard.core.protocols import Site
from regard.core.tap import tapped
from regard.inspection.cell.cell import Cell
from regard.inspection.cell.dissect import Asked, dissect
from regard.inspection.trace import READ, SOURCE
from regard.inspection.trace import Sequence as Side
from regard.inspection.visit import Sink, Watcher
from regard.tasks import recording
from regard.tasks.generation import Generator
from regard.tasks.reading import shown
from regard.tasks.translation import Translator
from regard.text.tokenizers import SPACE
from regard.views import html, latex, markdown, terminal
from regard.views.cell_parts import Style
from regard.views.derivation_cell import picture

DIGITS = 6
MOST_CELLS = 1_000_000
"""Numbers of the largest spreadsheet."""

LISTED = 12
"""At most so many tokens are listed in an error."""


@dataclass(frozen=True)
class Where:
    """Which cell: numbers count from 0; a query or a key may be named by its token's text.

    Attributes:
        part: `encoder`, `decoder` or `cross`; None for `cross` where there is one.
        layer, head: None where there is only one.
        query: None for the last token.
        key: None for the one looked at most.
    """

    part: str | None = None
    layer: int | None = None
    head: int | None = None
    query: str | int | None = None
    key: str | int | None = None


@dataclass(frozen=True)
class _Ready:
    """A model with a text in it: how it runs, where it attends, what its sequences are."""

    opened: Any
    module: Any
    run: Any
    sites: tuple[Site, ...]
    sides: dict[str, Side]


def explain_cell(text: str, model: Any, where: Where | None = None, *, target: str | None = None) -> Cell:
    """Every number of one cell.

    Args:
        model: what `regard.record` takes: a name, a folder, an id of the hub, or what `load` gives.
        target: of a translator what it is to write; None for what it writes by itself.

    Raises:
        BadInput: no such model, an empty text, one too long, a model without attention, no such part, layer, head,
            query or key (it says which there are), a family that hides its attention.
        Failure: `trace_check`: what was computed again is not what the model computed.

    >>> cell = explain_cell("Once upon a time", "tiny-gpt", Where(layer=0, head=0))
    >>> float(abs(cell["before"] + cell["output"] - cell["after"]).max())
    0.0
    """
    where = where or Where()
    opened = recording.opened(str(model)) if isinstance(model, str) or hasattr(model, "__fspath__") else model
    ready = _own(opened, text, target) if isinstance(opened, Translator | Generator) else _foreign(opened, text, target)
    if not ready.sites:
        raise BadInput("no_attention", name=opened.name)
    site = _site(ready.sites, where)
    head = _head(site, where.head)
    tokens, key_tokens = (shown(ready.sides[name]) for name in (site.queries, site.keys))
    query = len(tokens) - 1 if where.query is None else place(where.query, tokens, "--query")
    key = None if where.key is None else place(where.key, key_tokens, "--key")
    asked = Asked(site, head, query, key)
    found = dissect(ready.module, ready.run, asked, (tokens, key_tokens), opened.name, opened.fingerprint)
    return _worded(found, opened)


def place(asked: str | int, tokens: Sequence[str], option: str) -> int:
    """Which token is meant: its number, or its text where one token alone has it.

    Raises:
        BadInput: `cell_number`, `cell_token`, `cell_tokens`: none has it, or several have; it says which.

    >>> place("cat", ["the", " cat", "the"], "--query"), place(2, ["the", " cat", "the"], "--query")
    (1, 2)
    """
    text = str(asked).strip()
    if text.lstrip("-").isascii() and text.lstrip("-").isdigit():
        if not 0 <= int(text) < len(tokens):
            raise BadInput("cell_number", option=option, came=text[:20], last=len(tokens) - 1)
        return int(text)
    found = [at for at, token in enumerate(tokens) if text in (token, token.strip())]
    if len(found) > 1:
        raise BadInput("cell_tokens", option=option, token=text, places=", ".join(map(str, found[:LISTED])))
    if not found:
        near = nearest(text, dict.fromkeys(token.strip() for token in tokens))
        raise BadInput("cell_token", option=option, token=text[:60], nearest=near, last=len(tokens) - 1)
    return found[0]


def _site(sites: Sequence[Site], where: Where) -> Site:
    parts = dict.fromkeys(site.part for site in sites)
    part = where.part or ("cross" if "cross" in parts else next(iter(parts)))
    layers = [site.layer for site in sites if site.part == part]
    if where.layer is None and len(layers) > 1:
        raise BadInput("cell_which", option="--layer", last=max(layers))
    for site in sites:
        if site.part == part and where.layer in (None, site.layer):
            return site
    if layers:
        raise BadInput("cell_layer", layer=where.layer, part=part, last=max(layers))
    raise BadInput("cell_part", part=part, parts=", ".join(parts))


def _head(site: Site, head: int | None) -> int:
    if head is None and site.n_heads > 1:
        raise BadInput("cell_which", option="--head", last=site.n_heads - 1)
    if head is not None and not 0 <= head < site.n_heads:
        raise BadInput("no_head", head=head, n_heads=site.n_heads, address=site.address)
    return head or 0


def _own(opened: Translator | Generator, text: str, target: str | None) -> _Ready:
    """One of our models, with the text in it."""
    model = opened.model
    if not model.sites:
        raise BadInput("no_attention", name=opened.name)
    first = model.sites[0]
    sides = recording.record(opened, text, target=target, parts=[first.part], layers=[first.layer]).sequences
    inputs = [torch.tensor([sides[side].ids]) for side in (SOURCE, READ) if side in sides]

    def run(sink: Sink) -> torch.Tensor:
        with tapped(Watcher(sink)):
            logits: torch.Tensor = model.head(model.features(*inputs))
        return logits[0]

    return _Ready(opened, model, run, model.sites, sides)


def _foreign(foreign: Any, text: str, target: str | None) -> _Ready:
    """A model of `transformers`, with the text in it; it runs once to see where it attends."""
    from regard.inspection.foreign import reading
    from regard.inspection.foreign.record import Eye, agreed, looking
    from regard.inspection.foreign.run import run as ran
    from regard.inspection.foreign.switching import asks

    read = reading.of_texts(foreign, [text], None if target is None else [target])
    if not asks(foreign.model):
        raise BadInput("cell_bypass", name=foreign.name, family=type(foreign.model).__name__)

    def run(sink: Sink) -> Eye:
        sinks: Any = [sink]  # it takes what a keeper takes
        eye = Eye(foreign.model, sinks, {})
        with looking(foreign, eye):
            ran(foreign, read.inputs)
        return eye

    with torch.inference_mode():
        eye = run(lambda address, visit: None)
    sites = eye.places.ordered()
    sides = reading.sides(read.sequences[0], sites, agreed(foreign, sites, eye.lengths))
    return _Ready(foreign, foreign.model, run, sites, sides)


def _worded(cell: Cell, opened: Any) -> Cell:
    """The likeliest words of a model that chooses them from contexts, as text."""
    if "best" not in cell:
        return cell
    ids = [int(each) for each in cell["best"]]
    return replace(cell, words=tuple(token.replace(SPACE, " ") for token in opened.tokenizer.tokens(ids)))


def write(cell: Cell, form: str, *, lang: str = "en", digits: int | None = None, colour: bool | None = None) -> str:
    """The cell in one of the forms `text`, `markdown`, `latex`, `html`, `json`, without a line break at its end.

    Args:
        digits: digits after the point; None for 6. JSON has all.

    Raises:
        BadInput: `cell_form`: a form that a cell has not.
    """
    if form == "json":
        return to_json(cell)
    if form == "python":
        raise BadInput("cell_form", form=form)
    drawn = picture(cell, Style(lang, DIGITS if digits is None else digits))
    match form:
        case "text":
            return terminal.render(drawn, colour=colour)
        case "markdown":
            return markdown.render(drawn).rstrip("\n")
        case "latex":
            return latex.render(drawn, lang=lang).rstrip("\n")
    return html.render(drawn, lang=lang).rstrip("\n")


def workbook(cell: Cell, *, lang: str = "en", digits: int | None = None) -> bytes:
    """The cell as a spreadsheet (xlsx) with live formulas: what enters and the model's numbers are given, all follows.

    Raises:
        BadInput: `too_many_to_show`: the matrices of a very wide model.
    """
    from regard.views.xlsx.cell import render

    numbers = sum(each.size for each in cell.numbers.values())
    if numbers > MOST_CELLS:
        raise BadInput("too_many_to_show", numbers=f"{numbers:,}", limit=f"{MOST_CELLS:,}", form="xlsx")
    return render(cell, Style(lang, DIGITS if digits is None else digits))


def to_json(cell: Cell) -> str:
    """The cell as strict JSON at full precision, on one line; hidden scores are null.

    Keys: `tokens` (`key_tokens` where they are others), `place` (model, address, module, part, layer, head and the
    modules that made queries, keys, values and output), `inputs` (every number in the order of computation, see
    `inspection.cell.cell.Cell`), `steps` (the eight, [head][query or key][…] of this one head and query), `output`
    (this head's, the others', the bias, the sum) and `residual` where there are such, `word` of a model that chooses
    words from contexts, `reading` and `check`.
    """
    site, numbers = cell.site, {name: _plain(values) for name, values in cell.numbers.items()}
    steps = {"query": [[numbers["query"]]], "key": [numbers["keys"]], "value": [numbers["values"]]}
    steps |= {name: [[numbers[name]]] for name in STEPS if name not in steps}
    ends = {
        "output": ("head_output", "others", "b_output", "output"),
        "residual": ("before", "added", "beside", "after"),
    }
    parts = {name: {each: numbers[each] for each in names if each in numbers} for name, names in ends.items()}
    told = {*STEPS, "keys", "values"} - {"query", "key", "value"}
    place: dict[str, Any] = {"model": cell.model, "address": site.address, "module": site.module, "part": site.part}
    place |= {"layer": site.layer, "head": cell.head, "modules": cell.modules}
    look: dict[str, Any] = {"query_index": cell.query, "query": cell.tokens[cell.query], "key_index": cell.key}
    look |= {"key": cell.key_tokens[cell.key], "weight": cell.weight, "hidden": cell.hidden or None}
    check = {"kind": cell.check.kind, "deviation": cell.check.deviation, "tolerance": cell.check.tolerance}
    content = {
        "tokens": list(cell.tokens),
        **({} if site.queries == site.keys else {"key_tokens": list(cell.key_tokens)}),
        "place": place,
        "inputs": {name: values for name, values in numbers.items() if name not in told},
        "steps": steps,
        **{name: part for name, part in parts.items() if part},
        **({"word": cell.words[0], "words": list(cell.words)} if cell.words else {}),
        "reading": [look],
        "check": check,
    }
    return json.dumps(content, ensure_ascii=False, allow_nan=False)


def _plain(values: np.ndarray) -> Any:
    """Nested lists; null for what is no number."""
    if np.issubdtype(values.dtype, np.integer) or np.isfinite(values).all():
        return values.tolist()
    plain = values.astype(object)
    plain[~np.isfinite(values)] = None
    return plain.tolist()
