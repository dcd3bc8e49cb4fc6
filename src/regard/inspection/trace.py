"""A trace: what a model attended to on one text, as data. No model in it; it can be looked at anywhere.

What was kept are tensors `ADDRESS/STEP`. Where queries and keys are among them, the score recipe stands beside them:
any row of any step from `scores` to `weights` is computed exactly when it is asked for. On disk it is one file.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from pydantic import BaseModel, ConfigDict, ValidationError

from regard.core.errors import BadInput
from regard.core.protocols import Site
from regard.inspection import summary, trace_file
from regard.inspection.trace_form import refuse_unless_sound

if TYPE_CHECKING:
    from torch import Tensor

    from regard.core.recipe import Recipe, Rows
    from regard.core.statistics import Statistics

COMPUTED = ("scores", "scaled", "masked", "weights")
"""Steps that queries, keys and the recipe give."""

SOURCE = "source"
"""The sequence that an encoder reads."""

READ = "read"
"""The sequence that a decoder reads; a GPT has no other."""
TARGET = "target"
"""The sequence that a translator writes."""


@dataclass(frozen=True)
class Check:
    """How a trace was held against the model's own output.

    Attributes:
        kind: `rows` (of some queries weights·value is the context; weights that a kernel gave sum to 1 or 0) or `full`
            (of all, and the logits).
        deviation: max|a − b| / max|b|, the largest over all tensors compared.
        tolerance: what was allowed.
    """

    kind: str
    deviation: float
    tolerance: float


@dataclass(frozen=True)
class Sequence:
    """One side of what was run.

    Attributes:
        text: what was read or written; of a source that was too long, the part that was read.
        tokens, ids: with the end token.
        words: the word between spaces that each token belongs to, from 0; one that is no text is a word of its own.
        spans: the characters of `text` that each token covers, from … to; none for one that is no text.
        kinds: of each token `text`, `special`, `unknown` or `padding`; empty where it was not told.
    """

    text: str
    tokens: tuple[str, ...]
    ids: tuple[int, ...]
    words: tuple[int, ...]
    spans: tuple[tuple[int, int], ...]
    kinds: tuple[str, ...] = ()

    def within(self, start: int, end: int) -> list[int]:
        """The tokens of which a part lies within these characters of the text."""
        return [at for at, (first, last) in enumerate(self.spans) if first < end and last > start]

    def word_list(self) -> tuple[str, ...]:
        """The words that `words` counts; tokens that are no text (the end) stand for themselves."""
        words = self.text.split()
        n_words = max(self.words, default=-1) + 1
        rest = [self.tokens[self.words.index(number)] for number in range(len(words), n_words)]
        return (*words, *rest)


@dataclass(frozen=True)
class Written:
    """A score recipe with the names of its tensors instead of them; several places may share one.

    Attributes:
        scale, softcap: as in `core.recipe.Recipe`.
        vector, bias, visible, sinks: the name of each in `Trace.tensors`; None where there is none.
    """

    scale: float
    softcap: float | None = None
    vector: str | None = None
    bias: str | None = None
    visible: str | None = None
    sinks: str | None = None


@dataclass(frozen=True)
class Trace:
    """What a model attended to.

    Attributes:
        model, fingerprint: its name and the sha256 of its weights.
        sequences: by name: `source`, what an encoder reads; `read`, what a decoder reads; of a translator also
            `target`, what it writes.
        sites: where it attends, and which sequence queries and keys belong to.
        tensors: `ADDRESS/STEP` → (heads, queries, …), float32 or float16; beside them what recipes name.
        check: how the trace proves itself.
        recipes: by address, how weights are made of queries and keys.
        heads: which heads were recorded; None: all.
    """

    model: str
    fingerprint: str
    sequences: dict[str, Sequence] = field(repr=False)
    sites: tuple[Site, ...]
    tensors: Mapping[str, np.ndarray] = field(repr=False)
    check: Check
    recipes: dict[str, Written] = field(repr=False, default_factory=dict)
    heads: tuple[int, ...] | None = None

    def tensor(
        self, step: str, *, part: str | None = None, layer: int = 0, head: int = 0, rows: "Rows | None" = None
    ) -> np.ndarray:
        """One step of one head: `weights` are (queries, keys), each query's sum to 1.

        Args:
            part: `encoder`, `decoder` (what it reads) or `cross`; None for `cross` where there is one.
            rows: of which queries alone: a slice, or a tensor of their numbers; None: all.

        Raises:
            BadInput: no such part, layer, head or step in this trace; it says which there are.
        """
        site = self.site(part, layer)
        at, count = self.place(site, head)
        name = f"{site.address}/{step}"
        if name in self.tensors:
            kept = self.tensors[name]
            whole = kept[at * len(kept) // count]  # grouped heads share keys and values
            return whole if rows is None else whole[np.asarray(rows) if not isinstance(rows, slice) else rows]
        if step not in COMPUTED or not self.computes(site):
            raise BadInput("step_not_kept", step=step, kept=", ".join(sorted(self.tensors)) or "–")
        return self._computed(step, site, at, rows)

    def weights(
        self, *, part: str | None = None, layer: int = 0, head: int = 0, rows: "Rows | None" = None
    ) -> np.ndarray:
        """The weights of one head, (queries, keys); computed from queries and keys where they were not kept."""
        return self.tensor("weights", part=part, layer=layer, head=head, rows=rows)

    def statistics(
        self, *, part: str | None = None, layer: int = 0, head: int | None = None
    ) -> "Statistics[np.ndarray]":
        """Every statistic of the weights of one place, as kept, or exact from queries and keys, or from kept weights.

        Args:
            head: of one head, without the axis of heads; None: of all that were recorded, in their order.

        Raises:
            BadInput: no such part, layer or head; `step_not_kept` where nothing tells them.
        """
        site = self.site(part, layer)
        return summary.of_place(self, site, None if head is None else self.place(site, head))

    def pooled(
        self, size: int, *, part: str | None = None, layer: int = 0, head: int | None = None, peak: bool = False
    ) -> np.ndarray:
        """A map of the weights in blocks of ⌈n/size⌉ tokens, at most `size` each way, as `Statistics.pooled` says.

        Args:
            head: of one head, (rows, columns); None: of all that were recorded, (heads, rows, columns).
            peak: the largest weight in each block instead.

        Raises:
            BadInput: as `statistics`; `map_not_kept` where only a coarser one was kept, or one whose blocks do not fit.
        """
        site = self.site(part, layer)
        return summary.pooled(self, site, None if head is None else self.place(site, head), size, peak)

    def computes(self, site: Site) -> bool:
        """Whether queries, keys and the recipe of a place are here, so that its weights can be made."""
        kept = (f"{site.address}/{step}" in self.tensors for step in ("query", "key"))
        return site.address in self.recipes and all(kept)

    def recipe(self, site: Site) -> "Recipe":
        """The score recipe of a place, with its tensors."""
        import torch

        from regard.core.recipe import Recipe

        written = self.recipes[site.address]
        names = {part: getattr(written, part) for part in ("vector", "bias", "visible", "sinks")}
        tensors = {part: torch.from_numpy(self.tensors[name]) for part, name in names.items() if name is not None}
        return Recipe(scale=written.scale, softcap=written.softcap, **tensors)

    def asked(self, site: Site) -> "tuple[Recipe, Tensor, Tensor]":
        """Recipe, queries (heads, queries, d) and keys (kv_heads, keys, d) of a place: all that weights are made of."""
        import torch  # nobody waits for it who reads what was kept

        query, key = (torch.from_numpy(self.tensors[f"{site.address}/{step}"]).float() for step in ("query", "key"))
        return self.recipe(site), query, key

    def place(self, site: Site, head: int) -> tuple[int, int]:
        """Where a head stands among those kept, and how many these are."""
        if not 0 <= head < site.n_heads:
            raise BadInput("no_head", head=head, n_heads=site.n_heads, address=site.address)
        kept = range(site.n_heads) if self.heads is None else self.heads
        if head not in kept:
            raise BadInput("head_not_kept", head=head, kept=", ".join(map(str, kept)))
        return kept.index(head), len(kept)

    def _computed(self, step: str, site: Site, at: int, rows: "Rows | None") -> np.ndarray:
        from regard.core.recipe import ALL, steps

        recipe, query, key = self.asked(site)
        group = at * len(key) // len(query)
        found = steps(recipe.of_head(at), query[at : at + 1], key[group : group + 1], ALL if rows is None else rows)
        return np.asarray(found[step][0].numpy())

    def site(self, part: str | None, layer: int) -> Site:
        """The place of this part and layer."""
        wanted = part or next((site.part for site in self.sites if site.part == "cross"), None)
        for site in self.sites:
            if site.layer == layer and wanted in (None, site.part, site.address.split(".")[0]):
                return site
        raise BadInput(
            "no_site",
            part=wanted or next((site.part for site in self.sites), "–"),
            layer=layer,
            sites=", ".join(s.address for s in self.sites) or "–",
        )

    def save(self, path: Path | str) -> None:
        """Write the trace to one safetensors file, whole or not at all."""
        facts = {name: value for name, value in asdict(replace(self, tensors={})).items() if name != "tensors"}
        trace_file.write(path, facts, self.tensors)


def load(path: Path | str) -> Trace:
    """Read a trace file.

    Raises:
        BadInput: no such file, cut short or altered, not a trace, or a trace of another version.
    """
    told, tensors = trace_file.read(path)
    try:
        facts = _Facts.model_validate_json(told)
        found = Trace(tensors=tensors, **{name: getattr(facts, name) for name in _Facts.model_fields})
        refuse_unless_sound(found.sequences, found.sites, tensors, found.recipes, found.heads)
    except ValidationError as error:
        first = error.errors()[0]
        reason = f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
        raise BadInput("trace_broken", path=str(path), reason=reason[:200]) from error
    except ValueError as error:
        raise BadInput("trace_broken", path=str(path), reason=str(error)) from error
    return found


class _Facts(BaseModel):
    """What the file says beside tensors. Keys that this version does not know say nothing to it."""

    model_config = ConfigDict(strict=True, frozen=True, allow_inf_nan=False)

    model: str
    fingerprint: str
    sequences: dict[str, Sequence]
    sites: tuple[Site, ...]
    check: Check
    recipes: dict[str, Written]
    heads: tuple[int, ...] | None
