"""Arrays as one string for a page: packed tightly, read by `page/weights.js`.

Each array is float32 as it is, or rounded to the digits that are printed, or whole numbers. Its bytes are laid out
plane by plane (all first bytes, then all second ones), where they are more alike; all arrays together are compressed
by gzip and written in base64.
"""

import base64
import gzip
from dataclasses import dataclass, field
from typing import Any

import numpy as np


@dataclass
class Packed:
    """Arrays on their way into a page. Final."""

    entries: dict[str, dict[str, Any]] = field(default_factory=dict)
    planes: list[bytes] = field(default_factory=list)

    def exact(self, name: str, values: np.ndarray) -> None:
        """Add an array as float32."""
        self._add(name, "f4", values.astype("<f4"), 1.0)

    def rounded(self, name: str, values: np.ndarray, digits: int) -> None:
        """Add numbers with so many digits after the point: a page then prints of them what every medium prints."""
        self._whole(name, np.rint(values.astype(np.float64) * 10**digits), digits)

    def numbers(self, name: str, values: np.ndarray) -> None:
        """Add whole numbers."""
        self._whole(name, values, 0)

    def data(self) -> dict[str, Any]:
        """What the page reads: where each array lies, and all of them as one string."""
        whole = gzip.compress(b"".join(self.planes), compresslevel=6, mtime=0)
        return {"arrays": self.entries, "blob": base64.b64encode(whole).decode("ascii")}

    def _whole(self, name: str, values: np.ndarray, digits: int) -> None:
        small = values.min(initial=0) >= -(2**15) and values.max(initial=0) < 2**15
        self._add(name, "i2" if small else "i4", values.astype("<i2" if small else "<i4"), 10.0**-digits)

    def _add(self, name: str, kind: str, values: np.ndarray, scale: float) -> None:
        at = sum(map(len, self.planes))
        self.entries[name] = {"type": kind, "shape": list(values.shape), "scale": scale, "at": at}
        by_byte = np.ascontiguousarray(values).view(np.uint8).reshape(-1, values.itemsize)
        self.planes.append(by_byte.T.tobytes())
