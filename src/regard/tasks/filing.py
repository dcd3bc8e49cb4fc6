"""What a model attends to on a text, as a file: recorded, written, and what a person is told of it."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from regard.core.errors import BadInput
from regard.inspection.estimate import written
from regard.inspection.trace import Trace
from regard.language import say
from regard.tasks.looking import stamp
from regard.tasks.pictures import check_place
from regard.tasks.reading import shown, unknown

ENDING = ".safetensors"


@dataclass(frozen=True)
class Filed:
    """A trace that lies in a file."""

    path: str
    trace: Trace

    def json(self) -> dict[str, Any]:
        """`file`, `tokens` by sequence, `addresses` and `check`, as the command's JSON holds them."""
        check = self.trace.check
        return {
            "file": self.path,
            "tokens": {name: list(shown(side)) for name, side in self.trace.sequences.items()},
            "addresses": [site.address for site in self.trace.sites],
            "check": {"kind": check.kind, "deviation": check.deviation, "tolerance": check.tolerance},
        }

    def text(self, lang: str | None = None) -> str:
        """The same for people, and how to look at it."""
        trace, lengths = self.trace, {name: len(side.ids) for name, side in self.trace.sequences.items()}
        n_heads = sum(site.n_heads if trace.heads is None else len(trace.heads) for site in trace.sites)
        facts = {"model": trace.model, "size": written(Path(self.path).stat().st_size), "n_places": len(trace.sites)}
        tokens = ", ".join(f"{name} {length}" for name, length in lengths.items())
        told = say("cli.recorded", lang, path=self.path, tokens=tokens, n_heads=n_heads, **facts)
        return "\n".join([told, stamp(trace.check, lang), say("cli.recorded_look", lang, path=self.path)])

    def unknown(self, lang: str | None = None) -> str:
        """What of the text the model does not know; empty where it knows all."""
        return unknown(self.trace.sequences.values(), lang)


def filed(
    path: str,
    model: str,
    text: str,
    *,
    target: str | None = None,
    keep: Collection[str] = ("qk",),
    check: Any = "rows",
    parts: Collection[str] | None = None,
    layers: Collection[int] | None = None,
    heads: Collection[int] | None = None,
    write: Mapping[str, Any] | None = None,
    tell: Callable[[str], None] = lambda what: None,
) -> Filed:
    """Record what `model` attends to on `text` into a file; the choices are those of `regard.record`.

    Args:
        tell: told what is being done.

    Raises:
        BadInput: `trace_name`, a place that cannot be written, `no_attention`, and what `record` raises.
    """
    if not path.lower().endswith(ENDING):
        raise BadInput("trace_name", path=path, ending=ENDING)
    check_place(path)
    tell(say("cli.loading_model", name=model))
    from regard.tasks.recording import opened, record

    opened(model)
    tell(say("cli.recording", name=model))
    chosen: dict[str, Any] = {"parts": parts or None, "layers": layers or None, "heads": heads or None}
    trace: Trace = record(model, text, target=target, keep=tuple(keep), check=check, write=write, **chosen)
    if not trace.sites:
        raise BadInput("no_attention", name=trace.model)
    tell(say("cli.writing", path=path))
    trace.save(path)
    return Filed(path, trace)
