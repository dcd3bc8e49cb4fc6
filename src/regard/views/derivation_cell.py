"""One cell as a picture: from what enters the layer to what it adds to the stream (or to the word that is chosen)."""

from collections.abc import Iterator, Sequence

import numpy as np

from regard.inspection.cell.cell import Cell
from regard.views import cell_end
from regard.views.cell_parts import Style, equation, keyed, summed, vectors
from regard.views.picture import Formula, Picture, Rows, Text
from regard.views.signs import shortened

LETTER = {"query": "q", "key": "k", "value": "v"}
KEYS, TOKENS = 6, 48
"""So many keys have lines of their own, and so many tokens are listed."""

Section = tuple[str, list[Picture]]


def picture(cell: Cell, style: Style) -> Rows:
    """The whole way of one number, from top to bottom."""
    parts = [*_opening(cell, style)]
    sections = [*_sections(cell, style), *cell_end.sections(cell, style)]
    for at, (title, pictures) in enumerate(sections, start=1):
        parts += [Text(text=f"{at} {title}", level=2), *pictures]
    parts += [Text(text=f"{len(sections) + 1} {style.say('section_reading')}", level=2)]
    parts += [Text(text=cell_end.reading(cell, style))]
    check = style.say("check", deviation=f"{cell.check.deviation:.1e}", tolerance=f"{cell.check.tolerance:.0e}")
    return Rows(parts=tuple(parts), check=check)


def _opening(cell: Cell, style: Style) -> Iterator[Picture]:
    query, key = cell_end.names(cell, style)
    title = "title_hidden" if cell.hidden else "title"
    yield Text(text=style.say(title, query=query, key=key), level=1)
    module = f" ({cell.site.module})" if cell.site.module else ""
    place = {"address": cell.site.address, "module": module, "head": cell.head, "n_heads": cell.site.n_heads}
    yield Text(text=style.say("where", model=cell.model, **place))
    yield Text(text=style.say("tokens_query", tokens=_listed(cell.tokens, cell.query), at=cell.query, token=query))
    if cell.site.queries != cell.site.keys:
        yield Text(text=style.say("tokens_key", tokens=_listed(cell.key_tokens, cell.key)))
    yield Text(text=style.say("key_at", at=cell.key, token=key, weight=style.number(cell.weight)))
    yield Text(text=style.say("rounding"))


