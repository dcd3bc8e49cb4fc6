"""An attention workbench: compute attention with every number in view, train the models built on it, look inside them.

Names are fetched when they are first used, so `import regard` is quick and loads no torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from regard.core.errors import speak_with
from regard.language import say
from regard.version import __version__

if TYPE_CHECKING:
    from regard.core import masks, scorers
    from regard.core.attend import attend, steps
    from regard.core.fused import fused
    from regard.tasks.align import align
    from regard.tasks.evidence import evidence, knockout
    from regard.tasks.heads import heads
    from regard.tasks.loading import load, load_trace
    from regard.tasks.recording import record
    from regard.tasks.senses import senses
    from regard.tasks.size import size
    from regard.tasks.words import words
    from regard.views import picture as pictures

# Each public name and the module it lives in.
_HOME = {
    "attend": "regard.core.attend",
    "fused": "regard.core.fused",
    "steps": "regard.core.attend",
    "masks": "regard.core.masks",
    "scorers": "regard.core.scorers",
    "align": "regard.tasks.align",
    "evidence": "regard.tasks.evidence",
    "heads": "regard.tasks.heads",
    "knockout": "regard.tasks.evidence",
    "load": "regard.tasks.loading",
    "load_trace": "regard.tasks.loading",
    "record": "regard.tasks.recording",
    "senses": "regard.tasks.senses",
    "words": "regard.tasks.words",
    "size": "regard.tasks.size",
    "pictures": "regard.views.picture",
}

_ROOMS = ("masks", "pictures", "scorers")  # modules of small things, public as they are

__all__ = [
    "__version__",
    "align",
    "attend",
    "evidence",
    "fused",
    "heads",
    "knockout",
    "load",
    "load_trace",
    "masks",
    "pictures",
    "record",
    "scorers",
    "senses",
    "size",
    "steps",
    "words",
]

speak_with(say)


def __getattr__(name: str) -> Any:
    """Fetch a public name from its module, once."""
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    home = import_module(_HOME[name])
    value = home if name in _ROOMS else getattr(home, name)
    if _HOME[name].startswith(("regard.tasks.", "regard.views.")):
        _attach()
    globals()[name] = value
    return value


def _attach() -> None:
    """Hang on traces and pictures what people look for there; the floors they live on know no drawing."""
    from regard.inspection.trace import Trace
    from regard.tasks import showing
    from regard.views.notebook import image
    from regard.views.picture import Picture

    on_traces = {"picture": showing.picture, "html": showing.html, "_repr_html_": showing.framed}
    for kind, methods in ((Trace, on_traces), (Picture, {"_repr_html_": image})):
        for name, method in methods.items():
            setattr(kind, name, method)


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOME})
