"""Scores by length of the source sentence as a picture: where a fixed context vector loses the sentence."""

from collections.abc import Mapping

from regard.language import say
from regard.views.picture import Marks, Rows, Series, Table

Scores = Mapping[str, Mapping[str, Mapping[str, float]]]


def by_length(
    scores: Scores,
    *,
    counts: Mapping[str, int] | None = None,
    errors: Scores | None = None,
    check: str = "",
    lang: str | None = None,
    digits: int = 1,
) -> Rows:
    """A table of all scores, and the first one drawn over the lengths, a line a model.

    Args:
        scores: model → bucket of lengths (*1–5*, *6–9* …, in order) → name of the score (*BLEU*, *chrF*) → value.
        counts: sentences in each bucket.
        errors: half-widths of the intervals of the same scores, where they were measured.
    """
    buckets = list(dict.fromkeys(bucket for model in scores.values() for bucket in model))
    metrics = list(dict.fromkeys(name for model in scores.values() for found in model.values() for name in found))
    columns = [(metric, model) for metric in metrics for model in scores]
    counted = (say("views.sentences_column", lang),) if counts else ()
    head = (say("views.length_column", lang), *counted, *(f"{metric} {model}" for metric, model in columns))
    rows = tuple(
        (bucket, *((counts.get(bucket, 0),) if counts else ()), *(_at(scores, *c, bucket) for c in columns))
        for bucket in buckets
    )
    table = Table(head=head, rows=rows, digits=digits)
    parts = (table, _marks(scores, errors, buckets, metrics[0], lang, digits)) if metrics else (table,)
    return Rows(parts=parts, reading=_reading(scores, buckets, metrics, lang, digits), check=check)


def _at(scores: Scores, metric: str, model: str, bucket: str) -> float:
    """The score, or NaN (a blank) where it was not measured."""
    return scores.get(model, {}).get(bucket, {}).get(metric, float("nan"))


def _marks(
    scores: Scores, errors: Scores | None, buckets: list[str], metric: str, lang: str | None, digits: int
) -> Marks:
    series = tuple(
        Series(
            name=model,
            x=tuple(buckets),
            y=tuple(_at(scores, metric, model, bucket) for bucket in buckets),
            errors=tuple(_at(errors, metric, model, bucket) for bucket in buckets) if errors else (),
        )
        for model in scores
    )
    title = say("views.by_length_title", lang, metric=metric)
    return Marks(title=title, series=series, x_axis=say("views.length_axis", lang), y_axis=metric, digits=digits)


def _reading(scores: Scores, buckets: list[str], metrics: list[str], lang: str | None, digits: int) -> str:
    """Of two models: where the one that leads most is furthest ahead, and where least."""
    if len(scores) != 2 or not metrics:
        return ""
    one, other = scores
    leads = {
        bucket: _at(scores, metrics[0], one, bucket) - _at(scores, metrics[0], other, bucket) for bucket in buckets
    }
    leads = {bucket: lead for bucket, lead in leads.items() if lead == lead}
    if not leads:
        return ""
    if max(leads.values(), key=abs) < 0:
        one, other, leads = other, one, {bucket: -lead for bucket, lead in leads.items()}
    most, least = max(leads, key=lambda b: leads[b]), min(leads, key=lambda b: leads[b])
    facts = {"best": one, "other": other, "metric": metrics[0]}
    told = [say("views.leads_most", lang, bucket=most, lead=f"{leads[most]:.{digits}f}", **facts)]
    if least != most:
        told.append(say("views.leads_least", lang, bucket=least, lead=f"{leads[least]:.{digits}f}"))
    return say("views.joined", lang).join(told) + say("views.full_stop", lang)
