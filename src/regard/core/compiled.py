"""A block's statistics by a compiled kernel (`reduction.c`): three times as fast as the same with torch, where it pays.

It is compiled when the first work comes that is worth the half second, for this processor, and is used only if a trial
gives the same numbers. Where there is no C compiler torch does the work.
"""

import ctypes
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path

import torch
from torch import Tensor

from regard.core.reduction import LOG_SUM_EXP, Reduced, reduced

SOURCE = Path(__file__).with_name("reduction.c")

FLAGS = ("-O3", "-march=native", "-mprefer-vector-width=512", "-fopenmp-simd", "-fno-math-errno", "-fno-trapping-math")

WORTH = 2**24
"""Weights that torch reduces in the time that compiling takes, about."""


def compiler() -> str | None:
    """The C compiler of this machine: what `CC` names, or one of the usual."""
    names = (os.environ.get("CC", ""), "cc", "gcc", "clang")
    return next((found for name in names if name and (found := shutil.which(name))), None)


Kernel = Callable[..., Reduced]
"""Takes `scores, spans, sinks` and `high=, own=, top=`; see `_reduced`."""


def kernel(device: torch.device, work: int) -> Kernel | None:
    """The kernel, if it can be had here and pays for so many weights; once it is there, it pays for any."""
    if device.type != "cpu" or (work < WORTH and not _loaded.cache_info().currsize):
        return None
    return _loaded()


def built(source: Path, *more: str) -> ctypes.CDLL | None:
    """A C file, compiled for this processor and opened; None where there is no compiler, it cannot, or may not write.

    Args:
        more: flags; without them it is tried again where they are not known.
    """
    name = compiler()
    if name is None:
        return None
    try:
        with tempfile.TemporaryDirectory() as folder:
            library = Path(folder) / f"{source.stem}.so"
            command = [name, *FLAGS, *more, "-shared", "-fPIC", "-o", str(library), str(source), "-lm"]
            subprocess.run(command, check=True, capture_output=True, timeout=60)
            return ctypes.CDLL(str(library))
    except (subprocess.SubprocessError, OSError):
        return built(source) if more else None


@cache
def _loaded() -> Kernel | None:
    """The kernel, compiled and tried."""
    library = built(SOURCE, "-fopenmp")
    if library is None:
        return None
    found = library.reduce
    found.argtypes, found.restype = [ctypes.c_long] * 6 + [ctypes.c_void_p] * 7 + [ctypes.c_long], ctypes.c_int
    made = partial(_reduced, found)
    return made if agrees(made) else None


def agrees(tried: Kernel) -> bool:
    """Whether a kernel gives the numbers that torch gives, of drawn scores."""
    scores = torch.randn(2, 6, 70, generator=torch.Generator().manual_seed(1)) * 4
    how = {"high": 3, "own": 11, "top": 5}
    found = tried(scores.clone(), torch.tensor([[0, 70]]).expand(6, 2), None, **how)
    expected = reduced(scores.softmax(-1), scores, **how, chunk=7, ahead=True)
    return all(torch.allclose(a, b, rtol=1e-5, atol=1e-6) for a, b in zip(found, expected, strict=True))


def _reduced(
    function: Callable[..., int],
    scores: Tensor,
    spans: Tensor,
    sinks: Tensor | None,
    *,
    high: int,
    own: int,
    top: int,
) -> Reduced:
    """The statistics of a block, as `reduction.reduced` gives them of its weights.

    Args:
        scores: (heads, rows, keys), scaled, with bias; a number below −5e29 is not seen. They are overwritten.
        spans: (rows, 2), which of these keys each row sees.
        sinks: (heads,).
        high, own, top: as there.
    """
    heads, rows, keys = scores.shape
    found, where = torch.zeros(heads, rows, 6 + top), torch.full((heads, rows, top), -1, dtype=torch.int32)
    found[..., LOG_SUM_EXP] = float("-inf")
    sums, peak = (torch.zeros(heads, rows // high, keys) for _ in range(2))
    spans, sinks = spans.int().contiguous(), None if sinks is None else sinks.float().contiguous()
    given = [None if each is None else each.data_ptr() for each in (spans, sinks, scores, found, where, sums, peak)]
    units = heads * (rows // high)
    if not function(units, rows, keys, high, own, top, *given, torch.get_num_threads()):
        raise MemoryError
    return Reduced(found[..., :6], found[..., 6:], where, sums, peak)
