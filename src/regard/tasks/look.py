"""Look at patterns: of a run that was watched, of a trace, of a model on a text. One result for every face."""

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from regard.core.errors import BadInput
from regard.core.protocols import Site
from regard.inspection import record as recording
from regard.inspection import trace as traces
from regard.inspection.trace import READ, Check, Trace
from regard.models import catalogue, folder
from regard.models.gpt import Gpt
from regard.tasks.looking import stamp
from regard.tasks.reading import shown, text_side
from regard.tasks.translation import Translator
from regard.tasks.watching import WATCH, watched
from regard.text.lines import read_lines, typed
from regard.views import patterns
from regard.views.patterns import Heads
from regard.views.picture import Grid, Layout, Picture, Rows

TERMINAL_SIDE, LABEL = 24, 18
"""Cells of a tile in a terminal, at most, and the room that names of heads take there."""


@dataclass(frozen=True)
class Asked:
    """Which heads: None is all of them (of a part: the cross-attention, where there is one)."""

    part: str | None = None
    layer: int | None = None
    head: int | None = None


@dataclass(frozen=True)
class Looked:
    """Patterns that were asked for, at the steps of a run or at one moment.

    Attributes:
        steps: of a run, one a trace; None of a single trace.
        traces: all of the same text and model.
        chosen: the place and the number of each head.
    """

    steps: tuple[int, ...] | None
    traces: tuple[Trace, ...]
    chosen: tuple[tuple[Site, int], ...]
    every: bool

    @property
    def check(self) -> Check:
        """The worst of all traces'."""
        return max((trace.check for trace in self.traces), key=lambda check: check.deviation)

    @property
    def heads(self) -> Heads:
        """The patterns as pictures take them."""
        site, _ = self.chosen[0]
        sides = [shown(self.traces[-1].sequences[name]) for name in (site.queries, site.keys)]
        values = [[_weights(trace, *place) for place in self.chosen] for trace in self.traces]
        places = tuple((site.layer, head) for site, head in self.chosen)
        return Heads(places, np.array(values), sides[0], sides[1], site.queries == site.keys)

    def json(self) -> dict[str, Any]:
        """`tokens`, `patterns` (of a run `steps` of them) and `check`, as the command's JSON holds them."""
        site, check = self.chosen[0][0], self.check
        tokens = {"tokens": list(shown(self.traces[-1].sequences[site.queries]))}
        if site.queries != site.keys:
            tokens["key_tokens"] = list(shown(self.traces[-1].sequences[site.keys]))
        stamp = {"kind": check.kind, "deviation": check.deviation, "tolerance": check.tolerance}
        if self.steps is None:
            return {**tokens, "patterns": self._patterns(self.traces[0]), "check": stamp}
        told = [
            {"step": step, "patterns": self._patterns(trace)}
            for step, trace in zip(self.steps, self.traces, strict=True)
        ]
        return {**tokens, "steps": told, "check": stamp}

    def _patterns(self, trace: Trace) -> list[dict[str, Any]]:
        chosen = self.chosen if self.steps is not None or not self.every else (self._first,)
        return [
            {
                "address": site.address,
                "layer": site.layer,
                "head": head,
                "weights": _weights(trace, site, head).astype(float).tolist(),
            }
            for site, head in chosen
        ]

    @property
    def _first(self) -> tuple[Site, int]:
        layer, head = patterns.strongest(self.heads)
        return next(place for place in self.chosen if (place[0].layer, place[1]) == (layer, head))

    def picture(self, lang: str | None = None, *, width: int | None = None, layout: Layout = "query-rows") -> Picture:
        """A strip of steps; all heads, and the one that stands out; or one head.

        Args:
            width: of a terminal, in cells; None for paper and pages.
        """
        heads, check = self.heads, stamp(self.check, lang)
        side = patterns.SIDE if width is None else TERMINAL_SIDE
        if self.steps is not None:
            wide = min(side, len(heads.keys))
            columns = patterns.COLUMNS if width is None else max(2, min(8, (width - LABEL) // (wide + 2)))
            return patterns.strip(heads, self.steps, columns=columns, side=side, check=check, lang=lang)
        if len(heads.places) == 1:
            return patterns.pattern(heads, heads.places[0], check=check, layout=layout, lang=lang)
        whole = patterns.overview(heads, side=side, check=check, lang=lang)
        best: Grid = patterns.pattern(heads, patterns.strongest(heads), layout=layout, lang=lang)
        return Rows(title=whole.title, parts=(*whole.parts, best), reading=whole.reading, check=check)


def look(what: str, asked: Asked, *, model: str | None = None, as_text: bool = False) -> Looked:
    """What `what` shows.

    Args:
        what: the folder of a run that was watched, a trace file, a text file, or a text.
        model: what reads the text; a bundled name, a model folder, or a run.
        as_text: `what` is a text even where a file has that name.

    Raises:
        BadInput: a run that was not watched, a part, layer or head that is not there, a text that is empty or too long.
    """
    if not as_text and os.path.isdir(what):
        found = watched(Path(what))
        if not found:
            raise BadInput("not_watched", path=what, folder=WATCH)
        return _chosen(tuple(found), tuple(found.values()), asked)
    if not as_text and what.endswith(".safetensors"):
        return _chosen(None, (traces.load(what),), asked)
    text = "\n".join(read_lines(what)) if not as_text and os.path.isfile(what) else typed(what).text
    return _chosen(None, (recorded(text, model or catalogue.DEFAULTS["generation"]),), asked)


def recorded(text: str, model: str) -> Trace:
    """What a model attends to on a text; a translator on its own translation of it.

    Raises:
        BadInput: `look_empty`, `look_too_long`, `no_attention`.
    """
    loaded = folder.load(catalogue.find(model), Path(model).name)
    if not isinstance(loaded.model, Gpt):
        trace = Translator(loaded).translate(text).trace
        if trace is None:
            raise BadInput("look_empty")
        return trace
    side = text_side(text, loaded.tokenizer)
    longest = loaded.model.config.max_len
    if not side.ids:
        raise BadInput("look_empty")
    if len(side.ids) > longest:
        raise BadInput("look_too_long", tokens=len(side.ids), name=loaded.name, longest=longest)
    return recording.record(loaded.model, {READ: side}, name=loaded.name, fingerprint=loaded.fingerprint, check="full")


def _chosen(steps: tuple[int, ...] | None, found: tuple[Trace, ...], asked: Asked) -> Looked:
    """The heads asked for, in order; they are in every trace, or it is said which there are."""
    last = found[-1]
    if not last.sites:
        raise BadInput("no_attention", name=last.model)
    first = last.site(asked.part, last.sites[0].layer if asked.layer is None else asked.layer)
    sites = [site for site in last.sites if (site.part, site.queries) == (first.part, first.queries)]
    sites = sites if asked.layer is None else [first]
    heads = [(site, head) for site in sites for head in range(site.n_heads) if asked.head in (None, head)]
    if not heads:
        raise BadInput("no_head", head=asked.head, n_heads=first.n_heads, address=first.address)
    return Looked(steps, found, tuple(heads), asked.layer is None and asked.head is None)


def _weights(trace: Trace, site: Site, head: int) -> np.ndarray:
    return trace.weights(part=site.part, layer=site.layer, head=head)


def to_json(looked: Looked) -> str:
    """The JSON of the command."""
    return json.dumps(looked.json(), ensure_ascii=False, allow_nan=False)
