"""The end of a cell's page: through W_O into the residual stream, or (note 002) to the word; and the reading."""

from collections.abc import Iterator, Sequence

import numpy as np

from regard.inspection.cell.cell import Cell
from regard.views.cell_parts import BLANK, Style, equation, summed, vectors
from regard.views.picture import Formula, Picture, Table, Text
from regard.views.signs import shortened, told_apart

Section = tuple[str, list[Picture]]


def told(tokens: Sequence[str]) -> list[str]:
    """Tokens as sentences and tables name them: told apart, without the spaces at their borders."""
    return told_apart(tuple(token.strip() or token for token in tokens))


def names(cell: Cell, style: Style) -> tuple[str, str]:
    """The query's and the key's tokens, told apart, in quotation marks."""
    query, key = told(cell.tokens)[cell.query], told(cell.key_tokens)[cell.key]
    return style.say("word", word=query), style.say("word", word=key)


def sections(cell: Cell, style: Style) -> Iterator[Section]:
    """What comes after the context."""
    query = names(cell, style)[0]
    if "head_output" in cell:
        yield style.say("section_output"), list(_output(cell, style))
    if "after" in cell:
        yield style.say("section_stream", token=query), list(_stream(cell, style))
    if "joined" in cell:
        yield style.say("section_joined"), list(_joined(cell, style))
        yield style.say("section_word"), list(_word(cell, style))


def norm(cell: Cell, style: Style, part: str, letter: str, before: np.ndarray) -> Iterator[Picture]:
    """A norm of queries, keys or the output: its size, then all numbers."""
    centred, size = f"{part}_mean" in cell, style.fine(cell.scalar(f"{part}_size"))
    mean = style.fine(cell.scalar(f"{part}_mean")) if centred else ""
    yield Text(text=style.say("normed_layer" if centred else "normed_rms", part=letter, size=size, mean=mean))
    columns = {letter: before, "· g": cell[f"{part}_gain"]}
    columns |= {"+ b": cell[f"{part}_shift"]} if f"{part}_shift" in cell else {}
    over = f"({letter} − {mean}) / {size} · g" if centred else f"{letter} / {size} · g"
    plain = f"{letter}' = {over}{' + b' * (f'{part}_shift' in cell)}"
    yield Formula(latex=plain.replace("·", r"\cdot").replace("−", "-"), plain=plain)
    yield vectors(style, {**columns, f"= {letter}'": cell[f"{part}_normed"]})


def _output(cell: Cell, style: Style) -> Iterator[Picture]:
    """This head's part of W_O, then all heads and the bias."""
    several, has_bias = cell.site.n_heads > 1, "b_output" in cell
    yield Text(text=style.say("why_output"))
    rows, columns = cell["w_output"].shape
    module = cell.modules.get("output", "")
    yield Text(text=style.say("matrix_output", rows=rows, columns=columns, module=module, head=cell.head))
    yield Formula(latex=r"y_h = o \cdot W_O", plain="y_h = o · W_O")
    yield Text(text=style.say("written_out", symbol="y_h"))
    w = cell["w_output"][:, 0]
    yield summed(style, {"o[i]": cell["context"], "W_O[i,1]": w}, cell["context"] * w, "o[i]·W_O[i,1]")
    kind = ("heads_bias" if has_bias else "heads") if several else ""
    yield Text(text=style.say(f"all_numbers_{kind}" if kind else "all_numbers", symbol="y"))
    parts = {"y_h": cell["head_output"]}
    parts |= {f"+ {style.say('other_heads')}": cell["others"]} if several else {}
    parts |= {"+ b_O": cell["b_output"]} if has_bias else {}
    yield vectors(style, {**parts, "= y": cell["output"]})
    if "output_normed" in cell:
        yield from norm(cell, style, "output", "y", cell["output"])


def _stream(cell: Cell, style: Style) -> Iterator[Picture]:
    """Residual before + what is added = after."""
    yield Text(text=style.say("why_stream"))
    letter = "y'" if "output_normed" in cell else "y"
    if "output_factor" in cell:
        yield Text(text=style.say("factor", part=letter, factor=style.fine(cell.scalar("output_factor"))))
        letter = f"{style.fine(cell.scalar('output_factor'))}·{letter}"
    more, plain = {}, f"r' = r + {letter}"
    if "beside" in cell:
        yield Text(text=style.say("beside"))
        more, plain = {"+ f": cell["beside"]}, f"{plain} + f"
    yield Formula(latex=plain.replace("·", r" \cdot "), plain=plain)
    yield vectors(style, {"r": cell["before"], f"+ {letter}": cell["added"], **more, "= r'": cell["after"]})


