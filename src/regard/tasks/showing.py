"""How a trace shows itself, in Python and in notebooks: the methods that the roof hangs on it."""

from html import escape
from typing import get_args

from regard.core.errors import BadInput
from regard.core.nearest import one_of
from regard.inspection.trace import Trace
from regard.language import LANGUAGES
from regard.tasks import looking
from regard.tasks.look import Asked, looked
from regard.views.picture import Layout, Picture

HEIGHT = 900
"""Pixels of the frame that a page of heads has in a notebook; it scrolls."""


def picture(trace: Trace, lang: str | None = None) -> Picture:
    """The alignment of a translator's trace; of any other all its heads, and the one that stands out.

    Raises:
        BadInput: `no_attention`: the model looks at nothing; `step_not_kept`: too little of it was kept.
    """
    if any(site.part == "cross" for site in trace.sites) or not trace.sites:
        return looking.picture(trace, lang)
    return looked(trace, Asked()).picture(lang)


def html(
    trace: Trace,
    lang: str | None = None,
    *,
    part: str | None = None,
    words: bool = False,
    layout: Layout = "query-rows",
) -> str:
    """A trace as a whole page that needs no network: all heads, one of them, what each token looks at.

    Of a translator with one attention it is the alignment.

    Args:
        part: `encoder`, `decoder` or `cross`; None for `cross` where there is one.
        words: between words instead of tokens.
        layout: `query-rows` or `key-rows`.

    Raises:
        BadInput: as `picture`; `no_site`: no such part; `unknown_choice`: no such layout, or language.
    """
    one_of(layout, get_args(Layout), "layout")
    if lang is not None:
        one_of(lang, LANGUAGES, "lang")
    if _one_attention(trace):
        return looking.html(trace, lang)
    return looked(trace, Asked(part=part, words=words)).html(lang, layout=layout)


def framed(trace: Trace) -> str:
    """The page for a notebook, in a frame that needs no network; the reason where there is nothing to draw."""
    if not trace.sites:
        return escape(str(BadInput("no_attention", name=trace.model)))
    try:
        page = html(trace)
    except BadInput as error:  # too little was kept to draw from
        return escape(str(error))
    height = 360 + 40 * len(trace.sequences["target"].tokens) if _one_attention(trace) else HEIGHT
    look = f'sandbox="allow-scripts" style="width:100%;height:{height}px;border:0"'
    return f'<iframe srcdoc="{escape(page)}" {look}></iframe>'


def _one_attention(trace: Trace) -> bool:
    """An RNN translator, or a trace of nothing: there are no heads to choose among."""
    return all(site.part == "cross" and site.n_heads == 1 for site in trace.sites) and len(trace.sites) < 2
