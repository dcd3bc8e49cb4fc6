"""A trace: what a model attended to on one text, as data. No model in it; it can be looked at anywhere.

On disk it is one safetensors file: a tensor `ADDRESS/STEP` for each step kept, and under the metadata key `regard` a
JSON object with everything else; the metadata key `sha256` holds both together. `safetensors` and numpy are enough to
read it.
"""

import hashlib
import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from regard.core.errors import BadInput
from regard.core.files import write_whole
from regard.core.protocols import Site

FORMAT = "regard-trace-1"
READ = "read"
"""The sequence that a decoder reads; a GPT has no other."""


@dataclass(frozen=True)
class Check:
    """How a trace was held against the model's own output.

    Attributes:
        kind: `rows` (weights sum to 1 or 0, weights·value is the context) or `full` (also the logits).
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
    """

    text: str
    tokens: tuple[str, ...]
    ids: tuple[int, ...]
    words: tuple[int, ...]
    spans: tuple[tuple[int, int], ...]

    def word_list(self) -> tuple[str, ...]:
        """The words that `words` counts; tokens that are no text (the end) stand for themselves."""
        words = self.text.split()
        n_words = max(self.words, default=-1) + 1
        rest = [self.tokens[self.words.index(number)] for number in range(len(words), n_words)]
        return (*words, *rest)


@dataclass(frozen=True)
class Trace:
    """What a model attended to.

    Attributes:
        model, fingerprint: its name and the sha256 of its weights.
        sequences: by name: `read`, what the decoder reads; of a translator also `source` and `target`, what it writes.
        sites: where it attends, and which sequence queries and keys belong to.
        tensors: `ADDRESS/STEP` → (heads, queries, …), float32 or float16.
        check: how the trace proves itself.
    """

    model: str
    fingerprint: str
    sequences: dict[str, Sequence] = field(repr=False)
    sites: tuple[Site, ...]
    tensors: dict[str, np.ndarray] = field(repr=False)
    check: Check

    def tensor(self, step: str, *, part: str | None = None, layer: int = 0, head: int = 0) -> np.ndarray:
        """One step of one head: `weights` are (queries, keys), each query's sum to 1.

        Args:
            part: `encoder`, `decoder` (what it reads) or `cross`; None for `cross` where there is one.

        Raises:
            BadInput: no such part, layer, head or step in this trace; it says which there are.
        """
        site = self.site(part, layer)
        if not 0 <= head < site.n_heads:
            raise BadInput("no_head", head=head, n_heads=site.n_heads, address=site.address)
        name = f"{site.address}/{step}"
        if name not in self.tensors:
            raise BadInput("step_not_kept", step=step, kept=", ".join(sorted(self.tensors)))
        return self.tensors[name][head]

    def weights(self, *, part: str | None = None, layer: int = 0, head: int = 0) -> np.ndarray:
        """The weights of one head, (queries, keys)."""
        return self.tensor("weights", part=part, layer=layer, head=head)

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
        facts = {
            "format": FORMAT,
            "model": self.model,
            "fingerprint": self.fingerprint,
            "sequences": {name: asdict(sequence) for name, sequence in self.sequences.items()},
            "sites": [asdict(site) for site in self.sites],
            "check": asdict(self.check),
        }
        tensors = {name: np.ascontiguousarray(tensor) for name, tensor in self.tensors.items()}
        told = json.dumps(facts, ensure_ascii=False)
        write_whole(path, save(tensors, metadata={"regard": told, "sha256": _digest(told, tensors)}))


def load(path: Path | str) -> Trace:
    """Read a trace file.

    Raises:
        BadInput: no such file, cut short or altered, not a trace, or a trace of another version.
    """
    if not Path(path).is_file():
        raise BadInput("file_missing", path=str(path))
    try:
        with safe_open(path, framework="numpy") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 — it is no dict
        facts = json.loads(metadata.get("regard", "null"))
    except (SafetensorError, OSError, ValueError, RecursionError) as error:
        raise BadInput("trace_broken", path=str(path), reason=str(error)) from error
    if not isinstance(facts, dict) or facts.get("format") != FORMAT:
        came = facts.get("format") if isinstance(facts, dict) else None
        raise BadInput("trace_version", path=str(path), came=str(came), expected=FORMAT)
    if metadata.get("sha256") != _digest(metadata["regard"], tensors):
        raise BadInput("trace_broken", path=str(path), reason="sha256")
    try:
        return _trace(facts, tensors)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise BadInput("trace_broken", path=str(path), reason=str(error)) from error


def _digest(told: str, tensors: dict[str, np.ndarray]) -> str:
    """The sha256 of everything that a trace holds: safetensors itself would not see a changed number."""
    digest = hashlib.sha256(told.encode())
    for name, tensor in sorted(tensors.items()):
        digest.update(f"{name} {tensor.dtype} {tensor.shape} ".encode() + tensor.tobytes())
    return digest.hexdigest()


def _trace(facts: dict[str, Any], tensors: dict[str, np.ndarray]) -> Trace:
    sequences = {name: _sequence(**side) for name, side in facts["sequences"].items()}
    sites = tuple(Site(**site) for site in facts["sites"])
    return Trace(facts["model"], facts["fingerprint"], sequences, sites, tensors, Check(**facts["check"]))


def _sequence(text: str, tokens: list[str], ids: list[int], words: list[int], spans: list[list[int]]) -> Sequence:
    return Sequence(text, tuple(tokens), tuple(ids), tuple(words), tuple((start, end) for start, end in spans))
