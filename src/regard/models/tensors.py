"""The tensors of a model folder, every one accounted for before any is read.

Weights lie in `model.safetensors`, or in several such files with an index of which holds what.
"""

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from regard.core.errors import BadInput
from regard.core.files import sha256

WEIGHTS, INDEX = "model.safetensors", "model.safetensors.index.json"
TYPES = {"F64", "F32", "F16", "BF16"}

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Weights:
    """What the files of a folder hold: for each tensor its file, shape and type. Made by `listed`."""

    folder: Path
    files: tuple[Path, ...]
    entries: Mapping[str, tuple[Path, Shape, str]]

    @property
    def fingerprint(self) -> str:
        """The sha256 of the weights; of several files, that of theirs."""
        digests = [sha256(path) for path in self.files]
        return digests[0] if len(digests) == 1 else hashlib.sha256("".join(digests).encode()).hexdigest()

    def refuse_far(self, n_layers: int, d_model: int) -> None:
        """Refuse a config whose model would be of another order of size, before even its outline is made.

        Raises:
            BadInput: `weights_layers`, `weights_width`.
        """
        path, tensors = str(self.folder), len(self.entries)
        if n_layers > tensors:
            raise BadInput("weights_layers", path=path, n_layers=n_layers, tensors=tensors)
        if not any(d_model in shape for _, shape, _ in self.entries.values()):
            raise BadInput("weights_width", path=path, d_model=d_model)

    def refuse_unless(self, expected: Mapping[str, Shape], names: Mapping[str, str]) -> None:
        """Hold every tensor against what a config makes of it. `names`: as expected → as in the file.

        Raises:
            BadInput: `weights_missing`, `weights_unexpected`, `weights_mismatch`, `weights_type`, by name.
        """
        for name in sorted(expected.keys() | names.keys()):
            if name not in names:
                raise BadInput("weights_missing", path=str(self.folder), name=name)
            path, shape, kind = self.entries[names[name]]
            if name not in expected:
                raise BadInput("weights_unexpected", path=str(path), name=names[name])
            if shape != expected[name]:
                raise BadInput(
                    "weights_mismatch", path=str(path), name=names[name], expected=expected[name], came=shape
                )
            if kind not in TYPES:
                raise BadInput("weights_type", path=str(path), name=names[name], came=kind, known=", ".join(TYPES))

    def refuse_unless_same(self, name: str, other: str) -> None:
        """Two tensors in one place (a tied head beside the embedding) must hold the same numbers.

        Raises:
            BadInput: `weights_disagree`.
        """
        alike = self.entries[name][1:] == self.entries[other][1:]
        found = self.read({name: name, other: other}) if alike else {}
        if not alike or not torch.equal(found[name], found[other]):
            raise BadInput("weights_disagree", path=str(self.entries[name][0]), name=name, other=other)

    def read(self, names: Mapping[str, str]) -> dict[str, Tensor]:
        """The tensors; `names`: as they shall be called → as in the file.

        Raises:
            BadInput: `weights_not_finite`.
        """
        found: dict[str, Tensor] = {}
        for path in self.files:
            with safe_open(path, "pt") as file:
                for name, theirs in names.items():
                    if self.entries[theirs][0] == path:
                        found[name] = _finite(file.get_tensor(theirs), path, theirs)
        return found


def listed(folder: Path) -> Weights:
    """What the weight files of a folder hold, from their headers alone.

    Raises:
        BadInput: there is no such file, it is broken, it lies elsewhere, or only one that could run a program; an
            index that disagrees with its files.
    """
    files, index = _files(folder)
    entries: dict[str, tuple[Path, Shape, str]] = {}
    for path in files:
        for name, shape, kind in _header(path):
            if name in entries:
                raise BadInput("weights_twice", path=str(path), name=name, other=str(entries[name][0]))
            entries[name] = (path, shape, kind)
    for name in sorted(index.keys() | entries.keys()) if index else ():
        if name not in entries or entries[name][0].name != index.get(name):
            raise BadInput("weights_index", path=str(folder / INDEX), name=name)
    return Weights(folder, files, entries)


def _finite(tensor: Tensor, path: Path, name: str) -> Tensor:
    """The tensor: processors' kernels may pass over a NaN, so that a model with one writes on, now and then."""
    if not tensor.sum(dtype=torch.float32).isfinite() and not tensor.isfinite().all():  # a sum may overflow
        raise BadInput("weights_not_finite", path=str(path), name=name)
    return tensor


def _header(path: Path) -> list[tuple[str, Shape, str]]:
    try:
        with safe_open(path, "pt") as file:
            slices = [(name, file.get_slice(name)) for name in file.keys()]  # noqa: SIM118 - it is no mapping
            return [(name, tuple(each.get_shape()), each.get_dtype()) for name, each in slices]
    except (SafetensorError, OSError, ValueError) as error:
        raise BadInput("weights_broken", path=str(path), reason=str(error)) from error


def _files(folder: Path) -> tuple[tuple[Path, ...], dict[str, str]]:
    """The files, and which tensor lies in which by their index; empty where one file holds all."""
    if (folder / WEIGHTS).is_file():
        return (_inside(folder, WEIGHTS),), {}
    if (folder / INDEX).is_file():
        index = _index(folder / INDEX)
        return tuple(_inside(folder, name) for name in sorted(set(index.values()))), index
    pickled = sorted(path.name for path in folder.glob("*") if path.suffix in (".bin", ".pt", ".pth", ".ckpt"))
    if pickled:
        raise BadInput("weights_pickled", path=str(folder / pickled[0]))
    raise BadInput("weights_absent", path=str(folder))


def _index(path: Path) -> dict[str, str]:
    """Tensor → file."""
    try:
        placed = json.loads(path.read_text(encoding="utf-8"))["weight_map"].items()
        return {str(name): str(file) for name, file in placed}
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise BadInput("weights_broken", path=str(path), reason=str(error)) from error


def _inside(folder: Path, name: str) -> Path:
    """A file that really lies in the folder, or in the store of files that a download cache keeps beside it."""
    real, root = Path(os.path.realpath(folder / name)), Path(os.path.realpath(folder))
    store = root.parent.parent / "blobs" if root.parent.name == "snapshots" else root
    if Path(name).name != name or not real.is_file() or not (real.is_relative_to(root) or real.is_relative_to(store)):
        raise BadInput("weights_elsewhere", path=str(folder), name=name)
    return folder / name


def shapes(tensors: Mapping[str, Tensor]) -> dict[str, Shape]:
    """The shape of each."""
    return {name: tuple(tensor.shape) for name, tensor in tensors.items()}
