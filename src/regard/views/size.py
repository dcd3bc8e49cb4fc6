"""Sizes of models as a table: parts, bytes, multiplications, what is kept; and in words."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from regard.inspection.size.parts import PARTS, PRECISIONS, Side, Size
from regard.language import say
from regard.views.picture import Marks, Rows, Series, Table

UNITS = ("", "k", "M", "B", "T", "P", "E")
BYTES = ("B", "kB", "MB", "GB", "TB", "PB", "EB")
WORK = ("", "k", "M", "G", "T", "P", "E")

MOST = 6
"""So many models stand beside each other; more stand below each other, with fewer numbers."""


@dataclass(frozen=True)
class Row:
    """One model.

    Attributes:
        context: how many tokens are looked at.
        source, year: where its sizes are from.
        compressed: how its weights are compressed, where they are.
        waves: its positions are waves that are kept as parameters.
    """

    name: str
    size: Size
    context: int
    source: str | None = None
    year: int | None = None
    compressed: str | None = None
    waves: bool = False


def scaled(value: int, units: Sequence[str] = UNITS, between: str = " ") -> str:
    """A large number in four digits and a unit.

    >>> scaled(57982058496), scaled(2048), scaled(7), scaled(698_416_996_352, BYTES)
    ('57.98 B', '2.048 k', '7', '698.4 GB')
    """
    at, size = 0, float(value)
    while size >= 999.95 and at < len(units) - 1:
        at, size = at + 1, size / 1000
    told = f"{size:#.4g}".rstrip(".") if at else str(value)
    return f"{told}{between}{units[at]}".rstrip()


def sizes(rows: Sequence[Row], lang: str | None = None) -> Rows:
    """Some models side by side: parts and shares, then what they take, then what that says."""
    if len(rows) > MOST:
        told = [say("size.read_list", lang), say("size.convention", lang)]
        return Rows(parts=(listed(rows, lang),), check=say("views.between_sentences", lang).join(told))
    told = [sentence for row in rows for sentence in _sentences(row, lang)]
    title = say("size.title", lang, names=say("size.and", lang).join(row.name for row in rows))
    parts = (_parameters(rows, lang), _costs(rows, lang))
    return Rows(title=title, parts=parts, reading="\n".join(told), check=say("size.convention", lang))


def with_bars(rows: Sequence[Row], lang: str | None = None) -> Rows:
    """The same, with bars between: what each part has of all parameters."""
    drawn = sizes(rows, lang)
    if len(rows) > MOST:
        return drawn
    places = _present(rows)
    series = tuple(
        Series(
            row.name,
            tuple(say(f"size.short_{part}", lang) for part in places),
            tuple(100 * row.size.parts.get(part, 0) / max(1, row.size.total) for part in places),
            "bars",
        )
        for row in rows
    )
    bars = Marks(title=say("size.bars", lang), series=series, y_axis="%", digits=1)
    return Rows(title=drawn.title, parts=(bars, *drawn.parts), reading=drawn.reading, check=drawn.check)


def listed(rows: Sequence[Row], lang: str | None = None) -> Table:
    """Models below each other, a line each."""
    columns = ("model", "year", "parameters", "share", "weights", "flops", "cache")
    lines = []
    for row in rows:
        size = row.size
        work = size.flops(row.context)
        cells = [row.name, str(row.year or ""), scaled(size.total), f"{100 * size.attention_share:.1f}"]
        cells += [scaled(2 * size.total, BYTES), _none(scaled(work["total"], WORK) if work else None)]
        lines.append((*cells, _cache(row, "token", 2)))
    return Table(head=tuple(say(f"size.{column}_column", lang) for column in columns), rows=tuple(lines), counts=True)


def _present(rows: Sequence[Row]) -> list[str]:
    return [part for part in PARTS if any(part in row.size.parts for row in rows)]


def _parameters(rows: Sequence[Row], lang: str | None) -> Table:
    """Parameters of each part, and what they are of all."""
    alone = len(rows) == 1
    head = [say("size.part_column", lang)]
    for row in rows:
        head += [say("size.parameters_column", lang) if alone else row.name, "%"]
    lines = [
        (say(f"size.{part}", lang), *_cells(rows, [row.size.parts.get(part, 0) for row in rows]))
        for part in _present(rows)
    ]
    lines.append((say("size.total", lang), *_cells(rows, [row.size.total for row in rows])))
    lines.append((say("size.attention", lang), *_cells(rows, [row.size.attention for row in rows])))
    if any(row.size.active != row.size.total for row in rows):
        lines.append((say("size.active", lang), *_cells(rows, [row.size.active for row in rows])))
    return Table(head=tuple(head), rows=tuple(lines), counts=True)


def _cells(rows: Sequence[Row], counts: Sequence[int]) -> Iterator[str]:
    """A count and its share for each model; exact where there is one alone."""
    for row, count in zip(rows, counts, strict=True):
        yield ("" if not count else f"{count:,}" if len(rows) == 1 else scaled(count))
        yield (f"{100 * count / max(1, row.size.total):.2f}" if count else "")


def _costs(rows: Sequence[Row], lang: str | None) -> Table:
    """Bytes, multiplications, keys and values."""
    lines = [
        (say("size.weights", lang, precision=name), *(scaled(row.size.total * each, BYTES) for row in rows))
        for name, each in PRECISIONS.items()
    ]
    sides: tuple[Side, ...] = max((row.size.sides for row in rows), key=len)
    for side in sides:
        for kind in ("matrices", "attention", "total"):
            work = [row.size.flops(row.context, side) if side in row.size.sides else None for row in rows]
            cells = (_none(scaled(each[kind], WORK) if each else None) for each in work)
            lines.append((say(f"size.flops_{kind}_{side}", lang), *cells))
    lines.append((say("size.context", lang), *(f"{row.context:,}" for row in rows)))
    for side in sides:
        for name, each in PRECISIONS.items() if any(row.size.kept(side) for row in rows) else ():
            lines.append((say(f"size.cache_{side}", lang, precision=name), *(_cache(row, side, each) for row in rows)))
    head = (say("size.cost_column", lang), *(row.name for row in rows))
    return Table(head=head, rows=tuple(lines), counts=True)


def _cache(row: Row, side: Side, each: int) -> str:
    kept = row.size.kept(side)
    return _none(scaled(kept * each, BYTES) if kept else None)


def _none(text: str | None) -> str:
    return text or "–"


def _sentences(row: Row, lang: str | None) -> Iterator[str]:
    """What one model's numbers say."""
    size = row.size
    facts = {"name": row.name, "total": scaled(size.total), "attention": scaled(size.attention)}
    share = f"{100 * size.attention_share:.1f}"
    how = "read" if size.attention else "read_bare" if size.heads else "read_nothing"
    told = [say(f"size.{how}", lang, **({"share": share} if how == "read" else {}), **facts)]
    if size.active != size.total:
        told.append(say("size.read_active", lang, active=scaled(size.active)))
    if size.tied:
        told.append(say("size.read_tied", lang))
    if row.waves:
        told.append(say("size.read_waves", lang))
    if "other" in size.parts:
        told.append(say("size.read_other", lang, count=f"{size.parts['other']:,}"))
    if row.compressed:
        told.append(say("size.read_compressed", lang, how=row.compressed))
    if row.source:
        told.append(say("size.read_source", lang, source=row.source))
    yield say("views.between_sentences", lang).join(told)
