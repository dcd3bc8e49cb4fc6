"""Look at patterns: of a run that was watched, of a trace, of a model on a text. One result for every face."""

import os
import re
from dataclasses import dataclass
from pathlib import Path

from regard.core.errors import BadInput
from regard.core.protocols import Site
from regard.inspection import trace as traces
from regard.inspection.trace import Sequence, Trace
from regard.inspection.wording import worded
from regard.models import catalogue
from regard.tasks import recording
from regard.tasks.formed import Formed
from regard.tasks.looked import Looked
from regard.tasks.reading import shown
from regard.tasks.watching import WATCH, watched
from regard.text.lines import read_lines, typed
from regard.views.heads import Heads

_QUERIES = re.compile(r"([0-9]{1,9})(?:-([0-9]{1,9}))?")


@dataclass(frozen=True)
class Asked:
    """What of it: empty layers and heads are all of them (of a part: the cross-attention, where there is one).

    Attributes:
        query: one query, such as `3`, or several, such as `3-9`; None: all.
        words: between words instead of tokens.
    """

    part: str | None = None
    layers: tuple[int, ...] = ()
    heads: tuple[int, ...] = ()
    query: str | None = None
    words: bool = False


def look(what: str, asked: Asked, *, model: str | None = None, as_text: bool = False) -> Looked | Formed:
    """What `what` shows.

    Args:
        what: the folder of a run that was watched, a trace file, a text file, or a text.
        model: what reads the text; a bundled name, a model folder, a run, or an id of the Hugging Face hub.
        as_text: `what` is a text even where a file has that name.

    Raises:
        BadInput: a run that was not watched, a part, layer, head or query that is not there, a text that is empty or
            too long, a file that is no trace; a model beside a run or a trace, which say what was read.
    """
    if not as_text and (os.path.isdir(what) or what.endswith(".safetensors")):
        if model is not None:
            raise BadInput("options_apart", one="--model", other=what)
        return _run(what, asked) if os.path.isdir(what) else looked(traces.load(what), asked, named=what)
    text = "\n".join(read_lines(what)) if not as_text and os.path.isfile(what) else typed(what).text
    reader = model or catalogue.DEFAULTS["generation"]
    return looked(recorded(text, reader), asked, named=what, model=model)


def recorded(text: str, model: str) -> Trace:
    """What a model attends to on a text; a translator on its own translation of it."""
    try:
        trace = recording.record(model, text)
    except BadInput as error:
        if error.code != "foreign_bypass":  # a family that shows no queries and keys may give its weights
            raise
        trace = recording.record(model, text, keep="weights")
    assert isinstance(trace, Trace)
    return trace


def looked(trace: Trace, asked: Asked, *, named: str = "TRACE", model: str | None = None) -> Looked:
    """What a trace shows of what is asked for.

    Args:
        named: what the command line calls it, for the commands that a page tells.
        model: what the command line called the model.
    """
    places = all_places(trace, asked.part)
    chosen = chosen_places(trace, asked.part, asked.layers, asked.heads)
    if asked.words:
        places = chosen if asked.layers or asked.heads else places
        trace = worded(trace, places)
    heads, others = _heads(trace, places, asked.words), tuple[Heads, ...]()
    if asked == Asked():  # a part that is named stands alone
        rest = dict.fromkeys(site.part for site in trace.sites if site.part != places[0][0].part)
        others = tuple(_heads(trace, all_places(trace, part), words=False) for part in rest)
    at = tuple(places.index(place) for place in chosen) if asked.layers or asked.heads else ()
    return Looked(heads, at, queries_of(asked.query, len(heads.queries)), asked.words, named, model, others)


def _heads(trace: Trace, places: tuple[tuple[Site, int], ...], words: bool) -> Heads:
    sides = [_shown(trace.sequences[name], words) for name in (places[0][0].queries, places[0][0].keys)]
    return Heads(trace, places, *sides)


def _shown(side: Sequence, words: bool) -> tuple[str, ...]:
    return tuple(token.strip() or token for token in shown(side)) if words else shown(side)


def all_places(trace: Trace, part: str | None) -> tuple[tuple[Site, int], ...]:
    """Every head that was recorded of a part; of the cross-attention, where there is one and none is named."""
    if not trace.sites:
        raise BadInput("no_attention", name=trace.model)
    wanted = trace.site(part, _first_layer(trace, part))
    sites = [site for site in trace.sites if (site.part, site.queries) == (wanted.part, wanted.queries)]
    return tuple((site, head) for site in sites for head in (trace.heads or range(site.n_heads)))


def chosen_places(
    trace: Trace, part: str | None, layers: tuple[int, ...], heads: tuple[int, ...]
) -> tuple[tuple[Site, int], ...]:
    """The heads asked for, in order; those that are not there are said, with those that are."""
    places = all_places(trace, part)
    sites = [trace.site(part, layer) for layer in layers] or list(dict.fromkeys(site for site, _ in places))
    for site in sites:
        for head in heads:
            trace.place(site, head)
    return tuple(place for place in places if place[0] in sites and (not heads or place[1] in heads))


def _first_layer(trace: Trace, part: str | None) -> int:
    """The first layer that was recorded of a part."""
    wanted = part or next((site.part for site in trace.sites if site.part == "cross"), trace.sites[0].part)
    return next((site.layer for site in trace.sites if site.part == wanted), trace.sites[0].layer)


def queries_of(asked: str | None, count: int) -> range | None:
    """The queries that `3` or `3-9` names.

    Raises:
        BadInput: `query_form`, `no_query`.

    >>> queries_of("3-5", 7)
    range(3, 6)
    """
    if asked is None:
        return None
    found = _QUERIES.fullmatch(asked.strip())
    if found is None or int(found[1]) > int(found[2] or found[1]):
        raise BadInput("query_form", came=asked[:40])
    last = int(found[2] or found[1])
    if last >= count:
        raise BadInput("no_query", query=last, count=count, last=count - 1)
    return range(int(found[1]), last + 1)


def _run(what: str, asked: Asked) -> Formed:
    """The steps of a run that was watched."""
    found = watched(Path(what))
    if not found:
        raise BadInput("not_watched", path=what, folder=WATCH)
    for option, given in (("--query", asked.query is not None), ("--words", asked.words)):
        if given:
            last = Path(what, WATCH, f"step-{max(found):08d}.safetensors")
            raise BadInput("run_has_no", option=option, path=what, steps=len(found), file=str(last))
    traces_of = tuple(found.values())
    return Formed(tuple(found), traces_of, chosen_places(traces_of[-1], asked.part, asked.layers, asked.heads))
