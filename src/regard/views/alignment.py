"""An alignment as a picture: what each target word looked at, as links and as the grid of all weights."""

import numpy as np

from regard.language import say
from regard.views.picture import Grid, Layout, Links, Rows
from regard.views.signs import number, visible

# Links weaker than this stay out of the drawing; the grid has them all.
THRESHOLD = 0.05
# A reading tells of at most so many words, and counts as crossing only links that are at least so sure.
_TOLD, _SURE = 4, 0.3


def alignment(
    source_tokens: tuple[str, ...],
    target_tokens: tuple[str, ...],
    weights: np.ndarray,
    *,
    check: str = "",
    lang: str | None = None,
    layout: Layout = "query-rows",
    threshold: float = THRESHOLD,
    digits: int = 2,
) -> Rows:
    """The alignment of a sentence and its translation, with its reading in words.

    Args:
        source_tokens, target_tokens: the words of both sides (end tokens included, if `weights` has them).
        weights: (targets, sources), each target's weights sum to 1.
        check: the stamp of the trace.
        lang: the language of titles and reading; None for the one in force.
        layout: rows of the grid are queries (targets) or keys (sources).
        threshold: the smallest weight that is drawn as a link.

    Raises:
        ValueError: the weights do not fit the words.
    """
    values = np.asarray(weights, dtype=float)
    if values.shape != (len(target_tokens), len(source_tokens)):
        raise ValueError(f"weights: {values.shape} != {(len(target_tokens), len(source_tokens))}")
    links = Links(
        title=say("views.alignment_title", lang),
        top=tuple(source_tokens),
        bottom=tuple(target_tokens),
        links=tuple((int(s), int(t), float(values[t, s])) for t, s in np.argwhere(values >= threshold)),
        digits=digits,
    )
    return Rows(
        parts=(links, _grid(source_tokens, target_tokens, values, lang, layout, digits)),
        reading=reading(source_tokens, target_tokens, values, lang),
        check=check,
    )


def _grid(
    source: tuple[str, ...], target: tuple[str, ...], values: np.ndarray, lang: str | None, layout: Layout, digits: int
) -> Grid:
    by_query = layout == "query-rows"
    queries, keys = say("views.target_query", lang), say("views.source_key", lang)
    return Grid(
        title=say("views.weights_by_row" if by_query else "views.weights_by_column", lang),
        values=values if by_query else values.T,
        row_names=tuple(target if by_query else source),
        column_names=tuple(source if by_query else target),
        row_axis=queries if by_query else keys,
        column_axis=keys if by_query else queries,
        digits=digits,
    )


def reading(source: tuple[str, ...], target: tuple[str, ...], weights: np.ndarray, lang: str | None = None) -> str:
    """In words: where the most telling target words look most, and that the order changes where it does."""
    words = [at for at, token in enumerate(target) if _is_word(token)]
    if not words or not source:
        return ""
    best = weights.argmax(axis=1)
    sure = [at for at in words if weights[at, best[at]] >= _SURE]
    crossings = {at: sum((best[at] - best[other]) * (at - other) < 0 for other in sure) for at in sure}
    # What leaves the diagonal is worth telling first; then long words, which are seldom articles.
    told = sorted(sorted(words, key=lambda at: (-crossings.get(at, 0), -len(target[at]), at))[:_TOLD])
    looks = [
        say(
            "views.looks_also" if count else "views.looks_most",
            lang,
            target=visible(target[at]),
            source=visible(source[best[at]]),
            weight=number(weights[at, best[at]], 2),
        )
        for count, at in enumerate(told)
    ]
    sentences = [say("views.joined", lang).join(looks) + say("views.full_stop", lang)]
    if any(crossings.values()):
        sentences.append(say("views.order_changes", lang))
    return say("views.between_sentences", lang).join(sentences)


def _is_word(token: str) -> bool:
    """Not punctuation, and not a sign of the model's own such as `</s>`."""
    return any(sign.isalpha() for sign in token) and not (token.startswith("<") and token.endswith(">"))
