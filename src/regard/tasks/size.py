"""`regard.size`: how large a model is, part by part, from its sizes alone: no weights are read."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from regard.core.errors import BadInput
from regard.core.nearest import nearest
from regard.inspection.size.families import architecture
from regard.inspection.size.fields import LARGEST, Fields
from regard.inspection.size.parts import Side, Size, in_bytes
from regard.inspection.size.published import Published, find, published
from regard.inspection.size.recurrent import MODEL_TYPE, recurrent
from regard.models import catalogue
from regard.views import size as view
from regard.views.notebook import image
from regard.views.picture import Rows, Table

CONFIG = catalogue.CONFIG
_HUB = re.compile(r"[\w.-]+(/[\w.-]+)?")


@dataclass(frozen=True)
class Sized:
    """How large a model is.

    Attributes:
        name: as it was asked for.
        size: its numbers: `parts`, `total`, `active`, `attention_share`, `flops`, `kept` …
        family, kind: its `model_type`, and the class that is counted.
        source, year: of a published description: where its sizes are from.
        compressed: how its weights are compressed, where they are.
        asked: for how many tokens that are looked at; None for `Size.context`'s own choice.
    """

    name: str
    size: Size
    family: str = ""
    kind: str = ""
    source: str | None = None
    year: int | None = None
    compressed: str | None = None
    asked: int | None = None

    @property
    def parts(self) -> dict[str, int]:
        """Parameters of each part."""
        return self.size.parts

    @property
    def total(self) -> int:
        """All parameters; numbers used twice are counted once."""
        return self.size.total

    @property
    def attention_share(self) -> float:
        """What queries, keys, values and outputs have of all parameters."""
        return self.size.attention_share

    @property
    def context(self) -> int:
        """How many tokens are looked at, for what depends on it."""
        return self.size.context(self.asked)

    def json(self) -> dict[str, Any]:
        """As the command's JSON holds it; null is what its config does not say."""
        size, sides = self.size, self.size.sides
        told: dict[str, Any] = {"name": self.name, "family": self.family, "class": self.kind}
        told |= {"source": self.source, "year": self.year, "compressed": self.compressed}
        told |= {"parts": size.parts, "total": size.total, "active": size.active, "attention": size.attention}
        told |= {"attention_share": size.attention_share, "bytes": in_bytes(size.total), "context": self.context}
        told |= {f"flops_per_{_of(side)}": size.flops(self.context, side) for side in sides}
        cached = {f"cache_bytes_per_{_of(side)}": in_bytes(size.kept(side)) for side in sides}
        return told | (dict.fromkeys(cached) if size.heads is None else cached)

    def picture(self, lang: str | None = None) -> Rows:
        """A table of its numbers, and what they say."""
        return compared([self], lang)

    def _repr_html_(self) -> str:
        return image(self.picture())


def _of(side: Side) -> str:
    return "source_token" if side == "source" else "token"


def size(model: Any, *, context: int | None = None) -> Sized:
    """How large a model is: parameters by part, multiplications a token, what it keeps while it writes.

    Args:
        model: a bundled model or a published one by name (`gpt3`; `regard size` alone lists all), a model folder, a
            `config.json`, an id of the Hugging Face hub, or a model that is held: ours, one of `transformers`, any
            module of torch.
        context: for what depends on length: how many tokens are looked at; None for 1024, or the most it reads.

    Raises:
        BadInput: nothing of this name (the nearest is told), a folder that is no model, a config without sizes or with
            absurd ones, a family that nobody knows.

    >>> gpt3 = size("gpt3")
    >>> gpt3.total, gpt3.size.attention, round(gpt3.attention_share, 3)
    (174604259328, 57982058496, 0.332)
    """
    if context is not None and not 1 <= context <= LARGEST:
        raise BadInput("size_context", came=context, most=LARGEST)
    if not isinstance(model, str | Path):
        return _held(model, context)
    name = str(model)
    described = None if name in catalogue.names() else find(name)
    if described is not None:
        return _of_config(described.name, Fields(described.config, described.name), context, described)
    path = _config(name)
    return _of_config(name, Fields(catalogue.fields_of(path), str(path)), context)


def names() -> list[str]:
    """Everything that has a size by name: bundled models, then published ones."""
    return [*catalogue.names(), *published()]


def compared(found: Sequence[Sized], lang: str | None = None) -> Rows:
    """Some models side by side, and what their numbers say."""
    return view.sizes([_row(each) for each in found], lang)


def bars(found: Sequence[Sized], lang: str | None = None) -> Rows:
    """The same with bars: what each part has of all parameters."""
    return view.with_bars([_row(each) for each in found], lang)


def listed(lang: str | None = None) -> Table:
    """Everything that has a size by name, a line each."""
    return view.listed([_row(size(name)) for name in names()], lang)


def _row(each: Sized) -> view.Row:
    waves = each.family == "marian"
    return view.Row(each.name, each.size, each.context, each.source, each.year, each.compressed, waves)


def _of_config(name: str, fields: Fields, context: int | None, described: Published | None = None) -> Sized:
    """By formulas where they know the family, else as `transformers` builds it."""
    family = fields.word("model_type")
    source, year = (described.source, described.year) if described else (None, None)
    found, kind = _counted(fields, family)
    return Sized(name, found, family, kind, source, year, _compressed(fields), context)


def _counted(fields: Fields, family: str) -> tuple[Size, str]:
    if family == MODEL_TYPE:
        return recurrent(fields), "RnnTranslator"
    known = architecture(fields)
    if known is not None:
        return known[0].size(), known[1]
    from regard.inspection.size.built import built

    return built(fields)


def _compressed(fields: Fields) -> str | None:
    how = fields.values.get("quantization_config")
    if not how:
        return None
    return str(how.get("quant_method", "?"))[:60] if isinstance(how, dict) else "?"


def _held(model: Any, context: int | None) -> Sized:
    """A model that somebody holds."""
    from torch import nn

    from regard.inspection.foreign.run import Foreign
    from regard.inspection.size.built import of_module
    from regard.models.forms import form_of

    held = model.model if isinstance(model, Foreign) or hasattr(model, "tokenizer") else model
    if not isinstance(held, nn.Module):
        raise BadInput("size_what", came=type(model).__name__)
    name = str(getattr(model, "name", "") or type(held).__name__)
    if type(held).__module__.startswith("regard."):
        return _of_config(name, Fields(form_of(held.config).files(held.config, model.tokenizer)[CONFIG], name), context)
    family = str(getattr(getattr(held, "config", None), "model_type", ""))
    return Sized(name, of_module(held), family, type(held).__name__, asked=context)


def _config(name: str) -> Path:
    """The config of a bundled model, a folder, the best model of a run, a file, or an id of the hub."""
    path = Path(name)
    if name not in catalogue.names():
        if path.is_file():
            return path
        if not path.exists():
            return _fetched(name)
    return catalogue.find(name) / CONFIG


def _fetched(name: str) -> Path:
    """The config of a model of the hub, from the local cache or the network, and nothing else of it."""
    if _HUB.fullmatch(name) and ".." not in name:
        from huggingface_hub import hf_hub_download
        from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

        for local in (True, False) if "/" in name else (True,):  # a bare word is rather a slip
            try:
                return Path(hf_hub_download(name, CONFIG, local_files_only=local))
            except (HfHubHTTPError, LocalEntryNotFoundError, ValueError, OSError):
                continue
    near = nearest(name.rpartition("/")[2], names())
    raise BadInput("size_unknown", name=name, nearest=near, count=len(names()))
