"""A picture as one HTML page: no network, readable without scripts, every string of the picture inert.

The page carries each number twice from one source: written out as tables (for screen readers, for copying, for pages
without scripts), and as JSON from which `page/regard.js` draws the same tables with curves and highlights.
"""

import json
from collections.abc import Callable
from html import escape
from importlib.resources import files
from typing import Any

from regard.language import say
from regard.views.data import Data, data
from regard.views.picture import Picture

AXES = (("row_axis", "↓"), ("column_axis", "→"))
_WORDS = ("numbers", "exact_hint", "links_hint", "hidden", "blank")
POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
)
PAGE = """<!doctype html>
<html lang="{lang}">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{title}</title>
<style>
{style}
</style>
</head>
<body class="regard-page">
<main class="regard" id="regard">
{body}
</main>
<script type="application/json" id="regard-data">{json}</script>
<script type="module">
{script}
{call}(document.getElementById("regard"), JSON.parse(document.getElementById("regard-data").textContent));
</script>
</body>
</html>
"""


def render(picture: Picture, *, lang: str = "en") -> str:
    """The page that shows `picture`; `lang` (a BCP 47 tag) also chooses the shapes of Chinese signs."""
    shown = data(picture) | {"words": {word: say(f"views.{word}", lang) for word in _WORDS}}
    # In a text with headings of its own, the titles of pictures are captions.
    shown["words"]["title"] = "p" if _headed(shown) else "h2"
    return PAGE.format(
        lang=escape(lang),
        policy=POLICY,
        title=escape(_title(shown) or say("views.page_title", lang)),
        style=asset("regard.css"),
        body=_figure(shown, shown["words"]),
        json=inert(shown),
        script=asset("regard.js"),
        call="draw",
    )


def inert(shown: Data) -> str:
    """Data as JSON in which no `<` can end the element that holds it."""
    return json.dumps(shown, ensure_ascii=False, allow_nan=False).replace("<", "\\u003c")


def asset(name: str) -> str:
    """A file of the page: styles, or a part of its module."""
    return (files("regard.views") / "page" / name).read_text(encoding="utf-8")


def _title(shown: Data) -> str:
    """The first title or heading of the picture."""
    own = shown["title"] or (shown.get("text", "") if shown.get("level") else "")
    return own or next((found for part in shown.get("parts", ()) if (found := _title(part))), "")


def _headed(shown: Data) -> bool:
    return bool(shown.get("level")) or any(map(_headed, shown.get("parts", ())))


def _figure(shown: Data, words: Data) -> str:
    """One picture: its title, its body, its reading and its check."""
    notes = "".join(f'<p class="{name}">{escape(shown[name])}</p>' for name in ("reading", "check") if shown[name])
    tag = words["title"]
    title = f'<{tag} class="title">{escape(shown["title"])}</{tag}>' if shown["title"] else ""
    return f'<section class="{shown["kind"]}">{title}{_BODY[shown["kind"]](shown, words)}{notes}</section>'


def _parts(shown: Data, words: Data) -> str:
    signs = [f'<span class="sign">{escape(sign)}</span>' for sign in shown.get("signs", ())]
    drawn = [_figure(part, words) for part in shown["parts"]]
    inner = "".join(part + "".join(signs[at : at + 1]) for at, part in enumerate(drawn))
    return f'<div class="parts">{inner}</div>'


def _text(shown: Data, words: Data) -> str:
    level = min(shown["level"], 6)
    if level:
        return f"<h{level}>{escape(shown['text'])}</h{level}>"
    return "".join(f"<p>{escape(part)}</p>" for part in shown["text"].split("\n") if part)


def _formula(shown: Data, words: Data) -> str:
    return str(shown["mathml"]) or f'<p class="plain">{escape(shown["plain"])}</p>'


def _grid(shown: Data, words: Data) -> str:
    axes = [f"{escape(shown['row_axis'])} ↓" * bool(shown["row_axis"]), f"{escape(shown['column_axis'])} →"]
    over = "".join(f'<th scope="col"><span>{escape(name)}</span></th>' for name in shown["columns"])
    head = f'<tr><td class="axis">{axes[0]}</td>{over}</tr>' if over else ""
    if shown["column_axis"]:
        head = f'<tr><td class="axis"></td><td class="axis" colspan="{len(shown["columns"])}">{axes[1]}</td></tr>{head}'
    rows = []
    for at, texts in enumerate(shown["texts"]):
        name = f'<th scope="row">{escape(shown["rows"][at])}</th>' if shown["rows"] else ""
        cells = "".join(_cell(text, shown["shades"][at][to]) for to, text in enumerate(texts))
        rows.append(f"<tr>{name}{cells}</tr>")
    looks = " ".join(["cells", *(["heat"] if shown["heat"] else []), *(["upright"] if upright(shown) else [])])
    return _scrolled(f'<table class="{looks}"><thead>{head}</thead><tbody>{"".join(rows)}</tbody></table>')


