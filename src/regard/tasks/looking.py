"""A trace as a picture: what `Translation`, the command line, Python and notebooks show of it."""

from dataclasses import replace

import numpy as np

from regard.core.errors import BadInput
from regard.core.protocols import Site
from regard.inspection.alignment import aligned
from regard.inspection.trace import Check, Sequence, Trace
from regard.inspection.visit import SAMPLED
from regard.language import current, say
from regard.text.scripts import unspaced
from regard.text.words import to_words
from regard.views import html as page
from regard.views.alignment import alignment
from regard.views.picture import Picture


def picture(trace: Trace, lang: str | None = None) -> Picture:
    """The alignment of a translator's trace, in words, as links and as a grid.

    Raises:
        BadInput: `no_attention`: the model looks at nothing.
    """
    found = aligned(trace)
    if found is None:
        raise BadInput("no_attention", name=trace.model)
    source, sources = shown_words(trace.sequences["source"])
    target, targets = shown_words(trace.sequences["target"])
    drawn = alignment(
        source, target, to_words(found.weights, sources, targets), check=stamp(trace.check, lang), lang=lang
    )
    return replace(drawn, reading=drawn.reading + whose(found.site, lang))


def whose(site: Site, lang: str | None = None) -> str:
    """Which of many heads a picture shows; nothing where there is one."""
    if site.n_heads == 1:
        return ""
    between = say("views.between_sentences", lang)
    return between + say("views.mean_of_heads", lang, n_heads=site.n_heads, layer=site.layer, address=site.address)


def stamp(check: Check, lang: str | None = None) -> str:
    """What stands under a picture: which check was made, and how far off it was."""
    facts = {"deviation": f"{check.deviation:.1e}", "tolerance": f"{check.tolerance:.0e}"}
    match check.kind:
        case "full":
            return say("views.check_full", lang, **facts)
        case "rows":
            return say("views.check_rows", lang, rows=SAMPLED, **facts)
    return say("views.check_sums", lang, **facts)


def shown_words(of: Sequence) -> tuple[tuple[str, ...], np.ndarray]:
    """What a picture shows of a side, and which of them each token belongs to: words, or tokens of Chinese."""
    if not unspaced(of.text):
        return of.word_list(), np.array(of.words)
    signs = (of.text[start:end].strip() for start, end in of.spans)  # a sign that the model does not know is shown too
    return tuple(s or token for s, token in zip(signs, of.tokens, strict=True)), np.arange(len(of.tokens))


def html(trace: Trace, lang: str | None = None) -> str:
    """The picture of a trace as a whole page that needs no network."""
    return page.render(picture(trace, lang), lang=lang or current())
