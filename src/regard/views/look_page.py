"""All heads of a model on a text as one page that needs no network.

For every head it holds a map, the statistics of each query and its largest weights. Of a few heads (those named, or
those that stand out) it holds all that exact weights are made of; of a short text it holds every weight of every head.
What it does not hold it says, with the command that shows it.
"""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

import numpy as np

from regard.language import say
from regard.views import html
from regard.views.heads import Heads
from regard.views.packing import Packed
from regard.views.picture import Layout
from regard.views.shade import DARK, LIGHT, colour
from regard.views.signs import prose, visible
from regard.views.telling import DIGITS, standing

MODULES = ("regard.js", "weights.js", "look.js")
"""The page's one module, in parts; each imports those before it."""

PER_QUERY = {"entropy": 3, "first": DIGITS, "itself": DIGITS, "before": DIGITS, "distance": 2}
"""Statistics of each query and their digits; the largest weight stands among the largest."""

MOST_WEIGHTS = 2**22
"""Where a trace kept weights and no queries and keys, at most so many of them are put into a page."""

MOST_BYTES = 6_000_000
"""What a page may take with other parts of the model in it; those that do not fit are named."""

SHADES = 64

_WORDS = (
    *("layer", "head", "query", "key", "layer_head", "head_mean", "head_mean_across", "map_pooled"),
    *("token_at", "token_nothing", "token_only", "token_most", "number_column", "looks_column"),
    *("stat_entropy", "stat_largest", "stat_first", "stat_itself", "stat_before", "stat_distance"),
    *("page_about", "page_about_across", "page_standing", "page_choose", "page_queries_down", "page_keys_down"),
    *("page_exact", "page_all_exact", "page_partly", "page_rounded", "page_tokens", "page_where", "page_largest"),
    *("page_statistic", "page_per_query", "page_numbers", "page_parts", "page_absent", "exact_hint", "hidden", "blank"),
)


@dataclass(frozen=True)
class Page:
    """What a page shows.

    Attributes:
        heads: all heads of a part.
        opened: the one that is open at first.
        exact: those that can be read weight by weight.
        query: the query that is open at first; None: the last.
        command: shows the same text again; `--layer` and `--head` can follow.
        note: what else a reader should know.
        words: queries and keys are words.
    """

    heads: Heads
    opened: int = 0
    exact: tuple[int, ...] = ()
    query: int | None = None
    layout: Layout = "query-rows"
    command: str = ""
    note: str = ""
    check: str = ""
    words: bool = False


def render(page: Page, *, lang: str, others: Sequence[Page] = ()) -> str:
    """The page; `lang` is a BCP 47 tag.

    Args:
        others: of the model's other parts, which a reader may choose instead.
    """
    shown = data(page, lang)
    shown |= _others(len(json.dumps(shown)), others, lang)
    return html.PAGE.format(
        lang=escape(lang),
        policy=html.POLICY,
        title=escape(shown["title"]),
        style=html.asset("regard.css") + html.asset("look.css"),
        body=_without_scripts(shown),
        json=html.inert(shown),
        script=_module(),
        call="look",
    )


def data(page: Page, lang: str) -> dict[str, Any]:
    """Everything that the page shows, as strict JSON."""
    heads = page.heads
    packed = _packed(page)
    return {
        "title": say("views.overview_title", lang),
        "model": visible(heads.trace.model),
        "part": heads.places[0][0].part,
        "itself": heads.itself,
        "queries": [visible(token) for token in heads.queries],
        "keys": None if heads.itself else [visible(token) for token in heads.keys],
        "kinds": list(heads.trace.sequences[heads.places[0][0].queries].kinds),
        "places": [[site.layer, head, site.address, site.module] for site, head in heads.places],
        "standing": [[at, say(f"heads.{role}", lang), round(share, 4)] for at, role, share in heads.standing],
        "block": list(heads.block),
        "opened": page.opened,
        "query": len(heads.queries) - 1 if page.query is None else page.query,
        "layout": page.layout,
        "digits": {**PER_QUERY, "largest": DIGITS},
        "recipes": packed[1],
        **packed[0].data(),
        "ramps": {
            key: [colour(at / SHADES, ramp) for at in range(SHADES + 1)]
            for key, ramp in (("light", LIGHT), ("dark", DARK))
        },
        "command": page.command,
        "reading": prose(standing(heads, lang)),
        "note": prose(page.note),
        "check": prose(page.check),
        "words": {word: say(f"views.{word}", lang) for word in _WORDS},
    }


