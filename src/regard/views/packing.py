"""Arrays as one string for a page: packed tightly, read by `page/weights.js`.

Each array is float32 as it is, or 16-bit steps of its own scale (`value = step · scale`), or whole numbers. Its bytes
are laid out plane by plane (all first bytes, then all second ones), where they are more alike; all arrays together are
compressed by gzip and written in base64. So 144 heads of 512 tokens take half of what they take as they are.
"""

import base64
import gzip
from dataclasses import dataclass, field
from typing import Any

import numpy as np

STEPS = 2**16 - 1
"""Steps of a scale."""


@dataclass
class Packed:
    """Arrays on their way into a page. Final."""

    entries: dict[str, dict[str, Any]] = field(default_factory=dict)
    planes: list[bytes] = field(default_factory=list)

    def exact(self, name: str, values: np.ndarray) -> None:
        """Add an array as float32."""
        self._add(name, "f4", values.astype("<f4"), 1.0)

    def steps(self, name: str, values: np.ndarray) -> None:
        """Add non-negative numbers, in 65,535 steps up to the largest: none is off by more than half a step."""
        scale = float(values.max(initial=0.0)) / STEPS or 1.0
        self._add(name, "u2", np.rint(values / scale).astype("<u2"), scale)

    def numbers(self, name: str, values: np.ndarray) -> None:
        """Add whole numbers from −1 on."""
        small = int(values.max(initial=0)) < 2**15
        self._add(name, "i2" if small else "i4", values.astype("<i2" if small else "<i4"), 1.0)

    def data(self) -> dict[str, Any]:
        """What the page reads: where each array lies, and all of them as one string."""
        whole = gzip.compress(b"".join(self.planes), compresslevel=6, mtime=0)
        return {"arrays": self.entries, "blob": base64.b64encode(whole).decode("ascii")}

    def _add(self, name: str, kind: str, values: np.ndarray, scale: float) -> None:
        at = sum(map(len, self.planes))
        self.entries[name] = {"type": kind, "shape": list(values.shape), "scale": scale, "at": at}
        by_byte = np.ascontiguousarray(values).view(np.uint8).reshape(-1, values.itemsize)
        self.planes.append(by_byte.T.tobytes())