def _joined(cell: Cell, style: Style) -> Iterator[Picture]:
    """[A; h_d], fed forward."""
    yield Text(text=style.say("why_joined"))
    yield Formula(latex=r"\tilde{h} = \tanh(W \cdot [A; h_d] + b)", plain="h~ = tanh(W·[A; h_d] + b)")
    yield Text(text=style.say("joined", first=len(cell["context"]), all=len(cell["joined"])))
    yield Text(text=style.say("written_out", symbol="W·[A; h_d]"))
    w = cell["w_joined"][:, 0]
    yield summed(style, {"[A; h_d][i]": cell["joined"], "W[i,1]": w}, cell["joined"] * w, "[A; h_d][i]·W[i,1]")
    yield Text(text=style.say("all_numbers", symbol="h~"))
    raw, bias = cell["joined_raw"], cell["b_joined"]
    yield vectors(style, {"W·[A; h_d]": raw, "+ b": bias, "= u": cell["fed"], "h~ = tanh(u)": cell["said"]})


def _word(cell: Cell, style: Style) -> Iterator[Picture]:
    """The likeliest words, and how the first came to its score."""
    yield Text(text=style.say("why_word"))
    first = style.say("word", word=shortened(cell.words[0].strip()))
    said, w, bias = cell["said"], cell["w_best"][0], float(cell["b_best"][0])
    yield Text(text=style.say("score_of", word=first))
    yield summed(style, {"h~[i]": said, "E[i]": w}, said * w, "h~[i]·E[i]")
    dot, logit = float(said @ w), float(cell["logits"][cell["best"][0]])
    sign = style.sign(lambda a, b: a + b, dot, bias, result=logit)
    numbers = f"{style.number(dot)} + ({style.number(bias)})"
    yield equation(style, f"l = {numbers}", f"l = {numbers}", sign, result=logit)
    yield Text(text=style.say("all_words", all=len(cell["logits"])))
    yield _likeliest(cell, style)


def _likeliest(cell: Cell, style: Style) -> Table:
    """The likeliest words, all others together, and the sum."""
    best, largest, total = cell["best"].astype(int), cell.scalar("logit_largest"), cell.scalar("logit_total")
    powers = np.exp(cell["logits"][best] - largest)
    shares = cell["probabilities"][best]
    rows: list[tuple[str | float, ...]] = [
        (shortened(word), float(cell["logits"][at]), float(power), float(share))
        for word, at, power, share in zip(cell.words, best, powers, shares, strict=True)
    ]
    rest = (float(total - powers.sum()), float(1 - shares.sum()))
    if len(best) < len(cell["logits"]):
        rows.append((style.say("others", count=len(cell["logits"]) - len(best)), BLANK, *rest))
    exact = style.total([*powers, rest[0]], total) == style.total([*shares, rest[1]], 1.0) == "Σ ="
    rows.append(("Σ =" if exact else "Σ ≈", BLANK, total, 1.0))
    return Table(head=(style.say("next_word"), "l", "exp(l − max l)", "p"), rows=tuple(rows), digits=style.digits)


def reading(cell: Cell, style: Style) -> str:
    """What all this says, in words."""
    query, key = names(cell, style)
    if cell.hidden:
        return style.say("read_hidden", query=query, key=key)
    facts = {"query": query, "key": key, "weight": style.number(cell.weight)}
    order = np.argsort(-cell["weights"], kind="stable")
    most = style.say("word", word=told(cell.key_tokens)[order[0]])
    place = "read_most" if order[0] == cell.key else "read_other"
    sentences = [style.say(place, most=most, most_weight=style.number(cell["weights"][order[0]]), **facts)]
    if "after" in cell:
        lengths = [float(np.linalg.norm(cell[name])) for name in ("head_output", "output", "before")]
        shown = (f"{length:.3g}" for length in lengths)
        sentences.append(style.say("read_lengths", **dict(zip(("head", "output", "stream"), shown, strict=True))))
    if "joined" in cell:
        likeliest = style.say("word", word=shortened(cell.words[0].strip()))
        sentences.append(style.say("read_word", word=likeliest, share=style.number(cell["probabilities"].max())))
        if cell.words[0].strip() != cell.tokens[cell.query].strip():
            sentences.append(style.say("read_written", word=query))
    return style.say("between").join(sentences)