def _others(taken: int, others: Sequence[Page], lang: str) -> dict[str, Any]:
    """What the page holds of other parts: as many as fit beside what is taken; of the rest the command."""
    room, fitting, absent = MOST_BYTES - taken, list[Any](), list[Any]()
    for other in others:
        shown = {name: each for name, each in data(other, lang).items() if name not in ("words", "ramps", "title")}
        room -= len(json.dumps(shown))
        fitting += [shown] if room >= 0 else []
        absent += [] if room >= 0 else [{"part": shown["part"], "command": other.command}]
    return {"others": fitting, "absent": absent} if others else {}


def _packed(page: Page) -> tuple[Packed, dict[int, dict[str, Any]]]:
    """The arrays, and of each exact head how its weights are made of them."""
    heads, packed = page.heads, Packed()
    found = heads.statistics
    for name, digits in PER_QUERY.items():
        if getattr(found, name) is not None:
            packed.rounded(name, getattr(found, name), digits)
    packed.rounded("top_weights", found.top_weights, DIGITS)
    packed.numbers("top_keys", found.top_keys)
    if heads.block == (1, 1):
        packed.exact("map", found.pooled)
        return packed, {}
    packed.rounded("map", found.pooled, DIGITS)
    return packed, {at: _recipe(heads, at, packed) for at in _fitting(page)}


def _fitting(page: Page) -> tuple[int, ...]:
    """Which heads are embedded whole: those asked for, as many as fit where only weights were kept."""
    heads = page.heads
    if not heads.exact:
        return ()
    site, _ = heads.places[0]
    most = len(page.exact) if heads.trace.computes(site) else MOST_WEIGHTS // (len(heads.queries) * len(heads.keys))
    return page.exact[:most]


def _recipe(heads: Heads, at: int, packed: Packed) -> dict[str, Any]:
    """Put what one head's weights are made of among the arrays: queries and keys with the recipe, or the weights."""
    site, head = heads.places[at]
    if not heads.trace.computes(site):
        packed.exact(f"weights/{at}", heads.weights(at))
        return {}
    recipe, query, key = heads.trace.asked(site)
    place, count = heads.trace.place(site, head)
    own = recipe.of_head(place)
    packed.exact(f"query/{at}", query[place].numpy())
    packed.exact(f"key/{at}", key[place * len(key) // count].numpy())
    if own.bias is not None:
        packed.exact(f"bias/{at}", own.bias[0].numpy())
    if own.vector is not None:
        packed.exact(f"vector/{at}", own.vector.numpy())
    if own.visible is not None:
        packed.numbers(f"visible/{at}", own.visible.numpy().astype(np.int32))
    spans = own.visible is not None and own.visible.numpy().dtype != bool
    sink = None if own.sinks is None else float(own.sinks[0])
    return {"scale": own.scale, "softcap": own.softcap, "sink": sink, "spans": spans}


def _module() -> str:
    """The parts of the module as one script: what they import from each other stands beside them."""
    whole = "\n".join(map(html.asset, MODULES))
    return re.sub(r"(?m)^export default ", "void ", re.sub(r"(?m)^import .*$", "", whole))


def _without_scripts(shown: dict[str, Any]) -> str:
    """What stands in the page before its script runs, and where none does."""
    parts = [("h1", "", shown["title"]), ("p", "reading", shown["reading"]), ("p", "", shown["note"])]
    parts += [("p", "check", shown["check"])]
    return "".join(f'<{tag} class="{kind}">{escape(text)}</{tag}>' for tag, kind, text in parts if text)
