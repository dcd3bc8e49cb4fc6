"""A cell's JSON computed again in plain Python: each number from those that stand before it."""

import math
from typing import Any

Vector = list[float]


def close(came: Any, expected: Any, what: str) -> None:
    """Numbers, vectors or matrices that are the same but for the last digits of 64 bits."""
    if isinstance(expected, list):
        assert len(came) == len(expected), what
        for one, other in zip(came, expected, strict=True):
            close(one, other, what)
    elif expected is None or came is None:
        assert came is expected, what
    else:
        assert abs(came - expected) <= 1e-9 * max(1.0, abs(expected)), (what, came, expected)


def dot(a: Vector, b: Vector) -> float:
    return math.fsum(x * y for x, y in zip(a, b, strict=True))


def through(x: Vector, matrix: list[Vector]) -> Vector:
    return [dot(x, list(column)) for column in zip(*matrix, strict=True)]


def plus(a: Vector, b: Vector) -> Vector:
    return [x + y for x, y in zip(a, b, strict=True)]


def one(value: Any) -> float:
    while isinstance(value, list):
        value = value[0]
    return float(value)


def normed(given: dict[str, Any], part: str, x: Vector) -> Vector:
    """x through the norm of this part, if it has one."""
    if f"{part}_normed" not in given:
        return x
    mean, size = one(given.get(f"{part}_mean", 0.0)), one(given[f"{part}_size"])
    shift = given.get(f"{part}_shift", [0.0] * len(x))
    made = [(v - mean) / size * g + s for v, g, s in zip(x, given[f"{part}_gain"], shift, strict=True)]
    close(made, given[f"{part}_normed"], f"{part}_normed")
    return given[f"{part}_normed"]


def turned(given: dict[str, Any], part: str, x: Vector) -> Vector:
    """x turned by its place, if it is."""
    if f"{part}_turned" not in given:
        return x
    made = list(x)
    for (a, b), cos, sin in zip(*(given[f"{part}_{name}"] for name in ("pairs", "cos", "sin")), strict=True):
        made[a], made[b] = x[a] * cos - x[b] * sin, x[a] * sin + x[b] * cos
    close(made, given[f"{part}_turned"], f"{part}_turned")
    return given[f"{part}_turned"]


def projected(given: dict[str, Any], part: str) -> None:
    """A query, a key or a value from what enters."""
    if f"x_{part}" not in given:
        return
    x = given[f"x_{part}"]
    if f"w_{part}" in given:
        close(through(x, given[f"w_{part}"]), given[f"{part}_raw"], f"{part}_raw")
        x = given[f"{part}_raw"]
    if f"b_{part}" in given:
        close(plus(x, given[f"b_{part}"]), given[f"{part}_biased"], f"{part}_biased")
        x = given[f"{part}_biased"]
    x = turned(given, part, normed(given, part, x))
    close([v * given.get(f"{part}_factor", 1.0) for v in x], given[part], part)


def scored(given: dict[str, Any], q: Vector, k: Vector) -> Vector:
    """The terms of a score."""
    if "scorer" in given:
        return [v * math.tanh(a + b) for v, a, b in zip(given["scorer"], q, k, strict=True)]
    return [a * b for a, b in zip(q, k, strict=True)]


def weighed(given: dict[str, Any], steps: dict[str, Any]) -> None:
    """From the scores of all keys to the weights."""
    row = {name: steps[name][0][0] for name in ("scores", "scaled", "masked", "weights")}
    made = [math.fsum(scored(given, given["query"], key)) for key in steps["key"][0]]
    close(made, row["scores"], "scores")
    made = [score * given["scale"] for score in row["scores"]]
    close(made, given["multiplied"], "multiplied")
    if "softcap" in given:
        made = [given["softcap"] * math.tanh(score / given["softcap"]) for score in made]
        close(made, given["capped"], "capped")
    made = plus(made, given.get("bias", [0.0] * len(made)))
    close(made, row["scaled"], "scaled")
    close(
        [None if hidden is None else score for score, hidden in zip(made, row["masked"], strict=True)],
        row["masked"],
        "masked",
    )
    seen = [score for score in row["masked"] if score is not None] + ([given["sink"]] if "sink" in given else [])
    close(max(seen), given["largest"], "largest")
    powers = [0.0 if score is None else math.exp(score - given["largest"]) for score in row["masked"]]
    close(powers, given["exponentials"], "exponentials")
    total = math.fsum(powers) + (math.exp(given["sink"] - given["largest"]) if "sink" in given else 0.0)
    close(total, given["total"], "total")
    close([power / total for power in powers], row["weights"], "weights")


def sent(told: dict[str, Any]) -> None:
    """From the context to the residual stream."""
    given, out = told["inputs"], told["output"]
    close(through(told["steps"]["context"][0][0], given["w_output"]), out["head_output"], "head_output")
    summed = plus(out["head_output"], out["others"])
    summed = plus(summed, out["b_output"]) if "b_output" in out else summed
    close(summed, out["output"], "output")
    added = [v * given.get("output_factor", 1.0) for v in normed(given, "output", out["output"])]
    stream = told["residual"]
    close(added, stream["added"], "added")
    after = plus(stream["before"], stream["added"])
    close(plus(after, stream["beside"]) if "beside" in stream else after, stream["after"], "after")


def said(told: dict[str, Any]) -> None:
    """From the context to the word (note 002)."""
    given = told["inputs"]
    close([*told["steps"]["context"][0][0], *given["state"]], given["joined"], "joined")
    close(through(given["joined"], given["w_joined"]), given["joined_raw"], "joined_raw")
    close(plus(given["joined_raw"], given["b_joined"]), given["fed"], "fed")
    close([math.tanh(v) for v in given["fed"]], given["said"], "said")
    for at, w, b in zip(given["best"], given["w_best"], given["b_best"], strict=True):
        close(dot(given["said"], w) + b, given["logits"][at], "logits")
    powers = [math.exp(v - given["logit_largest"]) for v in given["logits"]]
    close(max(given["logits"]), given["logit_largest"], "logit_largest")
    close(math.fsum(powers), given["logit_total"], "logit_total")
    close([power / given["logit_total"] for power in powers], given["probabilities"], "probabilities")


def redo(told: dict[str, Any]) -> None:
    """Everything, in order; an AssertionError names the first number that those before it do not give."""
    given, steps, look = told["inputs"], told["steps"], told["reading"][0]
    for part in ("query", "key", "value"):
        projected(given, part)
    close(steps["query"][0][0], given["query"], "query")
    close(steps["key"][0][look["key_index"]], given["key"], "key")
    close(steps["value"][0][look["key_index"]], given["value"], "value")
    close(scored(given, given["query"], given["key"]), given["terms"], "terms")
    close(math.fsum(given["terms"]), steps["scores"][0][0][look["key_index"]], "score")
    weighed(given, steps)
    close(look["weight"], steps["weights"][0][0][look["key_index"]], "weight")
    close(through(steps["weights"][0][0], steps["value"][0]), steps["context"][0][0], "context")
    if "residual" in told:
        sent(told)
    if "word" in told:
        said(told)