def _tiles(shown: Data, words: Data) -> str:
    over = "".join(f'<th scope="col">{escape(name)}</th>' for name in shown["columns"])
    axes = [f"{escape(shown[name])} {sign}" if shown[name] else "" for name, sign in AXES]
    head = f'<tr><td class="axis">{axes[0]}</td><td class="axis" colspan="{len(shown["columns"])}">{axes[1]}</td></tr>'
    rows = []
    for at, row in enumerate(shown["tiles"]):
        name = f'<th scope="row">{escape(shown["rows"][at])}</th>' if shown["rows"] else ""
        rows.append(f"<tr>{name}{''.join(f'<td>{_tile(tile, shown)}</td>' for tile in row)}</tr>")
    first = "<td></td>" if shown["rows"] else ""
    body = "".join(rows)
    return _scrolled(f'<table class="tiles"><thead>{head}<tr>{first}{over}</tr></thead><tbody>{body}</tbody></table>')


def _tile(tile: list[list[Any]], shown: Data) -> str:
    high, wide = shown["size"]
    paths = "".join(f'<path style="--v:{shade}" d="{path}"/>' for shade, path in tile)
    return f'<svg class="tile" viewBox="0 0 {wide} {high}" aria-hidden="true">{paths}</svg>'


def upright(shown: Data) -> bool:
    """Whether the names of a grid's columns stand upright: many columns, or long names over a few."""
    names = shown["columns"]
    return len(names) > 12 or (len(names) > 6 and max(map(len, names)) > 10)


def _cell(text: str, shade: float | None) -> str:
    if shade is not None:
        tint = f' class="negative" style="--v:{-shade}"' if shade < 0 else f' style="--v:{shade}"'
        return f"<td{tint}>{text}</td>"
    return f'<td class="void">{text}</td>' if text in ("", "−∞") else f"<td>{text}</td>"


def _links(shown: Data, words: Data) -> str:
    names = shown["told_apart"]
    lines = []
    for at, token in enumerate(names["bottom"]):
        seen = sorted(
            (link for link in shown["links"] if link["bottom"] == at), key=lambda link: -(link["weight"] or 0)
        )
        sources = "".join(f"<li>{escape(names['top'][link['top']])} <b>{link['text']}</b></li>" for link in seen)
        lines.append(f'<tr><th scope="row">{escape(token)}</th><td><ul>{sources}</ul></td></tr>')
    top = " ".join(map(escape, names["top"]))
    return f'<p class="top">{top}</p><table class="pairs"><tbody>{"".join(lines)}</tbody></table>'


def _marks(shown: Data, words: Data) -> str:
    """The numbers of the marks as a table, a row a place on the x axis."""
    if "plane" in shown:
        return _plain_table(["", shown["x_axis"], shown["y_axis"]], shown["plane"]["rows"], [False, True, True])
    places = list(dict.fromkeys(x for series in shown["series"] for x in series["x"]))
    found = [dict(zip(series["x"], series["texts"], strict=True)) for series in shown["series"]]
    rows = [[str(place), *(texts.get(place, "") for texts in found)] for place in places]
    head = [shown["x_axis"], *(series["name"] for series in shown["series"])]
    return _plain_table(head, rows, [False, *(True for _ in found)])


def _table(shown: Data, words: Data) -> str:
    return _plain_table(shown["head"], shown["rows"], shown["numeric"])


def _plain_table(head: list[str], rows: list[list[str]], numeric: list[bool]) -> str:
    kinds = ['class="number"' if right else "" for right in numeric]
    over = "".join(f'<th scope="col" {kind}>{escape(name)}</th>' for name, kind in zip(head, kinds, strict=True))
    body = "".join(
        "<tr>" + "".join(f"<td {kind}>{escape(text)}</td>" for text, kind in zip(row, kinds, strict=True)) + "</tr>"
        for row in rows
    )
    return _scrolled(f'<table class="table"><thead><tr>{over}</tr></thead><tbody>{body}</tbody></table>')


def _scrolled(table: str) -> str:
    return f'<div class="scroll">{table}</div>'


_BODY: dict[str, Callable[[Data, Data], str]] = {
    "rows": _parts,
    "columns": _parts,
    "text": _text,
    "formula": _formula,
    "grid": _grid,
    "tiles": _tiles,
    "links": _links,
    "marks": _marks,
    "table": _table,
}
