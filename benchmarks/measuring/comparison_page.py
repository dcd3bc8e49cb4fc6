"""The comparison as a page: a table, the scores by length, and one picture, from the figures of its runs."""

from collections.abc import Callable, Sequence
from statistics import fmean
from typing import Any

from regard.models.catalogue import listed
from regard.views import markdown
from regard.views.lengths import by_length
from regard.views.picture import Marks, Picture, Rows, Series, Table

Result = dict[str, Any]
Kinds = dict[str, list[Result]]
"""The results of each kind, one a seed."""

Column = tuple[Callable[[Result], float], int]
"""A figure of a result, and its digits."""

HEAD = (
    "model",
    "seeds",
    "parameters",
    "BLEU",
    "chrF",
    "training tokens/s",
    "sentences/s, greedy",
    "sentences/s, beam 5",
)

SPREAD = "BLEU and chrF are means over the seeds, with the lowest and the highest in brackets; speeds the first seed's."
ALONE = "One seed says nothing of the spread: a difference of a point or two may be chance. More are to come."

LONGER = ("en-fr", "en-fr-transformer")
"""Bundled models that learned the same pairs for hours: recurrent, and a Transformer."""


def by_kind(results: Sequence[Result], order: Sequence[str]) -> Kinds:
    """The results in this order of kinds; those without any are left out."""
    found = {name: [each for each in results if each["name"] == name] for name in order}
    return {name: sorted(each, key=lambda r: r["seed"]) for name, each in found.items() if each}


def page(results: Sequence[Result], order: Sequence[str], facts: dict[str, Any]) -> str:
    """The whole page, in Markdown."""
    kinds = by_kind(results, order)
    parts = [
        "# Which attention translates best in the same time?",
        _told(results, facts),
        "![BLEU of each model, and by length of the source](images/comparison.svg)",
        markdown.render(table(kinds)).strip(),
        SPREAD if len(_seeds(results)) > 1 else ALONE,
        _farther(results),
        "## By length of the source",
        markdown.render(lengths(kinds).parts[0]).strip(),
        "The figures of every run: [comparison.json](comparison.json). Again: `make compare` (hours).",
    ]
    return "\n\n".join(parts) + "\n"


def _told(results: Sequence[Result], facts: dict[str, Any]) -> str:
    seeds, first = _seeds(results), results[0]
    others = ", ".join(map(str, seeds[1:]))
    later = f" Seeds {others} take as many steps as seed {seeds[0]}, and as long as that takes." if others else ""
    return (
        f"Every model learns from the same {first['pairs']:,} pairs with the same tokenizer, for {first['minutes']:g} "
        f"minutes of one processor core's time (not of the clock, so other work on the machine takes nothing away), "
        f"with seed {seeds[0]}; then it translates {first['judged']:,} pairs that none has seen. "
        f"Its learning rate rises and falls with the share of that time.{later} In {first['precision']}, on "
        f"{facts['processor']}, torch {facts['torch']}, {facts['date']}. Speeds are of one core as well. "
        f"BLEU: `{first['signatures']['bleu']}`, beam 5."
    )


def _farther(results: Sequence[Result]) -> str:
    """What so short a time does not show, from the cards of the models that learned for longer."""
    recurrent, transformer = ({each["name"]: each for each in listed()}[name] for name in LONGER)
    return (
        f"{results[0]['minutes']:g} minutes show how quickly a model learns, not how far it comes. The bundled models "
        f"learned for longer: `{LONGER[1]}` has {transformer['bleu']:.1f} BLEU on {transformer['measured_on']}, "
        f"`{LONGER[0]}`, recurrent with {recurrent['attention']} attention, {recurrent['bleu']:.1f} (`regard models`)."
    )


def _seeds(results: Sequence[Result]) -> list[int]:
    return sorted({each["seed"] for each in results})


def table(kinds: Kinds) -> Table:
    """A row a kind."""
    scores: list[Column] = [(lambda r: r["bleu"], 1), (lambda r: r["chrf"], 1)]
    speeds: list[Column] = [
        (lambda r: r["training"]["tokens_a_second"], 0),
        (lambda r: r["sentences_a_second"]["1"], 1),
        (lambda r: r["sentences_a_second"]["5"], 1),
    ]
    rows = [
        (
            name,
            len(found),
            f"{found[0]['parameters']:,}",
            *(_spread([pick(r) for r in found], n) for pick, n in scores),
            *(f"{pick(found[0]):,.{n}f}" for pick, n in speeds),
        )
        for name, found in kinds.items()
    ]
    return Table(head=HEAD, rows=tuple(rows))


def _spread(values: list[float], digits: int) -> str:
    mean, low, high = (f"{value:,.{digits}f}" for value in (fmean(values), min(values), max(values)))
    return mean if len(values) == 1 else f"{mean} ({low}–{high})"


def lengths(kinds: Kinds) -> Rows:
    """BLEU by length of the source, means over the seeds."""
    scores: dict[str, dict[str, dict[str, float]]] = {}
    for name, found in kinds.items():
        buckets = zip(*(each["by_length"] for each in found), strict=True)
        scores[name] = {
            each[0]["source_words"]: {"BLEU": fmean(row["bleu"] for row in each)}
            for each in buckets
            if all(row["bleu"] is not None for row in each)
        }
    counts = {row["source_words"]: row["pairs"] for row in next(iter(kinds.values()))[0]["by_length"]}
    return by_length(scores, counts=counts, lang="en")


def picture(kinds: Kinds) -> Picture:
    """BLEU of each kind, with half the range over the seeds, above BLEU by length."""
    bleu = [[each["bleu"] for each in found] for found in kinds.values()]
    middle = tuple((min(row) + max(row)) / 2 for row in bleu)
    spread = tuple((max(row) - min(row)) / 2 for row in bleu) if any(len(row) > 1 for row in bleu) else ()
    series = Series(name="BLEU", x=tuple(kinds), y=middle, kind="points", errors=spread)
    title = "BLEU: from the lowest to the highest seed" if spread else "BLEU of one seed"
    marks = Marks(title=title, series=(series,), y_axis="BLEU", digits=1)
    return Rows(parts=(marks, lengths(kinds).parts[1]))
