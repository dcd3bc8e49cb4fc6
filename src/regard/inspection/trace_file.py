"""The file of a trace: one safetensors file, written whole or not at all.

Its tensors are the trace's; under the metadata key `regard` a JSON object holds everything else, and the metadata key
`sha256` holds both together. `safetensors` and numpy are enough to read it (docs/trace-format.md).
"""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from regard.core.errors import BadInput
from regard.core.files import write_whole

FORMAT = "regard-trace-2"


def write(path: Path | str, facts: dict[str, Any], tensors: Mapping[str, np.ndarray]) -> None:
    """Write facts and tensors; of tensors that lie in order no copy is made."""
    told = json.dumps({"format": FORMAT, **facts}, ensure_ascii=False)
    whole = {name: np.ascontiguousarray(tensor) for name, tensor in tensors.items()}
    metadata = {"regard": told, "sha256": _digest(told, whole)}
    write_whole(path, lambda place: save_file(whole, place, metadata))


def read(path: Path | str) -> tuple[str, dict[str, np.ndarray]]:
    """Facts, as the JSON they stand in, and tensors of a trace file.

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
    except (SafetensorError, OSError, ValueError, TypeError, AttributeError, KeyError, RecursionError) as error:
        raise BadInput("trace_broken", path=str(path), reason=str(error)) from error
    if not isinstance(facts, dict) or facts.get("format") != FORMAT:
        came = facts.get("format") if isinstance(facts, dict) else None
        raise BadInput("trace_version", path=str(path), came=str(came), expected=FORMAT)
    if metadata.get("sha256") != _digest(metadata["regard"], tensors):
        raise BadInput("trace_broken", path=str(path), reason="sha256")
    return metadata["regard"], tensors


def _digest(told: str, tensors: dict[str, np.ndarray]) -> str:
    """The sha256 of everything that a trace holds: safetensors itself would not see a changed number."""
    digest = hashlib.sha256(told.encode())
    for name, tensor in sorted(tensors.items()):
        digest.update(f"{name} {tensor.dtype} {tensor.shape} ".encode())
        digest.update(np.ascontiguousarray(tensor).reshape(-1).data)  # its bytes, without a copy
    return digest.hexdigest()
