"""Explain one attention: a bundled example or a file of matrices → every step → JSON or a document."""

import json
import os
from collections.abc import Iterable
from importlib.resources import files
from typing import Any, cast

import numpy as np
import torch

from regard.core.attend import STEPS
from regard.core.errors import BadInput
from regard.core.nearest import nearest, one_of
from regard.inspection.derivation import Derivation, Look
from regard.inspection.derive import derive
from regard.inspection.matrices import Matrices, check
from regard.inspection.matrix_file import STDIN, parse, read_file
from regard.layers import positions
from regard.tasks.choices import LAYOUTS
from regard.views import html, latex, markdown, script, terminal
from regard.views.derivation import Wish, picture
from regard.views.picture import Layout

MOST_SHOWN = 100_000
"""Numbers of the largest derivation that is drawn; JSON and Python hold larger ones."""


def explain(what: str, *, causal: bool = False) -> Derivation:
    """Every step of the attention that `what` names.

    Args:
        what: a file of matrices (YAML or JSON), `-` for standard input, or the name of a bundled example.
        causal: no query looks at what comes after it, whatever the file says.

    Raises:
        BadInput: there is no such file or example, or it breaks a rule (which one is said).
    """
    bundled = examples()
    if what == STDIN or (os.path.exists(what) and not os.path.isdir(what)):
        return explain_matrices(read_file(what), causal=causal)
    if what in bundled:
        data = (files("regard") / "examples" / f"{what}.yaml").read_bytes()
        return explain_matrices(parse(data, what), causal=causal, example=what)
    if os.path.isdir(what) or _meant_as_path(what):
        return explain_matrices(read_file(what), causal=causal)
    raise BadInput("unknown_example", asked=what, nearest=nearest(what, bundled), known=", ".join(bundled))


def explain_matrices(content: dict[str, Any], *, causal: bool = False, example: str = "") -> Derivation:
    """Every step of the attention in a mapping with the keys of a file of matrices."""
    matrices = check({**content, "causal": True} if causal else content)
    return derive(matrices, _positions(matrices), example)


def examples() -> list[str]:
    """The names of the bundled examples."""
    folder = files("regard") / "examples"
    return sorted(file.name.removesuffix(".yaml") for file in folder.iterdir() if file.name.endswith(".yaml"))


def _meant_as_path(what: str) -> bool:
    return os.sep in what or what.lower().endswith((".yaml", ".yml", ".json"))


def _positions(matrices: Matrices) -> np.ndarray | None:
    if matrices.positions is None:
        return None
    n, d_model = matrices.given["x"].shape
    widths = {"sinusoidal": (d_model,)}.get(matrices.positions, ())
    made: torch.Tensor = getattr(positions, matrices.positions)(n, *widths, dtype=torch.float64)
    return made.numpy()


def to_json(derivation: Derivation) -> str:
    """The derivation as strict JSON at full precision, on one line; hidden scores are null.

    Keys: `tokens` (`key_tokens` where they are others), `inputs` (all that comes before and beside the steps, by name,
    in the order of computation), `steps` (each [head][query or key][…]), `output` where there is a w_output,
    `reading` (one a query: its largest weight).
    """
    steps = {"masked": derivation.steps["scaled"], **derivation.steps}
    inputs = {name: _plain(step.values) for name, step in derivation.steps.items() if name not in (*STEPS, "output")}
    content = {
        "tokens": derivation.tokens,
        **({"key_tokens": derivation.key_tokens} if derivation.key_tokens != derivation.tokens else {}),
        "inputs": inputs | {"sqrt_d_key": steps["key"].shape[1] ** 0.5, "scale": derivation.scale},
        "steps": {name: _plain(steps[name].values) for name in STEPS},
        **({"output": _plain(steps["output"].values)} if "output" in steps else {}),
        "reading": [_reading(derivation, look) for look in derivation.looks()],
    }
    return json.dumps(content, ensure_ascii=False, allow_nan=False)


def _plain(values: np.ndarray) -> Any:
    """Nested lists; null for what is no number."""
    plain = values.astype(object)
    plain[~np.isfinite(values)] = None
    return plain.tolist()


def _reading(derivation: Derivation, look: Look) -> dict[str, Any]:
    reading = {
        "query_index": look.query_index,
        "query": derivation.tokens[look.query_index],
        "key_index": look.key_index,
        "key": None if look.key_index is None else derivation.key_tokens[look.key_index],
        "weight": look.weight,
    }
    return reading | ({"head": look.head} if derivation.n_heads > 1 else {})


def wish(
    derivation: Derivation,
    *,
    lang: str = "en",
    layout: str = LAYOUTS[0],
    digits: int | None = None,
    blank: Iterable[str] = (),
) -> Wish:
    """How the derivation is to be shown.

    Args:
        digits: digits after the point; None for 6, or 4 where a line of a grid would grow too long.
        blank: names of steps whose numbers are left out.

    Raises:
        BadInput: `unknown_choice`: no such layout, or no such step to leave blank.
    """
    names = frozenset(one_of(step, derivation.steps, "--blank") for step in blank)
    lying = cast(Layout, one_of(layout, LAYOUTS, "--layout"))
    return Wish(lang, lying, digits if digits is not None else 6 if len(derivation.key_tokens) <= 6 else 4, names)


def write(derivation: Derivation, form: str, wish: Wish, *, answers: bool = False, colour: bool | None = None) -> str:
    """The derivation in one of `choices.EXPLAIN_FORMS` that are text, without a line break at its end.

    Args:
        wish: language, layout, digits, blanks. JSON has neither layout nor rounding nor blanks.
        answers: what was left blank follows at the end.
        colour: for the form `text` alone: None shades in colour where stdout is a terminal that has it.

    Raises:
        BadInput: blanks in a form that has none, answers to no blanks, more numbers than anybody reads.
    """
    if answers and not wish.blank:
        raise BadInput("answers_without_blank")
    if form in ("json", "python"):
        if wish.blank:
            raise BadInput("blank_in_numbers", form=form)
        made = to_json(derivation) if form == "json" else script.render(derivation, lang=wish.lang, digits=wish.digits)
        return made.rstrip("\n")
    _refuse_long(derivation, form)
    shown = picture(derivation, wish, answers=answers)
    match form:
        case "text":
            return terminal.render(shown, colour=colour)
        case "markdown":
            return markdown.render(shown).rstrip("\n")
        case "latex":
            return latex.render(shown, lang=wish.lang).rstrip("\n")
    return html.render(shown, lang=wish.lang).rstrip("\n")


def workbook(derivation: Derivation, wish: Wish, *, answers: bool = False) -> bytes:
    """The derivation as a spreadsheet (xlsx) with live formulas: change what was given, and all follows.

    Args:
        wish: language, layout and the digits that are shown; steps left blank are empty cells.
        answers: what was left blank stands on a sheet of its own.

    Raises:
        BadInput: answers to no blanks, more numbers than anybody reads, a matrix too wide for a formula.
    """
    from regard.views.xlsx.matrices import render

    if answers and not wish.blank:
        raise BadInput("answers_without_blank")
    _refuse_long(derivation, "xlsx")
    return render(derivation, wish, answers=answers)


def _refuse_long(derivation: Derivation, form: str) -> None:
    numbers = sum(step.values.size for step in derivation.steps.values())
    if numbers > MOST_SHOWN:
        raise BadInput("too_many_to_show", numbers=f"{numbers:,}", limit=f"{MOST_SHOWN:,}", form=form)