def _listed(tokens: Sequence[str], at: int) -> str:
    """Tokens with their numbers; of many those around the one that is meant."""
    start = max(0, min(at - TOKENS // 2, len(tokens) - TOKENS))
    named = [f"{place}:{shortened(tokens[place], 24)}" for place in range(start, min(len(tokens), start + TOKENS))]
    return "… " * (start > 0) + " ".join(named) + " …" * (start + TOKENS < len(tokens))


def _sections(cell: Cell, style: Style) -> Iterator[Section]:
    yield style.say("section_input"), list(_input(cell, style))
    query, key = cell_end.names(cell, style)
    yield style.say("section_query", token=query), list(_part(cell, style, "query"))
    yield style.say("section_key", token=key), list(_part(cell, style, "key"))
    yield style.say("section_score"), list(_score(cell, style))
    yield style.say("section_weights"), list(_weights(cell, style))
    yield style.say("section_value", token=key), list(_part(cell, style, "value"))
    yield style.say("section_context"), list(_context(cell, style))


def _input(cell: Cell, style: Style) -> Iterator[Picture]:
    """The vectors of both tokens."""
    query, key = cell_end.names(cell, style)
    yield Text(text=style.say("why_states", token=query) if "joined" in cell else style.say("why_x"))
    sides = [each for each in (("query", query), ("key", key)) if f"x_{each[0]}" in cell]
    given = [(f"{_source(cell, part)} {name}", cell[f"x_{part}"]) for part, name in sides]
    if len(given) == 2 and given[0][0] == given[1][0]:
        given = given[:1]  # a token that looks at itself
    if len({len(vector) for _, vector in given}) == 1:
        yield vectors(style, dict(given))
    else:
        yield from (vectors(style, {name: vector}) for name, vector in given)


def _part(cell: Cell, style: Style, part: str) -> Iterator[Picture]:
    """How a query, a key or a value is made."""
    letter = LETTER[part]
    itself = f"x_{part}" in cell and f"w_{part}" not in cell
    yield Text(text=style.say(f"itself_{part}" if itself else f"why_{part}"))
    if f"x_{part}" not in cell:
        yield Text(text=style.say("not_apart", part=style.say(part)))
        yield vectors(style, {letter: cell[part]})
    elif itself:
        yield Formula(latex=f"{letter} = {_source(cell, part)}", plain=f"{letter} = {_source(cell, part)}")
    else:
        yield from _projected(cell, style, part, letter)
    yield from _normed(cell, style, part, letter)
    yield from _turned(cell, style, part, letter)
    if f"{part}_factor" in cell:
        yield Text(text=style.say("factor", part=letter, factor=style.fine(cell.scalar(f"{part}_factor"))))
        yield vectors(style, {letter: cell[part]})


def _source(cell: Cell, part: str) -> str:
    """What enters, by its sign: note 002's states have names of their own."""
    if "joined" not in cell:
        return "x"
    return "h_d" if part == "query" else "h"


def _projected(cell: Cell, style: Style, part: str, letter: str) -> Iterator[Picture]:
    """x·W + b: its first number written out, then all of them."""
    matrix, raw, it = f"W_{letter.upper()}", cell[f"{part}_raw"], _source(cell, part)
    has_bias, x, w = f"b_{part}" in cell, cell[f"x_{part}"], cell[f"w_{part}"][:, 0]
    added = (f" + b_{letter.upper()}", f" + b_{letter.upper()}") if has_bias else ("", "")
    yield Formula(latex=rf"{letter} = {it} \cdot {matrix}{added[0]}", plain=f"{letter} = {it} · {matrix}{added[1]}")
    facts = {"matrix": matrix, "module": cell.modules.get(part, ""), "head": cell.head}
    rows, columns = cell[f"w_{part}"].shape
    yield Text(text=style.say("matrix", rows=rows, columns=columns, **facts))
    yield Text(text=style.say("written_out", symbol=f"{it}·{matrix}"))
    yield summed(style, {f"{it}[i]": x, f"{matrix}[i,1]": w}, x * w, f"{it}[i]·{matrix}[i,1]")
    yield Text(text=style.say("all_numbers", symbol=letter))
    more = {f"+ b_{letter.upper()}": cell[f"b_{part}"], f"= {letter}": cell[f"{part}_biased"]} if has_bias else {}
    yield vectors(style, {f"{it}·{matrix}": raw, **more})


def _normed(cell: Cell, style: Style, part: str, letter: str) -> Iterator[Picture]:
    if f"{part}_normed" not in cell:
        return
    before = cell[f"{part}_biased"] if f"{part}_biased" in cell else cell[f"{part}_raw"]
    yield from cell_end.norm(cell, style, part, letter, before)


def _turned(cell: Cell, style: Style, part: str, letter: str) -> Iterator[Picture]:
    """Rotary positions, a pair a line."""
    if f"{part}_turned" not in cell:
        return
    steps = ("normed", "biased", "raw")
    before = next(cell[f"{part}_{step}"] for step in steps if f"{part}_{step}" in cell)
    pairs, after = cell[f"{part}_pairs"], cell[f"{part}_turned"]
    yield Text(text=style.say("turned", part=letter, count=len(pairs)))
    formula = "a' = a·cos − b·sin,  b' = a·sin + b·cos"
    yield Formula(latex=r"a' = a \cos\varphi - b \sin\varphi, \quad b' = a \sin\varphi + b \cos\varphi", plain=formula)
    names = [f"{first + 1}, {second + 1}" for first, second in pairs]
    waves = {"cos": cell[f"{part}_cos"], "sin": cell[f"{part}_sin"]}
    a, b = pairs.T
    moved = {"a": before[a], "b": before[b], "a'": after[a], "b'": after[b]}
    yield vectors(style, {**waves, **moved}, label="a, b", names=names)
    if 2 * len(pairs) < len(after):
        yield Text(text=style.say("unturned", part=letter, first=2 * len(pairs) + 1, last=len(after)))


def _score(cell: Cell, style: Style) -> Iterator[Picture]:
    """The terms of this cell's score, and what becomes of it before softmax."""
    yield Text(text=style.say("why_score"))
    at, terms = cell.key, cell["terms"]
    if "scorer" in cell:
        yield Formula(latex=r"s = \sum_i v_i \tanh(q_i + k_i)", plain="s = Σ v[i]·tanh(q[i] + k[i])")
        made = {"tanh(q[i]+k[i])": cell["both"], "v[i]": cell["scorer"]}
        yield summed(style, made, terms, "v[i]·tanh(…)")
    else:
        yield Formula(latex=r"s = q \cdot k = \sum_i q_i k_i", plain="s = q·k = Σ q[i]·k[i]")
        yield summed(style, {"q[i]": cell["query"], "k[i]": cell["key"]}, terms, "q[i]·k[i]")
    yield from _scaled(cell, style, at)
    if cell.hidden:
        yield Text(text=style.say(f"hidden_{cell.hidden}"))
        yield Formula(latex=r"s = -\infty", plain="s = −∞")


def _scaled(cell: Cell, style: Style, at: int) -> Iterator[Picture]:
    """Scale, soft cap, bias: what the model has of them."""
    value = float(cell["scores"][at])
    if cell.scalar("scale") != 1:
        yield from _multiplied(cell, style, at)
        value = float(cell["multiplied"][at])
    if "softcap" in cell:
        cap, result = cell.scalar("softcap"), float(cell["capped"][at])
        c, s = style.number(cap), style.number(value)
        yield Text(text=style.say("why_softcap", cap=c))
        sign = style.sign(lambda s, c: c * np.tanh(s / c), value, cap, result=result)
        yield equation(style, f"c·tanh(s / c) = {c} · tanh({s} / {c})", rf"{c} \tanh({s} / {c})", sign, result=result)
        value = result
    if "bias" in cell:
        bias, result = float(cell["bias"][at]), float(cell["scaled"][at])
        yield Text(text=style.say("why_bias"))
        sign = style.sign(lambda s, b: s + b, value, bias, result=result)
        s, b = style.number(value), style.number(bias)
        yield equation(style, f"s + b = {s} + ({b})", f"s + b = {s} + ({b})", sign, result=result)


def _multiplied(cell: Cell, style: Style, at: int) -> Iterator[Picture]:
    """By 1/√d, or by the model's own factor."""
    value, result, scale = float(cell["scores"][at]), float(cell["multiplied"][at]), cell.scalar("scale")
    d, s = len(cell["query"]), style.number(value)
    if abs(scale * d**0.5 - 1) < 1e-6:
        root = style.number(d**0.5)
        yield Text(text=style.say("why_scale_root", d=d))
        sign = style.sign(lambda s, r: s / r, value, d**0.5, result=result)
        latex = rf"\frac{{s}}{{\sqrt{{{d}}}}} = \frac{{{s}}}{{{root}}}"
        yield equation(style, f"s / √{d} = {s} / {root}", latex, sign, result=result)
        return
    c = style.fine(scale)
    yield Text(text=style.say("why_scale"))
    sign = style.sign(lambda s, c: s * c, value, scale, result=result)
    yield equation(style, f"c·s = {c} · {s}", rf"c \cdot s = {c} \cdot {s}", sign, result=result)


def chosen(cell: Cell) -> list[int]:
    """The keys that have lines of their own: those looked at most, and this cell's."""
    seen = np.isfinite(cell["masked"])
    order = [int(at) for at in np.argsort(-cell["weights"], kind="stable")[:KEYS] if seen[at]]
    return order if cell.key in order else [*order, cell.key]


def _weights(cell: Cell, style: Style) -> Iterator[Picture]:
    """Softmax over all keys of this query."""
    alike = "keys_hidden" if not np.isfinite(cell["masked"]).all() else ""
    yield Text(text=style.say("why_weights"))
    if alike:
        yield Text(text=style.say(alike, count=int((~np.isfinite(cell["masked"])).sum()), all=len(cell["masked"])))
    largest, total = cell.scalar("largest"), cell.scalar("total")
    m, found = style.number(largest), cell["masked"]
    yield Formula(
        latex=rf"\alpha_j = \frac{{e^{{s_j - m}}}}{{\sum_{{j'}} e^{{s_{{j'}} - m}}}}, \quad m = \max_j s_j = {m}",
        plain=f"α = exp(s − m) / Σ exp(s − m),  m = max s = {m}",
    )
    names = cell_end.told(cell.key_tokens)
    columns = {"s": found, "s − m": found - largest, "exp(s − m)": cell["exponentials"], "α": cell["weights"]}
    yield keyed(style, names, columns, ("exp(s − m)", "α"), chosen(cell))
    if "sink" in cell:
        facts = {"sink": style.number(cell.scalar("sink")), "share": style.number(cell.scalar("sink_exponential"))}
        yield Text(text=style.say("sink", total=style.number(total), **facts))
    power = float(cell["exponentials"][cell.key])
    if total:
        sign = style.sign(lambda e, t: e / t if t else 0.0, power, total, result=cell.weight)
        e, t = style.number(power), style.number(total)
        yield equation(style, f"α = {e} / {t}", rf"\alpha = \frac{{{e}}}{{{t}}}", sign, result=cell.weight)


def _context(cell: Cell, style: Style) -> Iterator[Picture]:
    """Values, averaged by weight."""
    letter = "A" if "joined" in cell else "o"
    key = cell_end.names(cell, style)[1]
    yield Text(text=style.say("why_context_words" if "joined" in cell else "why_context", symbol=letter))
    v = "h" if "joined" in cell and "w_value" not in cell else "v"
    yield Formula(latex=rf"{letter} = \sum_j \alpha_j {v}_j", plain=f"{letter} = Σ α[j]·{v}[j]")
    yield Text(text=style.say("written_out", symbol=letter))
    first = cell["values"][:, 0]
    names = cell_end.told(cell.key_tokens)
    columns = {"α": cell["weights"], f"{v}[1]": first, f"α·{v}[1]": cell["weights"] * first}
    yield keyed(style, names, columns, (f"α·{v}[1]",), chosen(cell))
    yield Text(text=style.say("all_numbers", symbol=letter))
    own = cell.weight * cell["value"]
    rest = style.say("other_keys")
    yield vectors(style, {f"α·{v} {key}": own, f"+ {rest}": cell["context"] - own, f"= {letter}": cell["context"]})
